"""Starting: the ready file, the address, the options."""

import json
import os
import signal
import socket
import subprocess

import shapes
from checks import DEADLINE, Cases, check, contains, equal, until
from suite import test


def run(suite, *arguments):
    """A belay that is to end by itself."""
    done = subprocess.run([suite.program, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=DEADLINE)
    return done.returncode, done.stdout, done.stderr


@test
def ready_file(suite):
    """the ready file: mode 0600, url, api_key and pid; gone on exit"""
    with suite.start() as server:
        equal(server.ready_mode(), 0o600, "the mode")
        said = json.loads(server.ready_file.read_text())
        shapes.members(said, {"url": str, "api_key": str, "pid": int}, "the ready file")
        equal(said["pid"], server.pid, "pid")
        check(len(said["api_key"]) * 4 >= 256, "the key is shorter than 256 bits")
        check(said["url"].startswith("http://127.0.0.1:"), f"url is {said['url']}")
        suite.client_of(server).get("/healthz", key=None).is_(200)
        suite.client_of(server).get("/v1/batches").is_(200)
        name = server.ready_file.name
        left = [found for found in os.listdir(suite.folder) if found.startswith(name)]
        equal(left, [name], "what lies beside the ready file")
    check(not server.ready_file.exists(), "the ready file is there after the exit")


@test
def ready_file_in_data(suite):
    """a server with a directory has a ready file there, too, and leaves another's alone"""
    data = suite.folder / "with-ready-file"
    with suite.start(data=data) as server:
        own = data / "ready.json"
        equal(own.stat().st_mode & 0o777, 0o600, "the mode")
        equal(own.read_text(), server.ready_file.read_text(), "the ready file in the directory")
        run(suite, "serve", "--data", data, "--listen", "127.0.0.1:0")
        equal(json.loads(own.read_text())["pid"], server.pid, "pid in it after a second server's start")
    check(not own.exists(), "it is there after the exit")


@test
def root_page(suite):
    """GET / says in one line what this is, without a key"""
    response = suite.client.session.get(suite.client.url + "/")
    equal(response.status_code, 200, "the status")
    equal(response.headers["Content-Type"], "text/plain; charset=utf-8", "Content-Type")
    check(response.text.startswith("belay ") and response.text.count("\n") == 1, f"it says {response.text!r}")
    suite.client.call("PUT", "/", key=None).is_(405, "method_not_allowed")


@test
def json_log(suite):
    """--log-format json: every line is an object with time, level and message"""
    with suite.start("--log-format", "json") as server:
        server.signal(signal.SIGHUP)
        until(lambda: "SIGHUP" in server.stderr(), "the line")
        for line in server.stderr().splitlines():
            shapes.members(json.loads(line), {"time": shapes.micros, "level": str, "message": str}, "a line")


@test
def json_log_of_a_failed_start(suite):
    """so is the line that says why a server can't start, whatever bytes are in it"""
    data = suite.folder / "held-\udcff"
    with suite.start(data=data):
        done = subprocess.run([suite.program, "serve", "--data", data, "--log-format", "json"], capture_output=True,
                              timeout=DEADLINE)
    equal(done.returncode, 1, "the status")
    line, = done.stderr.decode().splitlines()
    contains(json.loads(line)["message"], "in use", "the message")


@test
def data_below_root(suite):
    """where jobs could read the data directory there is no ready.json in it"""
    data = suite.folder / "root-of-all" / "data"
    data.mkdir(parents=True)
    with suite.start("--root", data.parent, data=data, root=False) as server:
        check(not (data / "ready.json").exists(), "it is there")
        contains(server.stderr(), "there is no ready.json in it", "stderr")


@test
def checked_config(suite):
    """--check-config says whether the file has a fault, and ends"""
    good, bad = suite.folder / "good.toml", suite.folder / "bad.toml"
    good.write_text('[type.copy]\ncommand = ["/bin/cat"]\n')
    bad.write_text('[type.copy]\ncommand = ["/bin/cat"]\nspeed = 3\n')
    for file, status, said in ((good, 0, "good.toml: no fault; job types: 1\n"), (bad, 1, "bad.toml:3: ")):
        file.chmod(0o600)
        found, out, err = run(suite, "serve", "--config", file, "--check-config")
        equal(found, status, f"the status of {file.name}")
        contains(out + err, said, f"what is said of {file.name}")
    equal(run(suite, "serve", "--check-config")[0], 2, "the status without --config")


@test
def stale_ready_file(suite):
    """a stale ready file is replaced, its mode too; a symlink's target is left alone"""
    target = suite.folder / "target"
    target.write_text("precious")
    for name in ("plain", "link"):
        stale = suite.folder / f"stale-{name}"
        if name == "plain":
            stale.write_text('{"url":"http://127.0.0.1:1","api_key":"x","pid":1}')
            stale.chmod(0o644)
        else:
            stale.symlink_to(target)
        with suite.start(ready=stale) as server:
            equal(server.ready_mode(), 0o600, "the mode")
            check(not stale.is_symlink(), "the ready file is a symlink")
            suite.client_of(server).get("/v1/batches").is_(200)
        check(not stale.exists(), "the ready file is there after the exit")
    equal(target.read_text(), "precious", "the target of the symlink")


@test
def held_ready_file(suite):
    """a second server on the same directory leaves the ready file of the first alone"""
    data = suite.folder / "held"
    with suite.start(data=data) as server:
        status, _, said = run(suite, "serve", "--data", data, "--listen", "127.0.0.1:0",
                              "--ready-file", server.ready_file)

        equal(status, 1, "the status")
        contains(said, str(data), "stderr")
        equal(server.pid_in_file(), server.pid, "pid in the ready file")


@test
def replaced_ready_file(suite):
    """a server that can start puts its ready file in place of another's, whose end leaves it there"""
    with suite.start() as first:
        with suite.start(ready=first.ready_file) as second:
            first.signal()
            equal(first.wait_end(), 0, "the status")
            equal(second.pid_in_file(), second.pid, "pid in the ready file")


@test
def closed_descriptors(suite):
    """started without standard input, output and error: nothing of them comes into another file"""
    data = suite.folder / "closed"
    launcher = ["/bin/sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"]
    with suite.start(data=data, launcher=launcher) as server:
        client = suite.client_of(server)
        client.change(client.sleeping()).is_(200)
        for number in range(3):
            equal(os.readlink(f"/proc/{server.pid}/fd/{number}"), "/dev/null",
                  f"descriptor {number}")
        for path in data.rglob("*"):
            if path.is_file() and path.name != "ready.json":
                check(server.key.encode() not in path.read_bytes(), f"the key stands in {path}")


@test
def few_descriptors(suite):
    """a low limit on descriptors: fewer connections, and a line that says so; too low: an error"""
    low = ["/usr/bin/prlimit", "--nofile=100"]
    with suite.start(launcher=low) as server:
        contains(server.stderr(), "--connections-max is 18 in place of 1024", "stderr")
        suite.client_of(server).run("sleep", [0])
    command = [*low[:1], "--nofile=20", suite.program, "serve", "--in-memory"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    equal(done.returncode, 1, "the status")
    contains(done.stderr, "the limit on descriptors is 20; at least 64", "stderr")


@test
def keys_differ(suite):
    """each start makes a key of its own, prints it, and knows no other"""
    with suite.start() as server:
        check(server.key != suite.server.key, "two servers have the same key")
        suite.client_of(server).get("/v1/batches", key=suite.server.key).is_(401, "unauthorized")
        said = server.stdout_file.read_text()
        contains(said, server.key, "stdout")
        contains(said, "curl", "stdout")
        check(server.key not in server.stderr(), "the key stands on stderr")


@test
def other_addresses(suite):
    """[::1] is listened on where there is IPv6, with its own url"""
    try:
        socket.socket(socket.AF_INET6).bind(("::1", 0))
    except OSError:
        return  # this machine has none
    with suite.start(listen="[::1]:0") as server:
        check(server.url.startswith("http://[::1]:"), f"url is {server.url}")
        suite.client_of(server).get("/v1/batches").is_(200)


@test
def port_in_use(suite):
    """a port that is in use: an error that names the address, status 1, no ready file"""
    host, port = suite.server.address
    stale = suite.folder / "in-use.json"
    stale.write_text("{}")

    status, _, said = run(suite, "serve", "--in-memory", "--listen", f"{host}:{port}",
                          "--ready-file", stale)

    equal(status, 1, "the status")
    contains(said, f"{host}:{port}", "stderr")
    contains(said.lower(), "in use", "stderr")
    check(not stale.exists(), "a stale ready file is left")
    suite.client.get("/healthz").is_(200)


@test
def no_such_root(suite):
    """a root that is not there, or is no directory: an error that names it"""
    for root in (suite.folder / "no-such-root", suite.root / "a.txt"):
        status, _, said = run(suite, "serve", "--in-memory", "--listen", "127.0.0.1:0", "--root",
                              root)
        check(status != 0, "the status is 0")
        contains(said, str(root), "stderr")


@test
def unwritable_ready_file(suite):
    """a ready file that can't be written: an error that names it"""
    path = suite.folder / "no-such-folder" / "ready.json"
    status, _, said = run(suite, "serve", "--in-memory", "--listen", "127.0.0.1:0",
                          "--ready-file", path)
    check(status != 0, "the status is 0")
    contains(said, str(path), "stderr")


@test
def bad_options(suite):
    """bad options: status 2, and what is wrong on stderr"""
    with Cases() as table:
        for arguments, part in ((["serve", "--no-such-option"], "no-such-option"), ([], ""),
                                (["no-such-command"], ""),
                                (["serve", "--threads", "many"], "--threads"),
                                (["serve", "--threads", "-1"], "--threads"),
                                (["serve", "--wait-max", "x"], "--wait-max"),
                                (["serve", "--memory-max", "1k"], "--memory-max"),
                                (["serve", "--memory-max", "2X"], "--memory-max"),
                                (["serve", "--memory-max", "-1"], "--memory-max"),
                                (["serve", "--keep", "-1"], "--keep"),
                                (["serve", "--keep", "1w"], "--keep"),
                                (["serve", "--keep", "h"], "--keep"),
                                (["serve", "--keep", "36501d"], "--keep"),
                                (["serve", "--data", ""], "--data"),
                                (["serve", "--ready-file", ""], "--ready-file"),
                                (["serve", "--in-memory", "--data", "x"], "--in-memory"),
                                (["serve", "--connections-max", "0"], "--connections-max"),
                                (["serve", "--listen"], "--listen"),
                                (["serve", "--listen", "nonsense"], "--listen"),
                                (["serve", "--listen", "127.0.0.1:99999"], "--listen"),
                                (["serve", "--listen", "127.0.0.1"], "--listen"),
                                (["serve", "extra"], "extra")):
            with table.case(" ".join(arguments)):
                status, _, said = run(suite, *arguments)
                equal(status, 2, "the status")
                contains(said, part, "stderr")


@test
def help_and_version(suite):
    """--help and --version: status 0"""
    for arguments in (["--help"], ["serve", "--help"], ["--version"]):
        status, said, _ = run(suite, *arguments)
        equal(status, 0, f"the status of {arguments}")
        check(said, f"{arguments} says nothing")
    contains(run(suite, "serve", "--help")[1], "--ready-file", "the help")


@test
def without_root(suite):
    """without --root every checksum fails with code input"""
    with suite.start(root=False) as server:
        client = suite.client_of(server)
        batch = client.run("checksum", ["a.txt", "/etc/hostname", ""])
        equal([entry["error"]["code"] for entry in client.results(batch)], ["input"] * 3, "codes")
