"""What a proxy passes on: names, and addresses of clients; and how wrong keys are limited."""

from checks import check, equal
from suite import test
from wire import request, wire_to


def status(server, *fields, host="localhost", key=True, path="/v1/types"):
    with wire_to(server) as wire:
        return wire.send(request(server, "GET", path, *fields, host=host, key=key)).answer()


@test
def allowed_hosts(suite):
    """--allowed-host: further names under which the server is reached; others are still 421"""
    with suite.start("--allowed-host", "belay.example", "--allowed-host", "other") as server:
        for host in ("belay.example", "BELAY.example.:8443", "other", "localhost", "127.0.0.1:1"):
            status(server, host=host).is_(200)
        for host in ("example", "a.belay.example", "belay.example.evil"):
            status(server, host=host).is_(421)


@test
def wrong_keys(suite):
    """--wrong-keys-max: then 429 with Retry-After, in a minute; a right key never is"""
    with suite.start("--wrong-keys-max", "3") as server:
        client = suite.client_of(server)
        for key in ("wrong", None, "wrong"):
            client.get("/v1/types", key=key).is_(401)
        for key in ("wrong", None):
            refused = client.get("/v1/types", key=key).is_(429, "rate_limit_error")
            seconds = int(refused.header("Retry-After"))
            check(1 <= seconds <= 60, f"Retry-After: {seconds}")
            details = refused.body["details"]
            equal((details["limit"], details["remaining"], details["window_size"]), (3, 0, 60),
                  "the details")
        client.get("/v1/types").is_(200)
        client.get("/healthz", key=None).is_(200)


@test
def trusted_proxy(suite):
    """--trusted-proxy: the client that X-Forwarded-For names is limited, not the proxy"""
    with suite.start("--wrong-keys-max", "1", "--trusted-proxy", "127.0.0.1") as server:
        for client in ("192.0.2.1", "192.0.2.2"):
            status(server, f"X-Forwarded-For: 203.0.113.1, {client}", key=False).is_(401)
            status(server, f"X-Forwarded-For: {client}", key=False).is_(429)
        status(server, key=False).is_(401)
    with suite.start("--wrong-keys-max", "1") as server:
        status(server, "X-Forwarded-For: 192.0.2.1", key=False).is_(401)
        status(server, "X-Forwarded-For: 192.0.2.2", key=False).is_(429)


@test
def no_names(suite):
    """--allowed-host with what no Host can be: status 2, and what is wrong on stderr"""
    for given in ("belay.example:80", "http://belay.example", "a b", ""):
        server = suite.make("--allowed-host", given)
        equal(server.wait_end(), 2, f"status of {given!r}")
        check("--allowed-host" in server.stderr(), server.stderr())


@test
def no_address(suite):
    """--trusted-proxy with what is no address: status 2, and what is wrong on stderr"""
    server = suite.make("--trusted-proxy", "proxy.example")
    equal(server.wait_end(), 2, "the status")
    check("proxy.example is not an address such as 127.0.0.1 or ::1" in server.stderr(),
          server.stderr())


@test
def absolute_targets(suite):
    """a target in absolute form: its host goes before the Host field; OPTIONS * is answered"""
    server = suite.server
    status(server, path="http://localhost:1/v1/types").is_(200)
    status(server, host="evil.example", path="HTTP://127.0.0.1/v1/types").is_(200)
    status(server, path="http://evil.example/v1/types").is_(421)
    status(server, path="http://localhost").is_(200)
    for path in ("http://a@localhost/", "ftp://localhost/", "v1/types", "http:///v1/types"):
        status(server, path=path).is_(400)
    with wire_to(server) as wire:
        for _ in range(2):
            answer = wire.send(request(server, "OPTIONS", "*")).answer(head=True)
            equal(answer.status, 204, "the status")
            check("PUT" in answer.fields["allow"], answer.fields["allow"])


@test
def request_ids(suite):
    """a client's X-Request-Id is taken up: up to 128 visible characters"""
    server = suite.server
    for given in ("a", "trace-7f3/x:1", "z" * 128):
        equal(status(server, f"X-Request-Id: {given}").fields["x-request-id"], given, "its id")
        refused = status(server, f"X-Request-Id: {given}", path="/v1/nothing").is_(404)
        equal(refused.fields["x-request-id"], given, "its id")
    for given in ("", "a b", "z" * 129, "ä"):
        answer = status(server, f"X-Request-Id: {given}")
        check(answer.fields["x-request-id"].startswith("req-"), answer.fields["x-request-id"])


@test
def expectations(suite):
    """an expectation other than 100-continue: 417"""
    status(suite.server, "Expect: a-miracle").is_(417, "expectation_failed")
    status(suite.server, "Expect: 100-Continue").is_(200)
