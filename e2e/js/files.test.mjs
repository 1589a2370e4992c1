// Uploads and downloads.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, readlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { writeFile, mkdir } from "node:fs/promises";
import { alice, anon, bob, bytes, client, collect, commit, hubUrl, newRepo, noise, safetensors, useXet, works } from "./support.mjs";

const LARGE = noise(900_000, 7);
const scratch = () => mkdtemp(path.join(tmpdir(), "pantry-js-"));
const paths = async (repo, params = {}) =>
	(await collect(client.listFiles({ repo, recursive: true, ...alice, ...params }))).filter((f) => f.type === "file").map((f) => f.path).sort();

for (const type of ["model", "dataset", "space"]) {
	works(["uploadFile", "downloadFile", "deleteFile", "fileExists", "fileDownloadInfo"], `one file of a ${type}`, async () => {
		const repo = await newRepo(type);
		for (const [name, content] of [
			["small.txt", new TextEncoder().encode("small")],
			["dir/large.bin", LARGE],
		]) {
			const done = await client.uploadFile({ repo, file: { path: name, content: new Blob([content]) }, useXet, ...alice });
			assert.match(done.commit.oid, /^[0-9a-f]{40}$/);
			assert.equal(done.commit.url, `${hubUrl}/${type === "model" ? "" : type + "s/"}${repo.name}/commit/${done.commit.oid}`);
			const blob = await client.downloadFile({ repo, path: name, ...anon });
			assert.equal(blob.size, content.length);
			assert.deepEqual(await bytes(blob), content);
			assert.equal(await client.fileExists({ repo, path: name, ...anon }), true);
		}
		const info = await client.fileDownloadInfo({ repo, path: "dir/large.bin", ...anon });
		assert.equal(info.size, LARGE.length);
		assert.equal(info.etag, `"${createHash("sha256").update(LARGE).digest("hex")}"`);
		assert.match(info.xet.hash, /^[0-9a-f]{64}$/);
		await client.deleteFile({ repo, path: "dir/large.bin", ...alice });
		assert.equal(await client.fileExists({ repo, path: "dir/large.bin", ...anon }), false);
		assert.equal(await client.downloadFile({ repo, path: "dir/large.bin", ...anon }), null);
		assert.equal(await client.fileDownloadInfo({ repo, path: "none", ...anon }), null);
	});
}

works(["uploadFiles", "deleteFiles"], "many files, also from the disk", async () => {
	const repo = await newRepo("dataset");
	const folder = await scratch();
	await mkdir(path.join(folder, "sub"));
	await writeFile(path.join(folder, "a.txt"), "a");
	await writeFile(path.join(folder, "sub", "b.bin"), LARGE);
	await client.uploadFiles({
		repo,
		files: [pathToFileURL(folder), { path: "c.bin", content: new Blob([noise(100_000, 8)]) }, { path: "d.txt", content: new Blob(["d"]) }],
		commitTitle: "Many",
		useXet,
		...alice,
	});
	const found = await paths(repo);
	assert.ok(found.some((p) => p.endsWith("sub/b.bin")));
	assert.ok(found.includes("c.bin") && found.includes("d.txt"));
	const b = found.find((p) => p.endsWith("sub/b.bin"));
	assert.deepEqual(await bytes(await client.downloadFile({ repo, path: b, ...anon })), LARGE);
	await client.deleteFiles({ repo, paths: ["c.bin", "d.txt"], ...alice });
	assert.ok(!(await paths(repo)).includes("c.bin"));
});

works(["uploadFilesWithProgress", "commitIter"], "progress", async () => {
	const repo = await newRepo();
	const events = await collect(
		client.uploadFilesWithProgress({ repo, files: [{ path: "w.bin", content: new Blob([LARGE]) }], useXet, ...alice }),
	);
	assert.deepEqual([...new Set(events.filter((e) => e.event === "phase").map((e) => e.phase))], ["preuploading", "uploadingLargeFiles", "committing"]);
	assert.ok(events.some((e) => e.event === "fileProgress" && e.path === "w.bin" && e.progress === 1));
});

