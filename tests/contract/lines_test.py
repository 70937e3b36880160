"""POST /v1/batches as lines of JSON."""

import threading
from urllib.parse import quote

from checks import Cases, check, contains, equal, until
from client import DECEPTIVE
from create_test import batches_there_are
from suite import test
from wire import wires

LINES = {"Content-Type": "application/x-ndjson"}


def post(client, body, query="type=sleep", headers=LINES, **more):
    """`body` is a text, bytes, or a generator of bytes, which is sent in chunks."""
    data = body.encode() if isinstance(body, str) else body
    answer = client.call("POST", f"/v1/batches?{query}", data=data, headers=headers, **more)
    if answer.status == 202:
        client.made.append(answer.data["batch_id"])
    return answer


@test
def creates(suite):
    """one input a line; type, names and options stand in the query"""
    client = suite.client
    answer = post(client, '0\n{"ms":1}\n 2 \n', "type=sleep&batch_name=n%C3%A4me&collection_id=c-1"
                  "&concurrency=1&max_attempts=3&failure_policy=fail_fast&grace_ms=100").is_(202)

    batch = answer.data["batch_id"]
    equal(answer.data["total"], 3, "total")
    answer.header("Location", f"/v1/batches/{batch}")
    client.until_ended(batch)
    status = client.status(batch)
    equal((status["batch_name"], status["type"]), ("näme", "sleep"), "batch_name, type")
    options = status["options"]
    equal((options["concurrency"], options["max_attempts"], options["failure_policy"],
           options["grace_ms"]), (1, 3, "fail_fast", 100), "options")
    equal([entry["input"] for entry in client.results(batch)], [{"ms": ms} for ms in range(3)],
          "the inputs")
    summary = client.get(f"/v1/batches/{batch}/results").data["batch_summary"]
    equal(summary["collection"], "c-1", "collection")


@test
def other_name(suite):
    """application/jsonl is another name of application/x-ndjson"""
    for media in ("application/jsonl", "Application/JSONL; charset=utf-8"):
        answer = post(suite.client, "0\n0\n", headers={"Content-Type": media})
        equal(answer.is_(202).data["total"], 2, "total")
    refused = post(suite.client, "0\n", headers={"Content-Type": "application/jsonlines"})
    refused.is_(415, "unsupported_media_type")


@test
def forms_of_lines(suite):
    """CRLF, no newline at the end, long lines, chunks of any size"""
    client = suite.client
    long = '{"ms":1' + " " * 65_000 + "}"
    with Cases() as table:
        for name, body, total in (("CRLF", "0\r\n1\r\n", 2), ("no newline", "0\n1", 2),
                                  ("one", "0", 1), ("long", f"{long}\n{long}\r\n0\n", 3)):
            with table.case(name):
                equal(post(client, body).is_(202).data["total"], total, "total")
                for size in (1, 7) if len(body) < 100 else (10_000,):
                    pieces = (body[at:at + size].encode() for at in range(0, len(body), size))
                    equal(post(client, pieces).is_(202).data["total"], total, f"total of {size}")


@test
def bad_lines(suite):
    """a bad line is 400 with details.line and details.field; nothing is kept"""
    client = suite.client
    before = batches_there_are(client)
    with Cases() as table:
        for name, body, line, field in (
                ("no JSON", "0\nx\n1\n", 2, None), ("two values", "0 1\n", 1, None),
                ("half a value", '0\n{"ms":1\n', 2, None), ("empty", "0\n\n1\n", 2, None),
                ("empty at the end", "0\n1\n\n", 3, None), ("blank", "0\n \t\n1\n", 2, None),
                ("a member twice", '{"ms":1,"ms":1}\n', 1, "ms"),
                ("a wrong member", '0\n0\n{"ms":-1}\n', 3, "ms"),
                ("another member", '0\n{"ms":1,"x":1}\n', 2, "x"),
                ("in the middle", "0\n" * 5000 + '{"ms":"x"}\n' + "0\n" * 5000, 5001, "ms"),
                ("not UTF-8", b'0\n"\xff"\n', 2, None),
                ("too long", "0\n" + "1" * 70_000 + "\n", 2, None)):
            with table.case(name):
                refused = post(client, body).is_(400, "invalid_request")
                equal(refused.details.get("line"), line, "details.line")
                equal(refused.details.get("field"), field, "details.field")
    equal(batches_there_are(client), before, "batches")


