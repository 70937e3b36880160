"""GET /v1/batches/{id}/results."""

import json
import os

import shapes
from checks import Cases, check, contains, equal, until
from suite import test
from wire import request, wire_to

RESULTS = {
    "batch_summary": {"batch_name": shapes.maybe(str), "status": str,
                      "collection": shapes.maybe(str),
                      "completion": {"successful": shapes.count, "total_items": shapes.count,
                                     "completion_rate": shapes.number}},
    "job_results": list,
    "statistics": {"late": shapes.count,
                   "by_disposition": {name: shapes.count for name in shapes.DISPOSITIONS},
                   "retried": shapes.count},
    "complete": bool,
}


def results(client, batch, query=""):
    data = client.get(f"/v1/batches/{batch}/results{query}").is_(200).data
    shapes.members(data, RESULTS, "data")
    for entry in data["job_results"]:
        shapes.job(entry, "status", True)
    return data


def numbers(data):
    return [entry["job"] for entry in data["job_results"]]


@test
def incomplete(suite):
    """while a batch runs: complete false, ended jobs only, by index"""
    client = suite.client
    batch = client.create("sleep", [3_600_000, 0, 0, 0, 3_600_000, 0], options={"concurrency": 2})
    until(lambda: client.state(batch)["jobs"]["still_running"] == 2, "two running jobs")

    data = results(client, batch)

    equal((data["complete"], numbers(data)), (False, [1, 2, 3]), "complete, jobs")
    equal([entry["status"] for entry in data["job_results"]], ["succeeded"] * 3, "status")
    equal(numbers(results(client, batch, "?page=2&page_size=2")), [3], "the second page")
    equal(numbers(results(client, batch, "?page=9")), [], "a page past the end")
    equal(data["batch_summary"]["completion"],
          {"successful": 3, "total_items": 6, "completion_rate": 0.5}, "completion")


@test
def complete(suite):
    """from the end on: exactly one entry a job, by pages, and the statistics"""
    client = suite.client
    batch = client.sleeping(jobs=250, batch_name="many")
    client.change_job(batch, 249)
    client.change(batch)

    pages = [results(client, batch, query) for query in ("", "?page=2", "?page=3", "?page=4")]

    equal([numbers(page) for page in pages],
          [list(range(100)), list(range(100, 200)), list(range(200, 250)), []], "the pages")
    for page in pages:
        equal(page["complete"], True, "complete")
        equal(page["batch_summary"]["status"], "cancelled", "status")
    dispositions = pages[0]["statistics"]["by_disposition"]
    equal({name: n for name, n in dispositions.items() if n}, {"not_started": 248, "stopped": 2},
          "by_disposition")
    equal(numbers(results(client, batch, "?page=2&page_size=7")), list(range(7, 14)), "page_size=7")
    equal(len(numbers(results(client, batch, "?page_size=1000"))), 250, "page_size=1000")
    equal(numbers(results(client, batch, "?page=1000000")), [], "far past the end")


@test
def json_lines(suite):
    """Accept: application/x-ndjson streams all entries, one a line, without paging"""
    client = suite.client
    batch = client.sleeping(jobs=3000)
    client.change(batch)

    answer = client.get(f"/v1/batches/{batch}/results", headers={"Accept": "application/x-ndjson"})

    answer.is_(200).header("Content-Type", "application/x-ndjson")
    check(answer.text.endswith("\n"), "the last line has no end")
    entries = [shapes.job(json.loads(line), "status", True) for line in answer.text.splitlines()]
    equal([entry["job"] for entry in entries], list(range(3000)), "the jobs")
    equal(entries, client.results(batch), "the entries, beside those by pages")


@test
def json_lines_running(suite):
    """x-ndjson of a running batch has the ended jobs; JSON is what one gets otherwise"""
    client = suite.client
    batch = client.create("sleep", [0, 3_600_000, 0], options={"concurrency": 1})
    until(lambda: client.job(batch, 1)["state"] == "running", "the second job")
    answer = client.get(f"/v1/batches/{batch}/results", headers={"Accept": "application/x-ndjson"})
    equal([json.loads(line)["job"] for line in answer.text.splitlines()], [0], "the jobs")
    for accept in ("application/json", "*/*", "text/html, */*;q=0.1", None):
        headers = {"Accept": accept}
        equal(numbers(client.get(f"/v1/batches/{batch}/results", headers=headers).is_(200).data),
              [0],
              f"the jobs with Accept: {accept}")


