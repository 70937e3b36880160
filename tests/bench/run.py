#!/usr/bin/python3
"""Checks `belay bench` with belay itself and with peers that have one fault each: run.py PATH_TO_BELAY

Each fault has to be found, and nothing else. The last line is `N passed, N failed`; the status is 1 if
any failed.
"""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CLEAN = {"started_after": 0, "still_running": 0, "results_lost": 0, "wrong_accounts": 0, "cancels_lost": 0,
         "started_after_kill": 0, "results_lost_by_kill": 0, "left_alive": 0}
QUICK = ("truth", "--cancels", "1", "--kills", "0")
# What the table of truth has of a peer with that fault, where it differs from CLEAN.
FAULTS = {
    "": {},
    "late": {"started_after": 20, "started_after_kill": 2},
    "later": {"started_after": 19},
    "running": {"still_running": 20, "wrong_accounts": 20},
    "lost": {"results_lost": 20},
    "account": {"wrong_accounts": 20},
    "forgetful": {"cancels_lost": 2, "started_after_kill": 2, "results_lost_by_kill": 6},
    "orphan": {"left_alive": 4},
}


class Failed(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Failed(what)


class Bench:
    def __init__(self, belay, folder):
        self.belay, self.folder = belay, folder

    def run(self, *arguments, status=0, path=None, temporary=None, limits=None):
        environment = dict(os.environ, **({"PATH": path} if path else {}),
                           **({"TMPDIR": str(temporary)} if temporary else {}))
        ended = subprocess.run([self.belay, "bench", *arguments], capture_output=True, text=True,
                               timeout=200, env=environment,
                               preexec_fn=limits and (lambda: resource.setrlimit(*limits)))
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
    check(found == CLEAN and rows["belay"]["cancels"] == 22, f"belay: {found}")
    on_disk = rows["belay, on disk"]
    check(on_disk["cancels"] == 20, on_disk)
    for fault in ("started_after", "still_running", "results_lost", "wrong_accounts"):
        check(on_disk[fault] == 0, f"belay, on disk: {on_disk}")
    check("left_alive" not in rows["a bare flag"], "what was not looked at is not told")


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
    short = ("sleep_wake", "--rounds", "3", "--html", str(file))
    if shutil.which("gnuplot"):
        bench.run(*short)
        page = file.read_text()
        check(page.count("<svg") == 1 and "<table>" in page, "a plot and its table")
        check(not re.search(r'(src|href)="?http', page), "nothing is fetched")
        bench.run("noise", *short)
        names = re.findall(r" id=['\"]([^'\"]+)", file.read_text())
        check(len(names) == len(set(names)), "no name stands twice in a page")
    tools = bench.folder / "tools"
    tools.mkdir()
    for name in ("sh", "env"):
        (tools / name).symlink_to(shutil.which(name))
    printed = bench.run(*short, path=str(tools)).stdout
    page = file.read_text()
    check("<svg" not in page and "<table>" in page, "tables alone")
    check("gnuplot" in printed, "it says that plots want gnuplot")


def questions_of(bench):
    """A question that is named has as many samples as were asked for, in charts and figures; no peer is started."""
    found = bench.document("noise", "http_cancel_durable", "--rounds", "3")
    charts = {chart["name"]: chart for chart in found["charts"]}
    check(set(charts) == {"noise", "noise_2", "http_cancel_durable"}, charts.keys())
    check(charts["noise"]["unit"] == "ns" and charts["noise_2"]["unit"] == "µs", "a chart for each unit")
    for chart in charts.values():
        for line in chart["lines"]:
            check([len(point["samples"]) for point in line["points"]] == [3], line["peer"])
    figures = {figure["figure"]: figure for figure in found["figures"]}
    check(set(figures) == {"http_cancel_durable_p50_us", "http_cancel_durable_async_p50_us"}, figures.keys())
    check(found["peers"] == [], "no peer")
    peers = bench.document("truth", "store", "--peers-only", "--cancels", "1", "--kills", "0")
    check(peers["figures"] == [] and peers["peers"], "peers only")


def question_that_fails(bench):
    """It is told with the status, and the others are answered."""
    file = bench.folder / "found.json"
    ended = bench.run("noise", "durable_outcomes", "--rounds", "3", "--json", str(file), status=1,
                      limits=(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)))
    check("durable_outcomes: " in ended.stdout, ended.stdout)
    check({chart["name"] for chart in json.loads(file.read_text())["charts"]} == {"noise", "noise_2"}, "noise")


def left_out(bench):
    """A peer that can't be started, or is none, is named, and the rest goes on."""
    printed = bench.run(*QUICK, "--peer", "/no/such", "--peer", peer("other"),
                        "--peer", "cat /dev/null").stdout
    for text in ("left out: /no/such", "cancelbench 1 is wanted, not 9", "it ended without an answer",
                 "with status 127"):
        check(text in printed, f"{text!r} is not in {printed}")


def one_that_fails(bench):
    """The others are measured all the same, and it is told what was wrong."""
    for fault, text in (("dying", "it has ended"), ("mute", "its answer has no 'returned'"),
                        ("backwards", "its moments are not in order"),
                        # What it says unasked may come after the next request: then it is an answer to that.
                        ("talkative", "(it has said something that it was not asked|its moments are not in order)")):
        printed = bench.run("truth", "--cancels", "3", "--kills", "0", "--peer", peer(fault)).stdout
        check(re.search(f"test {fault}: ({text}|it ended)", printed), printed)
        check(re.search(r"^  belay +3 ", printed, re.MULTILINE), printed)


