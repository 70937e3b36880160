"""GET …/events: what becomes of batches, as it does."""

import contextlib
import socket

from checks import check, contains, equal, until
from events import Reader
from suite import test


def names(events):
    return [event.name for event in events]


def without_progress(events):
    return [event for event in events if event.name != "batch.progress"]


def jobs_of(events):
    return {event.data["job"]: event.data["mark"] for event in events if event.name == "job.ended"}


@test
def events_of_a_batch(suite):
    """events of one batch begin with where it stands, tell of its end, and end with it"""
    client = suite.client
    batch = client.sleeping(jobs=4)
    with Reader(client, batch) as reader:
        first = reader.next()
        equal((first.name, first.data["batch_id"], first.data["status"]), ("batch.running", batch, "running"), "first")
        equal(reader.retry, 2000, "retry")
        equal(first.data["jobs"]["running"], 2, "jobs running")
        client.change(batch, {"reason": "seen"}).is_(200)
        events = without_progress(reader.until("batch.cancelled"))
        equal(names(events), ["batch.cancelling", "batch.cancelled"], "events")
        equal(events[0].data["cancel"]["reason"], "seen", "reason")
        last = events[-1].data
        equal((last["jobs"]["cancelled"], last["progress"]["percentage"]), (4, 100.0), "at the end")
        check(last["cancel"]["moments"]["sealed_us"] > 0, f"moments: {last['cancel']}")
        equal(reader.next(), None, "after the end")
    with Reader(client, batch) as reader:
        equal(names([reader.next()]), ["batch.cancelled"], "of a batch that has ended")
        equal(reader.next(), None, "after that")
    again = client.session.get(f"{client.url}/v1/batches/{batch}/events",
                               headers={"X-Api-Key": client.key, "Last-Event-ID": events[-1].id})
    equal((again.status_code, again.content), (204, b""), "who has seen the end and comes back")


@test
def events_of_all(suite):
    """events of all batches tell of each from its creation on, and with jobs=true of each job's end"""
    client = suite.client
    with Reader(client, query="?jobs=true") as all_jobs, Reader(client) as all_batches:
        batch = client.create("checksum", ["a.txt", "missing", "empty"])
        seen = all_jobs.until("batch.completed", batch)
        mine = [event for event in seen if event.data["batch_id"] == batch]
        equal(names(without_progress(mine))[0], "batch.created", "first")
        equal(jobs_of(mine), {0: "s", 1: "f", 2: "s"}, "jobs")
        failed = next(event.data for event in mine if event.data.get("job") == 1)
        equal((failed["state"], failed["disposition"], failed["late"]), ("failed", None, False), "a failed job")
        ids = [event.id for event in seen]
        equal(len(set(ids)), len(ids), "ids that differ")
        numbers = [int(id.split("-")[1]) for id in ids]
        equal(numbers, sorted(numbers), "numbers")
        others = [event for event in all_batches.until("batch.completed", batch) if event.data["batch_id"] == batch]
        equal(names(without_progress(others)), ["batch.created", "batch.running", "batch.completed"], "without jobs")
        check(set(names(mine)) >= {"batch.running", "job.ended"}, f"all kinds: {names(mine)}")


@test
def events_of_a_cancel(suite):
    """a job that a cancel stops has an event; those it left unstarted end with the batch's"""
    client = suite.client
    batch = client.sleeping(jobs=5)
    with Reader(client, batch, "?jobs=true") as reader:
        reader.next()
        client.change_job(batch, 4).is_(200)
        events = reader.until("job.ended")
        equal(jobs_of(events), {4: "n"}, "a job that was cancelled alone")
        client.change(batch).is_(200)
        equal(jobs_of(reader.until("batch.cancelled")), {0: "o", 1: "o"}, "jobs that were stopped")


