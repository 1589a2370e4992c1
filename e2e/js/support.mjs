// What the suites share: the client, the hub, its accounts, content.
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

export const client = await import(process.env.HUB_CLIENT);
const suite = path.basename(process.argv[1]);
const hub = JSON.parse(readFileSync(process.env.HUB_FILE, "utf8"));

export const hubUrl = hub.url;
export const alice = { hubUrl, accessToken: hub.users.alice.token };
export const bob = { hubUrl, accessToken: hub.users.bob.token };
export const anon = { hubUrl };
export const useXet = process.env.HF_HUB_DISABLE_XET !== "1";

/** A test that backs rows of docs/compatibility.md; report.mjs reads its name. */
const row = (claim) => (rows, title, run) => test(`${claim} ${rows.join(",")} | ${suite}: ${title}`, run);
export const works = row("works");
export const missing = row("missing");

let count = 0;

/** Creates a repository of alice's; the suite's file name keeps names apart. */
export async function newRepo(type = "model", options = {}) {
	const repo = { type, name: `alice/js-${process.pid}-${++count}` };
	await client.createRepo({ repo, ...alice, ...(type === "space" ? { sdk: "static" } : {}), ...options });
	return repo;
}

/** Bytes that do not compress, the same for one seed (xorshift32). */
export function noise(size, seed = 1) {
	const words = new Uint32Array(Math.ceil(size / 4));
	let x = (seed * 0x9e3779b9) >>> 0 || 1;
	for (let i = 0; i < words.length; i++) {
		x ^= x << 13;
		x ^= x >>> 17;
		x ^= x << 5;
		words[i] = x;
	}
	return new Uint8Array(words.buffer, 0, size);
}

export async function collect(generator) {
	const items = [];
	for await (const item of generator) items.push(item);
	return items;
}

/** Commits files given as { path: string | Uint8Array }. */
export function commit(repo, files, options = {}) {
	const operations = Object.entries(files).map(([path, content]) => ({
		operation: "addOrUpdate",
		path,
		content: new Blob([content]),
	}));
	return client.commit({ repo, operations, title: "Add", useXet, ...alice, ...options });
}

export const bytes = async (blob) => new Uint8Array(await blob.arrayBuffer());

export function safetensors(tensors) {
	const header = {};
	let offset = 0;
	for (const [name, shape] of Object.entries(tensors)) {
		const end = offset + 4 * shape.reduce((a, b) => a * b, 1);
		header[name] = { dtype: "F32", shape, data_offsets: [offset, end] };
		offset = end;
	}
	let text = JSON.stringify(header);
	text += " ".repeat((8 - (text.length % 8)) % 8);
	const out = new Uint8Array(8 + text.length + offset);
	new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
	out.set(new TextEncoder().encode(text), 8);
	return out;
}