def one_that_ends_badly(bench):
    """Its status is told, after all that it was asked; of one that ends well, and of one that was killed, nothing is."""
    printed = bench.run("truth", "--cancels", "1", "--kills", "1", "--peer", peer("sour"),
                        "--peer", peer("signalled"), "--peer", peer()).stdout
    for text in ("test sour: it ended with status 3", "test signalled: it ended with status 139"):
        check(text in printed, f"{text!r} is not in {printed}")
    check(not re.search(r"^ *(test|belay|a bare flag): ", printed, re.MULTILINE), printed)


def processes_with(variable):
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if variable in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            pass
    return found


def one_that_leaves_things(bench):
    """What a peer leaves in its TMPDIR and in its process group is gone, also when it is killed."""
    temporary = bench.folder / "temporary"
    temporary.mkdir()
    bench.run("truth", "--cancels", "1", "--kills", "1", "--peer", peer("littering"), temporary=temporary)
    check(not list(temporary.iterdir()), "the folder is empty")
    deadline = time.monotonic() + 60
    while processes_with(f"TMPDIR={temporary}".encode()):
        check(time.monotonic() < deadline, "its processes are gone")


def one_that_is_left_out(bench):
    found = bench.document(*QUICK, "--without", "flag", "--without", "belay-on-disk")
    check([row["peer"] for row in found["truth"]] == ["belay"], found["truth"])


def two_of_one_name(bench):
    found = bench.document(*QUICK, "--peer", f"{bench.belay} bench --speak belay")
    names = [row["peer"] for row in found["truth"]]
    check(names == ["belay", "belay, on disk", "a bare flag", "belay (2)"], names)


def stopped(bench):
    """After SIGTERM it ends by that, and nothing of it is left."""
    environment = dict(os.environ, TMPDIR=str(bench.folder))
    running = subprocess.Popen([bench.belay, "bench", "truth", "--cancels", "1000000"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment)
    for line in running.stderr:
        if "truth" in line:
            break
    while not list(bench.folder.glob("belay-bench-*/ledger")):
        check(running.poll() is None, "it runs")
    children = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True)
    check(len(children.stdout.split()) == 3, "three peers run")
    running.terminate()
    check(running.wait(timeout=60) == -15, f"status {running.returncode}")
    check(not list(bench.folder.iterdir()), "the folder is gone")
    for child in children.stdout.split():
        check(not os.path.exists(f"/proc/{child}"), f"peer {child} is gone")


def is_alive(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def stopped_beside_a_server(bench):
    """So does a question, and its server; if it is killed its server ends all the same."""
    environment = dict(os.environ, TMPDIR=str(bench.folder))
    for number in (signal.SIGTERM, signal.SIGKILL):
        running = subprocess.Popen([bench.belay, "bench", "http_cancel", "--rounds", "1000000"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        while not (ready := list(bench.folder.glob("belay-bench-*/belay-bench-*/ready"))):
            check(running.poll() is None, "it runs")
        server = json.loads(ready[0].read_text())["pid"]
        running.send_signal(number)
        check(running.wait(timeout=60) == -number, f"status {running.returncode}")
        if number == signal.SIGTERM:
            check(not list(bench.folder.iterdir()), "the folder is gone")
            check(not is_alive(server), "the server is gone")
        deadline = time.monotonic() + 60
        while is_alive(server):
            check(time.monotonic() < deadline, "the server ends")


def wrong_words(bench):
    for arguments, text in ((("speed",), "speed"), (("--rounds", "0"), "rounds"),
                            (("--speak", "nobody"), "nobody"), (("--seconds", "nan"), "nan"),
                            (("--json", ""), "empty"), (("--without", "belay"), "belay-on-disk")):
        ended = bench.run(*arguments, status=2)
        check(text in ended.stderr + ended.stdout, f"{arguments}: {ended.stderr}")
    same = str(bench.folder / "same")
    for arguments, text in ((("--json", "/no/such/file"), "can't write /no/such/file"),
                            (("--html", "/"), "can't write /"),
                            (("--html", same, "--json", same), same)):
        ended = bench.run(*QUICK, *arguments, status=1)
        check(text in ended.stderr, ended.stderr)
        check("measuring" not in ended.stderr, "it says so before it measures")
    check("TMPDIR" in bench.run("noise", temporary="/no/such", status=1).stdout, "where there is no directory")


def places_that_are_no_files(bench):
    """A link's target is written, a device stays what it is, and a full standard output is told."""
    target, link = bench.folder / "target", bench.folder / "link"
    target.write_text("old")
    link.symlink_to(target)
    bench.run(*QUICK, "--json", str(link))
    check(link.is_symlink() and json.loads(target.read_text())["cancelbench"] == 1, "the target is new")
    check(not bench.run(*QUICK, "--json", "/dev/null").stderr.count("belay:"),
          "a device is no fault")
    with open("/dev/full", "w") as full:
        ended = subprocess.run([bench.belay, "bench", *QUICK], stdout=full,
                               stderr=subprocess.PIPE, text=True, timeout=100)
    check(ended.returncode == 1 and "standard output" in ended.stderr, ended.stderr)


def main():
    belay = os.path.abspath(sys.argv[1])
    failed = 0
    cases = (truth_of, moments_of, pages_of, questions_of, question_that_fails, left_out, one_that_fails, one_that_ends_badly,
             one_that_leaves_things, one_that_is_left_out,
             two_of_one_name, stopped,
             stopped_beside_a_server, wrong_words, places_that_are_no_files)
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
