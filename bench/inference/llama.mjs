// llama.cpp's side: node llama.mjs MODEL.gguf PROMPT_TOKENS GEN_TOKENS SEQUENCES
// One round for each line on standard input, like inferbench. LLAMA names the
// folder with node_modules/node-llama-cpp.
import readline from "node:readline";
import path from "node:path";

const [model, prompt, gen, sequences] = [process.argv[2], +process.argv[3], +process.argv[4], +(process.argv[5] ?? 1)];
const {getLlama, LlamaLogLevel} = await import(path.join(process.env.LLAMA, "node_modules/node-llama-cpp/dist/index.js"));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 2});
const loaded = await llama.loadModel({modelPath: model, useMmap: true});
const context = await loaded.createContext({contextSize: (prompt + gen + 16) * sequences, batchSize: 512, threads: 2, sequences});
const all = Array.from({length: sequences}, () => context.getSequence());
const tokens = Array.from({length: prompt}, (_, i) => 300 + (i * 7) % 20000);

async function write(sequence) {
	let n = 0;
	for await (const _ of sequence.evaluate([500], {temperature: 0, yieldEogToken: true})) {
		if (++n >= gen) break;
	}
}

console.log(JSON.stringify({ready: true}));
for await (const _ of readline.createInterface({input: process.stdin})) {
	let start = performance.now();
	for (const s of all) await s.evaluateWithoutGeneratingNewTokens(tokens);
	const prefill = (performance.now() - start) / 1000;
	start = performance.now();
	await Promise.all(all.map(write));
	const decode = (performance.now() - start) / 1000;
	for (const s of all) await s.clearHistory();
	console.log(JSON.stringify({prefill: sequences * prompt / prefill, decode: sequences * gen / decode}));
}
process.exit(0);