@test
def negotiation(suite):
    """Accept: lines where they are named and wanted as much as JSON, by either name; else JSON"""
    client = suite.client
    batch = client.run("sleep", [0])
    lines, other, json_type = "application/x-ndjson", "application/jsonl", "application/json"
    with Cases() as table:
        for accept, wanted in ((lines, lines), ("Application/X-NDJSON", lines),
                               (f"{lines};q=0.5, */*;q=0.1", lines), (f"{json_type}, {lines}", lines),
                               (f"{lines}; charset=utf-8", lines), (other, other),
                               (f"{other}, {lines};q=0.1", lines), (f"{other}, {lines};q=0", other),
                               (f"{lines};q=0", json_type), (f"{lines};Q=0.000, */*", json_type),
                               (f"{lines};q=0.5, {json_type}", json_type),
                               (f"{lines};q=x", json_type), (f"{lines}x", json_type),
                               (f'text/x;a="{lines}"', json_type), ("application/*", json_type),
                               ("*/*", json_type), ("text/html", json_type)):
            with table.case(accept):
                answer = client.get(f"/v1/batches/{batch}/results", headers={"Accept": accept})
                answer.is_(200).header("Content-Type", wanted)
                entry = (answer.data["job_results"][0] if wanted == json_type
                         else json.loads(answer.text))
                equal(entry["job"], 0, "the job")


@test
def json_lines_none(suite):
    """x-ndjson of a batch without results is empty, and the connection goes on"""
    batch = suite.client.sleeping(jobs=2)
    with wire_to(suite.server) as wire:
        for _ in range(2):
            wire.send(request(suite.server, "GET", f"/v1/batches/{batch}/results",
                              "Accept: application/x-ndjson"))
            equal(wire.answer().is_(200).text, "", "the lines")
        wire.send(request(suite.server, "GET", "/healthz")).answer().is_(200)


@test
def no_exponents(suite):
    """percentages, rates and progress are plain decimals, also where they are streamed"""
    client, path = suite.client, suite.root / "endless"
    with open(path, "wb") as file:
        file.truncate(64 << 30)  # takes longer to read than the test
    batch = client.create("checksum", ["endless"] + ["a.txt"] * 29, options={"concurrency": 2})
    until(lambda: client.state(batch)["jobs"]["succeeded"] == 29
          and client.job(batch, 0)["progress"], "progress")
    whole = client.run("sleep", [0])

    def texts(batch):
        return [client.get(f"/v1/batches{path}").is_(200).text
                for path in ("", f"/{batch}", f"/{batch}?include_job_details=true",
                             f"/{batch}/results", f"/{batch}/jobs", f"/{batch}/jobs/0")]

    shown = texts(batch) + texts(whole)
    client.change(batch).is_(200)
    lines = client.get(f"/v1/batches/{batch}/results", headers={"Accept": "application/x-ndjson"})
    os.unlink(path)

    for text in (*shown, *texts(batch), *lines.text.splitlines()):
        shapes.parse(text)
    contains(shown[1], '"percentage":96.66,', "the status while it runs")
    contains(shown[3], '"completion_rate":0.9666666666666667}', "the results while it runs")
    contains(shown[7], '"percentage":100,', "the status of a batch that succeeded")
    contains(shown[9], '"completion_rate":1}', "the results of one")
    progress = json.loads(lines.text.splitlines()[0])["progress"]
    check(0 < progress < 1, f"progress is {progress}")


@test
def refused(suite):
    """404 and 401 as everywhere; HEAD has no body"""
    client = suite.client
    client.get("/v1/batches/batch-0/results").is_(404, "not_found")
    batch = client.run("sleep", [0])
    client.get(f"/v1/batches/{batch}/results", key=None).is_(401, "unauthorized")
    equal(client.call("HEAD", f"/v1/batches/{batch}/results").is_(200).text, "", "the body")


@test
def too_large(suite):
    """--result-bytes-max: a job whose result is larger is failed, and says so; the others go on"""
    with suite.start("--result-bytes-max", "8") as server:
        client = suite.client_of(server)
        batch = client.run("sleep", [0, 10, 1])

        equal(client.state(batch)["current_state"], "completed", "the state")
        equal([client.job(batch, job)["state"] for job in range(3)],
              ["succeeded", "failed", "succeeded"], "the jobs")
        equal(client.job(batch, 1)["error"],
              {"code": "failed", "message": "the result has 9 bytes; at most 8 are kept "
                                            "(result_bytes_max)"}, "the error")
