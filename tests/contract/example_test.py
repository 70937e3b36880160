"""The two clients of control-batch-state.txt, as they stand there."""

import json
import os
import pathlib
import re
import subprocess

import shapes
from checks import DEADLINE, check, contains, equal
from suite import test

HERE = pathlib.Path(__file__).parent
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.lower().endswith("_proxy")}


def filled(name, suite, batch, key=None):
    """The example with only address, key and id replaced."""
    script = (HERE / name).read_text()
    for old, new in (("https://api.wickson.ai", suite.server.url),
                     ("YOUR_API_KEY", key or suite.server.key), ("batch-abc123", batch)):
        equal(script.count(old), 1, f"how often {old} stands in {name}")
        script = script.replace(old, new)
    return script


def output_of(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=ENVIRONMENT, timeout=DEADLINE)
    equal(done.returncode, 0, f"the status of {command[0]}, which said {done.stderr!r}")
    return done.stdout


def python_example(suite, batch, key=None):
    return output_of(["/usr/bin/python3", "-c", filled("example.py.txt", suite, batch, key)])


def curl_example(suite, batch, key=None):
    return json.loads(output_of(["/bin/sh", "-c", filled("example.sh.txt", suite, batch, key)]))


@test
def python_cancels(suite):
    """the Python example cancels a running batch, and again"""
    batch = suite.client.sleeping()

    first, second = python_example(suite, batch), python_example(suite, batch)

    form = (rf"Batch {batch} state changed:\n"
            rf"  (\w+ -> \w+)\n  Timestamp: ({shapes.SECONDS.pattern})\n")
    for said, wanted in ((first, "running -> cancelled"), (second, "cancelled -> cancelled")):
        found = re.fullmatch(form, said)
        check(found, f"the example printed {said!r}")
        equal(found[1], wanted, "the states")
    equal(second.splitlines()[2], first.splitlines()[2], "the second timestamp")


@test
def python_is_refused(suite):
    """the Python example shows the error of an unknown, an ended batch and a wrong key"""
    unknown = "batch-" + "0" * 26
    ended = suite.client.run("sleep", [0])

    for batch, key, status, code in ((unknown, None, 404, "not_found"),
                                     (ended, None, 409, "batch_already_finished"),
                                     (ended, "wrong", 401, "unauthorized")):
        said = python_example(suite, batch, key)
        check(said.startswith(f"Error {status}: "), f"the example printed {said!r}")
        body = json.loads(said.removeprefix(f"Error {status}: "))
        shapes.error(body, status, body["request_id"], code)
    contains(python_example(suite, unknown), f"Batch {unknown} not found", "the message")


@test
def curl_cancels(suite):
    """the curl line cancels a running batch; a second time it finds it cancelled"""
    batch = suite.client.sleeping()

    first, second = curl_example(suite, batch), curl_example(suite, batch)

    shapes.state(shapes.envelope(first), batch_id=batch, previous_state="running",
                 current_state="cancelled", changed=True)
    equal(first["message"], "Batch cancelled successfully", "message")
    shapes.state(shapes.envelope(second), batch_id=batch, previous_state="cancelled",
                 current_state="cancelled", changed=False)
    equal(second["message"], "Batch was already cancelled", "message")


@test
def curl_is_refused(suite):
    """the curl line shows the contract's 404"""
    unknown = "batch-" + "z" * 26

    body = curl_example(suite, unknown)

    shapes.error(body, 404, body["request_id"], "not_found")
    equal(body["message"], f"Batch {unknown} not found", "message")
