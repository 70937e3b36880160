"""GET …/jobs/{n}/log: what programs write, also while they run."""

import contextlib
import http.client
from urllib.parse import urlsplit

from checks import DEADLINE, check, contains, equal, until
from suite import test

SCRIPT = """
go() { while [ ! -e "$1" ]; do sleep 0.01; done; }
case $2 in
talk) echo begin; echo wrong >&2; go "$1"; echo end ;;
fail) echo done; echo the reason >&2; exit 3 ;;
quiet) ;;
silent) go "$1" ;;
much) head -c 5000 /dev/zero; head -c 5000 /dev/zero >&2; exit 1 ;;
large) head -c 300000 /dev/zero | tr '\\0' x ;;
again) n=${BELAY_JOB##*/}; echo attempt $n; go "$1-$n"; exit 1 ;;
hang) trap '' TERM; echo begin; while :; do sleep 1000; done ;;
esac
"""


def start(suite, name, *options):
    """A server whose jobs of the type `script` do what their input says; what it calls `go` is a file."""
    script, go = suite.folder / "log.sh", suite.folder / f"go-{name}"
    script.write_text(SCRIPT)
    file = suite.folder / f"log-{name}.toml"
    file.write_text("".join(f"""
[type.{type}]
command = ["/bin/sh", "{script}", "{go}", "{{what}}"{more}]
inputs = {{ what = {{ kind = "pattern", match = "[a-z]+" }} }}
grace = "200ms"
concurrency = 16
log_bytes_max = {most}
""" for type, more, most in (("script", "", 1048576), ("short", "", 1000), ("none", "", 0),
                             ("leave", ', "{output}"', 1000))))
    file.chmod(0o600)
    return suite.start("--config", file, *options, data=suite.folder / f"data-log-{name}"), go


def log(client, batch, job, query="", method="GET", **fields):
    response = client.session.request(method, f"{client.url}/v1/batches/{batch}/jobs/{job}/log{query}",
                                      headers={"X-Api-Key": client.key, **fields}, timeout=DEADLINE)
    check(response.status_code < 300, f"{response.status_code}: {response.text[:300]}")
    return response


def has_said(client, batch, text):
    """Whether the first job's log is that text."""
    answer = client.session.get(f"{client.url}/v1/batches/{batch}/jobs/0/log", headers={"X-Api-Key": client.key},
                                timeout=DEADLINE)
    return answer.status_code == 200 and answer.text == text


class Follower:
    """A log that is followed; a context."""

    def __init__(self, client, batch, job, query=""):
        where = urlsplit(client.url)
        self.connection = http.client.HTTPConnection(where.hostname, where.port, timeout=DEADLINE)
        self.connection.request("GET", f"/v1/batches/{batch}/jobs/{job}/log?follow=true{query}",
                                headers={"X-Api-Key": client.key})
        self.response = self.connection.getresponse()

    def __enter__(self):
        equal(self.response.status, 200, "the status")
        equal(self.response.headers["Transfer-Encoding"], "chunked", "Transfer-Encoding")
        return self

    def __exit__(self, *_):
        self.response.close()
        self.connection.close()

    def line(self):
        return self.response.readline().decode()

    def rest(self):
        """What comes until the end, which is to be a proper one."""
        return self.response.read().decode()


@test
def log_while_it_runs(suite):
    """what a program has written so far can be read, and followed to its end"""
    server, go = start(suite, "runs")
    with server as server:
        client = suite.client_of(server)
        batch = client.create("script", [{"what": "talk"}])
        until(lambda: client.job(batch, 0)["state"] == "running", "it to run")
        with Follower(client, batch, 0) as output, Follower(client, batch, 0, "&stream=stderr") as wrong:
            equal(output.response.headers["X-Accel-Buffering"], "no", "X-Accel-Buffering")
            equal(output.line(), "begin\n", "what comes first")
            equal(wrong.line(), "wrong\n", "what comes first on the other")
            so_far = log(client, batch, 0)
            equal(so_far.text, "begin\n", "what there is so far")
            check("ETag" not in so_far.headers, "what changes still has no ETag")
            equal(client.get("/v1/server").data["event_streams"], 2, "streams")
            go.touch()
            equal((output.rest(), wrong.rest()), ("end\n", ""), "the rest")
        client.until_ended(batch)
        for query in ("", "?follow=true", "?stream=stdout"):
            equal(log(client, batch, 0, query).text, "begin\nend\n", f"the whole of it: {query}")
        equal(log(client, batch, 0, "?stream=stderr").text, "wrong\n", "stderr")


