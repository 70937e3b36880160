#!/usr/bin/python3
"""Figures of the server, seen from outside: run.py PROGRAM CONSTANT_SERVER [WORD ...]

With words, only the questions whose name contains one of them. wrk asks for the rates; sides take turns, and a
ratio is the median of those of its rounds. Times are of this machine, which the last lines name.
"""

import concurrent.futures
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path[1:1] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "contract")]

from client import Client
from server import Server, ended

ROUNDS, SECONDS = 5, 2


class Harness:
    def __init__(self, program, constant, folder):
        self.program, self.constant, self.folder = program, constant, pathlib.Path(folder)
        self.root = self.folder / "root"
        self.root.mkdir()
        (self.root / "a.txt").write_bytes(b"belay\n" * 1000)

    @contextlib.contextmanager
    def started(self, *options, **more):
        server = Server(self.program, self.folder, self.root, *options, **more).wait_ready()
        with ended(server):
            yield server, Client(server.url, server.key)

    @contextlib.contextmanager
    def constant_of(self, size):
        process = subprocess.Popen([self.constant, str(size)], stdout=subprocess.PIPE, text=True)
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()
            process.wait()


def rate(url, connections, script=None):
    """Answers a second; fails where one of them is no success."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", *(["-s", script] if script else []), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{' '.join(map(str, command))}: {said}")
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", said)[1])


def resident(pid):
    """MiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def grown(pid, work):
    """By how many MiB the process was larger, at most, while that was done, and what that gave."""
    before = most = resident(pid)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        done = threads.submit(work)
        while not done.done():
            most = max(most, resident(pid))
            time.sleep(0.01)
    return most - before, done.result()


def drain(client, path, **headers):
    """Reads an answer by pieces; how many bytes it has."""
    answer = client.session.get(client.url + path, headers={"X-Api-Key": client.key, **headers}, stream=True)
    answer.raise_for_status()
    return sum(len(piece) for piece in answer.raw.stream(1 << 16))


def ratios(harness, name, method, path_of, prepare):
    with harness.started("--wrong-keys-max", "1000000") as (server, client):
        batch = prepare(client)
        path = path_of(batch)
        answer = client.call(method, path)
        script = harness.folder / f"{name}.lua"
        script.write_text(f'wrk.method = "{method}"\nwrk.headers["X-Api-Key"] = "{client.key}"\n')
        with harness.constant_of(len(answer.text)) as constant:
            for connections in (1, 16, 64):
                sides = [(rate(constant, connections), rate(client.url + path, connections, script))
                         for _ in range(ROUNDS)]
                ratio = statistics.median(ours / theirs for theirs, ours in sides)
                print(f"{name}, {connections:2} connections: {ratio:.2f} of a constant "
                      f"({statistics.median(ours for _, ours in sides):,.0f} of "
                      f"{statistics.median(theirs for theirs, _ in sides):,.0f} a second)", flush=True)


def http_get_ratio(harness):
    ratios(harness, "http_get_ratio", "GET", lambda batch: f"/v1/batches/{batch}",
           lambda client: client.sleeping(jobs=100))


def http_put_ratio(harness):
    def cancelled(client):
        batch = client.sleeping(jobs=100)
        client.change(batch).is_(200)
        return batch
    ratios(harness, "http_put_ratio", "PUT", lambda batch: f"/v1/batches/{batch}/state", cancelled)


def idle_connection_bytes(harness):
    connections = 800
    with harness.started("--idle-time-max", "600") as (server, client):
        client.get("/v1/types")
        before = resident(server.pid)
        with contextlib.ExitStack() as open_ones:
            for _ in range(connections):
                one = open_ones.enter_context(socket.create_connection(server.address))
                one.sendall(f"GET /healthz HTTP/1.1\r\nHost: {server.address[0]}\r\n\r\n".encode())
                one.recv(4096)
            bytes_each = (resident(server.pid) - before) * 1024 * 1024 / connections
    print(f"idle_connection_bytes: {bytes_each:,.0f} ({connections} connections that have had an answer)")


def map_1e6_ms(harness):
    with harness.started() as (server, client):
        batch = client.call("POST", "/v1/batches?type=sleep", data=b"0\n" * 1_000_000,
                            headers={"Content-Type": "application/x-ndjson"}).is_(202).data["batch_id"]
        client.until_ended(batch)
        for form in ("identity", "gzip"):
            times = []
            for _ in range(ROUNDS):
                begun = time.monotonic()
                size = drain(client, f"/v1/batches/{batch}/map", **{"Accept-Encoding": form})
                times.append((time.monotonic() - begun) * 1000)
            print(f"map_1e6_ms, {form}: {statistics.median(times):.0f} ({size:,} bytes)", flush=True)
        more, size = grown(server.pid, lambda: drain(client, f"/v1/batches/{batch}/results",
                                                     Accept="application/x-ndjson"))
        print(f"results_1e6_rss_mb: {more:.1f} ({size:,} bytes)")


def outputs_1e4_rss_mb(harness):
    with harness.started(data=harness.folder / "outputs") as (server, client):
        batch = client.run("compress", ["a.txt"] * 10_000)
        more, size = grown(server.pid, lambda: drain(client, f"/v1/batches/{batch}/outputs"))
        print(f"outputs_1e4_rss_mb: {more:.1f} ({size:,} bytes)")


