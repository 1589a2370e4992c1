// Repositories, branches, lists and information.
import assert from "node:assert/strict";
import { alice, anon, bob, client, collect, commit, hubUrl, missing, newRepo, works } from "./support.mjs";

works(["whoAmI"], "whoAmI", async () => {
	const me = await client.whoAmI(alice);
	assert.equal(me.type, "user");
	assert.equal(me.name, "alice");
	assert.equal(me.auth.accessToken.role, "write");
	assert.deepEqual(me.orgs, []);
	await assert.rejects(client.whoAmI({ hubUrl, accessToken: "hf_wrong" }), (e) => e.statusCode === 401 && !!e.requestId);
});

for (const type of ["model", "dataset", "space"]) {
	works(["createRepo", "deleteRepo", "repoExists", "checkRepoAccess"], `create and delete a ${type}`, async () => {
		const repo = { type, name: `alice/js-created-${type}` };
		const made = await client.createRepo({ repo, ...alice, sdk: "static" });
		assert.equal(made.repoUrl, `${hubUrl}/${type === "model" ? "" : type + "s/"}${repo.name}`);
		assert.match(made.id, /^[0-9a-f]{24}$/);
		assert.equal(await client.repoExists({ repo, ...anon }), true);
		await client.checkRepoAccess({ repo, ...anon });
		await assert.rejects(client.createRepo({ repo, ...alice, sdk: "static" }), (e) => e.statusCode === 409);
		await assert.rejects(client.deleteRepo({ repo, ...bob }), (e) => e.statusCode === 403);
		await client.deleteRepo({ repo, ...alice });
		assert.equal(await client.repoExists({ repo, ...alice }), false);
		await assert.rejects(client.checkRepoAccess({ repo, ...alice }), (e) => e.statusCode === 404);
	});
}

works(["createRepo"], "create with files, a license and no public face", async () => {
	const repo = await newRepo("model", {
		visibility: "private",
		license: "mit",
		files: [{ path: "hello.txt", content: new Blob(["hello"]) }],
	});
	assert.equal(await client.repoExists({ repo, ...bob }), false);
	const files = (await collect(client.listFiles({ repo, ...alice }))).map((f) => f.path);
	assert.ok(files.includes("hello.txt"));
	const info = await client.modelInfo({ name: repo.name, ...alice, additionalFields: ["tags"] });
	assert.equal(info.private, true);
	assert.ok(info.tags.includes("license:mit"));
});

works(["createBranch", "deleteBranch"], "branches", async () => {
	const repo = await newRepo();
	await client.createBranch({ repo, branch: "dev/x", ...alice });
	await commit(repo, { "on-dev.txt": "x" }, { branch: "dev/x" });
	assert.equal(await client.fileExists({ repo, path: "on-dev.txt", revision: "dev/x", ...anon }), true);
	assert.equal(await client.fileExists({ repo, path: "on-dev.txt", ...anon }), false);
	await assert.rejects(client.createBranch({ repo, branch: "dev/x", ...alice }), (e) => e.statusCode === 409);
	await client.createBranch({ repo, branch: "dev/x", overwrite: true, revision: "main", ...alice });
	assert.equal(await client.fileExists({ repo, path: "on-dev.txt", revision: "dev/x", ...anon }), false);
	await client.createBranch({ repo, branch: "empty", empty: true, ...alice });
	assert.deepEqual(await collect(client.listFiles({ repo, revision: "empty", ...alice })), []);
	await client.deleteBranch({ repo, branch: "dev/x", ...alice });
	await assert.rejects(client.deleteBranch({ repo, branch: "dev/x", ...alice }), (e) => e.statusCode === 404);
});