@test
def log_of_an_end(suite):
    """the log of a job stays when it has failed or said nothing; its bytes are as those of an output"""
    server, _ = start(suite, "end")
    with server as server:
        client = suite.client_of(server)
        batch = client.run("script", [{"what": what} for what in ("fail", "quiet", "large")])
        equal([job["status"] for job in client.results(batch)], ["failed", "succeeded", "succeeded"], "the jobs")
        equal(log(client, batch, 0).text, "done\n", "of one that failed")
        whole = log(client, batch, 0, "?stream=stderr")
        equal(whole.text, "the reason\n", "why it failed")
        for name, value in (("Content-Type", "application/octet-stream"), ("Content-Disposition", "attachment"),
                            ("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox"),
                            ("Content-Length", "11"), ("Accept-Ranges", "bytes")):
            equal(whole.headers[name], value, name)
        equal(log(client, batch, 1).content, b"", "of one that said nothing")
        equal(log(client, batch, 2).text, "x" * 300_000, "a large one")
        tag = whole.headers["ETag"]
        check(tag != log(client, batch, 0).headers["ETag"], "two logs have one ETag")
        part = log(client, batch, 0, "?stream=stderr", Range="bytes=-7")
        equal((part.status_code, part.text, part.headers["Content-Range"]), (206, "reason\n", "bytes 4-10/11"), "a part")
        for other, status in ((tag, 206), ('"other"', 200)):
            equal(log(client, batch, 0, "?stream=stderr", **{"Range": "bytes=0-1", "If-Range": other}).status_code,
                  status, f"If-Range: {other}")
        equal(log(client, batch, 0, "?follow=true&stream=stderr", Range="bytes=4-").text, "reason\n",
              "a part of one that is followed and has ended")
        path = f"/v1/batches/{batch}/jobs/0/log?stream=stderr"
        same = client.session.get(client.url + path, headers={"X-Api-Key": client.key, "If-None-Match": tag})
        equal((same.status_code, same.content), (304, b""), "what is known")
        client.get(path, headers={"If-Match": '"other"'}).is_(412, "precondition_failed")
        client.get(path, headers={"Range": "bytes=11-"}).is_(416, "range_not_satisfiable")
        head = log(client, batch, 0, "?stream=stderr", "HEAD")
        equal((head.headers["Content-Length"], head.content), ("11", b""), "HEAD")
        client.call("PUT", path).is_(405, "method_not_allowed").header("Allow", "GET, HEAD")


@test
def log_bounds(suite):
    """of each stream the begin is kept, and the answer says that there was more; of an output all is"""
    server, _ = start(suite, "bounds")
    with server as server:
        client = suite.client_of(server)
        for type, kept in (("short", 1000), ("none", 0)):
            batch = client.run(type, [{"what": "much"}])
            for stream in ("stdout", "stderr"):
                found = log(client, batch, 0, f"?stream={stream}")
                equal(found.content, bytes(kept), f"{stream} of {type}")
                equal(found.headers.get("X-Log-Truncated"), "true" if kept else None, f"{stream} of {type}")
        for type, kept, cut in (("short", 300_000, None), ("leave", 1000, "true")):
            batch = client.run(type, [{"what": "large"}])
            found = log(client, batch, 0)
            equal((len(found.content), found.headers.get("X-Log-Truncated")), (kept, cut), f"stdout of {type}")


@test
def log_of_another_attempt(suite):
    """a log that is followed ends with its attempt; what is read is that of the last"""
    server, go = start(suite, "attempts")
    with server as server:
        client = suite.client_of(server)
        batch = client.create("script", [{"what": "again"}], options={"max_attempts": 2, "backoff_ms": 0})
        for attempt in (1, 2):
            # Not by the state of the job: an attempt may be counted before it has begun.
            until(lambda: has_said(client, batch, f"attempt {attempt}\n"), f"attempt {attempt}")
            with Follower(client, batch, 0) as output:
                equal(output.line(), f"attempt {attempt}\n", "what it says")
                equal(log(client, batch, 0).text, f"attempt {attempt}\n", "what is read")
                go.with_name(f"{go.name}-{attempt}").touch()
                equal(output.rest(), "", "the rest")
        client.until_ended(batch)
        equal(log(client, batch, 0).text, "attempt 2\n", "at the end")


