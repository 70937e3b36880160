"""What a test says about what it found, and how it waits."""

import contextlib
import os
import time

# Seconds for whatever must come to pass; meeting it is a failure, never a measurement.
DEADLINE = float(os.environ.get("CONTRACT_DEADLINE", 60))
PAUSE = 0.005    # between two looks at a condition


class Failure(AssertionError):
    """A test found something else than it wanted."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(found, wanted, what):
    if found != wanted or type(found) is not type(wanted):
        raise Failure(f"{what} is {shown(found)}, not {shown(wanted)}")


def contains(text, part, what):
    if part not in text:
        raise Failure(f"{what} does not contain {part!r}: {shown(text)}")


def one_of(found, wanted, what):
    if found not in wanted:
        raise Failure(f"{what} is {shown(found)}, none of {shown(wanted)}")


def shown(value, most=600):
    text = repr(value)
    return text if len(text) <= most else text[:most] + "…"


def until(condition, what):
    """Waits for `condition()` to be true, and gives what it returned."""
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited in vain: {what}")
        time.sleep(PAUSE)


class Cases:
    """The rows of a table: each is tried, and all that failed are told at the end."""

    def __init__(self):
        self.faults = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.faults:
            raise Failure("; ".join(self.faults))

    @contextlib.contextmanager
    def case(self, name):
        try:
            yield
        except (Failure, OSError) as fault:
            self.faults.append(f"{name}: {fault}")