works(["listCommits", "countCommits"], "commits", async () => {
	const repo = await newRepo();
	for (let i = 0; i < 5; i++) await commit(repo, { "n.txt": String(i) }, { title: `No. ${i}` });
	const commits = await collect(client.listCommits({ repo, batchSize: 2, ...anon }));
	assert.deepEqual(
		commits.map((c) => c.title),
		["No. 4", "No. 3", "No. 2", "No. 1", "No. 0", "initial commit"],
	);
	assert.match(commits[0].oid, /^[0-9a-f]{40}$/);
	assert.equal(commits[0].authors[0].username, "alice");
	assert.ok(commits[0].date instanceof Date);
	assert.equal(await client.countCommits({ repo, ...anon }), 6);
});

works(["listFiles", "pathsInfo"], "trees over pages", async () => {
	const repo = await newRepo("dataset");
	const files = Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`d${i % 3}/${i}.txt`, String(i)]));
	await commit(repo, files);
	const found = await collect(client.listFiles({ repo, recursive: true, ...anon }));
	assert.equal(found.filter((f) => f.type === "file").length, 1201);
	assert.equal(new Set(found.map((f) => f.path)).size, 1204);
	const folder = await collect(client.listFiles({ repo, path: "d1", expand: true, ...anon }));
	assert.equal(folder.length, 400);
	assert.equal(folder[0].lastCommit.title, "Add");
	const info = await client.pathsInfo({ repo, paths: ["d0/0.txt", "d0", "none"], expand: true, ...anon });
	assert.deepEqual(info.map((f) => f.path).sort(), ["d0", "d0/0.txt"]);
	assert.equal(info.find((f) => f.type === "file").size, 1);
});

works(["listModels", "modelInfo"], "models", async () => {
	const repo = await newRepo();
	const readme = "---\ntags: [js-find]\npipeline_tag: text-generation\nlibrary_name: x\n---\n# Hi";
	await commit(repo, { "README.md": readme });
	await newRepo("model", { visibility: "private" });
	const found = await collect(client.listModels({ search: { tags: ["js-find"] }, ...anon }));
	assert.deepEqual(
		found.map((m) => m.name),
		[repo.name],
	);
	assert.equal(found[0].task, "text-generation");
	assert.equal(found[0].private, false);
	assert.ok(found[0].updatedAt instanceof Date);
	const more = await collect(
		client.listModels({ search: { owner: "alice", task: "text-generation", query: "js-" }, limit: 3, sort: "createdAt", additionalFields: ["author", "tags", "sha", "cardData"], ...alice }),
	);
	assert.equal(more[0].author, "alice");
	const info = await client.modelInfo({ name: repo.name, ...anon, additionalFields: ["cardData", "siblings", "library_name"] });
	assert.equal(info.name, repo.name);
	assert.equal(info.cardData.pipeline_tag, "text-generation");
	assert.equal(info.library_name, "x");
	await assert.rejects(client.modelInfo({ name: "alice/none", ...anon }), (e) => [401, 404].includes(e.statusCode));
});

works(["listDatasets", "datasetInfo"], "datasets", async () => {
	const repo = await newRepo("dataset");
	await commit(repo, { "README.md": "---\ntags: [js-find-data]\n---\n# Hi" });
	const found = await collect(client.listDatasets({ search: { tags: ["js-find-data"], owner: "alice" }, ...anon }));
	assert.deepEqual(
		found.map((d) => d.name),
		[repo.name],
	);
	const info = await client.datasetInfo({ name: repo.name, ...anon, additionalFields: ["tags", "description"] });
	assert.equal(info.name, repo.name);
	assert.ok(info.tags.includes("js-find-data"));
});

works(["listSpaces", "spaceInfo"], "spaces", async () => {
	const repo = await newRepo("space");
	const found = await collect(client.listSpaces({ search: { owner: "alice", query: repo.name.split("/")[1] }, additionalFields: ["tags"], ...anon }));
	assert.deepEqual(
		found.map((s) => [s.name, s.sdk]),
		[[repo.name, "static"]],
	);
	const info = await client.spaceInfo({ name: repo.name, ...anon, additionalFields: ["author", "tags"] });
	assert.equal(info.sdk, "static");
	assert.equal(info.author, "alice");
});

