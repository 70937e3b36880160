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
    "jobs": shapes.JOBS, "complete": bool, **shapes.PAGED,
}
LINES = {"Accept": "application/x-ndjson"}


def results(client, batch, query=""):
    data = client.get(f"/v1/batches/{batch}/results{query}").is_(200).data
    shapes.members(data, RESULTS, "data")
    shapes.paged(data)
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


def by_cursor(client, batch, query):
    """All parts, each a list of jobs."""
    parts, cursor = [], ""
    while cursor is not None:
        data = results(client, batch, f"?{query}" + (cursor and f"&cursor={cursor}"))
        parts, cursor = [*parts, numbers(data)], data["next_cursor"]
    return parts


@test
def cursors(suite):
    """limit and cursor: parts by index, 100 unless said, of all jobs of an ended batch"""
    client = suite.client
    batch = client.sleeping(jobs=250)
    client.change(batch)

    equal(by_cursor(client, batch, "limit=120"),
          [list(range(120)), list(range(120, 240)), list(range(240, 250))], "the parts")
    equal(by_cursor(client, batch, ""),
          [list(range(100)), list(range(100, 200)), list(range(200, 250))], "the default")
    equal(by_cursor(client, batch, "limit=250"), [list(range(250))], "a part that is just full")
    equal(numbers(results(client, batch, "?cursor=249")), [249], "the last one")
    for query in ("cursor=250", "cursor=9223372036854775807", "page=4"):
        data = results(client, batch, f"?{query}")
        equal((numbers(data), data["has_more"]), ([], False), query)
    page = results(client, batch, "?page=2&page_size=100")
    equal((page["next_cursor"], page["has_more"]), ("200", True), "the end of a page")
    equal(results(client, batch, "?page=5&page_size=50")["has_more"], False, "the last page")


@test
def cursors_while_it_runs(suite):
    """limit and cursor while a batch runs: ended jobs by index; what ends later shifts nothing"""
    client = suite.client
    batch = client.create("sleep", [0, 0, 0, 3_600_000, 0, 0, 0])
    until(lambda: client.state(batch)["jobs"]["succeeded"] == 6, "six jobs")

    equal(by_cursor(client, batch, "limit=2"), [[0, 1], [2, 4], [5, 6]], "the parts")
    first = results(client, batch, "?limit=2")
    second = results(client, batch, f"?limit=2&cursor={first['next_cursor']}")
    client.change_job(batch, 3).is_(200)
    client.until_ended(batch)
    third = results(client, batch, f"?limit=2&cursor={second['next_cursor']}")

    equal([numbers(part) for part in (first, second, third)], [[0, 1], [2, 4], [5, 6]], "the parts")
    equal([part["complete"] for part in (first, second, third)], [False, False, True], "complete")
    equal(by_cursor(client, batch, "limit=4"), [[0, 1, 2, 3], [4, 5, 6]], "all at the end")


@test
def filtered(suite):
    """status=succeeded, failed or cancelled: only those, in either form and spelling"""
    client = suite.client
    batch = client.create("checksum", ["a.txt", "missing", "a.txt", "missing", "a.txt", "gone"],
                          options={"concurrency": 1})
    client.until_ended(batch)
    stopped = client.sleeping(jobs=5)
    client.change(stopped)
    with Cases() as table:
        for of, query, wanted in (
                (batch, "status=succeeded", [0, 2, 4]), (batch, "status=failed", [1, 3, 5]),
                (batch, "status=cancelled", []), (stopped, "status=cancelled", [0, 1, 2, 3, 4]),
                (stopped, "status=canceled", [0, 1, 2, 3, 4]), (stopped, "status=failed", []),
                (batch, "status=failed&page=2&page_size=2", [5]),
                (batch, "status=failed&page=3&page_size=2", []),
                (batch, "status=failed&limit=2", [1, 3]),
                (batch, "status=failed&limit=1&cursor=2", [3])):
            with table.case(query):
                data = results(client, of, f"?{query}")
                equal((numbers(data), data["complete"]), (wanted, True), "the jobs, complete")
                equal(data["batch_summary"]["completion"]["total_items"],
                      6 if of == batch else 5, "the summary is of all of them")
                if "page" not in query:
                    lines = client.get(f"/v1/batches/{of}/results?{query}", headers=LINES)
                    equal([json.loads(line)["job"] for line in lines.text.splitlines()], wanted,
                          "the lines")
        with table.case("the choices"):
            refused = client.get(f"/v1/batches/{batch}/results?status=pending", headers=LINES)
            contains(refused.is_(400, "invalid_request", "status").body["message"],
                     "succeeded, failed or cancelled", "the message")
    equal(by_cursor(client, batch, "status=failed&limit=2"), [[1, 3], [5]], "the parts")
    equal(by_cursor(client, batch, "status=succeeded&limit=3"), [[0, 2, 4]], "a part that is full")


@test
def lines_with_summary(suite):
    """x-ndjson with summary=true ends in a line that says whether those were all, and the counts"""
    client = suite.client
    batch = client.create("sleep", [0, 3_600_000, 0], options={"concurrency": 2})
    until(lambda: client.state(batch)["jobs"]["succeeded"] == 2, "two jobs")

    def read(query):
        answer = client.get(f"/v1/batches/{batch}/results?{query}", headers=LINES).is_(200)
        check(answer.text.endswith("\n"), "the last line has no end")
        *entries, last = [json.loads(line) for line in answer.text.splitlines()]
        shapes.members(last, {"complete": bool, "jobs": shapes.JOBS}, "the summary")
        equal(last["jobs"], client.status(batch)["jobs"], "jobs")
        return [shapes.job(entry, "status", True)["job"] for entry in entries], last["complete"]

    equal(read("summary=true"), ([0, 2], False), "while it runs")
    client.change(batch).is_(200)
    equal(read("summary=true"), ([0, 1, 2], True), "at the end")
    equal(read("summary=true&status=failed"), ([], True), "without an entry")
    equal(read("summary=true&status=succeeded&limit=1"), ([0], True), "of a part")
    for query in ("", "?summary=false"):
        answer = client.get(f"/v1/batches/{batch}/results{query}", headers=LINES)
        equal(len(answer.text.splitlines()), 3, f"lines with {query}")
    equal(numbers(results(client, batch, "?summary=true")), [0, 1, 2], "as JSON it says so anyway")


@test
def lines_by_parts(suite):
    """x-ndjson takes limit and cursor, or page and page_size; all that follow unless it is limited"""
    client = suite.client
    batch = client.run("sleep", [0] * 300)
    for query, wanted in (("cursor=120", range(120, 300)), ("limit=2", range(2)),
                          ("limit=2&cursor=298", range(298, 300)), ("cursor=300", []),
                          ("page=2&page_size=3", range(3, 6))):
        answer = client.get(f"/v1/batches/{batch}/results?{query}", headers=LINES).is_(200)
        equal([json.loads(line)["job"] for line in answer.text.splitlines()], list(wanted), query)


@test
def json_lines(suite):
    """Accept: application/x-ndjson streams all entries, one a line, without paging"""
    client = suite.client
    batch = client.sleeping(jobs=3000)
    client.change(batch)

    answer = client.get(f"/v1/batches/{batch}/results", headers=LINES)

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
    answer = client.get(f"/v1/batches/{batch}/results", headers=LINES)
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
    lines = client.get(f"/v1/batches/{batch}/results", headers=LINES)
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
