"""Bytes on a socket: for requests that no decent client would send."""

import contextlib
import json
import socket

import shapes
from checks import DEADLINE, check, equal


class Wire:
    """One connection; reads answers one after the other."""

    def __init__(self, server):
        self.server = server
        self.socket = socket.create_connection(server.address, timeout=DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece if isinstance(piece, bytes) else piece.encode("latin-1"))
        return self

    def answer(self, head=False):
        """The next one; an interim answer (1xx) counts as one."""
        return WireAnswer(self.file, head)

    def has_input(self):
        """Whether something of an answer has come already."""
        self.socket.setblocking(False)
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(DEADLINE)

    def closed(self):
        """Whether the server has closed it and nothing is left to read; waits for that."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()


class WireAnswer:
    def __init__(self, file, head):
        line = file.readline().decode("latin-1")
        check(line, "the server closed the connection without an answer")
        self.version, status, _ = line.split(" ", 2)
        self.status = int(status)
        self.fields = {}
        while (line := file.readline().decode("latin-1").rstrip("\r\n")):
            name, _, value = line.partition(":")
            self.fields[name.strip().lower()] = value.strip()
        self.text = "" if head or self.status < 200 else self.read_body(file).decode()

    def read_body(self, file):
        if self.fields.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(lambda: self.read_chunk(file), b""))
        if "content-length" in self.fields:
            body = file.read(int(self.fields["content-length"]))
            equal(len(body), int(self.fields["content-length"]), "the length of the body")
            return body
        return file.read()

    @staticmethod
    def read_chunk(file):
        size = int(file.readline().split(b";")[0], 16)
        chunk = file.read(size)
        equal(file.readline(), b"\r\n", "the end of a chunk")
        return chunk

    @property
    def data(self):
        return shapes.envelope(shapes.parse(self.text))

    def is_(self, status, code=None):
        """Fails unless it has this status; an error must be a complete one."""
        equal(self.status, status, f"the status of {self.text[:300]!r}")
        if status >= 400:
            shapes.error(json.loads(self.text), status, self.fields.get("x-request-id"), code)
        return self


@contextlib.contextmanager
def wires(server, number):
    """That many connections."""
    made = []
    try:
        for _ in range(number):
            made.append(Wire(server))
        yield made
    finally:
        for wire in made:
            wire.close()


@contextlib.contextmanager
def wire_to(server):
    with wires(server, 1) as (one,):
        yield one


def request(server, method, path, *fields, host="localhost", key=True, version="HTTP/1.1", body=""):
    """A decent one, with the fields that make it something else. No Host if `host` is None."""
    lines = [f"{method} {path} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if key:
        lines.append(f"X-Api-Key: {server.key}")
    return "\r\n".join([*lines, *fields, "", ""]) + body


def put(server, batch, *fields, **more):
    """A cancel of that batch."""
    return request(server, "PUT", f"/v1/batches/{batch}/state", *fields, **more)