missing(["oauthLoginUrl", "oauthHandleRedirect", "oauthHandleRedirectIfPresent"], "there is no OAuth provider for apps yet", async () => {
	const found = await fetch(`${hubUrl}/.well-known/openid-configuration`).then((r) => r.json());
	assert.equal(found.authorization_endpoint, undefined);
	const reply = await fetch(`${hubUrl}/oauth/authorize?response_type=code&client_id=x&redirect_uri=http://127.0.0.1:9`);
	assert.ok([404, 501].includes(reply.status));
});

const refused = async (run) => {
	await assert.rejects(
		async () => {
			const result = await run();
			if (result?.[Symbol.asyncIterator]) await collect(result);
		},
		(e) => [400, 404, 501].includes(e.statusCode) && !!e.data && !!e.requestId,
	);
};

missing(["listCollections", "createCollection", "deleteCollection"], "collections are refused", async () => {
	await refused(() => client.listCollections({ ...alice }));
	await refused(() => client.createCollection({ collection: { title: "T", namespace: "alice" }, ...alice }));
	await refused(() => client.deleteCollection({ slug: "alice/x-0123456789abcdef01234567", ...alice }));
});

const job = { namespace: "alice", jobId: "0123456789abcdef01234567", ...alice };
const jobSpec = { dockerImage: "python:3.12", command: ["true"], flavor: "cpu-basic" };
const jobs = {
	listJobs: () => client.listJobs(job),
	runJob: () => client.runJob({ ...job, ...jobSpec }),
	getJob: () => client.getJob(job),
	cancelJob: () => client.cancelJob(job),
	duplicateJob: () => client.duplicateJob(job),
	listJobHardware: () => client.listJobHardware(alice),
	listScheduledJobs: () => client.listScheduledJobs(job),
	createScheduledJob: () => client.createScheduledJob({ namespace: "alice", schedule: "@daily", jobSpec, ...alice }),
	getScheduledJob: () => client.getScheduledJob(job),
	deleteScheduledJob: () => client.deleteScheduledJob(job),
	runScheduledJob: () => client.runScheduledJob(job),
	resumeScheduledJob: () => client.resumeScheduledJob(job),
	suspendScheduledJob: () => client.suspendScheduledJob(job),
	streamJobEvents: () => client.streamJobEvents(job),
	streamJobLogs: () => client.streamJobLogs(job),
	streamJobMetrics: () => client.streamJobMetrics(job),
};
for (const [name, run] of Object.entries(jobs)) missing([name], `${name} is refused`, () => refused(run));

const bucket = { type: "bucket", name: "alice/b" };
const source = async () => {
	const repo = await newRepo();
	return { repo, path: ".gitattributes" };
};
const buckets = {
	copyFile: async () => client.copyFile({ source: await source(), destination: { repo: bucket, path: "x" }, ...alice }),
	copyFileIter: async () => client.copyFileIter({ source: await source(), destination: { repo: bucket, path: "x" }, ...alice }),
	copyFiles: async () => client.copyFiles({ files: [{ source: await source(), destinationPath: "x" }], destination: bucket, ...alice }),
	copyFilesIter: async () => client.copyFilesIter({ files: [{ source: await source(), destinationPath: "x" }], destination: bucket, ...alice }),
	copyFolder: async () => client.copyFolder({ source: { ...(await source()), path: "" }, destination: { repo: bucket, path: "x" }, ...alice }),
	copyFolderIter: async () => client.copyFolderIter({ source: { ...(await source()), path: "" }, destination: { repo: bucket, path: "x" }, ...alice }),
	commitIterBucket: async () =>
		client.commitIterBucket({ repo: bucket, title: "x", operations: [{ operation: "addOrUpdate", path: "x", content: new Blob(["x"]) }], ...alice }),
};
for (const [name, run] of Object.entries(buckets)) missing([name], `${name} is refused`, () => refused(run));