class RawReader:
    """A stream of events that is only kept as it comes: what reads it is not to be measured."""

    def __init__(self, server, client, batch):
        self.socket = socket.create_connection(server.address)
        self.socket.sendall(f"GET /v1/batches/{batch}/events?jobs=true HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                            f"X-Api-Key: {client.key}\r\n\r\n".encode())
        self.pieces = []

    def take(self):
        """Whether there is more to come."""
        piece = self.socket.recv(1 << 16)
        self.pieces.append((time.time(), piece))
        return piece != b""

    def ends(self):
        """The jobs whose ends it has seen, and when."""
        text = b""
        for at, piece in self.pieces:
            text += piece
            *blocks, text = text.split(b"\n\n")
            for block in blocks:
                if b"event: job.ended" in block:
                    yield json.loads(block.partition(b"data: ")[2])["job"], at


def events_lag_us(harness):
    """From the end of a job, as the server has it, to its event in the hands of 100 clients; both processors busy."""
    readers, jobs = 100, 300
    with harness.started("--event-streams-per-key-max", "200", data=harness.folder / "events") as (server, client):
        busy = client.create("spin", [20] * 3000)
        client.until_running(busy, 2)
        batch = client.create("sleep", [5] * jobs, options={"weight": 100, "concurrency": 1})
        opened = [RawReader(server, client, batch) for _ in range(readers)]
        with selectors.DefaultSelector() as selector:
            for one in opened:
                selector.register(one.socket, selectors.EVENT_READ, one)
            while selector.get_map():
                for key, _ in selector.select():
                    if not key.data.take():
                        selector.unregister(key.fileobj)
        ends = {job["job"]: datetime.datetime.fromisoformat(job["ended_at"].replace("Z", "+00:00")).timestamp()
                for job in client.results(batch)}
        lags = sorted((at - ends[job]) * 1e6 for one in opened for job, at in one.ends())
        client.change(busy)
    print(f"events_lag_us: median {lags[len(lags) // 2]:,.0f}, p99 {lags[len(lags) * 99 // 100]:,.0f}, "
          f"max {lags[-1]:,.0f} ({len(lags):,} events in the hands of {readers} readers)")


def cancel_by_filter_1e5_s(harness):
    """That many open batches by one filter, on disk; and how long single cancels take meanwhile, one after the other."""
    count, others = 100_000, 300
    script = harness.folder / "create.lua"
    with harness.started("--wrong-keys-max", "1000000", data=harness.folder / "many") as (server, client):
        script.write_text('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                          f'wrk.headers["X-Api-Key"] = "{client.key}"\n'
                          'wrk.body = \'{"type":"sleep","inputs":[3600000],"collection_id":"many"}\'\n')
        single = [client.create("sleep", [3_600_000]) for _ in range(others)]
        while client.get("/v1/server").data["open_batches"] < count + others:
            rate(client.url + "/v1/batches", 64, script)
        done = threading.Event()

        def cancel_singly(times):
            own = Client(client.url, client.key)
            for batch in single:
                if done.is_set():
                    return
                begun = time.monotonic()
                own.change(batch, {"mode": "immediate"}).is_(200)
                times.append((time.monotonic() - begun) * 1000)
        times = []
        beside = threading.Thread(target=cancel_singly, args=(times,))
        beside.start()
        begun = time.monotonic()
        answer = client.call("POST", "/v1/batches/cancel", json={"filter": {"collection_id": "many"}, "mode": "immediate"})
        took = time.monotonic() - begun
        done.set()
        beside.join()
        counts = answer.is_(200).data["counts"]
        times.sort()
        print(f"cancel_by_filter_1e5_s: {took:.2f} ({counts['cancelled']:,} batches); meanwhile a single cancel took "
              f"{statistics.median(times):.1f} ms, p99 {times[len(times) * 99 // 100]:.1f}, of {len(times)}")


def upload_1gb_rss_mb(harness):
    def body():
        yield b'--x\r\nContent-Disposition: form-data; name="type"\r\n\r\nchecksum\r\n'
        for number in range(4):
            yield (f'--x\r\nContent-Disposition: form-data; name="file"; filename="{number}"\r\n\r\n').encode()
            for _ in range(1024):
                yield bytes(1 << 18)
            yield b"\r\n"
        yield b"--x--\r\n"
    with harness.started(data=harness.folder / "uploads") as (server, client):
        begun = time.monotonic()
        more, answer = grown(server.pid, lambda: client.call(
            "POST", "/v1/batches", data=body(), headers={"Content-Type": "multipart/form-data; boundary=x"}))
        print(f"upload_1gb_rss_mb: {more:.1f} (in {time.monotonic() - begun:.1f} s)")
        client.until_ended(answer.is_(202).data["batch_id"])


QUESTIONS = (http_get_ratio, http_put_ratio, idle_connection_bytes, map_1e6_ms, outputs_1e4_rss_mb, events_lag_us,
             cancel_by_filter_1e5_s, upload_1gb_rss_mb)


def main():
    program, constant, *words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for number, question in enumerate(QUESTIONS):
            if not words or any(word in question.__name__ for word in words):
                place = pathlib.Path(folder) / str(number)
                place.mkdir()
                question(Harness(os.path.abspath(program), os.path.abspath(constant), place))
    print(f"{os.cpu_count()} processors, Linux {platform.release()}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