works(["commit"], "add, delete and the parent's guard", async () => {
	const repo = await newRepo();
	const first = await commit(repo, { "a.txt": "a", "w.bin": LARGE }, { description: "why" });
	await client.commit({
		repo,
		title: "Second",
		parentCommit: first.commit.oid,
		operations: [
			{ operation: "delete", path: "a.txt" },
			{ operation: "addOrUpdate", path: "b.txt", content: new Blob(["b"]) },
		],
		...alice,
	});
	assert.deepEqual(await paths(repo), [".gitattributes", "b.txt", "w.bin"]);
	await assert.rejects(commit(repo, { "c.txt": "c" }, { parentCommit: first.commit.oid }), (e) => e.statusCode === 412);
	await assert.rejects(commit(repo, { "../c.txt": "c" }), (e) => e.statusCode === 422);
	await assert.rejects(commit(repo, { "c.txt": "c" }, bob), (e) => e.statusCode === 403);
	await assert.rejects(commit({ type: "model", name: "alice/none" }, { "c.txt": "c" }), (e) => e.statusCode === 404);
});

works(["commit"], "edit part of a large file", async () => {
	const repo = await newRepo();
	await commit(repo, { "w.bin": LARGE });
	const original = await client.downloadFile({ repo, path: "w.bin", ...alice });
	await client.commit({
		repo,
		title: "Edit",
		operations: [
			{ operation: "edit", path: "w.bin", originalContent: original, edits: [{ start: 1000, end: 1004, content: new Blob(["EDIT"]) }] },
		],
		useXet,
		...alice,
	});
	const want = LARGE.slice();
	want.set(new TextEncoder().encode("EDIT"), 1000);
	assert.deepEqual(await bytes(await client.downloadFile({ repo, path: "w.bin", ...anon })), want);
});

works(["commit", "downloadFile"], "the same content again, from another repository", async () => {
	const [one, other] = [await newRepo(), await newRepo()];
	await commit(one, { "w.bin": LARGE });
	await commit(other, { "w.bin": LARGE, "more.bin": noise(200_000, 9) });
	assert.deepEqual(await bytes(await client.downloadFile({ repo: other, path: "w.bin", ...anon })), LARGE);
	assert.deepEqual(await bytes(await client.downloadFile({ repo: other, path: "more.bin", ...anon })), noise(200_000, 9));
});

works(["commit"], "by LFS in parts", async () => {
	const repo = await newRepo();
	const content = noise(13_000_000, 11);
	await commit(repo, { "w.bin": content }, { useXet: false });
	assert.deepEqual(await bytes(await client.downloadFile({ repo, path: "w.bin", ...anon })), content);
});

works(["commit", "downloadFile"], "by LFS in, by Xet out, and the reverse", async () => {
	const repo = await newRepo();
	await commit(repo, { "lfs.bin": LARGE }, { useXet: false });
	await commit(repo, { "xet.bin": noise(900_000, 10) }, { useXet: true });
	for (const [name, content] of [["lfs.bin", LARGE], ["xet.bin", noise(900_000, 10)]]) {
		const plain = await fetch(`${hubUrl}/${repo.name}/resolve/main/${name}`);
		assert.deepEqual(new Uint8Array(await plain.arrayBuffer()), content);
		assert.deepEqual(await bytes(await client.downloadFile({ repo, path: name, xet: false, ...anon })), content);
		const blob = await client.downloadFile({ repo, path: name, ...anon });
		assert.deepEqual(await bytes(blob.slice(5, 100_005)), content.slice(5, 100_005));
	}
});

works(["downloadFile"], "odd names", async () => {
	const repo = await newRepo();
	const names = ["a b.txt", "percent%25.txt", "ünï🤗.txt", "comma,colon:.txt", "plus+.txt"];
	await commit(repo, Object.fromEntries(names.map((n) => [n, n])));
	assert.deepEqual(await paths(repo), [".gitattributes", ...names].sort());
	for (const name of names) {
		// The client puts the path into the URL as it is.
		const blob = await client.downloadFile({ repo, path: encodeURI(name).replaceAll("+", "%2B"), ...anon });
		assert.equal(await blob.text(), name);
	}
});

