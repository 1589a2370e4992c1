// A reporter that writes what each test says about the rows that it backs.
// A test made by row() (support.mjs) carries them in its name:
// "works createRepo,deleteRepo | repos.test.mjs: what it shows".

export default async function* report(source) {
	const results = [];
	for await (const { type, data } of source) {
		if (type !== "test:pass" && type !== "test:fail") continue;
		const match = /^(works|partial|missing) (\S+) \| (.*)$/.exec(data.name);
		if (!match) continue;
		const [, claim, rows, title] = match;
		results.push({
			test: `js/${title}`,
			rows: rows.split(",").map((name) => `js.${name}`),
			claim,
			note: "",
			passed: type === "test:pass",
		});
	}
	yield JSON.stringify(results);
}
