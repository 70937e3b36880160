"""Idempotency-Key."""

import itertools
import json

from checks import Cases, check, equal, until
from create_test import batches_there_are
from suite import test
from wire import wires

JSON, LINES = "application/json", "application/x-ndjson"
BODY = '{"type":"sleep","inputs":[0,1]}'
numbers = itertools.count(1)


def fresh():
    return f"key-{next(numbers)}"


def post(client, key, body=BODY, media=JSON, query=""):
    data = body.encode() if isinstance(body, str) else body
    answer = client.call("POST", f"/v1/batches{query}", data=data,
                         headers={"Content-Type": media, "Idempotency-Key": key})
    if answer.status == 202 and "Idempotency-Replayed" not in answer.headers:
        client.made.append(answer.data["batch_id"])
    return answer


@test
def replayed(suite):
    """the same key and request: the same batch again, and no second one; in both forms"""
    client = suite.client
    for form in ({}, {"body": "0\n1\n", "media": LINES, "query": "?type=sleep&concurrency=1"}):
        key, before = fresh(), batches_there_are(client)

        first = post(client, key, **form).is_(202)
        again = [post(client, key, **form).is_(202) for _ in range(3)]

        check("Idempotency-Replayed" not in first.headers, "the first is a replay")
        for answer in again:
            answer.header("Idempotency-Replayed", "true")
            answer.header("Location", first.header("Location"))
            equal((answer.data["batch_id"], answer.data["total"]),
                  (first.data["batch_id"], 2), "the same batch")
        equal(batches_there_are(client), before + 1, "batches")


@test
def conflict(suite):
    """the same key with another body, query or form: 409 idempotency_conflict"""
    client = suite.client
    key, lines = fresh(), fresh()
    post(client, key).is_(202)
    post(client, lines, "0\n1\n", LINES, "?type=sleep").is_(202)
    before = batches_there_are(client)
    with Cases() as table:
        for name, arguments in (
                ("body", (key, BODY + " ")), ("bad body", (key, "{")),
                ("form", (key, "0\n1\n", LINES, "?type=sleep")),
                ("lines", (lines, "0\n", LINES, "?type=sleep")),
                ("bad lines", (lines, "x\n", LINES, "?type=sleep")),
                ("query", (lines, "0\n1\n", LINES, "?type=spin")),
                ("more query", (lines, "0\n1\n", LINES, "?type=sleep&weight=1"))):
            with table.case(name):
                post(client, *arguments).is_(409, "idempotency_conflict")
    equal(batches_there_are(client), before, "batches")


@test
def bad_keys(suite):
    """what is no key: 400 with details.field; 255 visible characters are one"""
    client = suite.client
    for key in ("", "a b", "ä".encode("latin-1"), "x" * 256, "tab\tbed"):
        post(client, key).is_(400, "invalid_request", "Idempotency-Key")
    post(client, "~!" + fresh().ljust(253, "x")).is_(202)


@test
def failed_first(suite):
    """a first request that was refused leaves the key free"""
    client = suite.client
    key = fresh()
    post(client, key, '{"type":"sleep","inputs":[-1]}').is_(400)
    post(client, key, "0\nx\n", LINES, "?type=sleep").is_(400)
    answer = post(client, key).is_(202)
    check("Idempotency-Replayed" not in answer.headers, "it is a replay")


@test
def in_progress(suite):
    """while the first still runs: 409 idempotency_in_progress; then it is free, or replayed"""
    client = suite.client
    head = (f"POST /v1/batches?type=sleep HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: "
            f"{suite.server.key}\r\nContent-Type: {LINES}\r\nContent-Length: 4\r\n"
            f"Expect: 100-continue\r\nIdempotency-Key: ")
    done, gone = fresh(), fresh()
    with wires(suite.server, 2) as (first, second):
        for wire, key in ((first, done), (second, gone)):
            equal(wire.send(f"{head}{key}\r\n\r\n").answer().status, 100, "it was taken in")
            wire.send("0\n")
            refused = post(client, key, "0\n1\n", LINES, "?type=sleep")
            refused.is_(409, "idempotency_in_progress").header("Retry-After", "1")
        first.send("1\n")
        batch = json.loads(first.answer().text)["data"]["batch_id"]
    again = post(client, done, "0\n1\n", LINES, "?type=sleep").is_(202)
    again.header("Idempotency-Replayed", "true")
    equal(again.data["batch_id"], batch, "batch_id")
    until(lambda: post(client, gone).status == 202, "the key of who hung up is free")


@test
def deleted_since(suite):
    """a replay whose batch was deleted: 409 idempotency_conflict, which names it"""
    client = suite.client
    key = fresh()
    batch = post(client, key).is_(202).data["batch_id"]
    client.until_ended(batch)
    client.call("DELETE", f"/v1/batches/{batch}").is_(200)
    client.made.remove(batch)

    refused = post(client, key).is_(409, "idempotency_conflict")

    equal(refused.details, {"batch_id": batch}, "details")


@test
def after_restart(suite):
    """keys outlive the server"""
    data = suite.folder / "data-of-keys"
    key = fresh()
    with suite.start(data=data) as server:
        first = post(suite.client_of(server), key).is_(202).data["batch_id"]
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        again = post(client, key).is_(202)
        again.header("Idempotency-Replayed", "true")
        equal(again.data["batch_id"], first, "batch_id")
        post(client, key, BODY + " ").is_(409, "idempotency_conflict")
        equal(batches_there_are(client), 1, "batches")