@test
def log_and_cancel(suite):
    """following a log does not hold up a cancel, and ends with it; one that waits for a start, too"""
    server, go = start(suite, "cancel")
    with server as server, contextlib.ExitStack() as stack:
        client = suite.client_of(server)
        batch = client.create("script", [{"what": "hang"}] * 2, options={"concurrency": 1})
        followers = [stack.enter_context(Follower(client, batch, 0)) for _ in range(3)]
        for follower in followers:
            equal(follower.line(), "begin\n", "what it says")
        waiting = stack.enter_context(Follower(client, batch, 1))
        client.get(f"/v1/batches/{batch}/jobs/1/log").is_(404, "not_found")
        answer = client.change(batch).is_(200)
        check(answer.data["cancel"]["finished_at"] <= answer.data["cancel"]["deadline_at"], "in time")
        for follower in (*followers, waiting):
            equal(follower.rest(), "", "the rest")
        equal(log(client, batch, 0).text, "begin\n", "of what was killed")
        refused = client.get(f"/v1/batches/{batch}/jobs/1/log").is_(404, "not_found")
        contains(refused.body["message"], "no program of it has been started", "message")


@test
def log_refusals(suite):
    """a log of what has none is 404, what can't be understood 400; it goes with its batch"""
    server, _ = start(suite, "refusals")
    with server as server:
        client = suite.client_of(server)
        other = client.run("sleep", [0])
        contains(client.get(f"/v1/batches/{other}/jobs/0/log").is_(404, "not_found").body["message"],
                 'jobs of the type "sleep" run no programs', "message")
        client.get(f"/v1/batches/{other}/jobs/0/log?follow=true").is_(404, "not_found")
        batch = client.run("script", [{"what": "fail"}])
        path = f"/v1/batches/{batch}/jobs/0/log"
        for query, field in (("stream=stdin", "stream"), ("stream=", "stream"), ("follow=1", "follow"),
                             ("tail=5", "tail"), ("stream=stdout&stream=stderr", "stream")):
            client.get(f"{path}?{query}").is_(400, "invalid_request", field)
        client.get(f"/v1/batches/{batch}/jobs/1/log").is_(404, "not_found")
        client.get(path, key=None).is_(401, "unauthorized")
        folder = suite.folder / "data-log-refusals" / "logs"
        check(list(folder.iterdir()), "a folder of logs")
        client.call("DELETE", f"/v1/batches/{batch}").is_(200)
        client.get(path).is_(404, "not_found")
        until(lambda: not list(folder.iterdir()), "its logs to go")


@test
def log_stream_limits(suite):
    """logs that are followed count as streams of events; one that ends makes room"""
    server, go = start(suite, "limits", "--event-streams-max", "2")
    with server as server, contextlib.ExitStack() as stack:
        client = suite.client_of(server)
        batch = client.create("script", [{"what": "silent"}])
        for _ in range(2):
            stack.enter_context(Follower(client, batch, 0))
        for path in (f"/v1/batches/{batch}/jobs/0/log?follow=true", "/v1/events"):
            client.get(path).is_(503, "unavailable").header("Retry-After")
        go.touch()
        client.until_ended(batch)
        until(lambda: client.get("/v1/server").data["event_streams"] == 0, "room")


@test
def log_at_a_shutdown(suite):
    """a log that is followed ends at a shutdown, before its job does; an answer by HEAD has no body"""
    server, _ = start(suite, "shutdown")
    with server as server:
        client = suite.client_of(server)
        batch = client.create("script", [{"what": "silent"}])
        until(lambda: client.job(batch, 0)["state"] == "running", "it to run")
        equal(log(client, batch, 0, "?follow=true", "HEAD").content, b"", "HEAD")
        equal(log(client, batch, 0).content, b"", "of one that has said nothing so far")
        follower = Follower(client, batch, 0)
        server.signal(15)
        equal(follower.rest(), "", "the rest")
        follower.__exit__()
        equal(server.wait_end(), 0, "the exit status")
