#!/usr/bin/python3
"""Holds a `belay` program against the HTTP contract: run.py PATH_TO_BELAY [WORD…]

With words, only the tests whose name contains one of them. The last line is `N passed, N failed`;
the status is 1 if any failed.
"""

import os
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the sources' folder stays as it is

from server import ended
from suite import TESTS, Suite

# Each puts its tests into the list.
import example_test  # noqa: F401
import state_test  # noqa: F401
import moments_test  # noqa: F401
import precondition_test  # noqa: F401
import escalation_test  # noqa: F401
import refusal_test  # noqa: F401
import job_test  # noqa: F401
import create_test  # noqa: F401
import options_test  # noqa: F401
import attempts_test  # noqa: F401
import causes_test  # noqa: F401
import list_test  # noqa: F401
import results_test  # noqa: F401
import events_test  # noqa: F401
import remainder_test  # noqa: F401
import operation_test  # noqa: F401
import upload_test  # noqa: F401
import origin_test  # noqa: F401
import outputs_test  # noqa: F401
import log_test  # noqa: F401
import map_test  # noqa: F401
import file_test  # noqa: F401
import door_test  # noqa: F401
import body_test  # noqa: F401
import crowd_test  # noqa: F401
import gone_test  # noqa: F401
import proxy_test  # noqa: F401
import start_test  # noqa: F401
import shutdown_test  # noqa: F401
import storm_test  # noqa: F401
import delete_test  # noqa: F401
import lines_test  # noqa: F401
import repeat_test  # noqa: F401
import restart_test  # noqa: F401
import data_test  # noqa: F401
import process_test  # noqa: F401
import memory_test  # noqa: F401


def report(name, fault, suite, took):
    timing = f"  ({took:.2f} s)" if os.environ.get("CONTRACT_TIMES") else ""
    if fault is None:
        suite.said()
        print(f"ok      {name}{timing}", flush=True)
        return
    print(f"FAILED  {name}: {fault}{timing}", flush=True)
    print(suite.said(), end="", flush=True)


def run_all(suite, wanted):
    passed = failed = 0
    for function in TESTS:
        name = f"{function.__module__.removesuffix('_test')}: {function.__doc__.strip()}"
        if wanted and not any(word in name for word in wanted):
            continue
        begin = time.monotonic()
        fault = suite.run(function)
        report(name, fault, suite, time.monotonic() - begin)
        passed, failed = passed + (fault is None), failed + (fault is not None)
        if fault is not None:
            suite.recover()
    return passed, failed


def stopped(suite):
    """Ends the shared server. Whether that went well."""
    try:
        with ended(suite.server):
            pass
        return True
    except AssertionError as failure:
        print(f"FAILED  the end of the shared server: {failure}\n{suite.said()}", end="")
        return False


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # servers are ended too
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="belay-contract-") as folder:
        suite = Suite(os.path.abspath(sys.argv[1]), folder)
        try:
            passed, failed = run_all(suite, sys.argv[2:])
            good = stopped(suite)
        finally:
            for server in suite.others:
                server.kill()
    passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
