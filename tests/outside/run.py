#!/usr/bin/python3
"""Holds a `belay` program against what others make of it, proxies in front of it and clients in
several languages: run.py PATH_TO_BELAY [WORD…]

With words, only the tests whose name contains one of them. What is not installed fails its tests.
The last line is `N passed, N failed`; the status is 1 if any failed.
"""

import os
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the sources' folder stays as it is
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "contract"), os.path.join(HERE, "..")]

import guide
from server import ended
from suite import TESTS, Suite

# Each puts its tests into the list.
import proxy_test  # noqa: F401
import client_test  # noqa: F401
import events_test  # noqa: F401
import patience_test  # noqa: F401


class OutsideSuite(Suite):
    """The shared server is one that the guide puts behind a proxy."""

    def begin(self):
        self.server = self.make(*guide.options()).wait_ready()
        self.client = self.client_of(self.server)


class Report:
    def __init__(self, suite):
        self.suite = suite
        self.passed = self.failed = 0

    def __call__(self, name, function):
        """Whether the function, which says why it failed, has passed."""
        begin = time.monotonic()
        fault = function()
        took = f"({time.monotonic() - begin:.1f} s)"
        said = self.suite.said()
        if fault is None:
            self.passed += 1
            print(f"ok      {name} {took}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED  {name}: {fault} {took}\n{said}", end="", flush=True)
        return fault is None


def end_of(server):
    """Ends the shared server. Why that went wrong, or None."""
    try:
        with ended(server):
            return None
    except AssertionError as failure:
        return str(failure)


def run_all(suite, report, wanted):
    for function in TESTS:
        name = f"{function.__module__.removesuffix('_test')}: {function.__doc__.strip()}"
        if wanted and not any(word in name for word in wanted):
            continue
        if not report(name, lambda: suite.run(function)):
            suite.recover()
    report("the end of the shared server", lambda: end_of(suite.server))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # servers are ended too
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="belay-outside-") as folder:
        suite = OutsideSuite(os.path.abspath(sys.argv[1]), folder)
        report = Report(suite)
        try:
            run_all(suite, report, sys.argv[2:])
        finally:
            for server in suite.others:
                server.kill()
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
