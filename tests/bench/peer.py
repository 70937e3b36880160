#!/usr/bin/python3
"""A cancelbench peer that runs its jobs in one thread and has faults, each by a word of the command
line: late, later, running, lost, account, forgetful, orphan, refusing, dying, mute, talkative,
backwards, other, sour, signalled, littering."""
import json
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import time

FAULTS = set(sys.argv[1:])
now = time.monotonic_ns


def say(**members):
    print(json.dumps(members), flush=True)


earlier = []  # ledgers of the runs before


class Ledger:
    def __init__(self, path):
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def run(self, index, how=1):
        """A job that takes no time; `how` is -1 for one that is interrupted."""
        time_now = now()
        struct.pack_into("qq", self.memory, 16 * index, time_now, how * (time_now + 1))


def run(asked):
    """Three jobs finish, one is interrupted, the others never start."""
    ledger = Ledger(asked["ledger"]) if "ledger" in asked else None
    if ledger:
        for index in range(3):
            ledger.run(index)
        ledger.run(3, how=-1)
    called = now()
    returned = now()
    if "running" in FAULTS and ledger:
        struct.pack_into("q", ledger.memory, 16 * 3 + 8, 0)
    if "late" in FAULTS and ledger:
        ledger.run(4)
    finished = 4 if "late" in FAULTS else 3
    told = {"finished": finished + ("account" in FAULTS), "interrupted": 1,
            "never_started": asked["jobs"] - finished - 1}
    results = finished - ("lost" in FAULTS)
    if ledger:
        earlier.append(ledger)
    return {"called": called, "returned": returned, "seen": returned, "quiet": returned,
            "awake": now(), "told": told, "results": results, "cpu_ns": 1000}


def crash(asked):
    answer = run(asked)
    with open(os.path.join(asked["directory"], "told"), "w") as file:
        json.dump(answer["told"], file)
    say(**{name: answer[name] for name in ("called", "returned", "told")})
    time.sleep(60)  # until it is killed


def recover(asked):
    if "forgetful" in FAULTS:
        Ledger(asked["ledger"]).run(7)
        return {}
    with open(os.path.join(asked["directory"], "told")) as file:
        told = json.load(file)
    return {"told": told, "results": told["finished"], "cancelled": True}


def wait_until_gone(folder):
    """Until none of the processes that the jobs have written down is alive."""
    for name in os.listdir(folder):
        if not name.endswith(".started"):
            continue
        with open(os.path.join(folder, name)) as file:
            processes = file.read().split()
        for process in processes:
            while is_alive(process):
                time.sleep(0.001)


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def programs(asked):
    folder = os.path.dirname(asked["command"][1])
    started = [subprocess.Popen([word.replace("{}", str(index)) for word in asked["command"]],
                                start_new_session=True) for index in range(asked["running"])]
    while len([name for name in os.listdir(folder) if name.endswith(".started")]) < len(started):
        time.sleep(0.001)
    called = now()
    for program in started:
        if "orphan" in FAULTS:
            program.kill()
        else:
            os.killpg(program.pid, 9)
        program.wait()
    if "orphan" not in FAULTS:
        wait_until_gone(folder)
    return {"called": called, "returned": now(), "awake": now()}


def main():
    if "other" in FAULTS:
        say(cancelbench=9, peer="other", version="9", scripts=[])
        return
    say(cancelbench=1, peer=" ".join(["test", *sys.argv[1:]]), version="1",
        scripts=["cancel", "crash", "programs"], bodies=["poll"], jobs_max=1_000_000)
    if "littering" in FAULTS:
        tempfile.mkdtemp()
        subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    if "dying" in FAULTS:
        return
    scripts = {"cancel": run, "crash": crash, "recover": recover, "programs": programs}
    for line in sys.stdin:
        asked = json.loads(line)
        if "later" in FAULTS and earlier:
            earlier[-1].run(9)
        if "refusing" in FAULTS and "ledger" not in asked:
            say(error="not without a ledger")
        else:
            answer = scripts[asked["script"]](asked)
            if "mute" in FAULTS:
                answer.pop("returned", None)
            if "backwards" in FAULTS:
                answer["called"], answer["returned"] = answer["returned"], answer["called"]
            say(**answer)
            if "talkative" in FAULTS:
                say(**answer)
    if "sour" in FAULTS:
        sys.exit(3)
    if "signalled" in FAULTS:
        os.kill(os.getpid(), 11)


main()
