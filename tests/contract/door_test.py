"""What is refused at the door: headers that are not as they should be."""

from checks import Cases, check, equal
from client import unchanged
from suite import test
from wire import put, request, wire_to

LENGTH, CHUNKED = "Content-Length: 0", "Transfer-Encoding: chunked"
END = "0\r\n\r\n"


def refused(server, text, status, code=None):
    """The request gets this status, and the connection ends."""
    with wire_to(server) as wire:
        answer = wire.send(text).answer().is_(status, code)
        equal(answer.fields.get("connection", "").lower(), "close", "Connection")
        check(wire.closed(), "the connection goes on")


def refused_all(suite, status, cases, code=None):
    """Each case is what it is called, and the bytes of a cancel; none of them cancels."""
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch), Cases() as table:
        for what, text in cases(suite.server, batch):
            with table.case(what):
                refused(suite.server, text, status, code)
            suite.client.get("/healthz").is_(200)


@test
def folding(suite):
    """400 and close: folded fields"""
    refused_all(suite, 400, lambda server, batch: [
        ("a folded field", put(server, batch, "X-A: b", " c", LENGTH)),
        ("a field folded by a tab", put(server, batch, "X-A: b", "\tc")),
        ("a folded Content-Length", put(server, batch, "Content-Length:", " 0")),
        ("a folded Transfer-Encoding",
         put(server, batch, "Transfer-Encoding:", " chunked", body=END)),
        ("a folded first field",
         f"PUT /v1/batches/{batch}/state HTTP/1.1\r\n Host: localhost\r\n\r\n"),
    ], "invalid_request")


@test
def hosts(suite):
    """400 and close: no Host, two, or one that is none"""
    refused_all(suite, 400, lambda server, batch: [
        ("no Host", put(server, batch, host=None)),
        ("no Host in HTTP/1.0", put(server, batch, host=None, version="HTTP/1.0")),
        ("two Hosts", put(server, batch, "Host: localhost")),
        ("two different Hosts", put(server, batch, "host: 127.0.0.1")),
        ("two hosts in one field", put(server, batch, host="localhost, localhost")),
        ("a Host with a space", put(server, batch, host="local host")),
        ("a Host with a path", put(server, batch, host="localhost/x")),
        ("a Host with a user", put(server, batch, host="user@localhost")),
        ("a Host with a bad port", put(server, batch, host="localhost:80x")),
    ], "invalid_request")


@test
def content_lengths(suite):
    """400 and close: two Content-Lengths, or one that is not digits only"""
    bad = ("5, 5", "2,2", "+2", "-1", "-0", "2 2", "0x2", "abc", "", "2.0", "1e1", "2;a", "²",
           "99999999999999999999", "18446744073709551618", "18446744073709551615")
    refused_all(suite, 400, lambda server, batch: [
        *((f"Content-Length: {value!r}", put(server, batch, f"Content-Length: {value}", body="{}"))
          for value in bad),
        ("two equal ones", put(server, batch, "Content-Length: 2", "Content-Length: 2", body="{}")),
        ("two different ones",
         put(server, batch, "Content-Length: 2", "content-length: 0", body="{}")),
    ], "invalid_request")


@test
def transfer_encodings(suite):
    """400 and close: Transfer-Encoding beside a Content-Length, or in HTTP/1.0"""
    refused_all(suite, 400, lambda server, batch: [
        ("both", put(server, batch, CHUNKED, "Content-Length: 5", body=END)),
        ("both, the other way round", put(server, batch, "Content-Length: 5", CHUNKED, body=END)),
        ("both, with another coding", put(server, batch, LENGTH, "Transfer-Encoding: gzip")),
        ("chunked in HTTP/1.0", put(server, batch, CHUNKED, version="HTTP/1.0", body=END)),
        ("identity in HTTP/1.0",
         put(server, batch, "Transfer-Encoding: identity", version="HTTP/1.0")),
    ], "invalid_request")


@test
def other_encodings(suite):
    """501 and close: any other Transfer-Encoding than chunked"""
    codings = ("gzip", "identity", "gzip, chunked", "chunked, gzip", "chunked, chunked", "xchunked",
               "chunked;q=1", "", "\"chunked\"", "chunked\x0bx")
    refused_all(suite, 501, lambda server, batch: [
        (f"Transfer-Encoding: {coding!r}",
         put(server, batch, f"Transfer-Encoding: {coding}", body=END))
        for coding in codings[:-1]])


