"""Bodies, and connections, that come in pieces, too large, too deep, or break off."""

import json
import socket

import shapes
from checks import Cases, check, equal, one_of
from client import unchanged
from suite import test
from wire import Wire, put, request, wire_to, wires

JSON, CHUNKED = "Content-Type: application/json", "Transfer-Encoding: chunked"
REASON = '{"state":"cancelled","reason":"in pieces"}'


def length(size):
    return f"Content-Length: {size}"


def post(server, *fields, **more):
    return request(server, "POST", "/v1/batches", JSON, *fields, **more)


@test
def chunked(suite):
    """chunked bodies in odd pieces, with extensions and trailers"""
    by_one = "".join(f"1\r\n{c}\r\n" for c in REASON) + "0\r\n\r\n"
    whole = f"{len(REASON):x}\r\n{REASON}\r\n0\r\n\r\n"
    extended = (f"{len(REASON):04X};name=\"va;l\";b\r\n{REASON}\r\n"
                "0;x\r\nX-Trailer: a\r\nHost: b\r\n\r\n")
    for body, size in ((by_one, 1), (by_one, 7), (whole, 1), (whole, 1000), (extended, 3)):
        batch = suite.client.sleeping(jobs=2)
        text = put(suite.server, batch, JSON, CHUNKED, body=body)

        with wire_to(suite.server) as wire:
            wire.send(*(text[at:at + size] for at in range(0, len(text), size)))
            data = shapes.state(wire.answer().is_(200).data, current_state="cancelled",
                                changed=True)
            equal(data["cancel"]["reason"], "in pieces", "reason")
            wire.send(request(suite.server, "GET", "/healthz")).answer().is_(200)


@test
def bad_chunks(suite):
    """400 and close for chunks that are none"""
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch), Cases() as table:
        for body in ("zz\r\n{}\r\n0\r\n\r\n", "2\n{}\n0\n\n\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n",
                     "\r\n\r\n",
                     "FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n", "2\r\n{}0\r\n\r\n",
                     "0x2\r\n{}\r\n0\r\n\r\n",
                     "2\r\n{}xx0\r\n\r\n", " 2\r\n{}\r\n0\r\n\r\n"):
            with table.case(repr(body)), wire_to(suite.server) as wire:
                wire.send(put(suite.server, batch, JSON, CHUNKED, body=body))
                wire.answer().is_(400, "invalid_request")
                check(wire.closed(), "the connection goes on")


@test
def pipelined(suite):
    """pipelined requests are answered one after the other, in order"""
    server = suite.server
    batch = suite.client.sleeping(jobs=3)
    body = '{"mode":"drain"}'
    text = (request(server, "GET", "/healthz")
            + put(server, batch, JSON, length(len(body)), "Prefer: wait=0", body=body)
            + "\r\n" + request(server, "GET", f"/v1/batches/{batch}/state")
            + request(server, "HEAD", "/healthz")
            + request(server, "GET", f"/v1/batches/{batch}/jobs")
            + put(server, "batch-0", JSON, length(2), body="{}")
            + put(server, batch, JSON, CHUNKED, body="2\r\n{}\r\n0\r\n\r\n")
            + request(server, "GET", f"/v1/batches/{batch}/state", "Connection: close"))
    with wire_to(server) as wire:
        wire.send(text)
        wire.answer().is_(200)
        first = wire.answer().is_(202).data
        equal(wire.answer().is_(200).data["cancel"], first["cancel"], "the block")
        wire.answer(head=True).is_(200)
        equal(len(wire.answer().is_(200).data["jobs"]), 3, "the jobs")
        wire.answer().is_(404, "not_found")
        equal(wire.answer().is_(200).data["previous_state"], "cancelling", "previous_state")
        equal(wire.answer().is_(200).data["current_state"], "cancelled", "current_state")
        check(wire.closed(), "the connection goes on after Connection: close")


@test
def smuggled(suite):
    """from a connection whose body was not read to its end no further request is read"""
    server = suite.server
    batch = suite.client.sleeping(jobs=2)
    hidden = put(server, batch)
    with unchanged(suite.client, batch):
        for text, status in (
                (put(server, batch, JSON, length(10_000_000), body=hidden), 413),
                (put(server, "batch-0", length(10_000_000), body=hidden), 404),
                (put(server, batch, CHUNKED, key=False, body=f"{len(hidden):x}\r\n{hidden}\r\n"),
                 401),
                (put(server, batch, JSON, CHUNKED, body=f"zz\r\n{hidden}"), 400)):
            with wire_to(server) as wire:
                wire.send(text)
                wire.answer().is_(status)
                check(wire.closed(), f"the connection goes on after {status}")


