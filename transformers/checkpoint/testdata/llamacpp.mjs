// Makes llamacpp.json.gz: what llama.cpp makes of the files of
// llamacpp_test.go, which first writes them:
//   go test ./transformers/checkpoint -run LlamaCpp -llamacpp DIR
//   python3 -c 'import corpus, json; print(json.dumps([corpus.string(i) for i in range(400)]))' > DIR/strings.json
//     (with PYTHONPATH=tokenizers/testdata)
//   LLAMA=FOLDER_OF_NODE_MODULES node llamacpp.mjs DIR
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

const dir = process.argv[2];
const {getLlama, LlamaLogLevel} = await import(path.join(process.env.LLAMA, "node_modules/node-llama-cpp/dist/index.js"));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1});
const chosen = JSON.parse(fs.readFileSync(path.join(dir, "seeds.json"), "utf8"));
const golden = {
	Seeds: chosen.seeds, Greedy: {}, LogProb: {},
	Strings: JSON.parse(fs.readFileSync(path.join(dir, "strings.json"), "utf8")), IDs: {},
};
for (const file of fs.readdirSync(dir).filter((f) => f.endsWith(".gguf") && !f.startsWith("mix-")).sort()) {
	const name = file.slice(0, -".gguf".length);
	const model = await llama.loadModel({modelPath: path.join(dir, file), vocabOnly: name.startsWith("vocab-")});
	if (name.startsWith("vocab-")) {
		// Only vocabularies' special tokens are cut out of the text; none is added.
		golden.IDs[name.slice("vocab-".length)] = golden.Strings.map((s) => Array.from(model.tokenize(s, true)));
		continue;
	}
	const context = await model.createContext({contextSize: 256, batchSize: 256, threads: 1});
	const ids = [], logProbs = [];
	for await (const {token, confidence} of context.getSequence().evaluateWithMetadata(chosen.prompt, {confidence: true}, {temperature: 0, yieldEogToken: true})) {
		ids.push(token);
		logProbs.push(+Math.log(confidence).toFixed(5));
		if (ids.length === 64) break;
	}
	golden.Greedy[name] = ids;
	golden.LogProb[name] = logProbs;
}
fs.writeFileSync(path.join(import.meta.dirname, "llamacpp.json.gz"), zlib.gzipSync(JSON.stringify(golden), {level: 9}));
process.exit(0);
