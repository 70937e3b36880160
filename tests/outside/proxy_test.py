"""belay serve behind nginx and Caddy, configured as docs/guide/server.md says."""

import contextlib
import json
import time

import shapes
from checks import Cases, check, contains, equal, until
from guide import NAME, options
from proxies import Caddy, Nginx, WireFrom, established, in_front_of, relayed
from suite import test
from variants import each_of
from wire import put, request, wire_to, wires

NGINX = {"nginx": Nginx}
BOTH = {**NGINX, "Caddy": Caddy}
JSON = "Content-Type: application/json"
WRONG_KEYS_MAX = 3000  # after so many of them an address must have met its limit


def drain(server, batch, *fields):
    """A cancel that waits until the running jobs have ended by themselves."""
    body = '{"mode":"drain","reason":"behind a proxy"}'
    return put(server, batch, JSON, f"Content-Length: {len(body)}", *fields, body=body)


@each_of(BOTH)
def cancels(suite, kind):
    """cancels: 200, 202 where that is preferred, 409; one job"""
    with in_front_of(suite, kind, suite.server) as proxy:
        client = proxy.client
        batch = client.sleeping(jobs=3)
        shapes.state(client.change(batch).is_(200).data, current_state="cancelled", changed=True)
        shapes.state(client.change(batch).is_(200).data, current_state="cancelled", changed=False)

        batch = client.sleeping(jobs=3)
        answer = client.change(batch, {"mode": "drain"}, headers={"Prefer": "respond-async"})
        shapes.state(answer.is_(202).data, current_state="cancelling", changed=True)
        answer.header("Retry-After")
        answer.header("Location", f"/v1/batches/{batch}/state")
        client.change_job(batch, 0, {}).is_(200)
        shapes.state(client.change(batch, {"mode": "immediate"}).is_(200).data,
                     current_state="cancelled", changed=False)

        ended = client.run("sleep", [0])
        client.change(ended).is_(409, "batch_already_finished")


@each_of(BOTH)
def refusals(suite, kind):
    """what is refused has the status and the body that it has without a proxy"""
    with in_front_of(suite, kind, suite.server) as proxy, Cases() as table:
        client = proxy.client
        for status, code, method, path, more in (
                (401, "unauthorized", "GET", "/v1/batches", {"key": None}),
                (401, "unauthorized", "GET", "/v1/batches", {"key": "wrong"}),
                (404, "not_found", "GET", "/v1/batches/batch-0", {}),
                (405, "method_not_allowed", "DELETE", "/v1/types", {}),
                (400, "invalid_request", "POST", "/v1/batches", {"json": {"type": "nothing"}}),
                (400, "invalid_request", "GET", "/v1/batches?x=1", {}),
                (415, "unsupported_media_type", "POST", "/v1/batches",
                 {"data": b"{}", "headers": {"Content-Type": "text/plain"}})):
            with table.case(f"{method} {path}"):
                client.call(method, path, **more).is_(status, code)
        for path in ("/healthz", "/readyz"):
            client.get(path, key=None).is_(200)
        equal(client.call("HEAD", "/v1/batches").is_(200).text, "", "the body of a HEAD")


@each_of(NGINX)
def large_refusals(suite, kind):
    """a refusal comes through though the client still sends: 413, 401, 400, at 9 and at 20 MB"""
    with in_front_of(suite, kind, suite.server) as proxy, Cases() as table:
        client = proxy.client
        as_json = {"Content-Type": "application/json"}
        as_lines = {"Content-Type": "application/x-ndjson"}
        for megabytes in (9, 20):
            with table.case(f"{megabytes} MB"):
                client.call("POST", "/v1/batches", data=b" " * (megabytes * 1_000_000),
                            headers=as_json).is_(413, "payload_too_large")
        with table.case("20 MB with a wrong key"):
            client.call("POST", "/v1/batches", data=b" " * 20_000_000, headers=as_json,
                        key="wrong").is_(401, "unauthorized")
        with table.case("20 MB of lines, the first of which is bad"):
            client.call("POST", "/v1/batches?type=sleep", data=b"x\n" + b"0\n" * 10_000_000,
                        headers=as_lines).is_(400, "invalid_request")
        with table.case("afterwards"):
            client.get("/v1/batches").is_(200)


@each_of(BOTH)
def kept_connection(suite, kind):
    """one connection to the server is used for the requests of twenty clients"""
    with relayed(suite, kind, suite.server) as (proxy, relay):
        for number in range(20):
            with wire_to(proxy) as wire:
                wire.send(request(proxy, "GET", "/v1/batches")).answer().is_(200)
            equal(relay.connections, 1, f"the connections of the proxy after {number + 1} requests")
        equal(len(relay.fields("Host")), 20, "the requests that came through")
        check("close" not in relay.fields("Connection"), "the proxy asks for the connection's end")


@each_of(BOTH)
def no_lines(suite, kind):
    """after results without lines the next client on the same connection gets its own answer"""
    batch = suite.client.sleeping(jobs=2)
    with relayed(suite, kind, suite.server) as (proxy, relay), wires(proxy, 2) as (one, other):
        for _ in range(5):
            one.send(request(proxy, "GET", f"/v1/batches/{batch}/results",
                             "Accept: application/x-ndjson"))
            equal(one.answer().is_(200).text, "", "the lines")
            other.send(request(proxy, "GET", f"/v1/batches/{batch}/state"))
            shapes.state(other.answer().is_(200).data, batch_id=batch, current_state="running")
        other.send(put(proxy, batch))
        shapes.state(other.answer().is_(200).data, batch_id=batch, current_state="cancelled")
        equal(relay.connections, 1, "the connections of the proxy")