@test
def body_where_none_is_wanted(suite):
    """a GET with a body: the next request on the connection is what comes after the body"""
    server = suite.server
    batch = suite.client.sleeping(jobs=2)
    hidden = put(server, batch)
    with unchanged(suite.client, batch), wire_to(server) as wire:
        wire.send(request(server, "GET", "/healthz", length(len(hidden)), body=hidden))
        wire.answer().is_(200)
        wire.send(request(server, "GET", f"/v1/batches/{batch}", CHUNKED,
                          body=f"{len(hidden):x}\r\n{hidden}\r\n0\r\n\r\n"))
        wire.answer().is_(200)
        wire.send(request(server, "GET", "/healthz", "X-Last: 1")).answer().is_(200)


@test
def too_much_where_none_is_wanted(suite):
    """a GET with a body of more than 64 KiB: 413 and close, whatever length it says"""
    server = suite.server
    chunk = f"{2000:x}\r\n{'x' * 2000}\r\n"
    with Cases() as table:
        for what, text in (
                ("2^63 - 1 bytes", request(server, "GET", "/healthz", length(2**63 - 1), key=False)),
                ("65,537 bytes", request(server, "GET", "/v1/batches", length(65_537))),
                ("chunks", request(server, "GET", "/healthz", CHUNKED, body=chunk * 40))):
            with table.case(what), wire_to(server) as wire:
                wire.send(text).answer().is_(413, "payload_too_large")
                check(wire.closed(), "the connection goes on")
    with wire_to(server) as wire:
        wire.send(request(server, "GET", "/healthz", length(65_536), body="x" * 65_536))
        wire.answer().is_(200)
        wire.send(request(server, "GET", "/healthz")).answer().is_(200)


@test
def encoded(suite):
    """415 for a Content-Encoding other than identity"""
    server = suite.server
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch), wire_to(server) as wire:
        for text in (put(server, batch, JSON, length(2), "Content-Encoding: gzip", body="{}"),
                     post(server, length(2), "Content-Encoding: br, identity", body="{}")):
            wire.send(text).answer().is_(415, "unsupported_media_type")
    with wire_to(server) as wire:
        wire.send(put(server, batch, JSON, length(2), "Content-Encoding: Identity", body="{}"))
        wire.answer().is_(200)


@test
def expect_continue(suite):
    """Expect: 100-continue: 100 and then the answer; a refusal comes without 100"""
    server = suite.server
    batch = suite.client.sleeping(jobs=2)
    expect = "Expect: 100-continue"
    for text, status in ((put(server, batch, JSON, expect, length(100_000)), 413),
                         (put(server, "batch-0", JSON, expect, length(2)), 404),
                         (put(server, batch, expect, length(2), key=False), 401),
                         (put(server, batch, "Content-Type: text/css", expect, length(2)), 415)):
        with wire_to(server) as wire:
            wire.send(text).answer().is_(status)
    with wire_to(server) as wire:
        wire.send(put(server, batch, JSON, expect, length(2)))
        equal(wire.answer().status, 100, "the first status")
        shapes.state(wire.send("{}").answer().is_(200).data, current_state="cancelled",
                     changed=True)


@test
def head(suite):
    """HEAD answers as GET does, without a body; where GET is not, it is 405"""
    server = suite.server
    batch = suite.client.run("sleep", [0] * 3)
    with wire_to(server) as wire:
        for path in ("/healthz", "/v1/batches", f"/v1/batches/{batch}",
                     f"/v1/batches/{batch}/state",
                     f"/v1/batches/{batch}/results", f"/v1/batches/{batch}/jobs/1"):
            wire.send(request(server, "HEAD", path))
            found = wire.answer(head=True)
            equal(found.status, 200, f"the status of HEAD {path}")
            got = wire.send(request(server, "GET", path)).answer().is_(200)
            equal(found.fields.get("content-type"), got.fields.get("content-type"), "Content-Type")
            if "content-length" in got.fields and path != "/healthz":
                equal(found.fields.get("content-length"), got.fields["content-length"], path)
        wire.send(request(server, "HEAD", f"/v1/batches/{batch}/jobs/0/state"))
        equal(wire.answer(head=True).status, 405, "the status of HEAD where GET is not")
        wire.send(request(server, "HEAD", "/v1/batches/batch-0"))
        equal(wire.answer(head=True).status, 404, "the status of HEAD of an unknown batch")
        wire.send(request(server, "GET", "/healthz")).answer().is_(200)


