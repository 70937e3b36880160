"""The data directory: where it is, and what is wrong with it."""

import os
import resource
import shutil
import sqlite3
import stat
import subprocess

from checks import DEADLINE, Cases, check, contains, equal
from server import Server, ended
from suite import test


def refused(suite, data, part, **more):
    """Starts a server that is to end with status 1 and one line that contains `part`."""
    done = subprocess.run([suite.program, "serve", "--listen", "127.0.0.1:0", "--data", str(data)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=DEADLINE, **more)
    equal(done.returncode, 1, f"the status; stderr: {done.stderr}")
    equal(len(done.stderr.splitlines()), 1, f"lines on stderr: {done.stderr}")
    contains(done.stderr, part, "stderr")
    equal(done.stdout, "", "stdout")


@test
def two_servers(suite):
    """two servers on one directory: the second ends with an error that names the file"""
    data = suite.folder / "data-shared"
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        batch = client.run("sleep", [0])

        refused(suite, data, str(data))

        equal(client.state(batch)["current_state"], "completed", "the first server's batch")
        client.run("sleep", [0])


@test
def new_directory(suite):
    """a directory that is not there is made, mode 0700"""
    data = suite.folder / "data-new"
    with suite.start(data=data):
        equal(stat.S_IMODE(os.stat(data).st_mode), 0o700, "the mode")
        check((data / "belay.db").exists(), "there is no belay.db")


@test
def default_directory(suite):
    """unless said, $XDG_STATE_HOME/belay, else ~/.local/state/belay"""
    with Cases() as table:
        for name, variables, place in (
                ("XDG", {"XDG_STATE_HOME": suite.folder / "xdg", "HOME": "/nowhere"}, "xdg/belay"),
                ("home", {"HOME": suite.folder / "home"}, "home/.local/state/belay"),
                ("relative", {"XDG_STATE_HOME": "xdg", "HOME": suite.folder / "other"},
                 "other/.local/state/belay")):
            with table.case(name):
                environment = {"PATH": os.environ["PATH"]}
                environment.update({key: str(value) for key, value in variables.items()})
                server = Server("/usr/bin/env", suite.folder, None, kept=[], program_first=[
                    "-i", *(f"{key}={value}" for key, value in environment.items()),
                    suite.program])
                suite.others.append(server)
                with ended(server.wait_ready()):
                    check((suite.folder / place / "belay.db").exists(), f"nothing in {place}")


@test
def no_directory(suite):
    """a directory that can't be made or written, or is a file: an error that names it"""
    plain = suite.folder / "plain-file"
    plain.write_text("x")
    with Cases() as table:
        for data in (plain, plain / "below", "/proc/belay"):
            with table.case(str(data)):
                refused(suite, data, str(data))
    equal(plain.read_text(), "x", "the file")


@test
def damaged(suite):
    """a damaged file, no belay file, one of a newer version: an error that names it, no change"""
    data = suite.folder / "data-damaged"
    with suite.start(data=data) as server:
        suite.client_of(server).run("sleep", [0] * 100)
    with Cases() as table:
        for name, damage in (("no database", lambda file: file.write_bytes(b"x" * 5000)),
                             ("another program's", foreign), ("newer", newer)):
            with table.case(name):
                copy = suite.folder / f"data-{name.replace(' ', '-')}"
                shutil.copytree(data, copy)
                damage(copy / "belay.db")
                before = (copy / "belay.db").read_bytes()
                refused(suite, copy, "belay.db")
                check((copy / "belay.db").read_bytes() == before, "the file was changed")
    with suite.start(data=data) as server:
        check(suite.client_of(server).get("/v1/batches").data["batches"], "the batch is gone")


@test
def files_that_may_not_grow(suite):
    """a limit on the size of files: what can't be written is refused, and goes on once it can"""
    with suite.start("--wait-max", "1", data=suite.folder / "data-limited") as server:
        client = suite.client_of(server)
        batch = client.sleeping()
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

        refused = client.call("POST", "/v1/batches", json={"type": "sleep", "inputs": [0]})
        unready = client.call("GET", "/readyz")
        client.change(batch).is_(500, "processing_error")
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

        refused.is_(503, "unavailable")
        unready.is_(503, "unavailable")
        client.change(batch)
        client.until_state(batch, "cancelled")
        client.run("sleep", [0])


def foreign(file):
    file.unlink()
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE t(x)")
    database.commit()
    database.close()


def newer(file):
    database = sqlite3.connect(file)
    version, = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA user_version = {version + 1}")
    database.commit()
    database.close()