@test
def no_inputs(suite):
    """no inputs at all: 400"""
    before = batches_there_are(suite.client)
    post(suite.client, "").is_(400, "invalid_request")
    post(suite.client, None).is_(400, "invalid_request")
    post(suite.client, "\n").is_(400, "invalid_request")
    post(suite.client, iter([])).is_(400, "invalid_request")
    equal(batches_there_are(suite.client), before, "batches")


@test
def bad_queries(suite):
    """a bad query is 400 with details.field, whatever the body"""
    client = suite.client
    before = batches_there_are(client)
    with Cases() as table:
        for query, field in (("", "type"), ("type=nothing", "type"), ("type=", "type"),
                             ("type=sleep&x=1", "x"), ("type=sleep&type=sleep", "type"),
                             ("type=sleep&concurrency=0", "concurrency"),
                             ("type=sleep&concurrency=2.0", "concurrency"),
                             ("type=sleep&max_attempts=", "max_attempts"),
                             ("type=sleep&failure_policy=never", "failure_policy"),
                             ("type=sleep&keep_ms=-1", "keep_ms"),
                             ("type=sleep&inputs=1", "inputs"),
                             ("type=sleep&batch_name=" + "x" * 257, "batch_name")):
            with table.case(query[:60]):
                for body in ("0\n", "x"):
                    post(client, body, query).is_(400, "invalid_request", field)
    equal(batches_there_are(client), before, "batches")


@test
def deceptive_names(suite):
    """400 for control and bidirectional characters in names that stand in the query"""
    client = suite.client
    before = batches_there_are(client)
    with Cases() as table:
        for field in ("batch_name", "collection_id"):
            for character in DECEPTIVE[1:]:  # NUL can't stand in a query at all
                number = f"U+{ord(character):04X}"
                with table.case(f"{number} in {field}"):
                    query = f"type=sleep&{field}=a{quote(character)}b"
                    answer = post(client, "0\n", query).is_(400, "invalid_request", field)
                    contains(answer.body["message"], number, "the message")
    equal(batches_there_are(client), before, "batches")


@test
def limits(suite):
    """--inputs-max, --stream-bytes-max and --line-bytes-max"""
    with suite.start("--inputs-max", "10", "--stream-bytes-max", "100", "--line-bytes-max",
                     "20") as server:
        client = suite.client_of(server)
        post(client, "0\n" * 10).is_(202)
        equal(post(client, "0\n" * 11).is_(400).details.get("line"), 11, "details.line")
        client.call("POST", "/v1/batches", json={"type": "sleep", "inputs": [0] * 11}).is_(
            400, field="inputs")
        equal(post(client, "0\n" + "0" * 21).is_(400).details.get("line"), 2, "details.line")
        post(client, '{"ms":0     }\n' * 8).is_(413, "payload_too_large")
        post(client, iter([b'{"ms":0     }\n'] * 8)).is_(413, "payload_too_large")
        equal(batches_there_are(client), 1, "batches")


@test
def slowly(suite):
    """nothing is visible, and nothing runs, before the last line has come"""
    client = suite.client
    before = batches_there_are(client)
    go_on, answers = threading.Event(), []

    def lines():
        yield b"0\n" * 3000
        go_on.wait(30)
        yield b"0\n" * 3000

    def send():
        answers.append(post(suite.client_of(suite.server), lines()))

    thread = threading.Thread(target=send)
    thread.start()
    for _ in range(10):
        equal(batches_there_are(client), before, "batches while the lines come")
    check(not answers, "it was answered before the end")
    go_on.set()
    thread.join()
    batch = answers[0].is_(202).data["batch_id"]
    equal(client.until_ended(batch)["jobs"]["succeeded"], 6000, "succeeded")
    client.made.append(batch)


@test
def hung_up(suite):
    """a client that hangs up in the middle leaves nothing"""
    before = batches_there_are(suite.client)
    with wires(suite.server, 3) as all_wires:
        for wire in all_wires:
            wire.send(f"POST /v1/batches?type=sleep HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: "
                      f"{suite.server.key}\r\nContent-Type: application/x-ndjson\r\n"
                      f"Content-Length: 100000\r\n\r\n" + "0\n" * 20_000)
    until(lambda: suite.client.get("/healthz").status == 200, "the server")
    equal(batches_there_are(suite.client), before, "batches")


@test
def many(suite):
    """a hundred thousand lines, in chunks"""
    client = suite.client
    answer = post(client, (b'{"ms":0}\n' * 1000 for _ in range(100))).is_(202)
    equal(answer.data["total"], 100_000, "total")
    state = client.until_ended(answer.data["batch_id"])
    equal((state["current_state"], state["jobs"]["succeeded"]), ("completed", 100_000), "the end")
