"""The client that the attacks must not hold up."""

import json
import time

from checks import DEADLINE, PAUSE, Failure, check, equal, one_of, until
from wire import Wire, put, request, wire_to

HOUR = 3_600_000
DAY = 86_400_000
JSON = "Content-Type: application/json"


class Peer:
    """Makes batches on a connection that it keeps, and does all else on fresh ones."""

    def __init__(self, server):
        self.server = server
        self.kept = None

    def close(self):
        if self.kept:
            self.kept.close()
            self.kept = None

    def ask_kept(self, text):
        """The answer; on a new connection if the server has closed the old one meanwhile."""
        was_kept = self.kept is not None
        try:
            self.kept = self.kept or Wire(self.server)
            return self.kept.send(text).answer()
        except (Failure, OSError):
            self.close()
            if not was_kept:
                raise
            return self.ask_kept(text)

    def ask(self, text):
        with wire_to(self.server) as wire:
            return wire.send(text).answer()

    def try_create(self, inputs=(HOUR,), type="sleep", **options):
        """The id of a new batch; None if it was refused with 503."""
        body = json.dumps({"type": type, "inputs": list(inputs), "options": options})
        answer = self.ask_kept(request(self.server, "POST", "/v1/batches", JSON,
                                       f"Content-Length: {len(body)}", body=body))
        one_of(answer.status, (202, 503), f"the status of a creation: {answer.text[:300]}")
        if answer.fields.get("connection", "").lower() == "close":
            self.close()
        return answer.data["batch_id"] if answer.status == 202 else None

    def create(self, *inputs, seconds=DEADLINE, **more):
        """The same, until it is not refused. None if it always was."""
        end = time.monotonic() + seconds
        while not (batch := self.try_create(*inputs, **more)) and time.monotonic() < end:
            time.sleep(10 * PAUSE)
        return batch

    def must_create(self, *inputs, **more):
        batch = self.create(*inputs, **more)
        check(batch, f"new batches were refused for {DEADLINE:.0f} s")
        return batch

    def cancel(self, batch, *fields, body=""):
        """The answer."""
        length = (JSON, f"Content-Length: {len(body)}") if body else ()
        return self.ask(put(self.server, batch, *length, *fields, body=body))

    def must_cancel(self, batch):
        """As the first who does."""
        data = self.cancel(batch).is_(200).data
        equal((data["current_state"], data["changed"]), ("cancelled", True),
              "the state, and whether this cancel changed it")

    def is_well(self, path):
        self.ask(request(self.server, "GET", path, key=False)).is_(200)

    def jobs(self, batch):
        """How many are in which state."""
        return self.ask(request(self.server, "GET", f"/v1/batches/{batch}")).is_(200).data["jobs"]

    def sleeping(self):
        """A batch of which two jobs sleep for a day."""
        batch = self.must_create([DAY] * 2, concurrency=2)
        until(lambda: self.jobs(batch)["running"] == 2, f"two running jobs of {batch}")
        return batch

    def end(self, batch):
        """Stops a batch that may be draining."""
        self.cancel(batch, body='{"mode":"immediate"}').is_(200)

    def ended(self, jobs):
        """A batch whose jobs have all ended, cancelled."""
        batch = self.must_create([HOUR] * jobs)
        self.must_cancel(batch)
        return batch

    def all_but_ended(self, jobs):
        """A batch that is open, and of which so many jobs have succeeded."""
        batch = self.must_create([0] * jobs + [DAY])
        until(lambda: self.jobs(batch)["succeeded"] == jobs, f"the jobs of {batch}")
        return batch
