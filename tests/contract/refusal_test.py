"""PUT /v1/batches/{id}/state: what is refused, in which order, and that nothing changes by it."""

import json

from checks import Cases, check, contains, equal
from client import DECEPTIVE, unchanged
from suite import test
from wire import request, wire_to

JSON = {"Content-Type": "application/json"}
UNKNOWN = "batch-" + "0" * 26

# Body, and details.field; None where no member can be named.
BAD_BODIES = [
    ("{", None), ("[]", None), ('"cancelled"', None), ("null", None), ("1", None), ("{}{}", None),
    ("{} x", None), (" ", None), ("{'state':'cancelled'}", None), ('{"state":"cancelled",}', None),
    ('{"state":"cancelled"} // no', None), ('\ufeff{}', None), ('{"state":"\x01"}', None),
    ('{"state":"\\ud800"}', None), ('{"reason":NaN}', None), ('{"grace_ms":01}', None),
    ('{"state":1}', "state"), ('{"state":null}', "state"), ('{"state":["cancelled"]}', "state"),
    ('{"state":"stopped"}', "state"), ('{"state":""}', "state"), ('{"state":"Cancelled"}', "state"),
    ('{"state":"cancelled "}', "state"), ('{"state":"paused"}', "state"),
    ('{"stat":"cancelled"}', "stat"), ('{"state":"cancelled","":1}', None),
    ('{"State":1}', "State"),
    ('{"force":true}', "force"), ('{"__proto__":{}}', "__proto__"),
    ('{"state":"cancelled","state":"cancelled"}', "state"), ('{"mode":"drain","mode":1}', "mode"),
    ('{"state":"cancelled","\\u0073tate":"running"}', "state"),
    ('{"reason":"a","reason":"a"}', "reason"), ('{"grace_ms":1,"grace_ms":2}', "grace_ms"),
    ('{"mode":"hard"}', "mode"), ('{"mode":""}', "mode"), ('{"mode":null}', "mode"),
    ('{"mode":0}', "mode"), ('{"mode":"Drain"}', "mode"), ('{"mode":["drain"]}', "mode"),
    ('{"grace_ms":2000.0}', "grace_ms"), ('{"grace_ms":2e3}', "grace_ms"),
    ('{"grace_ms":-1}', "grace_ms"), ('{"grace_ms":3600001}', "grace_ms"),
    ('{"grace_ms":99999999999999999999}', "grace_ms"),
    ('{"grace_ms":18446744073709551615}', "grace_ms"),
    ('{"grace_ms":"2000"}', "grace_ms"), ('{"grace_ms":null}', "grace_ms"),
    ('{"grace_ms":true}', "grace_ms"), ('{"grace_ms":[]}', "grace_ms"),
    ('{"mode":"drain","grace_ms":5}', "grace_ms"),
    ('{"grace_ms":0,"mode":"immediate"}', "grace_ms"),
    ('{"mode":"drain","grace_ms":0}', "grace_ms"),
    ('{"reason":1}', "reason"), ('{"reason":null}', "reason"), ('{"reason":["a"]}', "reason"),
    (json.dumps({"reason": "x" * 1025}), "reason"),
    (json.dumps({"reason": "ü" * 1025}, ensure_ascii=False), "reason"),
    (json.dumps({"reason": "🧗" * 1025}), "reason"),
    ('{"state":{"state":{"state":"cancelled"}}}', "state"),
]
BAD_BYTES = [b'{"reason":"\xff"}', b'{"state":"cancelled\xc3"}', b"\x00", b"{}\x00",
             b'{"reason":"\xed\xa0\x80"}', "{}".encode("utf-16"), b'{"a\x00":1}']


@test
def bad_bodies(suite):
    """400 with details.field for every body that is malformed or asks for what there is not"""
    batch = suite.client.sleeping(jobs=3)
    with unchanged(suite.client, batch), Cases() as table:
        for body, field in BAD_BODIES:
            with table.case(body[:80]):
                answer = suite.client.change(batch, data=body.encode(), headers=JSON)
                answer.is_(400, "invalid_request", field)
        for body in BAD_BYTES:
            with table.case(repr(body)):
                suite.client.change(batch, data=body, headers=JSON).is_(400, "invalid_request")


@test
def deceptive_reasons(suite):
    """400 for control characters but LF and TAB, and bidirectional ones, in a reason"""
    client = suite.client
    batch = client.sleeping(jobs=3)
    with unchanged(client, batch), Cases() as table:
        for character in DECEPTIVE:
            if character in "\n\t":
                continue
            number = f"U+{ord(character):04X}"
            with table.case(number):
                for answer in (client.change(batch, {"reason": f"a{character}b"}),
                               client.change_job(batch, 0, {"reason": f"a{character}b"})):
                    answer.is_(400, "invalid_request", "reason")
                    contains(answer.body["message"], number, "the message")
    client.change(batch, {"reason": "one\n\ttwo"}).is_(200)
    equal(client.state(batch)["cancel"]["reason"], "one\n\ttwo", "reason")


