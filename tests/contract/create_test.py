"""POST /v1/batches."""

import json

import shapes
from checks import Cases, check, contains, equal, one_of, until
from client import DECEPTIVE
from suite import test

JSON = {"Content-Type": "application/json"}
SLEEP = '{"type":"sleep","inputs":[0],'


def post(client, body, headers=JSON, path="/v1/batches", **more):
    data = body if isinstance(body, (bytes, type(None))) else body.encode()
    answer = client.call("POST", path, data=data, headers=headers, **more)
    if answer.status == 202:
        client.made.append(answer.data["batch_id"])
    return answer


def batches_there_are(client):
    return len(client.get("/v1/batches?limit=1000").is_(200).data["batches"])


@test
def creates(suite):
    """202 with batch_id, status, total and Location"""
    client = suite.client
    answer = client.call("POST", "/v1/batches", json={
        "type": "sleep", "batch_name": "näme", "collection_id": "c-1", "inputs": [0, {"ms": 1}],
        "options": {"concurrency": 1, "grace_ms": 100}}).is_(202)

    shapes.members(answer.data, {"batch_id": str, "status": str, "total": int}, "data")
    batch = answer.data["batch_id"]
    check(shapes.BATCH_ID.fullmatch(batch), f"batch_id is {batch}")
    one_of(answer.data["status"], ("created", "running", "completed"), "status")
    equal(answer.data["total"], 2, "total")
    answer.header("Location", f"/v1/batches/{batch}")
    client.until_ended(batch)
    status = client.status(batch)
    equal((status["batch_name"], status["type"], status["collection"]), ("näme", "sleep", "c-1"),
          "batch_name, type, collection")
    equal((status["options"]["concurrency"], status["options"]["grace_ms"]), (1, 100), "options")
    summary = client.get(f"/v1/batches/{batch}/results").data["batch_summary"]
    equal((summary["batch_name"], summary["collection"]), ("näme", "c-1"), "the summary")


@test
def json_by_suffix(suite):
    """a media type whose suffix is +json is JSON"""
    for media in ("application/vnd.api+json", "Application/Problem+JSON; charset=utf-8"):
        post(suite.client, SLEEP + '"options":{}}', headers={"Content-Type": media}).is_(202)


@test
def least(suite):
    """type and inputs are enough; what was not given is null or the default"""
    batch = suite.client.run("sleep", [0])

    status = suite.client.status(batch)

    equal(status["batch_name"], None, "batch_name")
    equal((status["status"], status["progress"]["percentage"]), ("completed", 100.0), "status")


@test
def short_forms(suite):
    """bare strings and integers stand for the long forms, and are shown so"""
    client = suite.client
    sleeping = client.run("sleep", [3, {"ms": 4}])
    equal([client.job(sleeping, n)["input"] for n in (0, 1)], [{"ms": 3}, {"ms": 4}], "inputs")
    equal([client.job(sleeping, n)["result"] for n in (0, 1)], [{"ms": 3}, {"ms": 4}], "results")
    spinning = client.run("spin", [0, {"ms": 1}])
    equal([client.job(spinning, n)["result"] for n in (0, 1)], [{"ms": 0}, {"ms": 1}], "results")
    sums = client.run("checksum",
                      ["a.txt", {"path": "a.txt"}, {"path": "a.txt", "algorithm": "sha512"}])
    shown = [{"path": "a.txt", "algorithm": how} for how in ("sha256", "sha256", "sha512")]
    equal([client.job(sums, n)["input"] for n in (0, 1, 2)], shown, "inputs")


@test
def concurrency(suite):
    """concurrency 1 runs one job at a time"""
    client = suite.client
    batch = client.sleeping(jobs=3, running=1, options={"concurrency": 1})
    other = client.sleeping(jobs=1, running=1)
    equal(client.state(batch)["jobs"]["still_running"], 1, "running jobs of the first batch")
    client.change(other)
    client.change_job(batch, 0).is_(200)
    until(lambda: client.job(batch, 1)["state"] == "running", "the second job")
    equal(client.job(batch, 2)["state"], "pending", "the third job")