@test
def large_headers(suite):
    """431 and close: a header that is too large, in whatever way, finished or not"""
    many = [f"X-{n}: {'y' * 20}" for n in range(4000)]
    refused_all(suite, 431, lambda server, batch: [
        ("one large field", put(server, batch, "X-A: " + "b" * 100_000)),
        ("many fields", put(server, batch, *many)),
        ("a long request line", put(server, batch + "a" * 100_000)),
        ("a long name", put(server, batch, "b" * 100_000 + ": a")),
        ("a header without an end", put(server, batch, "X-A: " + "b" * 100_000)[:-4]),
    ])
    with suite.start("--header-bytes-max", "500") as server:
        refused(server, "\r\n" * 260, 431)
        refused(server, request(server, "GET", "/healthz", "X-A: " + "b" * 500), 431)
        with wire_to(server) as wire:
            wire.send(request(server, "GET", "/healthz")).answer().is_(200)


@test
def many_fields(suite):
    """431 and close: a header with more than 100 fields"""
    server = suite.server
    def with_fields(number):
        return request(server, "GET", "/healthz", *["A: b"] * (number - 2))
    with wire_to(server) as wire:
        wire.send(with_fields(100)).answer().is_(200)
    refused(server, with_fields(101), 431, "header_too_large")


@test
def large_header_limit(suite):
    """a field as large as --header-bytes-max allows at most is read; other limits are status 2"""
    with suite.start("--header-bytes-max", "65533") as server, wire_to(server) as wire:
        rest = len(request(server, "GET", "/healthz", "A: "))
        wire.send(request(server, "GET", "/healthz", "A: " + "b" * (65_533 - rest))).answer().is_(200)
    for size in ("65534", "255"):
        server = suite.make("--header-bytes-max", size)
        equal(server.wait_end(), 2, f"status with {size}")
        check("256" in server.stderr() and "65533" in server.stderr(), server.stderr())


@test
def many_names(suite):
    """404 for a path of more segments than any has, 400 for more than 64 parameters"""
    server = suite.server
    with wire_to(server) as wire:
        for path in ("/" * 8_000, "/v1/batches" + "/a" * 20):
            wire.send(request(server, "GET", path)).answer().is_(404, "not_found")
        wire.send(request(server, "GET", "/v1/batches?" + "a&" * 4_000)).answer().is_(
            400, "invalid_request")
        wire.send(request(server, "GET", "/v1/batches/")).answer().is_(404, "not_found")
        wire.send(request(server, "GET", "/healthz")).answer().is_(200)


@test
def more_expectations(suite):
    """417 for an expectation that is not known, also where another field has one that is"""
    with wire_to(suite.server) as wire:
        wire.send(request(suite.server, "GET", "/healthz", "Expect: 100-continue", "Expect: tea"))
        wire.answer().is_(417)


@test
def bearer(suite):
    """a key as Bearer, whatever blanks are around it"""
    server = suite.server
    with wire_to(server) as wire:
        for field in (f"Authorization: Bearer {server.key}", f"Authorization: bearer   {server.key} "):
            wire.send(request(server, "GET", "/v1/types", field, key=False)).answer().is_(200)


@test
def long_targets(suite):
    """414 for a target of more than 8 KiB, and the connection goes on; 401 without a key"""
    server = suite.server
    batch = suite.client.sleeping(jobs=2)
    path = f"/v1/batches/{batch}/state?x="
    with unchanged(suite.client, batch), wire_to(server) as wire:
        for target in (path + "a" * 8192, "/" + "a" * 8192,
                       "/v1/batches?batch_name=" + "%41" * 2800):
            for method in ("GET", "PUT"):
                wire.send(request(server, method, target)).answer().is_(414, "uri_too_long")
        wire.send(request(server, "GET", path + "a" * 8192, key=False)).answer().is_(401)
        fitting = path + "a" * (8192 - len(path))
        wire.send(request(server, "GET", fitting)).answer().is_(400, "invalid_request")
        wire.send(request(server, "GET", "/healthz")).answer().is_(200)