works(["downloadFileToCacheDir", "snapshotDownload", "scanCacheDir", "getHFHubCachePath", "getRepoFolderName", "scanCachedRepo", "scanRefsDir", "scanSnapshotDir", "getBlobStat", "parseRepoType"], "the local cache", async () => {
	const repo = await newRepo();
	await commit(repo, { "config.json": "{}", "a/w.bin": LARGE });
	const cacheDir = await scratch();
	const snapshot = await client.snapshotDownload({ repo, cacheDir, ...anon });
	const info = await client.modelInfo({ name: repo.name, ...anon, additionalFields: ["sha"] });
	const folder = path.join(cacheDir, client.getRepoFolderName(repo));
	assert.equal(snapshot, path.join(folder, "snapshots", info.sha));
	assert.deepEqual(new Uint8Array(await readFile(path.join(snapshot, "a/w.bin"))), LARGE);
	const link = await readlink(path.join(snapshot, "a/w.bin"));
	assert.equal(path.basename(link), createHash("sha256").update(LARGE).digest("hex"));
	assert.equal(await readFile(path.join(folder, "refs", "main"), "utf8"), info.sha);
	assert.equal(await client.downloadFileToCacheDir({ repo, path: "config.json", cacheDir, ...anon }), path.join(snapshot, "config.json"));
	const refs = new Map();
	await client.scanRefsDir(path.join(folder, "refs"), refs);
	assert.deepEqual(refs.get(info.sha), ["main"]);
	assert.equal((await client.scanCachedRepo(folder)).id.name, repo.name);
	const scanned = await client.scanCacheDir(cacheDir);
	assert.deepEqual(
		scanned.repos.map((r) => r.id.name),
		[repo.name],
	);
	assert.equal(client.parseRepoType("models"), "model");
	assert.ok(client.getHFHubCachePath());
});

works(["parseSafetensorsMetadata"], "headers of safetensors files", async () => {
	const one = await newRepo();
	await commit(one, { "model.safetensors": safetensors({ a: [10, 10], b: [5] }), "config.json": "{}" });
	const found = await client.parseSafetensorsMetadata({ repo: one, computeParametersCount: true, ...anon });
	assert.equal(found.sharded, false);
	assert.deepEqual(found.parameterCount, { F32: 105 });

	const sharded = await newRepo();
	await commit(sharded, {
		"model.safetensors.index.json": JSON.stringify({ metadata: {}, weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" } }),
		"model-00001-of-00002.safetensors": safetensors({ a: [7] }),
		"model-00002-of-00002.safetensors": safetensors({ b: [8] }),
	});
	const parts = await client.parseSafetensorsMetadata({ repo: sharded, computeParametersCount: true, ...anon });
	assert.equal(parts.sharded, true);
	assert.deepEqual(parts.parameterCount, { F32: 15 });
	await assert.rejects(client.parseSafetensorsMetadata({ repo: await newRepo(), ...anon }));
});

const local = [
	...["globMatch", "relativeUnderFolder", "streamJson", "parseSafetensorsShardFilename", "encodeShardFilename"],
	...["assertSafeShardFilename", "parseTotalParameters", "validateTensorEntry", "computeNumOfParamsByDtypeSingleFile"],
	...["getQuantizationMultiplier", "isQuantizedTensor", "matchesCompressedTensorsTarget"],
];
works(local, "what needs no hub", async () => {
	assert.equal(client.globMatch("*.txt", "a.txt"), true);
	assert.equal(client.relativeUnderFolder("a/b/c", "a/b"), "c");
	const events = await collect(client.streamJson(new Blob(["[1]"]).stream()));
	assert.ok(events.some((e) => e.value === 1));
	assert.equal(client.parseSafetensorsShardFilename("model-00001-of-00002.safetensors").total, "00002");
	assert.equal(client.encodeShardFilename("a b/c"), "a%20b/c");
	assert.throws(() => client.assertSafeShardFilename("../x"));
	assert.equal(client.parseTotalParameters("12"), 12);
	const tensor = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
	client.validateTensorEntry("m", "t", tensor, 1000);
	assert.deepEqual(client.computeNumOfParamsByDtypeSingleFile({ t: tensor }), { F32: 2 });
	assert.equal(client.getQuantizationMultiplier("t", "F32"), 1);
	assert.equal(client.isQuantizedTensor("t"), false);
	assert.equal(client.matchesCompressedTensorsTarget("a", "a"), true);
});