BAD = [
    ("{", None), ("[]", None), ("", None), ("null", None), ('{"type":"sleep","inputs":[0]}x', None),
    ("{}", ("type", "inputs")), ('{"type":"sleep"}', "inputs"), ('{"inputs":[0]}', "type"),
    ('{"type":"sleep","inputs":[]}', "inputs"), ('{"type":"sleep","inputs":{}}', "inputs"),
    ('{"type":"sleep","inputs":"a"}', "inputs"), ('{"type":"sleep","inputs":null}', "inputs"),
    ('{"type":"sleep","inputs":3}', "inputs"), ('{"type":"nap","inputs":[0]}', "type"),
    ('{"type":"","inputs":[0]}', "type"), ('{"type":1,"inputs":[0]}', "type"),
    ('{"type":null,"inputs":[0]}', "type"), ('{"type":["sleep"],"inputs":[0]}', "type"),
    (SLEEP + '"x":1}', "x"), (SLEEP + '"type":"sleep"}', "type"),
    (SLEEP + '"inputs":[1]}', "inputs"),
    (SLEEP + '"batch_name":1}', "batch_name"), (SLEEP + '"batch_name":["a"]}', "batch_name"),
    (SLEEP + '"collection_id":{}}', "collection_id"), (SLEEP + '"options":[]}', "options"),
    (SLEEP + '"options":"x"}', "options"), (SLEEP + '"options":{"speed":1}}', "options.speed"),
    (SLEEP + '"options":{"concurrency":0}}', "options.concurrency"),
    (SLEEP + '"options":{"concurrency":-1}}', "options.concurrency"),
    (SLEEP + '"options":{"concurrency":1.0}}', "options.concurrency"),
    (SLEEP + '"options":{"concurrency":"1"}}', "options.concurrency"),
    (SLEEP + '"options":{"concurrency":null}}', "options.concurrency"),
    (SLEEP + '"options":{"concurrency":1,"concurrency":2}}', "options.concurrency"),
    (SLEEP + '"options":{"grace_ms":-1}}', "options.grace_ms"),
    (SLEEP + '"options":{"grace_ms":3600001}}', "options.grace_ms"),
    (SLEEP + '"options":{"grace_ms":1.5}}', "options.grace_ms"),
    (SLEEP + '"options":{"grace_ms":true}}', "options.grace_ms"),
    ('{"type":"sleep","inputs":[0,1,2,{"ms":-1}]}', "inputs[3].ms"),
    ('{"type":"sleep","inputs":[{"ms":86400001}]}', "inputs[0].ms"),
    ('{"type":"sleep","inputs":[{"ms":1.0}]}', "inputs[0].ms"),
    ('{"type":"sleep","inputs":[{"ms":"1"}]}', "inputs[0].ms"),
    ('{"type":"sleep","inputs":[{}]}', ("inputs[0].ms", "inputs[0]")),
    ('{"type":"sleep","inputs":[{"ms":1,"x":2}]}', "inputs[0].x"),
    ('{"type":"sleep","inputs":[{"ms":1,"ms":2}]}', "inputs[0].ms"),
    ('{"type":"sleep","inputs":[0,-1]}', ("inputs[1]", "inputs[1].ms")),
    ('{"type":"sleep","inputs":[0,1e3]}', ("inputs[1]", "inputs[1].ms")),
    ('{"type":"sleep","inputs":["a.txt"]}', "inputs[0]"),
    ('{"type":"sleep","inputs":[null]}', "inputs[0]"),
    ('{"type":"sleep","inputs":[[0]]}', "inputs[0]"),
    ('{"type":"sleep","inputs":[true]}', "inputs[0]"),
    ('{"type":"checksum","inputs":["a.txt",5]}', "inputs[1]"),
    ('{"type":"checksum","inputs":[{"path":5}]}', "inputs[0].path"),
    ('{"type":"checksum","inputs":[{"algorithm":"sha256"}]}', ("inputs[0].path", "inputs[0]")),
    ('{"type":"checksum","inputs":[{"path":"a","algorithm":"crc"}]}', "inputs[0].algorithm"),
    ('{"type":"checksum","inputs":[{"path":"a","algorithm":1}]}', "inputs[0].algorithm"),
    ('{"type":"checksum","inputs":[{"path":"a","file":1}]}', "inputs[0].file"),
    ('{"type":"spin","inputs":[{"path":"a.txt"}]}', ("inputs[0].path", "inputs[0].ms")),
]