@test
def line_ends(suite):
    """400 and close: LF alone, CR alone, control characters"""
    def cases(server, batch):
        good = put(server, batch)
        return [
            ("LF alone everywhere", good.replace("\r\n", "\n")),
            ("LF alone after the request line", good.replace("\r\n", "\n", 1)),
            ("LF alone at the end", good[:-4] + "\n\n"),
            ("an empty line that ends in LF alone", good[:-2] + "\n" + good),
            ("LF in a field", put(server, batch, "X-A: b\nX-C: d")),
            ("CR in a field", put(server, batch, "X-A: b\rX-C: d")),
            ("NUL in a field", put(server, batch, "X-A: b\0")),
            ("a control character in a field", put(server, batch, "X-A: b\x0b")),
            ("DEL in a field", put(server, batch, "X-A: b\x7f")),
            ("NUL in the request line", good.replace("PUT", "PU\0T")),
        ]
    refused_all(suite, 400, cases, "invalid_request")


@test
def request_lines(suite):
    """400 and close: garbage, and what is not HTTP/1.x"""
    def cases(server, batch):
        good = put(server, batch)
        return [
            ("garbage", "GARBAGE\r\n\r\n"),
            ("binary garbage", "\x16\x03\x01\x02\0\x01\xfc\r\n\r\n"),
            ("HTTP/0.9", "GET /healthz\r\n\r\n"), ("HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            ("no version", good.replace(" HTTP/1.1", "")),
            ("HTTP/3", good.replace("HTTP/1.1", "HTTP/3")),
            ("a bad version", good.replace("HTTP/1.1", "HTTP/1.1x")),
            ("another protocol", good.replace("HTTP/1.1", "HTTPS/1.1")),
            ("two spaces", good.replace("PUT ", "PUT  ")), ("a tab", good.replace("PUT ", "PUT\t")),
            ("a space in the target", good.replace("/state", "/sta te")),
            ("a method that is no token", good.replace("PUT", "P(T")),
            ("a space before", " " + good),
        ]
    refused_all(suite, 400, cases)


@test
def field_lines(suite):
    """400 and close: fields that are none"""
    refused_all(suite, 400, lambda server, batch: [
        ("a line without a colon", put(server, batch, "Content-Length 0")),
        ("a space before the colon", put(server, batch, "Content-Length : 0")),
        ("a name that is no token", put(server, batch, "X(A): b")),
        ("an empty name", put(server, batch, ": b")),
        ("a non-ASCII name", put(server, batch, "Ä: b")),
    ], "invalid_request")


@test
def foreign_hosts(suite):
    """421 for a foreign Host; all names of loopback are answered"""
    batch = suite.client.sleeping(jobs=2)
    port = suite.server.address[1]
    with unchanged(suite.client, batch), Cases() as table:
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "10.0.0.1",
                     "localhost.evil.example", "128.0.0.1", "[::2]", "[fe80::1]", "1270.0.0.1",
                     "0.0.0.0",
                     "xlocalhost", "2130706433"):
            for key in (True, False):
                with table.case(f"Host {host}"), wire_to(suite.server) as wire:
                    wire.send(put(suite.server, batch, host=host, key=key)).answer().is_(421)
            with table.case(f"healthz of {host}"), wire_to(suite.server) as wire:
                wire.send(request(suite.server, "GET", "/healthz", host=host)).answer().is_(421)
        for host in ("localhost", "LocalHost", "localhost:1", "127.0.0.1", f"127.0.0.1:{port}",
                     "127.1.2.3:99", "[::1]", "[::1]:99", "[0:0::1]"):
            with table.case(f"Host {host}"), wire_to(suite.server) as wire:
                wire.send(request(suite.server, "GET", "/healthz", host=host)).answer().is_(200)


@test
def targets(suite):
    """400 for a target that is no path"""
    batch = suite.client.sleeping(jobs=2)
    with unchanged(suite.client, batch), Cases() as table:
        for target in (f"v1/batches/{batch}/state", "*", "?", "/%", "/%zz", "/a?%q", "/a#b"):
            with table.case(target), wire_to(suite.server) as wire:
                answer = wire.send(request(suite.server, "PUT", target)).answer()
                answer.is_(400, "invalid_request")


@test
def folded_trailers(suite):
    """400 and close: folded fields behind the last chunk of a body"""
    server = suite.server
    batch = suite.client.sleeping(jobs=2)
    for trailer in ("X-A: b\r\n c\r\n", "X-A: b\r\n\tc\r\n", "X-A:\r\n b\r\nX-B: c\r\n"):
        with unchanged(suite.client, batch):
            refused(server, put(server, batch, CHUNKED, body=f"2\r\n{{}}\r\n0\r\n{trailer}\r\n"), 400,
                    "invalid_request")
    with wire_to(server) as wire:
        wire.send(put(server, batch, CHUNKED, body="2\r\n{}\r\n0\r\nX-A: b c\r\n\r\n")).answer().is_(200)