@each_of(BOTH)
def lines_up(suite, kind):
    """a new batch's lines reach the server while the client still has some to send"""
    with relayed(suite, kind, suite.server) as (proxy, relay):
        def lines():
            for number in range(1, 6):
                yield b'{"ms":0}\n' * 4000
                until(lambda: relay.up >= number * 36_000, f"{number} pieces at the server")

        answer = proxy.client.call("POST", "/v1/batches?type=sleep", data=lines(),
                                   headers={"Content-Type": "application/x-ndjson"}).is_(202)

        equal(answer.data["total"], 20_000, "total")
        state = proxy.client.until_ended(answer.data["batch_id"])
        equal(state["jobs"]["succeeded"], 20_000, "succeeded")


@each_of(BOTH)
def lines_down(suite, kind):
    """results come as the client takes them: the proxy does not take in what waits"""
    jobs = 150_000
    client = suite.client
    batch = client.sleeping(jobs=jobs)
    client.change(batch).is_(200)
    with relayed(suite, kind, suite.server) as (proxy, relay), wire_to(proxy) as wire:
        wire.send(request(proxy, "GET", f"/v1/batches/{batch}/results",
                          "Accept: application/x-ndjson"))
        until(lambda: relay.down > 0, "the answer's begin")
        until(lambda: rests(relay), "an end of what the proxy takes in")
        taken_in = relay.down

        text = wire.answer().is_(200).text

        last = json.loads(text[text.rindex("\n", 0, -1) + 1:])
        equal((text.count("\n"), last["job"]), (jobs, jobs - 1), "the lines, and the last job")
        check(taken_in < len(text) // 2,
              f"{taken_in} bytes of {len(text)} were taken in, though the client had read none")


def rests(relay):
    """Whether half a second brings nothing more. A look that is too early finds no fault."""
    before = relay.down
    time.sleep(0.5)
    return relay.down == before


@each_of(BOTH)
def hung_up(suite, kind):
    """clients that hang up while their cancel waits: it goes on, and their places are free"""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(suite.start(*options(), "--connections-max", "8"))
        proxy = stack.enter_context(in_front_of(suite, kind, server))
        client = suite.client_of(server)
        batch = client.sleeping(jobs=3)
        client.session.close()
        for _ in range(3):
            until(lambda: established(server) <= 1, "an end of the connections that were left")
            with wires(proxy, 6) as waiting:
                for wire in waiting:
                    wire.send(drain(proxy, batch))
                until(lambda: established(server) >= 6, "six cancels that wait")
            equal(client.state(batch)["current_state"], "cancelling", "the state of the batch")
            client.session.close()

        answer = client.change(batch, {"mode": "immediate"}).is_(200)

        data = shapes.state(answer.data, current_state="cancelled", changed=False)
        equal((data["cancel"]["mode"], data["cancel"]["reason"]), ("drain", "behind a proxy"),
              "the block")


@each_of(BOTH)
def client_is_named(suite, kind):
    """X-Forwarded-For is the client's address, whatever it wrote there itself; Host is its own"""
    with relayed(suite, kind, suite.server) as (proxy, relay):
        with contextlib.closing(WireFrom(proxy, "127.0.0.2")) as wire:
            wire.send(request(proxy, "GET", "/healthz", "X-Forwarded-For: 203.0.113.9", host=NAME))
            wire.answer()
        equal(relay.fields("X-Forwarded-For"), ["127.0.0.2"], "X-Forwarded-For")
        equal(relay.fields("Host"), [NAME], "Host")


@each_of(BOTH)
def name_of_the_site(suite, kind):
    """--allowed-host: the site's name is answered, another one is 421"""
    with in_front_of(suite, kind, suite.server) as proxy, Cases() as table:
        for host, status in ((NAME, 200), (NAME.upper(), 200), ("evil.example", 421),
                             (f"{NAME}.evil.example", 421), (f"evil.{NAME}", 421)):
            with table.case(host), wire_to(proxy) as wire:
                wire.send(request(proxy, "GET", "/v1/batches", host=host)).answer().is_(status)


def status_from(server, source, *fields, key="wrong"):
    """Of a request that comes from that address."""
    with contextlib.closing(WireFrom(server, source)) as wire:
        wire.send(request(server, "GET", "/v1/batches", f"X-Api-Key: {key}", *fields, key=False))
        return wire.answer().status


def until_limited(server, source, *fields):
    for _ in range(WRONG_KEYS_MAX):
        status = status_from(server, source, *fields)
        if status == 429:
            return
        equal(status, 401, "the status of a wrong key")
    check(False, f"{WRONG_KEYS_MAX} wrong keys from {source} were all answered with 401")


@each_of(BOTH)
def limits_by_client(suite, kind):
    """--trusted-proxy: wrong keys count against the client that has sent them, and no other"""
    with suite.start(*options()) as server, in_front_of(suite, kind, server) as proxy:
        until_limited(proxy, "127.0.0.2")

        equal(status_from(proxy, "127.0.0.3"), 401, "the status of another client's wrong key")
        equal(status_from(proxy, "127.0.0.2", key=server.key), 200, "the status of the right key")
        forged = [status_from(proxy, "127.0.0.2", f"X-Forwarded-For: 203.0.113.{n}")
                  for n in range(20)]
        contains(forged, 429, "what a client gets that names itself otherwise")


@test
def untrusted(suite):
    """X-Forwarded-For of whoever is no --trusted-proxy names nobody"""
    with suite.start(*options()) as server:
        until_limited(server, "127.0.0.4")
        forged = [status_from(server, "127.0.0.4", f"X-Forwarded-For: 203.0.113.{n}")
                  for n in range(20)]
        contains(forged, 429, "what a client gets that names itself otherwise")
        equal(status_from(server, "127.0.0.5", "X-Forwarded-For: 127.0.0.4"), 401,
              "the status of another client that names itself like the first")
