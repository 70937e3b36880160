"""What clients in several languages get to see of `belay serve`. A refusal may come while they
still send: then they have to see it all the same."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from checks import Cases, check, equal
from variants import each_of

HERE = pathlib.Path(__file__).resolve().parent / "clients"
DEADLINE = 300  # seconds for all requests of a client
MEGABYTE = 1_000_000

JSON, NDJSON = "Content-Type: application/json", "Content-Type: application/x-ndjson"

URL = "URL"  # the server's comes in its place

# For each client what it runs, and what that is found by and is in.
CLIENTS = {
    "curl": (["sh", HERE / "curl.sh", URL], "curl", "curl"),
    "curl without Expect": (["sh", HERE / "curl.sh", URL, "-H", "Expect:"], "curl", "curl"),
    "requests": ([sys.executable, HERE / "requests_client.py", URL], "python3", "python3-requests"),
    "http.client": ([sys.executable, HERE / "http_client.py", URL], "python3", "python3"),
    "fetch of node": (["node", HERE / "fetch.mjs", URL], "node", "nodejs"),
    "net/http of Go": (["go", "run", HERE / "client.go", URL], "go", "golang-go"),
    "HttpClient of Java": (["java", HERE / "Client.java", URL], "javac", "default-jdk-headless"),
}


class Bodies:
    """Files that clients send."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def of(self, name, content):
        """The file, which has this content."""
        path = self.folder / name
        if not path.exists():
            path.write_bytes(content)
        return str(path)

    def spaces(self, megabytes):
        return self.of(f"{megabytes}-mb", b" " * (megabytes * MEGABYTE))

    def bad_lines(self):
        return self.of("bad-lines", b"x\n" + b"0\n" * (10 * MEGABYTE))


def state_of(batch):
    return f"/v1/batches/{batch}/state"


def small_requests(client, bodies):
    """Rows of a status and of the request, as the clients want it, that has to get it."""
    key, new = f"X-Api-Key: {client.key}", {"type": "sleep", "inputs": [0]}
    ended, running = client.run("sleep", [0]), client.sleeping(jobs=3)
    drain, now = ({"mode": mode} for mode in ("drain", "immediate"))

    def body(value):
        text = value if isinstance(value, str) else json.dumps(value)
        return bodies.of(f"body-{hashlib.sha256(text.encode()).hexdigest()}", text.encode())

    return [
        (200, "GET", "/healthz", "-"),
        (200, "GET", "/v1/batches", "-", key),
        (202, "POST", "/v1/batches", body(new), key, JSON),
        (202, "POST", "/v1/batches?type=sleep", "+" + body("0\n0\n"), key, NDJSON),
        (202, "PUT", state_of(running), body(drain), key, JSON, "Prefer: respond-async"),
        (200, "PUT", state_of(running), body(now), key, JSON),
        (400, "POST", "/v1/batches", body("{"), key, JSON),
        (401, "GET", "/v1/batches", "-"),
        (401, "GET", "/v1/batches", "-", "X-Api-Key: wrong"),
        (401, "POST", "/v1/batches", body(new), "X-Api-Key: wrong", JSON),
        (404, "GET", "/v1/batches/batch-0", "-", key),
        (405, "DELETE", "/v1/types", "-", key),
        (409, "PUT", state_of(ended), "-", key),
        (415, "POST", "/v1/batches", body(new), key, "Content-Type: text/plain"),
        (431, "GET", "/healthz", "-", "X-Large: " + "x" * 20_000),
        (200, "GET", "/healthz", "-"),
    ]


def large_requests(client, bodies):
    """Their bodies are more than sockets hold; after each a request that is all right."""
    key, wrong = f"X-Api-Key: {client.key}", "X-Api-Key: wrong"
    batch = client.sleeping(jobs=2)
    nine, twenty, lines = bodies.spaces(9), bodies.spaces(20), bodies.bad_lines()
    rows = [
        (413, "POST", "/v1/batches", nine, key, JSON),
        (413, "POST", "/v1/batches", twenty, key, JSON),
        (413, "POST", "/v1/batches", "+" + nine, key, JSON),
        (413, "POST", "/v1/batches", "+" + twenty, key, JSON),
        (413, "PUT", state_of(batch), twenty, key, JSON),
        (401, "POST", "/v1/batches", twenty, wrong, JSON),
        (401, "POST", "/v1/batches", "+" + twenty, wrong, JSON),
        (404, "POST", "/v1/batch", twenty, key, JSON),
        (400, "POST", "/v1/batches?type=sleep", lines, key, NDJSON),
        (400, "POST", "/v1/batches?type=sleep", "+" + lines, key, NDJSON),
    ]
    return [row for refused in rows for row in (refused, (200, "GET", "/healthz", "-"))]


def told(row):
    """A row's request, without the key."""
    _, method, target, body, *fields = row
    if body != "-":
        in_chunks = "in chunks " if body.startswith("+") else ""
        fields.append(f"{in_chunks}{os.path.getsize(body.removeprefix('+'))} bytes")
    return ", ".join([f"{method} {target}", *(field[:40] for field in fields
                                              if not field.startswith("X-Api-Key: "))])


def run(command, text, folder):
    """What it has printed, and what it has said on stderr; it may take too long."""
    environment = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(folder / "go-cache")}
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                          start_new_session=True) as process:
        try:
            return process.communicate(text.encode(), DEADLINE)
        except subprocess.TimeoutExpired as late:
            return late.stdout or b"", f"it took longer than {DEADLINE} s".encode()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # what it has started, too


def see_all(suite, client, make_rows):
    """The client has to see the status of each row."""
    command, program, package = client
    check(shutil.which(program), f"there is no {program} here: it is in Debian's package {package}")
    with suite.start() as server, Cases() as table:
        rows = make_rows(suite.client_of(server), Bodies(suite.folder / "bodies"))
        text = "".join("\t".join(row[1:]) + "\n" for row in rows)
        command = [server.url if word == URL else word for word in command]
        printed, said = run(command, text, suite.folder)
        found = printed.decode(errors="replace").splitlines()
        for row, line in zip(rows, found):
            with table.case(told(row)):
                equal(line, str(row[0]), "what the client saw")
        with table.case("the client as a whole"):
            equal(len(found), len(rows), f"the answers it saw (it said {said.decode()[-500:]!r})")


@each_of(CLIENTS)
def every_status(suite, client):
    """every status"""
    see_all(suite, client, small_requests)


@each_of(CLIENTS)
def large_refusals(suite, client):
    """what comes while it still sends 9 or 20 MB: 413, 401, 404, 400"""
    see_all(suite, client, large_requests)
