"""SIGTERM and SIGINT."""

import contextlib
import fcntl
import os
import re
import signal
import threading
import time

import requests

import shapes
from checks import check, contains, equal, one_of, until
from server import ended
from suite import test


@contextlib.contextmanager
def waiting_cancel(suite, server, batch, body):
    """A cancel that waits in a thread; gives where its answer, or its failure, is put."""
    answers = []

    def put():
        try:
            answers.append(suite.client_of(server).change(batch, body))
        except requests.RequestException as failure:
            answers.append(failure)

    thread = threading.Thread(target=put)
    thread.start()
    suite.client_of(server).until_state(batch, "cancelling", "cancelled")
    yield answers
    thread.join()


def until_refusing(client):
    """The signal has come through: a connection that was open before it sees 503."""
    return until(lambda: (answer := client.get("/v1/batches")).status == 503 and answer, "a 503")


@test
def idle(suite):
    """SIGTERM and SIGINT end an idle server with status 0"""
    for number in (signal.SIGTERM, signal.SIGINT):
        with suite.start() as server:
            suite.client_of(server).run("sleep", [0])
            server.signal(number)
            equal(server.wait_end(), 0, "the status")
            check(not server.ready_file.exists(), "the ready file is still there")
            check("lost" not in server.stderr(), f"it lost something: {server.stderr()}")


@test
def running_batches(suite):
    """SIGTERM with open batches: status 0, and how many are lost on stderr"""
    with suite.start() as server:
        client = suite.client_of(server)
        client.run("sleep", [0] * 5)
        client.sleeping(jobs=7)
        client.create("spin", [3_600_000] * 4)
        client.create("checksum", ["a.txt"])
        server.stop()
        lost = [line for line in server.stderr().splitlines() if "lost" in line]
        equal(len(lost), 1, f"lines that tell of what is lost: {server.stderr()}")
        equal([int(n) for n in re.findall(r"\d+", lost[0].split("]")[-1])], [3, 12],
              f"the numbers in {lost[0]!r}")


@test
def spinning(suite):
    """SIGTERM while every worker spins: they are interrupted"""
    with suite.start() as server:
        client = suite.client_of(server)
        batch = client.create("spin", [86_400_000] * 10)
        client.until_running(batch, 2)
        server.stop()


@test
def cancel_taken_in(suite):
    """a cancel taken in before SIGTERM is answered; meanwhile new work gets 503"""
    with suite.start("--wait-max", "3") as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=3)
        with waiting_cancel(suite, server, batch, {"mode": "drain"}) as answers:
            server.signal()
            refused = until_refusing(client).is_(503, "unavailable")
            check(refused.header("Retry-After").isdigit(), "Retry-After is no number")
            client.call("POST", "/v1/batches", json={"type": "sleep", "inputs": [0]}).is_(503)
            client.change(batch).is_(503, "unavailable")
            client.change(batch, key="wrong").is_(503, "unavailable")
            client.call("DELETE", "/v1/nothing", key=None).is_(503, "unavailable")
            equal(server.wait_end(), 0, "the status")
        one_of(answers[0].status if answers else None, (200, 202), "the answer to the cancel")
        shapes.state(answers[0].data, changed=True)
        check(not server.ready_file.exists(), "the ready file is still there")


@test
def cancel_finished(suite):
    """a cancel whose jobs end during the shutdown is answered with 200 and cancelled"""
    with suite.start() as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=100, ms=1000)
        with waiting_cancel(suite, server, batch, {"mode": "drain"}) as answers:
            server.signal()
            equal(server.wait_end(), 0, "the status")
        shapes.state(answers[0].is_(200).data, current_state="cancelled", changed=True)
        one_of(answers[0].data["jobs"]["late"], (1, 2), "late")


@test
def second_signal(suite):
    """a second signal ends the program at once, though a cancel still waits"""
    with suite.start("--wait-max", "3600") as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=3)
        with waiting_cancel(suite, server, batch, {"mode": "drain"}) as answers:
            server.signal()
            until_refusing(client)
            check(server.alive(), "the first signal has ended it")

            server.signal()

            check(server.wait_end() != 0, "the status is 0")
        check(isinstance(answers[0], Exception), "the cancel was answered")
        contains(server.stderr(), "second signal", "stderr")


