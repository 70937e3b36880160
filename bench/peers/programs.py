#!/usr/bin/python3
"""The peers for programs as jobs: `programs.py parallel`, `programs.py xargs` and `programs.py subprocess`.

The jobs are handed over on the tool's standard input, an index a line. The stop is what the tool's manual
has for it:

parallel    SIGTERM to GNU parallel, which then ends its jobs, each a process group, by its --termseq, here
            the default. One is enough: it is SIGHUP after which it waits for the jobs that run.
xargs       SIGTERM to xargs. Its manual has no other way, and says that xargs never ends its commands.
subprocess  Python's own, in the threads of a concurrent.futures.ThreadPoolExecutor: the futures that wait
            are cancelled by shutdown(); the programs that run get terminate() and, where that has no
            effect in the time that GNU parallel allows for it, kill().
"""
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait

from lines import now, speak, wait_until

GRACE_S = 0.35  # as the default of parallel's --termseq: TERM,200,TERM,100,TERM,50,KILL,25


class Tool:
    """A tool that reads the jobs from its standard input, and that SIGTERM ends."""

    def __init__(self, request, directory):
        self.jobs = request["jobs"]
        self.directory = directory
        self.said = open(os.path.join(directory, "said"), "w+b")
        with tempfile.TemporaryFile(dir=directory) as indexes:
            indexes.write(b"".join(b"%d\n" % index for index in range(self.jobs)))
            indexes.seek(0)
            # What a job leaves behind must not hold the pipes of this peer, so that none of them are passed on.
            self.process = subprocess.Popen(self.command(request), stdin=indexes, stdout=subprocess.DEVNULL,
                                            stderr=self.said, env={**os.environ, "PARALLEL_HOME": directory})

    def cancel(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        self.process.wait(timeout=60)

    def told(self):
        return None

    def errors(self):
        self.said.seek(0)
        return self.said.read(2000).decode(errors="replace")


class Xargs(Tool):
    program = "xargs"

    @staticmethod
    def command(request):
        return ["xargs", "-P", str(request["workers"]), "-I", "{}", *request["command"]]


class Parallel(Tool):
    program = "parallel"

    def command(self, request):
        return ["parallel", "-j", str(request["workers"]), "--joblog", self.log(), "-q", *request["command"]]

    def log(self):
        return os.path.join(self.directory, "joblog")

    def told(self):
        """The log has a line for each job that ended; what is not in it counts as not run, also for --resume."""
        with open(self.log()) as log:
            lines = [line.split("\t") for line in log][1:]
        finished = sum(line[6] == "0" and line[7] == "0" for line in lines)
        return {"finished": finished, "interrupted": len(lines) - finished,
                "never_started": self.jobs - len(lines)}


class Subprocess:
    program = "python"

    def __init__(self, request, directory):
        self.command = request["command"]
        self.running = set()
        self.executor = ThreadPoolExecutor(request["workers"])
        self.futures = [self.executor.submit(self.run, index) for index in range(request["jobs"])]

    def run(self, index):
        command = [str(index) if word == "{}" else word for word in self.command]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.running.add(process)
        status = process.wait()
        self.running.discard(process)
        return status

    def cancel(self):
        self.executor.shutdown(wait=False, cancel_futures=True)
        for process in list(self.running):
            process.terminate()

    def wait(self):
        wait(self.futures, timeout=GRACE_S)
        for process in list(self.running):
            process.kill()
        self.executor.shutdown()

    def told(self):
        cancelled = sum(future.cancelled() for future in self.futures)
        finished = sum(not future.cancelled() and future.result() == 0 for future in self.futures)
        return {"finished": finished, "interrupted": len(self.futures) - cancelled - finished,
                "never_started": cancelled}

    def errors(self):
        return ""


TOOLS = {"parallel": Parallel, "xargs": Xargs, "subprocess": Subprocess}


def version(tool):
    if tool is Subprocess:
        return sys.version.split()[0]
    said = subprocess.run([tool.program, "--version"], stdout=subprocess.PIPE, check=True).stdout
    return said.decode().splitlines()[0].split()[-1]


def started(request):
    """How many programs have said so, in the folder of the program that is the word before the index."""
    command = request["command"]
    folder = os.path.dirname(command[command.index("{}") - 1])
    return sum(name.endswith(".started") for name in os.listdir(folder))


def programs(tool, request):
    with tempfile.TemporaryDirectory(prefix="cancelbench-") as directory:
        run = tool(request, directory)
        try:
            wait_until(f"{request['running']} programs running",
                       lambda: started(request) >= request["running"])
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {run.errors()}") from None
        time.sleep(request["pause_ns"] / 1e9)
        answer = {"called": now()}
        run.cancel()
        answer["returned"] = now()
        run.wait()
        answer["awake"] = now()
        told = run.told()
        return answer | ({"told": told} if told else {})


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in TOOLS:
        sys.exit(f"usage: programs.py {'|'.join(TOOLS)}")
    tool = TOOLS[sys.argv[1]]
    name = {"parallel": "GNU parallel", "xargs": "xargs -P", "subprocess": "Python subprocess"}[sys.argv[1]]
    speak({"peer": name, "version": version(tool), "bodies": [], "jobs_max": 10000},
          {"programs": lambda request: programs(tool, request)})


main()