@test
def refusals(suite):
    """400 with details.field for whatever is missing, unknown, doubled or of a wrong type"""
    client = suite.client
    before = batches_there_are(client)
    with Cases() as table:
        for body, field in BAD:
            with table.case(body):
                answer = post(client, body).is_(400, "invalid_request")
                if field is not None:
                    wanted = (field,) if isinstance(field, str) else field
                    one_of(answer.details.get("field"), wanted, "details.field")
    for body in (b'{"type":"sleep","batch_name":"\xff","inputs":[0]}', b"\x00", b"\xef\xbb\xbf{}"):
        post(client, body).is_(400, "invalid_request")
    post(client, SLEEP + '"options":{}}', path="/v1/batches?dry_run=true").is_(400, field="dry_run")
    equal(batches_there_are(client), before, "the number of batches")


@test
def doors(suite):
    """401, 405, 413 and 415"""
    client = suite.client
    before = batches_there_are(client)
    good = SLEEP + '"options":{}}'
    post(client, good, key=None).is_(401, "unauthorized")
    post(client, good, key="x").is_(401, "unauthorized")
    client.call("DELETE", "/v1/batches").is_(405, "method_not_allowed")
    for media in ("text/csv", "application/+json", "text/x, application/x+json"):
        post(client, good, headers={"Content-Type": media}).is_(415, "unsupported_media_type")
    form = post(client, good, headers={"Content-Type": "application/x-www-form-urlencoded"}).is_(415)
    check("-H 'Content-Type: application/json'" in form.text, form.text)
    post(client, b" " * (8 * 1024 * 1024 + 1)).is_(413, "payload_too_large")
    equal(batches_there_are(client), before, "the number of batches")


@test
def large(suite):
    """8 MiB are accepted: a million inputs, whose batch is cancelled with a complete account"""
    client = suite.client
    inputs = b",".join([b"3600000"] * 1_000_000)
    body = b'{"type":"sleep","inputs":[' + inputs + b"]}"
    check(8_000_000 < len(body) <= 8 * 1024 * 1024, f"{len(body)} bytes")

    batch = post(client, body).is_(202).data["batch_id"]
    client.until_running(batch, 2)
    data = shapes.state(client.change(batch).is_(200).data, current_state="cancelled")

    equal((data["jobs"]["not_started"], data["jobs"]["stopped"]), (999_998, 2), "the account")
    page = client.get(f"/v1/batches/{batch}/results?page=1000&page_size=1000").is_(200).data
    equal([entry["job"] for entry in page["job_results"]], list(range(999_000, 1_000_000)), "jobs")


@test
def memory_max(suite):
    """with --memory-max what ended first gives way, then 503 says how much there is, until there is room"""
    with suite.start("--memory-max", "1M") as server:
        client = suite.client_of(server)
        first = client.run("sleep", [0] * 1000)
        body = json.dumps({"type": "sleep", "inputs": [3_600_000] * 1000})
        answers = []
        until(lambda: answers.append(post(client, body)) or answers[-1].status != 202, "a refusal")

        refused = answers.pop().is_(503, "unavailable")
        contains(refused.body["message"], "memory_bytes_max is 1048576", "the message")
        check(answers, "the first is taken")
        client.get(f"/v1/batches/{first}").is_(404, "not_found")
        client.change(answers[0].data["batch_id"]).is_(200)
        post(client, body).is_(202)


@test
def strings_survive(suite):
    """names and paths come back as they were sent; paths whatever characters they have"""
    client = suite.client
    name = "a\"\\/\u2028é🧗שלום<script>"
    path = name + "\b\f\n\r\t\u0001\u007f\u202e"
    for escaped in (True, False):
        body = json.dumps({"type": "checksum", "inputs": [path], "batch_name": name},
                          ensure_ascii=escaped)
        batch = post(client, body).is_(202).data["batch_id"]
        client.until_ended(batch)
        equal(client.status(batch)["batch_name"], name, "batch_name")
        equal(client.job(batch, 0)["input"]["path"], path, "path")
        equal(client.results(batch)[0]["filename"], path, "filename")


@test
def deceptive_names(suite):
    """400 for control and bidirectional characters in names, and a message that says which"""
    client = suite.client
    before = batches_there_are(client)
    with Cases() as table:
        for field in ("batch_name", "collection_id"):
            for character in DECEPTIVE:
                number = f"U+{ord(character):04X}"
                with table.case(f"{number} in {field}"):
                    for escaped in (True, False):
                        body = json.dumps({"type": "sleep", "inputs": [0],
                                           field: f"a{character}b"}, ensure_ascii=escaped)
                        answer = post(client, body).is_(400, "invalid_request", field)
                        contains(answer.body["message"], number, "the message")
    equal(batches_there_are(client), before, "the number of batches")