@contextlib.contextmanager
def on_terminal(suite, *launcher, **more):
    """A server whose controlling terminal the test holds: the other end, to be closed."""
    held, terminal = os.openpty()
    ends = contextlib.ExitStack()
    ends.callback(lambda: os.close(held))
    try:
        with ended(suite.make(launcher=["/usr/bin/setsid", "--ctty", *launcher], stdin=terminal,
                              **more).wait_ready()) as server:
            yield server, ends.close
    finally:
        ends.close()
        os.close(terminal)


@test
def closed_terminal(suite):
    """a closed terminal ends it in good order, and tells of itself twice"""
    with on_terminal(suite) as (server, close):
        client = suite.client_of(server)
        batch = client.sleeping(jobs=100, ms=1000)
        with waiting_cancel(suite, server, batch, {"mode": "drain"}) as answers:
            close()
            until_refusing(client)
            server.signal(signal.SIGHUP)
            equal(server.wait_end(), 0, "the status")
        answers[0].is_(200)
        check(not server.ready_file.exists(), "the ready file is still there")


@test
def hangup_without_terminal(suite):
    """SIGHUP ends no server that has no terminal, or that was started by nohup"""
    with suite.start(launcher=["/usr/bin/setsid"]) as server:
        server.signal(signal.SIGHUP)
        until(lambda: "SIGHUP" in server.stderr(), "a line on stderr")
        suite.client_of(server).run("sleep", [0])
    with on_terminal(suite, "/usr/bin/nohup") as (server, close):
        close()
        server.signal(signal.SIGHUP)
        until(lambda: "SIGHUP" in server.stderr(), "a line on stderr")
        suite.client_of(server).run("sleep", [0])


def hang_up(server):
    """A signal that is worth a line of the log; the server has taken it when this returns."""
    server.signal(signal.SIGHUP)

    def is_taken():
        status = open(f"/proc/{server.pid}/status").read()
        pending = int(re.search(r"ShdPnd:\t(\w+)", status)[1], 16)
        return not pending & 1 << (signal.SIGHUP - 1)

    until(is_taken, "the signal's end")


@test
def unread_log(suite):
    """where nobody reads standard error nothing waits; later a line says how many were dropped"""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    with open(read_end, "rb") as errors, open(write_end, "wb") as writes:
        with suite.start(stderr=writes, launcher=["/usr/bin/setsid"]) as server:
            for _ in range(1200):  # more than the log and the pipe hold
                hang_up(server)
            suite.client_of(server).get("/healthz").is_(200)
            os.set_blocking(read_end, False)
            said = bytearray()

            def has_said():
                said.extend(errors.read() or b"")
                return b"lines were dropped, since standard error took no more" in said

            until(has_said, "a line about those that were dropped")
            server.stop()


@test
def bodies_that_move(suite):
    """a body that comes in drips is cut after --shutdown-max; one that stands still before"""
    from gone_test import long_upload
    from wire import wire_to
    for shutdown_max, drips in (("1", True), ("3600", False)):
        with suite.start("--shutdown-max", shutdown_max, "--wait-max", "3600") as server:
            with wire_to(server) as wire:
                wire.send(long_upload(server))
                suite.client_of(server).get("/healthz").is_(200)
                begin = time.monotonic()
                server.signal()

                def is_cut():
                    try:
                        wire.send("1\n" if drips else "")
                    except OSError:
                        return True
                    return not server.alive()

                until(is_cut, f"the end with --shutdown-max {shutdown_max}")
                check(time.monotonic() >= begin + 1, "it was cut before its time")
                equal(server.wait_end(), 0, "the status")


@test
def slow_clients(suite):
    """half a request keeps no server from its end"""
    from wire import put, wires
    with suite.start("--wait-max", "1") as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=2)
        with wires(server, 3) as slow:
            slow[0].send(put(server, batch)[:-5])
            slow[1].send(put(server, batch, "Content-Length: 50", body="{"))
            server.stop()
