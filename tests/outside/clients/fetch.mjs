// fetch.mjs URL: makes the requests of its standard input, with fetch. Each is a line: method,
// target, body (a file, +FILE to be sent in chunks, or -) and fields, between tabs. Prints the
// status of each.

import { createReadStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";

const url = process.argv[2];

function sent(body) {
    if (body === "-")
        return {};
    if (body.startsWith("+"))
        return { body: Readable.toWeb(createReadStream(body.slice(1))), duplex: "half" };
    return { body: readFileSync(body) };
}

for await (const line of createInterface({ input: process.stdin })) {
    const [method, target, body, ...fields] = line.split("\t");
    const headers = fields.map(field => field.split(/: (.*)/s).slice(0, 2));
    try {
        const response = await fetch(url + target, { method, headers, ...sent(body) });
        await response.arrayBuffer();
        console.log(response.status);
    } catch (fault) {
        console.log(`error: ${fault.cause ?? fault}`);
    }
}
