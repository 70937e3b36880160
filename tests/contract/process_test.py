"""Jobs that run programs: what those do to escape, and what is left of them."""

import gzip
import json
import os
import pathlib
import signal

import requests

from checks import Cases, check, contains, equal, until
from suite import test
from wire import request, wire_to

HOSTILE = """
case $1 in
ignore) trap '' TERM ;;
daemon) setsid sh -c 'trap "" TERM; (setsid sleep 1000 &); while :; do sleep 1000; done' & ;;
stop) echo BELAY_PROGRESS 1; kill -STOP $$ ;;
fill) echo BELAY_PROGRESS 1; exec cat /dev/zero >&2 ;;
fork) trap '' TERM; i=0; while [ $i -lt 100 ]; do setsid sleep 1000 & i=$((i+1)); done ;;
bare) trap '' TERM; env -i /bin/sleep 1000 & ;;
esac
echo BELAY_PROGRESS 1
while :; do sleep 1000; done
"""

# How each ends once its batch is cancelled.
ENDS = {"ignore": "killed", "daemon": "terminated", "stop": "terminated", "fill": "terminated",
        "fork": "killed", "bare": "killed"}


def configuration(suite):
    """Types of our own: a script that misbehaves as it is told, and real programs."""
    script = suite.folder / "hostile.sh"
    script.write_text(HOSTILE)
    file = suite.folder / "types.toml"
    words = ", ".join(f'"{word}"' for word in ENDS)
    file.write_text(f"""
[type.hostile]
command = ["/bin/sh", "{script}", "{{what}}"]
inputs = {{ what = {{ kind = "choice", values = [{words}] }} }}
grace = "300ms"
concurrency = 16

[type.gzip]
command = ["gzip", "-c", "{{file}}"]
inputs = {{ file = "path" }}
concurrency = 4

[type.copy]
command = ["cp", "{{file}}", "{{output}}"]
inputs = {{ file = "path" }}

[type.join]
command = ["cat", "{{alpha}}", "{{zulu}}"]
inputs = {{ zulu = "path", alpha = "path" }}

[type.wait]
command = ["sleep", "{{path}}"]
inputs = {{ path = {{ kind = "int", min = 0, max = 9 }} }}

[type.show]
command = ["printf", "%s|", "{{file}}", "{{word}}", "{{number}}"]
inputs = {{ file = {{ kind = "path", suffix = ".bin" }}, word = {{ kind = "pattern", match = "[^-].*" }}, number = {{ kind = "int", min = 0, max = 9, default = 5 }} }}
""")
    file.chmod(0o600)
    return file


def start(suite, data=None):
    return suite.start("--config", configuration(suite), data=data)