@test
def http_1_0(suite):
    """HTTP/1.0: no chunks, and the end of the connection unless it is to be kept"""
    server = suite.server
    batch = suite.client.run("sleep", [0] * 500)
    with wire_to(server) as wire:
        answer = wire.send(request(server, "GET", f"/v1/batches/{batch}/results?page_size=1000",
                                   version="HTTP/1.0")).answer().is_(200)
        check("transfer-encoding" not in answer.fields, "chunks in an answer to HTTP/1.0")
        equal(len(answer.data["job_results"]), 500, "entries")
        check(wire.closed(), "the connection goes on")
    with wire_to(server) as wire:
        keep = request(server, "GET", "/healthz", "Connection: keep-alive", version="HTTP/1.0")
        wire.send(keep).answer().is_(200)
        wire.send(keep).answer().is_(200)
        wire.send(request(server, "GET", "/healthz", version="HTTP/1.0")).answer().is_(200)
        check(wire.closed(), "the connection goes on without keep-alive")
    running = suite.client.sleeping(jobs=2)
    with wire_to(server) as wire:
        wire.send(put(server, running, JSON, length(2), version="HTTP/1.0", body="{}"))
        shapes.state(wire.answer().is_(200).data, current_state="cancelled")


@test
def deep_json(suite):
    """deep JSON is 400, in a cancel and in a new batch"""
    client = suite.client
    batch = client.sleeping(jobs=2)
    headers = {"Content-Type": "application/json"}
    with unchanged(client, batch):
        for deep in ("[" * 16_000, '{"a":' * 3_000,
                     '{"reason":' + "[" * 8_000 + "]" * 8_000 + "}",
                     "[" * 1000 + "]" * 1000):
            client.change(batch, data=deep, headers=headers).is_(400, "invalid_request")
        for deep in ("[" * 5_000_000, '{"type":"sleep","inputs":[' + '{"ms":' * 1_000_000,
                     '{"type":"sleep","inputs":[' + "[" * 3_000_000 + "]" * 3_000_000 + "]}",
                     '{"options":' + '{"a":' * 1_000_000):
            answer = client.call("POST", "/v1/batches", data=deep, headers=headers)
            answer.is_(400, "invalid_request")
        many = "{" + ",".join(f'"m{n}":{n}' for n in range(1000)) + "}"
        client.change(batch, data=many, headers=headers).is_(400, "invalid_request")


@test
def huge_bodies(suite):
    """413 for a body that says it is huge, before it is sent; and for one that does not say so"""
    server = suite.server
    batch = suite.client.sleeping(jobs=2)
    for size in (65 * 1024 * 1024, 10 ** 12, 2 ** 63 - 1):
        for text in (put(server, batch, JSON, length(size)), post(server, length(size))):
            with wire_to(server) as wire:
                wire.send(text).answer().is_(413, "payload_too_large")
                check(wire.closed(), "the connection goes on")
    piece = "10000\r\n" + " " * 0x10000 + "\r\n"
    for text in (put(server, batch, JSON, CHUNKED), post(server, CHUNKED)):
        with wire_to(server) as wire:
            try:
                wire.send(text, *[piece] * 200)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it may stop reading
            wire.answer().is_(413, "payload_too_large")
    with suite.start("--body-bytes-max", "100") as small:
        with wire_to(small) as wire:
            wire.send(post(small, length(101), body=" " * 101)).answer().is_(413)
    suite.client.state(batch)


@test
def endless_pieces(suite):
    """a chunk header or a trailer without an end is refused, not collected"""
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch), Cases() as table:
        for begin in ("2;", "2;a=\"", "0\r\nX-Trailer: ", "2\r\n{}\r\n0\r\nX-Trailer: ", "0" * 100):
            with table.case(repr(begin)), wire_to(suite.server) as wire:
                try:
                    wire.send(put(suite.server, batch, JSON, CHUNKED, body=begin))
                    wire.send(*["0" * 0x10000] * 128)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it may stop reading
                try:
                    one_of(wire.answer().status, (400, 413, 431), "the status")
                    check(wire.closed(), "the connection goes on")
                except ConnectionResetError:
                    pass  # the answer was lost, for we did not read while we wrote


