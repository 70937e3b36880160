#!/usr/bin/python3
"""Checks `belay bench` with belay itself and with peers that have one fault each: run.py PATH_TO_BELAY

Each fault has to be found, and nothing else. The last line is `N passed, N failed`; the status is 1 if
any failed.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CLEAN = {"started_after": 0, "results_lost": 0, "wrong_accounts": 0, "cancels_lost": 0,
         "started_after_kill": 0, "results_lost_by_kill": 0, "left_alive": 0}
# What the table of truth has of a peer with that fault, where it differs from CLEAN.
FAULTS = {
    "": {},
    "late": {"started_after": 20, "started_after_kill": 2},
    "lost": {"results_lost": 20},
    "account": {"wrong_accounts": 20, },
    "forgetful": {"cancels_lost": 2, "started_after_kill": 2, "results_lost_by_kill": 6},
    "orphan": {"left_alive": 6},
}


class Failed(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Failed(what)


class Bench:
    def __init__(self, belay, folder):
        self.belay, self.folder = belay, folder

    def run(self, *arguments, status=0, path=None):
        environment = dict(os.environ, **({"PATH": path} if path else {}))
        ended = subprocess.run([self.belay, "bench", *arguments], capture_output=True, text=True,
                               timeout=200, env=environment)
        check(ended.returncode == status,
              f"status {ended.returncode}, not {status}: {ended.stdout}{ended.stderr}")
        return ended

    def document(self, *arguments):
        file = self.folder / "found.json"
        self.run(*arguments, "--json", str(file))
        return json.loads(file.read_text())


def peer(*faults):
    return f"/usr/bin/env python3 {HERE / 'peer.py'} {' '.join(faults)}"


def truth_of(bench):
    """belay's row is clean, and each fault of a peer is found."""
    peers = [word for fault in FAULTS for word in ("--peer", peer(fault))]
    rows = bench.document("truth", "--cancels", "20", "--kills", "2", *peers)["truth"]
    rows = {row["peer"]: row for row in rows}
    for fault, differs in FAULTS.items():
        name = f"test {fault}".strip()
        found = {key: rows[name].get(key) for key in CLEAN}
        check(found == {**CLEAN, **differs}, f"{name}: {found}")
    found = {key: rows["belay"].get(key) for key in CLEAN}
    check(found == CLEAN and rows["belay"]["cancels"] == 20, f"belay: {found}")


def moments_of(bench):
    """Each chart has its samples, and a peer that refuses is left out of what it refuses."""
    found = bench.document("cancel", "--rounds", "3", "--pending-max", "1000", "--peer", peer(),
                           "--peer", peer("refusing"))
    charts = {chart["name"]: {line["peer"]: line["points"] for line in chart["lines"]}
              for chart in found["charts"]}
    for name in ("call_cold", "call_warm", "awake_pending", "memory_pending"):
        check("belay" in charts[name], f"belay is in {name}")
    check([len(point["samples"]) for point in charts["call_cold"]["belay"]] == [3], "three samples")
    check("test" in charts["call_cold"], "the peer is measured")
    check("test refusing" not in charts["call_cold"], "the one that refuses is not")
    check({point["at"] for point in charts["awake_coroutines"]["belay"]} ==
          {1, 10, 100, 1000, 10000}, "coroutines")
    check({"belay, " in one for one in found["peers"]} == {True, False}, "versions are told")


def pages_of(bench):
    """The page has a plot a chart, or tables alone where there is no gnuplot, and fetches nothing."""
    file = bench.folder / "page.html"
    short = ("throughput", "--rounds", "3", "--html", str(file))
    if shutil.which("gnuplot"):
        bench.run(*short)
        page = file.read_text()
        check(page.count("<svg") == 1 and "<table>" in page, "a plot and its table")
        check(not re.search(r'(src|href)="?http', page), "nothing is fetched")
    tools = bench.folder / "tools"
    tools.mkdir()
    for name in ("sh", "env"):
        (tools / name).symlink_to(shutil.which(name))
    printed = bench.run(*short, path=str(tools)).stdout
    page = file.read_text()
    check("<svg" not in page and "<table>" in page, "tables alone")
    check("gnuplot" in printed, "it says that plots want gnuplot")


def left_out(bench):
    """A peer that can't be started, or is none, is named, and the rest goes on."""
    printed = bench.run("throughput", "--rounds", "3", "--peer", "/no/such", "--peer", peer("other"),
                        "--peer", "cat /dev/null").stdout
    for text in ("left out: /no/such", "cancelbench 1 is wanted, not 9", "it ended without an answer"):
        check(text in printed, f"{text!r} is not in {printed}")


def one_that_dies(bench):
    ended = bench.run("truth", "--cancels", "1", "--peer", peer("dying"), status=1)
    check("test dying: " in ended.stderr and "ended" in ended.stderr, ended.stderr)


def wrong_words(bench):
    for arguments, text in ((("speed",), "speed"), (("--rounds", "2"), "rounds"),
                            (("--speak", "nobody"), "nobody")):
        ended = bench.run(*arguments, status=2)
        check(text in ended.stderr + ended.stdout, f"{arguments}: {ended.stderr}")
    ended = bench.run("throughput", "--rounds", "3", "--json", "/no/such/file", status=1)
    check("/no/such/file" in ended.stderr, ended.stderr)


def main():
    belay = os.path.abspath(sys.argv[1])
    failed = 0
    cases = (truth_of, moments_of, pages_of, left_out, one_that_dies, wrong_words)
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            try:
                case(Bench(belay, pathlib.Path(folder)))
                print(f"ok      {case.__name__}", flush=True)
            except (Failed, subprocess.TimeoutExpired, KeyError, OSError) as error:
                print(f"FAILED  {case.__name__}: {error!r}", flush=True)
                failed += 1
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