@test
def bad_bodies_on_ended(suite):
    """a bad body is 400 on an ended batch too: 400 comes before 409"""
    batch = suite.client.run("sleep", [0])
    for body, field in (('{"state":"no"}', "state"), ('{"x":1}', "x"), ("{", None),
                        ('{"state":"running","grace_ms":-1}', "grace_ms")):
        answer = suite.client.change(batch, data=body, headers=JSON).is_(400, "invalid_request")
        equal(answer.details.get("field"), field, "details.field")


@test
def no_key(suite):
    """401 with WWW-Authenticate for no key, a wrong one, a part of one"""
    client = suite.client
    batch = client.sleeping(jobs=2)
    with unchanged(client, batch):
        for headers in ({}, {"X-Api-Key": "wrong"}, {"X-Api-Key": ""},
                        {"X-Api-Key": client.key[:-1]},
                        {"X-Api-Key": client.key + "0"}, {"Authorization": "Bearer wrong"},
                        {"Authorization": f"Basic {client.key}"}, {"Authorization": client.key},
                        {"X-Api-Key": "x" * 4000}, {"X-Api-Key": client.key.upper() + "Z"}):
            answer = client.change(batch, key=None, headers=headers).is_(401, "unauthorized")
            check(answer.header("WWW-Authenticate"), "WWW-Authenticate is empty")
            check(client.key not in answer.text, "the answer shows the key")


@test
def empty_key(suite):
    """an empty X-Api-Key counts as none: a right Bearer beside it decides"""
    client = suite.client
    headers = {"X-Api-Key": "", "Authorization": f"Bearer {client.key}"}
    client.get("/v1/batches", key=None, headers=headers).is_(200)
    headers["X-Api-Key"] = "wrong"
    client.get("/v1/batches", key=None, headers=headers).is_(401, "unauthorized")


@test
def not_found(suite):
    """404 for unknown and malformed ids"""
    batch = suite.client.sleeping(jobs=2)
    bad = [UNKNOWN, batch[:-1], batch + "0", batch.upper(), batch.replace("batch-", "job-"), "x",
           "batch-", "%20", "batch-" + "i" * 26, "..%2F" + batch, "é", "%00", "%FF", "a" * 2000,
           batch + "%00", "*"]
    with unchanged(suite.client, batch), Cases() as table:
        for id in bad:
            with table.case(id[:80]):
                for answer in (suite.client.change(id), suite.client.get(f"/v1/batches/{id}/state"),
                               suite.client.get(f"/v1/batches/{id}")):
                    answer.is_(404, "not_found")
    equal(suite.client.change(UNKNOWN).body["message"], f"Batch {UNKNOWN} not found", "message")


@test
def unknown_paths(suite):
    """404 for paths that there are not, with and without a batch"""
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch):
        for path in (f"/v1/batches/{batch}/state/", f"/v1/batches/{batch}/stat", "/v1",
                     f"/v2/batches/{batch}/state", f"//v1/batches/{batch}/state",
                     "/v1/batches//state",
                     f"/V1/batches/{batch}/state", f"/v1/batches/{batch}/state/cancelled"):
            suite.client.call("PUT", path).is_(404, "not_found")


@test
def other_methods(suite):
    """405 with Allow for other methods"""
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch):
        for path, allowed in ((f"/v1/batches/{batch}/state", {"GET", "PUT"}),
                              (f"/v1/batches/{batch}/jobs/0/state", {"PUT"}),
                              ("/v1/batches", {"GET", "POST"}), ("/v1/types", {"GET"}),
                              (f"/v1/batches/{batch}", {"GET", "DELETE"}),
                              (f"/v1/batches/{batch}/results", {"GET"})):
            for method in ("POST", "DELETE", "PATCH", "OPTIONS", "PUT", "GET", "put", "FOO"):
                if method in allowed:
                    continue
                answer = suite.client.call(method, path) if method != "put" else put_in_lower_case(
                    suite, path)
                check(answer.status == 405, f"{method} {path}: {answer.text[:300]!r}")
                answer.is_(405, "method_not_allowed")
                said = {word.strip() for word in answer.header("Allow").split(",")}
                equal(said - {"HEAD"}, allowed, f"Allow of {path}")
                if answer.text:
                    equal(set(answer.details["allowed"]), said, f"details.allowed of {path}")


