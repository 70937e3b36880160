"""A store that is busy for a long time: its log and its file level out."""

import contextlib
import random
import sqlite3
import threading
import time

import requests

from checks import check

WRITERS, READERS = 3, 3
JOBS = 2000            # of a batch
FILES = ("belay.db", "belay.db-wal")
LOG_BYTES_MAX = 64 << 20
MIB = 1 << 20


class Soak:
    """Clients that make batches, which are forgotten a second after their end, and others that look;
    beside the server, somebody looks into the file."""

    def __init__(self, harness, seconds, seed):
        self.harness, self.seconds, self.seed = harness, seconds, seed
        self.data = harness.folder / "data-soak"
        self.over = threading.Event()
        self.fault = None
        self.lock = threading.Lock()
        self.recent, self.batches, self.looks = [], 0, 0  # guarded by lock

    def run(self):
        server = self.harness.start(self.data, None, "--keep", "1s")
        threads = [threading.Thread(target=self.guard, args=(work, number), daemon=True)
                   for work, count in ((self.write, WRITERS), (self.look, READERS), (self.peek, 1))
                   for number in range(count)]
        for thread in threads:
            thread.start()
        sizes = self.sample()
        self.over.set()
        for thread in threads:
            thread.join()
        check(self.fault is None, f"a client: {self.fault!r}")
        check(server.alive(), f"the server ended: {server.stderr()}")
        server.stop()
        return self.verify(sizes)

    def guard(self, work, number):
        try:
            work(self.harness.client_of(self.harness.servers[-1]),
                 random.Random(f"{self.seed}/{work.__name__}/{number}"))
        except Exception as fault:  # told at the end
            self.fault = self.fault or fault
            self.over.set()

    def write(self, client, chance):
        """One batch after the other; of some the rest is cancelled."""
        body = "0\n" * JOBS
        while not self.over.is_set():
            answer = client.call("POST", "/v1/batches?type=sleep", data=body,
                                 headers={"Content-Type": "application/x-ndjson"}).is_(202)
            batch = answer.data["batch_id"]
            with self.lock:
                self.batches += 1
                self.recent = [*self.recent[-9:], batch]
            if chance.random() < 0.2:
                client.change(batch, {"mode": "immediate"})
            while not self.over.is_set():
                # It may have been forgotten by now.
                now = client.get(f"/v1/batches/{batch}/state")
                if now.status == 404 or now.is_(200).data["jobs"]["still_running"] == 0 and \
                        now.data["current_state"] in ("completed", "cancelled"):
                    break

    def look(self, client, chance):
        while not self.over.is_set():
            with self.lock:
                batch = chance.choice(self.recent) if self.recent else None
                self.looks += 1
            client.get("/v1/batches?limit=100").is_(200)
            if not batch:
                continue
            cursor = chance.randrange(0, JOBS, 100)
            for path in (f"jobs?limit=1000&cursor={cursor}", "results?page=1&page_size=1000"):
                # It may be forgotten before, or halfway through the answer.
                with contextlib.suppress(requests.exceptions.ChunkedEncodingError):
                    client.get(f"/v1/batches/{batch}/{path}")

    def peek(self, _client, _chance):
        """There is no moment at which it does not hold a snapshot of the log."""
        readers = [sqlite3.connect(f"file:{self.data / FILES[0]}?mode=ro", uri=True,
                                   isolation_level=None, timeout=60) for _ in range(2)]
        last = None
        while not self.over.is_set():
            for reader in readers:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM batch").fetchone()
                if last:
                    last.execute("COMMIT")
                last = reader
        for reader in readers:
            reader.close()

    def sample(self):
        """The sizes of the files, in a row for each half second."""
        sizes, until = [], time.monotonic() + self.seconds
        while time.monotonic() < until and not self.over.wait(0.5):
            sizes.append([(self.data / name).stat().st_size for name in FILES])
        return sizes

    def verify(self, sizes):
        """The first third of the time is for coming up to speed."""
        third = len(sizes) // 3
        file, log = ([max(row[i] for row in part) for part in
                      (sizes[:third], sizes[third:2 * third], sizes[2 * third:])] for i in (0, 1))
        said = (f"{self.batches} batches of {JOBS} jobs, {self.looks} looks; MiB by thirds of the time: "
                f"file {', '.join(f'{size / MIB:.1f}' for size in file)}, "
                f"log {', '.join(f'{size / MIB:.1f}' for size in log)}")
        check(max(log) <= LOG_BYTES_MAX, f"the log grows: {said}")
        check(file[2] <= 1.25 * file[1] + 4 * MIB, f"the file grows: {said}")
        return said
