"""Where batches and cancels came from: X-Request-Id, traceparent, and the log."""

import json

from checks import check, equal, until
from events import Reader
from suite import test

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def members(text):
    """Of the lines of a log that have some."""
    return [json.loads(line.split("\t", 1)[1]) for line in text.splitlines() if "\t{" in line]


@test
def kept_origins(suite):
    """X-Request-Id and traceparent are kept with what a request creates and cancels, and in events"""
    client = suite.client
    made = client.call("POST", "/v1/batches", json={"type": "sleep", "inputs": [3_600_000] * 4},
                       headers={"X-Request-Id": "made-1", "traceparent": TRACE}).is_(202).data["batch_id"]
    status = client.status(made)
    equal((status["request_id"], status["traceparent"], status["created_by"], status["owner"]),
          ("made-1", TRACE, "local", "local"), "of the batch")
    with Reader(client, made) as reader:
        equal((reader.next().data["request_id"]), "made-1", "in events")
        client.change_job(made, 3, headers={"X-Request-Id": "job-1"}).is_(200)
        cancel = client.job(made, 3)["cancel"]
        equal((cancel["request_id"], cancel["traceparent"]), ("job-1", None), "of a job's cancel")
        client.change(made, headers={"X-Request-Id": "end-1", "traceparent": TRACE.replace("4bf9", "aaaa")}).is_(200)
        end = reader.until("batch.cancelled")[-1].data
        equal(end["cancel"]["request_id"], "end-1", "of the cancel, in events")
    cancel = client.state(made)["cancel"]
    equal((cancel["request_id"], cancel["traceparent"]), ("end-1", TRACE.replace("4bf9", "aaaa")), "of the cancel")


@test
def bad_traces(suite):
    """a traceparent that can't be understood is not kept"""
    client = suite.client
    for wrong in ("", "00", TRACE.upper(), TRACE + "-00", "ff" + TRACE[2:], TRACE.replace("-01", "-0g")):
        made = client.call("POST", "/v1/batches", json={"type": "sleep", "inputs": [0]},
                           headers={"traceparent": wrong}).is_(202).data["batch_id"]
        equal(client.status(made)["traceparent"], None, f"traceparent {wrong!r}")


@test
def log_of_cancels(suite):
    """each cancel that is over is a line of the log with its moments, and one of recent_cancels"""
    for form in ("text", "json"):
        with suite.start("--log-format", form) as server:
            client = suite.client_of(server)
            batch = client.sleeping(jobs=3)
            client.change(batch, {"reason": "a\ttab"}, headers={"X-Request-Id": "log-1"}).is_(200)
            client.change(batch).is_(200)

            def lines():
                text = server.stderr()
                all_lines = members(text) if form == "text" else [json.loads(line) for line in text.splitlines()]
                return [line for line in all_lines if line.get("batch_id") == batch]
            until(lines, "the line")
            line, = lines()
            equal((line["current_state"], line["cancel"]["request_id"], line["cancel"]["reason"]),
                  ("cancelled", "log-1", "a\ttab"), "the line")
            check(line["cancel"]["moments"]["interrupted_us"] is not None, f"moments: {line}")
            equal(line["jobs"]["stopped"], 2, "stopped")
            recent = client.get("/v1/server").is_(200).data["recent_cancels"]
            equal([one["batch_id"] for one in recent], [batch], "recent_cancels")


@test
def traces_of_programs(suite):
    """programs find the traceparent of their batch as TRACEPARENT"""
    config = suite.folder / "trace.toml"
    config.write_text('[type.show]\ncommand = ["sh", "-c", "echo $TRACEPARENT {n}"]\n'
                      'inputs = { n = { kind = "int", max = 9, default = 0 } }\n')
    with suite.start("--config", config) as server:
        client = suite.client_of(server)
        made = client.call("POST", "/v1/batches", json={"type": "show", "inputs": [{}]},
                           headers={"traceparent": TRACE}).is_(202).data["batch_id"]
        client.until_ended(made)
        output = client.session.get(f"{client.url}/v1/batches/{made}/jobs/0/output", headers={"X-Api-Key": client.key})
        equal(output.text, f"{TRACE} 0\n", "the output")


@test
def server_status(suite):
    """GET /v1/server says how the server is"""
    client = suite.client
    batch = client.sleeping(jobs=2)
    data = client.get("/v1/server").is_(200).data
    equal(sorted(data), sorted(["version", "started_at", "workers", "open_batches", "runners_waiting", "event_streams",
                                "memory", "disk", "problems", "notices", "counters", "recent_cancels"]), "members")
    equal((data["workers"], data["problems"], data["disk"]), (2, [], None), "workers, problems, disk")
    check(data["open_batches"] >= 1 and data["memory"]["batches_bytes"] > 0, f"busy: {data}")
    equal(data["counters"]["jobs_started_after_cancel"], 0, "jobs_started_after_cancel")
    client.get("/v1/server", key=None).is_(401)
    client.get("/v1/server?x=1").is_(400, "invalid_request", "x")
    client.change(batch).is_(200)
    with suite.start(data=suite.folder / "server-disk") as server:
        disk = suite.client_of(server).get("/v1/server").is_(200).data["disk"]
        check(0 < disk["free_bytes"] <= disk["bytes"], f"disk: {disk}")


@test
def options_in_the_file(suite):
    """--config: [serve] has the options of the command, which go before it; each fault has its line"""
    config = suite.folder / "serve.toml"
    config.write_text('[serve]\nconnections_max = 7\nthreads = 1\nkeep = "30d"\nallowed_host = ["a.example", "b"]\n')
    with suite.start("--config", config) as server:
        equal(suite.client_of(server).get("/v1/server").is_(200).data["workers"], 2, "the command line goes first")
    for text, fault in (("[serve]\nno_such = 1\n", ":2: there is no option 'no-such'"),
                        ("[serve]\n\nconnections_max = 0\n", ":3: "),
                        ("[serve]\nkeep = \"soon\"\n", ":2: "), ("[serve]\nconfig = \"x\"\n", ":2: there is no option"),
                        ("serve = 1\n", ":1: serve must be a table")):
        config.write_text(text)
        for more in ((), ("--check-config",)):
            server = suite.make("--config", config, *more)
            equal(server.wait_end(), 1, f"the status with {text!r}")
            check(f"{config}{fault}" in server.stderr(), f"stderr with {text!r}: {server.stderr()}")
