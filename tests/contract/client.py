"""A client of a server under test; every answer's envelope is checked on the way."""

import contextlib

import requests

import shapes
from checks import DEADLINE, check, equal, until

ENDED = shapes.TERMINAL
LINES = ("application/x-ndjson", "application/jsonl")

# No name may have them: some of C0, DEL and C1, and of what changes the direction of writing.
DECEPTIVE = [*"\0\a\b\t\n\r\x1b\x1f\x7f\x80\x85\x9f",
             *"\u061c\u200e\u200f\u202a\u202c\u202e\u2066\u2069"]


class Answer:
    """What came back; `data` of a success, `details` of a refusal."""

    def __init__(self, response, head=False):
        self.status, self.headers, self.text = (response.status_code, response.headers,
                                                response.text)
        self.id = response.headers.get("X-Request-Id")
        check(self.id, f"an answer without X-Request-Id: {self.status}")
        self.body = self.data = self.details = None
        if head or response.headers.get("Content-Type") in LINES:
            return
        equal(response.headers.get("Content-Type"), "application/json", "Content-Type")
        self.body = shapes.parse(response.text)
        if self.status < 400:
            self.data = shapes.envelope(self.body)
        else:
            self.details = shapes.error(self.body, self.status, self.id)

    def is_(self, status, code=None, field=None):
        """Fails unless it has this status, and this code and `details.field`."""
        equal(self.status, status, f"the status of {self.text[:400]!r}")
        if code is not None:
            equal(self.body["code"], code, "code")
        if field is not None:
            equal(self.details.get("field"), field, "details.field")
        return self

    def header(self, name, wanted=None):
        found = self.headers.get(name)
        check(found is not None, f"the answer has no {name}")
        if wanted is not None:
            equal(found, wanted, name)
        return found


class Client:
    def __init__(self, url, key):
        self.url, self.key = url, key
        self.session = requests.Session()
        self.session.trust_env = False
        self.made = []

    def call(self, method, path, headers=None, key=True, **more):
        """`key` is True for the right one, None for none, a string for that one."""
        headers = dict(headers or {})
        if key:
            headers["X-Api-Key"] = self.key if key is True else key
        response = self.session.request(method, self.url + path, headers=headers,
                                        timeout=DEADLINE, allow_redirects=False, **more)
        return Answer(response, head=method == "HEAD")

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def create(self, type, inputs, **more):
        """A new batch's id."""
        answer = self.call("POST", "/v1/batches", json={"type": type, "inputs": inputs, **more})
        answer.is_(202)
        self.made.append(answer.data["batch_id"])
        return answer.data["batch_id"]

    def change(self, batch, json=None, query="", **more):
        """PUT …/state."""
        if json is not None:
            more["json"] = json
        return self.call("PUT", f"/v1/batches/{batch}/state{query}", **more)

    def change_job(self, batch, job, json=None, **more):
        if json is not None:
            more["json"] = json
        return self.call("PUT", f"/v1/batches/{batch}/jobs/{job}/state", **more)

    def state(self, batch):
        """GET …/state, its data checked."""
        data = shapes.state(self.get(f"/v1/batches/{batch}/state").is_(200).data, batch_id=batch,
                            changed=False)
        equal(data["previous_state"], data["current_state"], "previous_state")
        return data

    def status(self, batch):
        return shapes.status(self.get(f"/v1/batches/{batch}").is_(200).data, batch_id=batch)

    def job(self, batch, job):
        data = self.get(f"/v1/batches/{batch}/jobs/{job}").is_(200).data
        equal(shapes.job(data)["job"], job, "job")
        return data

    def results(self, batch):
        """All entries of an ended batch, by pages."""
        entries, page = [], 1
        while True:
            data = self.get(f"/v1/batches/{batch}/results?page={page}&page_size=1000").is_(200).data
            equal(data["complete"], True, "complete")
            if not data["job_results"]:
                return entries
            entries += [shapes.job(entry, "status", True) for entry in data["job_results"]]
            page += 1

    def until_state(self, batch, *states):
        return until(lambda: (now := self.state(batch))["current_state"] in states and now,
                     f"{batch} {' or '.join(states)}")

    def until_running(self, batch, jobs):
        return until(lambda: (now := self.state(batch))["jobs"]["still_running"] == jobs and now,
                     f"{jobs} running jobs of {batch}")

    def until_ended(self, batch):
        return self.until_state(batch, *ENDED)

    def run(self, type, inputs, **more):
        """A batch that has been worked through."""
        batch = self.create(type, inputs, **more)
        self.until_ended(batch)
        return batch

    def sleeping(self, jobs=6, running=2, ms=3_600_000, **more):
        """A batch of which `running` jobs sleep for an hour, and the others wait."""
        batch = self.create("sleep", [ms] * jobs, **more)
        self.until_running(batch, running)
        return batch

    def clean(self):
        """Cancels what was made and has not ended."""
        for batch in self.made:
            if self.state(batch)["current_state"] not in ENDED:
                self.change(batch, {"mode": "immediate"})
                self.until_ended(batch)
        self.made.clear()


@contextlib.contextmanager
def unchanged(client, batch):
    """What happens in between must not change the batch, all of whose running jobs sleep."""
    before = client.state(batch)
    yield
    equal(client.state(batch), before, "the batch afterwards")