@test
def broken_off(suite):
    """half a request and then the end of the connection changes nothing"""
    server = suite.server
    batch = suite.client.sleeping(jobs=2)
    before = len(suite.client.get("/v1/batches?limit=1000").data["batches"])
    whole = put(server, batch, JSON, length(len(REASON)), body=REASON)
    in_chunks = put(server, batch, JSON, CHUNKED, body=f"{len(REASON):x}\r\n{REASON}\r\n0\r\n\r\n")
    new = post(server, length(40), body='{"type":"sleep","inputs":[0')
    with unchanged(suite.client, batch):
        for text in (*(whole[:at] for at in range(0, len(whole), 9)), in_chunks[:-2],
                     in_chunks[:-5],
                     in_chunks[:-8], new):
            wire = Wire(server)
            wire.send(text)
            wire.close()
            with wire_to(server) as quiet:  # its other half still reads
                quiet.send(text).socket.shutdown(socket.SHUT_WR)
                quiet.closed()
    equal(len(suite.client.get("/v1/batches?limit=1000").data["batches"]), before, "the batches")


@test
def half_and_silence(suite):
    """half a request and then silence: the connection is closed after its time"""
    limits = [f"--{what}-time-max=1" for what in ("header", "request", "idle")]
    with suite.start(*limits) as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=2)
        texts = ["", "P", put(server, batch)[:-2], put(server, batch, JSON, length(100), body="{"),
                 put(server, batch, JSON, CHUNKED, body="2\r\n{}\r\n"),
                 post(server, length(99), body="{"),
                 "\r\n" * 10]
        with unchanged(client, batch), wires(server, len(texts)) as silent:
            for wire, text in zip(silent, texts, strict=True):
                wire.send(text)
            for wire, text in zip(silent, texts, strict=True):
                try:
                    left = wire.file.read()
                except TimeoutError:
                    check(False, f"the connection is kept after {text[-60:]!r}")
                except ConnectionResetError:
                    left = b""
                check(b"HTTP/1.1 2" not in left, f"a success for {text[-60:]!r}: {left[:100]!r}")
        client.change(batch).is_(200)


@test
def half_closed(suite):
    """a client that has closed its half of the connection still gets its answer"""
    batch = suite.client.sleeping(jobs=3)
    body = '{"mode":"drain"}'
    with wire_to(suite.server) as wire:
        wire.send(put(suite.server, batch, JSON, length(len(body)), body=body))
        wire.socket.shutdown(socket.SHUT_WR)
        suite.client.until_state(batch, "cancelling")
        suite.client.change(batch, {"mode": "immediate"}).is_(200)
        shapes.state(wire.answer().is_(200).data, current_state="cancelled", changed=True)
        check(wire.closed(), "the connection goes on")


@test
def client_hangs_up(suite):
    """a client that hangs up while its cancel waits cancels nothing of it"""
    client = suite.client
    batch = client.sleeping(jobs=3)
    body = json.dumps({"mode": "drain", "reason": "gone"})
    with wire_to(suite.server) as wire:
        wire.send(put(suite.server, batch, JSON, length(len(body)), body=body))
        client.until_state(batch, "cancelling")

    data = shapes.state(client.change(batch, {"mode": "immediate"}).is_(200).data, changed=False,
                        previous_state="cancelling", current_state="cancelled")

    equal((data["cancel"]["mode"], data["cancel"]["reason"]), ("drain", "gone"), "the block")


@test
def client_never_reads(suite):
    """a client that asks for much and reads nothing keeps nobody from a cancel"""
    client = suite.client
    big = client.create("sleep", [3_600_000] * 200_000)
    client.until_running(big, 2)
    client.change(big).is_(200)
    batch = client.sleeping(jobs=2)
    with wires(suite.server, 20) as greedy:
        for wire in greedy:
            wire.send(request(suite.server, "GET", f"/v1/batches/{big}/results",
                              "Accept: application/x-ndjson"))

        data = client.change(batch).is_(200).data

    shapes.state(data, current_state="cancelled", changed=True)
