// Reads events with fetch, and comes back where the connection is lost: events.mjs URL KEY
// Prints `ready`, then `BATCH JOB` for each job that has ended; ends with the batch of the name `last`.
const [url, key] = process.argv.slice(2);
let lastId, isReady = false;

async function read() {
  const headers = {"X-Api-Key": key, Accept: "text/event-stream"};
  if (lastId) headers["Last-Event-ID"] = lastId;
  const answer = await fetch(url, {headers});
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  let text = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let end; (end = text.indexOf("\n\n")) !== -1; text = text.slice(end + 2)) {
      const fields = Object.fromEntries(text.slice(0, end).split("\n").filter((line) => !line.startsWith(":"))
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trimStart()]));
      if (fields.id) lastId = fields.id;
      if (!isReady) console.log("ready");
      isReady = true;
      if (fields.event === "resync") console.log("resync");
      if (!fields.data) continue;
      const data = JSON.parse(fields.data);
      if (fields.event === "job.ended") console.log(`${data.batch_id} ${data.job}`);
      if (fields.event === "batch.completed" && data.batch_name === "last") process.exit(0);
    }
  }
}

while (true) {
  try {
    await read();
  } catch (error) {
    if (error.message.startsWith("status")) throw error;
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