@test
def events_after_a_pause(suite):
    """a reader that comes back with Last-Event-ID has missed nothing, and gets nothing twice"""
    client = suite.client
    batch = client.sleeping(jobs=3, running=1, options={"concurrency": 1})
    with Reader(client, query="?jobs=true") as control:
        with Reader(client, query="?jobs=true") as reader:
            client.change_job(batch, 2).is_(200)
            seen = reader.until("job.ended")
        other = client.run("sleep", [0] * 200)
        client.change(batch).is_(200)
        with Reader(client, query="?jobs=true", last_id=seen[-1].id) as reader:
            seen += reader.until("batch.cancelled", batch)
        wanted = control.until("batch.cancelled", batch)
        equal([event.id for event in seen], [event.id for event in wanted], "ids with a pause and without")
        equal(set(jobs_of(e for e in seen if e.data["batch_id"] == other)), set(range(200)), "jobs of the other")


@test
def events_missed(suite):
    """who was away too long, or before a restart, is told so by resync, and goes on from now"""
    with suite.start("--events-max", "10") as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=2, running=1, options={"concurrency": 1})
        with Reader(client, batch, "?jobs=true") as reader:
            first = reader.next()
        client.run("sleep", [0] * 50)
        with Reader(client, batch, "?jobs=true", last_id=first.id) as reader:
            equal(names([reader.next(), reader.next()]), ["resync", "batch.running"], "after too many")
        with Reader(client, batch, last_id="0123456789ab-1") as reader:
            equal(names([reader.next(), reader.next()]), ["resync", "batch.running"], "of another life")
        with Reader(client, last_id="nonsense") as reader:
            equal(reader.next().name, "resync", "of all")
            client.change(batch).is_(200)
            reader.until("batch.cancelled", batch)


def opened(stack, client):
    """Whether one more stream of events can be had."""
    reader = Reader(client)
    stack.callback(reader.close)
    return reader.response.status == 200


@test
def event_stream_limits(suite):
    """streams of events have limits of their own, in all and for a key; one that ends makes room"""
    def streams(*options):
        with suite.start(*options) as server, contextlib.ExitStack() as stack:
            client = suite.client_of(server)
            readers = [stack.enter_context(Reader(client)) for _ in range(2)]
            refused = client.get("/v1/events").is_(503, "unavailable")
            contains(refused.body["message"], "2 streams of events", "message")
            refused.header("Retry-After")
            readers[0].close()
            until(lambda: opened(stack, client), "room for a stream")
            batch = client.run("sleep", [0])
            readers[1].until("batch.completed", batch)
    streams("--event-streams-max", "2")
    streams("--event-streams-per-key-max", "2")


@test
def streams_stay(suite):
    """streams of events do not give way to connections"""
    with suite.start("--connections-max", "8", "--event-streams-max", "4") as server, contextlib.ExitStack() as stack:
        client = suite.client_of(server)
        readers = [stack.enter_context(Reader(client)) for _ in range(4)]
        batch = client.create("sleep", [500])
        for _ in range(20):
            stack.enter_context(socket.create_connection(server.address))
        for reader in readers:
            reader.until("batch.completed", batch)


@test
def events_at_shutdown(suite):
    """a server that shuts down ends its streams, and does not wait for their readers"""
    server = suite.make().wait_ready()
    client = suite.client_of(server)
    with Reader(client) as reader:
        server.signal()
        equal(reader.next(), None, "at the end")
        equal(server.wait_end(), 0, "the status")


@test
def event_requests(suite):
    """events: HEAD has no body, other methods are 405; 400, 401, 404 as elsewhere"""
    client = suite.client
    batch = client.sleeping(jobs=2)
    for path in ("/v1/events", f"/v1/batches/{batch}/events"):
        head = client.session.head(client.url + path, headers={"X-Api-Key": client.key})
        equal((head.status_code, head.headers["Content-Type"]), (200, "text/event-stream"), f"HEAD {path}")
        client.call("PUT", path).is_(405, "method_not_allowed")
        client.get(path + "?jobs=1").is_(400, "invalid_request", "jobs")
        client.get(path + "?job=true").is_(400, "invalid_request", "job")
        client.get(path, key=None).is_(401, "unauthorized")
    client.get("/v1/batches/batch-none/events").is_(404, "not_found")
    client.change(batch).is_(200)
