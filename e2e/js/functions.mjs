// Prints the exported functions of the client, one a line. Classes and what
// begins with __ are not for users.
const client = await import(process.argv[2]);
for (const [name, value] of Object.entries(client)) {
	if (typeof value === "function" && !name.startsWith("__") && !/^class\b/.test(value.toString())) console.log(name);
}