def put_in_lower_case(suite, path):
    """requests would send PUT."""
    import requests

    from client import Answer
    prepared = requests.Request("PUT", suite.client.url + path,
                                headers={"X-Api-Key": suite.client.key}).prepare()
    prepared.method = "put"
    return Answer(suite.client.session.send(prepared))


@test
def too_large(suite):
    """413 for a body that is too large; the connection goes on or is closed, nothing changes"""
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch):
        for size in (16_400, 70_000, 1_000_000, 9_000_000):
            body = b'{"reason":"' + b"x" * size + b'"}'
            suite.client.change(batch, data=body, headers=JSON).is_(413, "payload_too_large")
        pieces = (b" " * 10_000 for _ in range(100))
        suite.client.change(batch, data=pieces, headers=JSON).is_(413, "payload_too_large")


@test
def bodies_that_dont_come(suite):
    """a refusal is sent though the body that was announced does not come"""
    server = suite.server
    with wire_to(server) as wire:
        wire.send(request(server, "POST", "/v1/batches", "Content-Type: application/json",
                          "Content-Length: 100", key=False)).answer().is_(401)
        check(wire.closed(), "the connection goes on")


@test
def bytes_behind_the_last_request(suite):
    """an answer is whole though more comes on a connection that is to be closed"""
    client, server = suite.client, suite.server
    batch = client.create("sleep", [0] * 1000)
    for version in ("HTTP/1.0", "HTTP/1.1"):
        with wire_to(server) as wire:
            wire.send(request(server, "GET", f"/v1/batches/{batch}/jobs?limit=1000",
                              "Connection: close", version=version))
            wire.send("x" * 200_000)
            equal(len(wire.answer().is_(200).data["jobs"]), 1000, "the jobs")


@test
def other_media(suite):
    """415 for a body whose media type is not JSON"""
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch):
        for media in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                      "json",
                      "multipart/form-data; boundary=x", "application/xml",
                      "text/json, application/json", "application/+json", "+json",
                      "application/json+xml", "application/x-ndjson", "application/jsonl"):
            answer = suite.client.change(batch, data=b'{"state":"cancelled"}',
                                         headers={"Content-Type": media})
            answer.is_(415, "unsupported_media_type")


@test
def order_of_checks(suite):
    """401 before 405 before 404 before 413 before 415 before 400 before 409"""
    client = suite.client
    ended, batch = client.run("sleep", [0]), client.sleeping(jobs=2)
    big, plain = b"x" * 100_000, {"Content-Type": "text/plain"}

    def status(method, path, key=True, **more):
        return client.call(method, path, key=key, **more).status

    with unchanged(client, batch):
        for wanted, found in (
                (401, status("DELETE", f"/v1/batches/{UNKNOWN}/state", key="wrong")),
                (401, status("PUT", f"/v1/batches/{UNKNOWN}/state", key=None, data=big)),
                (401,
                 status("PUT", f"/v1/batches/{ended}/state", key=None, data=b"{", headers=plain)),
                (405, status("DELETE", f"/v1/batches/{UNKNOWN}/state", data=big, headers=plain)),
                (405, status("PATCH", f"/v1/batches/{batch}/state", data=b"{")),
                (404, status("PUT", f"/v1/batches/{UNKNOWN}/state", data=big, headers=plain)),
                (404, status("PUT", f"/v1/batches/{UNKNOWN}/state?bad=1", data=b"{", headers=JSON)),
                (413, status("PUT", f"/v1/batches/{batch}/state?bad=1", data=big, headers=plain)),
                (413, status("PUT", f"/v1/batches/{ended}/state", data=big, headers=JSON)),
                (415, status("PUT", f"/v1/batches/{batch}/state?bad=1", data=b"{", headers=plain)),
                (415, status("PUT", f"/v1/batches/{ended}/state", data=b"{}", headers=plain)),
                (400, status("PUT", f"/v1/batches/{ended}/state", data=b"{", headers=JSON)),
                (400, status("PUT", f"/v1/batches/{ended}/state?bad=1")),
                (409, status("PUT", f"/v1/batches/{ended}/state"))):
            equal(found, wanted, "the status")


@test
def errors_do_not_echo(suite):
    """what a client sent comes back in messages escaped and shortened"""
    answer = suite.client.change("batch-%0d%0aX-Injected:%201" + "q" * 3000)
    answer.is_(404, "not_found")
    check("X-Injected" not in answer.headers, "a field was injected")
    check(len(answer.body["message"]) < 1500, "a long id comes back whole")
    contains(answer.body["message"], "not found", "the message")