def living(batch):
    """The processes that bear the batch in their environment, and those in a job's directory."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
            if f"/{batch}/".encode() in environment:
                found.append((int(entry.name), environment.split(b"\0")[0]))
        except OSError:
            continue  # it has gone, or is another's
    return found


def in_scratch(data):
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(data / "scratch") in os.readlink(entry / "cwd"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def all_run(client, batch, jobs):
    until(lambda: all(client.job(batch, job)["progress"] == 1 for job in range(jobs)),
          "all programs to run")


@test
def hostile_cancelled(suite):
    """G5, G9 programs that ignore SIGTERM, escape, stop, fill, fork: over in time, nothing left"""
    data = suite.folder / "data-hostile"
    with start(suite, data) as server:
        client = suite.client_of(server)
        batch = client.create("hostile", [{"what": what} for what in ENDS])
        all_run(client, batch, len(ENDS))
        check(len(living(batch)) > 100, "programs that live")

        answer = client.change(batch).is_(200)

        equal(living(batch), [], "processes of the batch")
        equal(in_scratch(data), [], "processes in its directories")
        cancel = answer.data["cancel"]
        check(cancel["finished_at"] <= cancel["deadline_at"], f"not in time: {cancel}")
        equal((answer.data["jobs"]["terminated"], answer.data["jobs"]["killed"]), (3, 3), "counts")
        for job, (what, how) in enumerate(ENDS.items()):
            found = client.job(batch, job)
            equal((what, found["disposition"]), (what, how), "how it ended")
            equal(found["process"]["signal"],
                  int(signal.SIGTERM if how == "terminated" else signal.SIGKILL), "its signal")
        until(lambda: not list((data / "scratch").iterdir()), "its scratch directories to go")


@test
def hostile_killed(suite):
    """SIGKILL to the server: what its programs have left is gone before it is ready again"""
    data = suite.folder / "data-hostile-killed"
    try:
        with start(suite, data) as server:
            client = suite.client_of(server)
            batch = client.create("hostile", [{"what": what} for what in ENDS])
            all_run(client, batch, len(ENDS))
            server.signal(signal.SIGKILL)
            server.wait_end()
            raise requests.ConnectionError
    except requests.ConnectionError:
        pass
    check(living(batch), "programs that the server has left")
    with start(suite, data) as server:
        first = [pid for pid, marker in living(batch) if marker.endswith(b"/1")]
        equal(first, [], "programs of the first attempt")
        client = suite.client_of(server)
        all_run(client, batch, len(ENDS))
        equal(client.job(batch, 0)["attempt"], 2, "attempt")
        client.change(batch).is_(200)
        equal(living(batch), [], "processes of the batch")
        equal(in_scratch(data), [], "processes in its directories")


@test
def half_way(suite):
    """G3 2,000 files, cancelled half-way, the server killed: the account is complete, outputs right"""
    names = [f"file-{number}" for number in range(2000)]
    for number, name in enumerate(names):
        (suite.root / name).write_bytes(str(number).encode() * number)
    data = suite.folder / "data-half-way"
    try:
        with start(suite, data) as server:
            client = suite.client_of(server)
            batch = client.create("gzip", [{"file": name} for name in names])
            until(lambda: client.state(batch)["jobs"]["succeeded"] >= 1000, "half of them")
            client.change(batch, headers={"Prefer": "respond-async"})
            server.signal(signal.SIGKILL)
            server.wait_end()
            raise requests.ConnectionError
    except requests.ConnectionError:
        pass
    with start(suite, data) as server:
        client = suite.client_of(server)
        state = client.until_state(batch, "cancelled")
        equal(living(batch), [], "processes of the batch")
        entries = client.results(batch)
        equal([entry["job"] for entry in entries], list(range(2000)), "the entries")
        done = [entry["job"] for entry in entries if entry["status"] == "succeeded"]
        equal(len(done), state["jobs"]["succeeded"], "succeeded")
        check(1000 <= len(done) < 2000, f"{len(done)} have succeeded")
        for job in done[::50] + done[-1:]:
            equal(gzip.decompress(output(client, batch, job).content),
                  str(job).encode() * job, f"the output of {job}")
        rest = next(entry["job"] for entry in entries if entry["status"] == "cancelled")
        client.get(f"/v1/batches/{batch}/jobs/{rest}/output").is_(404, "not_found")


def output(client, batch, job, method="GET", **fields):
    response = client.session.request(method, f"{client.url}/v1/batches/{batch}/jobs/{job}/output",
                                      headers={"X-Api-Key": client.key, **fields}, timeout=30)
    check(response.status_code < 300, f"{response.status_code}: {response.text[:300]}")
    return response


@test
def outputs(suite):
    """…/output: the bytes as they are, parts of them, never anything that a browser would show"""
    (suite.root / "to-copy").write_bytes(bytes(range(256)) * 1000)
    with start(suite, suite.folder / "data-outputs") as server:
        client = suite.client_of(server)
        batch = client.run("copy", [{"file": "to-copy"}])
        whole = output(client, batch, 0)
        equal(whole.content, bytes(range(256)) * 1000, "the output")
        equal(whole.headers["Content-Length"], "256000", "Content-Length")
        for name, value in (("Content-Type", "application/octet-stream"),
                            ("Content-Disposition", "attachment"),
                            ("X-Content-Type-Options", "nosniff"),
                            ("Content-Security-Policy", "sandbox")):
            equal(whole.headers[name], value, name)
        part = output(client, batch, 0, Range="bytes=255999-")
        equal((part.status_code, part.content), (206, b"\xff"), "its last byte")
        for fields in ({}, {"Range": "bytes=0-0"}):
            head = output(client, batch, 0, "HEAD", **fields)
            equal((head.status_code, head.headers["Content-Length"], head.content),
                  (200, "256000", b""), f"HEAD with {fields}")
        client.get(f"/v1/batches/{batch}/jobs/0/output", headers={"Range": "bytes=256000-"}
                   ).is_(416, "range_not_satisfiable").header("Content-Range", "bytes */256000")
        result = client.results(batch)[0]["result"]
        equal((result["exit_status"], result["output_bytes"]), (0, 256000), "the result")


@test
def preconditions(suite):
    """…/output: 304 for what If-None-Match knows, 412 for what If-Match does not name, If-Match first"""
    content = bytes(range(256)) * 1000
    (suite.root / "to-copy").write_bytes(content)
    with start(suite, suite.folder / "data-preconditions") as server:
        client = suite.client_of(server)
        batch = client.run("copy", [{"file": "to-copy"}] * 2)
        path = f"/v1/batches/{batch}/jobs/0/output"
        tag, other = (output(client, batch, job).headers["ETag"] for job in (0, 1))
        check(tag != other, "two outputs have one ETag")
        with Cases() as table:
            for fields, status in (
                    ({"If-None-Match": tag}, 304), ({"If-None-Match": f"W/{tag}"}, 304),
                    ({"If-None-Match": f"{other}, W/{tag}"}, 304), ({"If-None-Match": "*"}, 304),
                    ({"If-None-Match": other}, 200), ({"If-None-Match": tag.strip('"')}, 200),
                    ({"If-Match": tag}, 200), ({"If-Match": f"{other} ,{tag}"}, 200),
                    ({"If-Match": "*"}, 200), ({"If-Match": other}, 412),
                    ({"If-Match": f"W/{tag}"}, 412), ({"If-Match": "x"}, 412),
                    ({"If-Match": tag, "If-None-Match": tag}, 304),
                    ({"If-Match": other, "If-None-Match": tag}, 412),
                    ({"If-None-Match": tag, "Range": "bytes=0-0"}, 304),
                    ({"If-Match": other, "Range": "bytes=256000-"}, 412),
                    ({"If-Match": tag, "If-Range": tag, "Range": "bytes=0-0"}, 206),
                    ({"If-None-Match": other, "If-Range": other, "Range": "bytes=0-0"}, 200)):
                for method in ("GET", "HEAD"):
                    with table.case(f"{method} {fields}"):
                        check_precondition(client, method, path, fields, status, tag)
        with wire_to(server) as wire:
            wire.send(request(server, "GET", path, f"If-None-Match: {other}", f"If-None-Match: {tag}"))
            equal(wire.answer(head=True).status, 304, "the status of two lines")
            wire.send(request(server, "GET", "/healthz")).answer().is_(200)


def check_precondition(client, method, path, fields, status, tag):
    response = client.session.request(method, client.url + path, timeout=30,
                                      headers={"X-Api-Key": client.key, **fields})
    if method == "HEAD" and status == 206:
        status = 200
    equal(response.status_code, status, "the status")
    if status == 412:
        check(method == "HEAD" or response.json()["code"] == "precondition_failed", response.text)
        return
    equal(response.headers["ETag"], tag, "ETag")
    if status == 304 or method == "HEAD":
        equal(response.content, b"", "the body")
    if status == 304:
        check(not {"Content-Length", "Transfer-Encoding"} & set(response.headers), "a length")


@test
def filenames(suite):
    """filename is the first input of kind path, in the order of the file, in every view; else null"""
    for name in ("first", "second"):
        (suite.root / name).write_text(name)
    with start(suite, suite.folder / "data-filenames") as server:
        client = suite.client_of(server)
        for type, given, wanted in (("join", {"alpha": "second", "zulu": "first"}, "first"),
                                    ("copy", {"file": "second"}, "second"),
                                    ("show", {"file": "first", "word": "w"}, "first"),
                                    ("wait", {"path": 0}, None)):
            batch = client.run(type, [given])
            path = f"/v1/batches/{batch}"
            lines = client.get(f"{path}/results", headers={"Accept": "application/x-ndjson"})
            entries = [client.job(batch, 0), *client.results(batch), json.loads(lines.text),
                       *client.get(f"{path}/jobs").is_(200).data["jobs"],
                       *client.get(f"{path}?include_job_details=true").data["job_details"]]
            equal([entry["filename"] for entry in entries], [wanted] * 5, f"filename of {type}")
            equal(entries[0]["state"], "succeeded", f"the job of {type}")


@test
def hostile_inputs(suite):
    """values that look like options, files, commands: none reaches a program but as what it is"""
    (suite.root / "plain").write_text("x")
    (suite.root / "-rf").write_text("x")
    (suite.root / "out").symlink_to("/etc/passwd")
    with start(suite, suite.folder / "data-inputs") as server:
        client = suite.client_of(server)
        for word in ("-rf", "-", "", "a\nb", "a\x00b", "x" * 60_000):
            refused = client.call("POST", "/v1/batches", json={
                "type": "show", "inputs": [{"file": "plain", "word": word}]})
            refused.is_(400, "invalid_request", "inputs[0].word")
        for number in (-1, 10, 1.5, "5", True, 10 ** 30):
            client.call("POST", "/v1/batches", json={
                "type": "show", "inputs": [{"file": "plain", "word": "w", "number": number}]}
                        ).is_(400, "invalid_request", "inputs[0].number")
        words = ["@/etc/passwd", "|id", "msl:x", "$(id)", "`id`", "; id", "*", "%s%s%n"]
        batch = client.run("show", [{"file": "plain", "word": word} for word in words])
        for entry, word in zip(client.results(batch), words):
            path, shown, number, _ = entry["result"]["stdout"].split("|", 1)[0:1] + \
                entry["result"]["stdout"].split("|", 1)[1].rsplit("|", 2)
            check(path.endswith("/input-0.bin"), f"the path is {path}")
            check(str(suite.root) not in path, f"the path is {path}")
            equal((shown, number), (word, "5"), "what it was given")
        files = ["../plain", "/etc/passwd", "out", "missing", "", "-rf/../../plain"]
        batch = client.run("show", [{"file": name, "word": "w"} for name in files])
        for entry in client.results(batch):
            equal((entry["status"], entry["error"]["code"]), ("failed", "input"), entry["input"])
        batch = client.run("show", [{"file": "-rf", "word": "w"}])
        contains(client.results(batch)[0]["result"]["stdout"], "/input-0.bin|w|5|", "a file -rf")


@test
def configuration_errors(suite):
    """a configuration that is wrong: an error with the file and the line, and no server"""
    file = suite.folder / "wrong.toml"
    for text, line, word in (("[type.x]\ncommand = 5\n", 2, "command"),
                             ("[type.x]\ncommand = [\"true\"\n", 2, ""),
                             ("\n[type.x]\ncommand = [\"no-such-program\"]\n", 3, "no-such-program"),
                             ("[type.x]\ncommand = [\"true\", \"{y}\"]\n", 2, "y"),
                             ("[type.sleep]\ncommand = [\"true\"]\n", 1, "sleep")):
        file.write_text(text)
        file.chmod(0o600)
        server = suite.make("--config", file)
        check(server.wait_end() != 0, "it starts")
        contains(server.stderr(), f"{file}:{line}", text)
        contains(server.stderr(), word, text)
    file.write_text("[type.x]\ncommand = [\"true\"]\n")
    file.chmod(0o666)
    server = suite.make("--config", file)
    check(server.wait_end() != 0, "it starts")
    contains(server.stderr(), str(file), "who may write it")
