"""What a restart keeps."""

import contextlib
import re
import signal

import requests

from checks import check, contains, equal, one_of, until
from suite import test


@contextlib.contextmanager
def first_run(suite, name, *options):
    """A server on a new directory; gives it, its client, and the directory."""
    data = suite.folder / name
    with suite.start(*options, data=data) as server:
        yield server, suite.client_of(server), data


def seen(client, batch):
    """All that is shown of an ended batch, but for the moment after its last commit."""
    state, status = client.state(batch), client.status(batch)
    for cancel in (state["cancel"], status["cancel"]):
        if cancel is not None:
            cancel["moments"]["sealed_us"] = None
    return (state, status, client.results(batch))


@test
def ended_batches(suite):
    """G3 ended batches come back as they were: states, times, results, errors, names"""
    with first_run(suite, "data-ended") as (_, client, data):
        batches = [client.run("sleep", [0, 1, 2], batch_name="näme", collection_id="c-1"),
                   client.run("checksum", ["a.txt", "nowhere", {"path": "a.txt",
                                                                "algorithm": "md5"}])]
        cancelled = client.sleeping(jobs=5)
        client.change(cancelled, {"reason": "enough"}).is_(200)
        one = client.create("sleep", [0, 86_400_000])
        until(lambda: client.job(one, 1)["state"] == "running", "a running job")
        client.change_job(one, 1).is_(200)
        client.until_ended(one)
        batches += [cancelled, one]
        before = [seen(client, batch) for batch in batches]
        listed = client.get("/v1/batches").data
    with suite.start(data=data) as server:
        check("going on with" not in server.stderr(), server.stderr())
        for path in data.iterdir():
            equal(path.stat().st_mode & 0o077, 0, f"what others may do with {path.name}")
        client = suite.client_of(server)
        for was, batch in zip(before, batches, strict=True):
            for one, other in zip(seen(client, batch), was, strict=True):
                equal(one, other, "what is seen")
        equal(client.get("/v1/batches").data, listed, "the list")
        again = client.change(cancelled).is_(200)
        equal(again.data["cancel"], before[2][0]["cancel"], "the first cancel's block, as it was kept")
        equal(again.data["changed"], False, "changed")
        client.change(batches[0]).is_(409, "batch_already_finished")


@test
def goes_on(suite):
    """SIGTERM in the midst: the batch stays open, goes on at the next start and completes"""
    with first_run(suite, "data-open") as (server, client, data):
        batch = client.create("sleep", [0] * 20 + [300] * 10 + [0] * 20,
                              options={"concurrency": 2})
        ended = until(lambda: [entry for entry in client.get(f"/v1/batches/{batch}/jobs?limit=50")
                               .data["jobs"] if entry["state"] == "succeeded"], "ended jobs")
        check(client.state(batch)["current_state"] == "running", "it has ended already")
        server.stop()
        said = [line for line in server.stderr().splitlines() if "next start" in line]
        equal(len(said), 1, f"lines that tell what stays open: {server.stderr()}")
        equal(int(re.findall(r"\d+", said[0].split("]")[-1])[0]), 1, "open batches")
        check("lost" not in server.stderr(), f"something is lost: {server.stderr()}")
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        check("going on with open batches: 1" in server.stderr(), server.stderr())
        state = client.until_ended(batch)
        equal((state["current_state"], state["jobs"]["succeeded"]), ("completed", 50), "the end")
        results = client.results(batch)
        for entry in ended:
            now = dict(results[entry["job"]])
            now["state"] = now.pop("status")
            equal(now, entry, "a job that had ended")
        check(all(entry["attempt"] <= 2 for entry in results), "attempts")


@test
def interrupted_again(suite):
    """what ran at SIGTERM runs again, as the next attempt"""
    with first_run(suite, "data-running") as (server, client, data):
        batch = client.sleeping(jobs=3, ms=86_400_000)
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        client.until_running(batch, 2)
        one_of(client.job(batch, 0)["attempt"], (1, 2), "attempt")
        client.change(batch, {"mode": "immediate"}).is_(200)


@test
def killed_with_a_cancel(suite):
    """G1, G2 SIGKILL while it is cancelling: cancelled after the restart, and what ran is lost"""
    with contextlib.suppress(requests.ConnectionError):
        with first_run(suite, "data-cancelling") as (server, client, data):
            batch = client.sleeping(jobs=6, ms=86_400_000)
            client.change(batch, {"mode": "drain", "reason": "r"},
                          headers={"Prefer": "respond-async"}).is_(202)
            before = client.state(batch)
            server.signal(signal.SIGKILL)
            server.wait_end()
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        state = client.until_state(batch, "cancelled")
        equal((state["jobs"]["lost"], state["jobs"]["not_started"]), (2, 4), "lost, not_started")
        for name in ("requested_at", "mode", "reason", "requested_by", "cause"):
            equal(state["cancel"][name], before["cancel"][name], name)
        for entry in client.results(batch):
            check(entry["started_at"] is None or
                  entry["started_at"] <= state["cancel"]["requested_at"], "a late start")


@test
def deleted(suite):
    """what was deleted stays deleted"""
    with first_run(suite, "data-deleted") as (_, client, data):
        batch, kept = client.run("sleep", [0]), client.run("sleep", [0])
        client.call("DELETE", f"/v1/batches/{batch}").is_(200)
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        client.get(f"/v1/batches/{batch}").is_(404, "not_found")
        equal(client.state(kept)["current_state"], "completed", "the other one")


@test
def keep_across(suite):
    """--keep counts across a restart"""
    with first_run(suite, "data-keep", "--keep", "1h") as (_, client, data):
        kept = client.run("sleep", [0])
        short = client.run("sleep", [0], options={"keep_ms": 1500})
        client.state(short)
    with suite.start("--keep", "1h", data=data) as server:
        client = suite.client_of(server)
        until(lambda: client.get(f"/v1/batches/{short}").status == 404, "it is forgotten")
        equal(client.state(kept)["current_state"], "completed", "what is kept for longer")


@test
def greeting(suite):
    """the greeting says where batches are kept; keys are new at each start"""
    with first_run(suite, "data-greeting") as (server, _, data):
        contains(server.stdout_file.read_text(), str(data), "stdout")
        key = server.key
    with suite.start(data=data) as server:
        suite.client_of(server).get("/v1/batches", key=key).is_(401)
    contains(suite.server.stdout_file.read_text(), "memory only", "stdout in memory")
