"""Readers of events that are cut off and come back."""

import subprocess
import sys
import pathlib

from checks import DEADLINE, check, equal
from relay import Relay
from suite import test

CLIENTS = pathlib.Path(__file__).parent / "clients"


def misses_nothing(suite, *command):
    """A reader sees each job end once that ends before, while and after it is cut off."""
    client = suite.client
    with Relay(suite.server.address) as relay:
        reader = subprocess.Popen([*map(str, command), f"{relay.url}/v1/events?jobs=true", client.key],
                                  stdout=subprocess.PIPE, text=True)
        try:
            equal(reader.stdout.readline(), "ready\n", "the first line")
            batches = [client.run("sleep", [0] * 50)]
            relay.cut()
            batches += [client.run("sleep", [0] * 500) for _ in range(2)]
            relay.restore()
            batches.append(client.run("sleep", [0] * 50, batch_name="last"))
            seen = reader.communicate(timeout=DEADLINE)[0].splitlines()
            equal(reader.returncode, 0, "the status")
        finally:
            reader.kill()
            reader.wait()
    mine = [line for line in seen if line.split()[0] in batches]
    wanted = [f"{batch} {job}" for batch in batches for job in range(client.state(batch)["jobs"]["total"])]
    check("resync" not in seen, "it was told that it has missed something")
    equal(len(mine), len(wanted), "how many events")
    equal(sorted(mine), sorted(wanted), "events")


@test
def node(suite):
    """fetch of node: a reader of events that is cut off comes back and has missed nothing"""
    misses_nothing(suite, "node", CLIENTS / "events.mjs")


@test
def curl(suite):
    """curl -N: a reader of events that is cut off comes back and has missed nothing"""
    misses_nothing(suite, "bash", CLIENTS / "events.sh")


@test
def python(suite):
    """http.client: a reader of events that is cut off comes back and has missed nothing"""
    misses_nothing(suite, sys.executable, CLIENTS / "events.py")


@test
def chromium(suite):
    """fetch of Chromium: a reader of events that is cut off comes back and has missed nothing"""
    misses_nothing(suite, sys.executable, CLIENTS / "events_chromium.py")
