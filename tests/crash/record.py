"""What clients were told: the promises that have to be kept."""

import threading

ENDED_JOB = ("succeeded", "failed", "cancelled")
ENDED_BATCH = ("completed", "failed", "cancelled", "expired")


class Batch:
    """One creation that was acknowledged. Used by one thread at a time, save `cancel_*`."""

    def __init__(self, id, total, digests=None):
        self.id, self.total = id, total
        self.digests = digests      # of the files that were uploaded for its jobs
        self.ended = {}             # job -> as it was shown ended
        self.running = {}           # job -> the attempt that it was last shown running
        self.final = None           # the state data that was shown terminal
        self.cancel_asked = False   # some cancel was sent
        self.cancel = None          # the block of the first answer 200 or 202
        self.cancel_refused = None  # the details of an answer 500
        self.jobs_cancelled = {}    # job -> the data of the answer 200 or 202
        self.jobs_asked = set()     # jobs whose cancel was sent

    def __str__(self):
        return (f"{self.id} ({self.total} jobs, {len(self.ended)} seen ended, running {self.running}, "
                f"final {self.final}, cancel {self.cancel}, refused {self.cancel_refused}, "
                f"jobs cancelled {self.jobs_cancelled})")

    def saw_state(self, data):
        if data["current_state"] in ENDED_BATCH and self.final is None:
            self.final = {name: data[name] for name in ("current_state", "timestamp", "cancel",
                                                        "jobs")}

    def saw_cancel(self, data):
        """An answer 200 or 202 to a cancel of the batch."""
        self.saw_state(data)
        if self.cancel is None and data["cancel"]:
            self.cancel = data["cancel"]

    def saw_job(self, data):
        job = data["job"]
        if data["state"] in ENDED_JOB:
            self.ended.setdefault(job, data)
        elif data["state"] == "running":
            self.running[job] = max(self.running.get(job, 0), data["attempt"])


class Record:
    def __init__(self):
        self.lock = threading.Lock()
        self.batches = {}      # id -> Batch; guarded by lock
        self.operations = {}   # id -> the batches that it was to cancel; guarded by lock
        self.unanswered = []   # requests that may have made a batch; guarded by lock

    def made(self, id, total, digests=None):
        batch = Batch(id, total, digests)
        with self.lock:
            self.batches[id] = batch
        return batch

    def cancelled(self, operation, batches):
        with self.lock:
            self.operations[operation] = batches

    def sent(self, request):
        with self.lock:
            self.unanswered.append(request)

    def answered(self, request):
        with self.lock:
            self.unanswered.remove(request)

    def all(self):
        with self.lock:
            return list(self.batches.values())
