"""checksum over real files: digests, and files that can't be read."""

import hashlib
import os

from checks import check, contains, equal, until
from suite import test

ALGORITHMS = ("sha256", "sha512")
GOOD = ["a.txt", "empty", "big.bin", "sub/deep/ünïcode name.txt", "-dash", "sub/inside-link",
        "./a.txt", "sub/../a.txt", "sub//deep/../../a.txt"]
BAD = ["missing", "sub/missing", "sub", ".", "sub/", "fifo", "socket", "outside-link",
       "absolute-link", "parent-link/outside.txt", "parent-link", "dangling-link", "loop", "..",
       "../outside.txt", "sub/../../outside.txt", "/etc/hostname", "/", "", "a.txt/", "a.txt/x",
       "a.txt\0", "\0", "a\0.txt", "x" * 300, "y/" * 3000, "*", "~", "\n", "/proc/self/environ"]


@test
def digests(suite):
    """digests are what hashlib says, with the number of bytes"""
    client = suite.client
    inputs = [{"path": path, "algorithm": how} for path in GOOD for how in ALGORITHMS]
    batch = client.run("checksum", inputs + GOOD)

    entries = client.results(batch)

    equal(len(entries), len(inputs) + len(GOOD), "entries")
    for entry in entries:
        path, how = entry["input"]["path"], entry["input"]["algorithm"]
        content = (suite.root / path).read_bytes()
        equal(entry["status"], "succeeded", f"the status of {path}, {entry['error']}")
        equal(entry["result"], {"algorithm": how, "digest": hashlib.new(how, content).hexdigest(),
                                "bytes": len(content)}, f"the result of {path}")
        equal(entry["filename"], path, "filename")


@test
def bad_files(suite):
    """what can't be read fails that job alone, with code input; the root is never shown"""
    client = suite.client
    inputs = [path for bad in BAD for path in (bad, "a.txt")]
    batch = client.run("checksum", inputs)

    entries = client.results(batch)

    equal(client.state(batch)["current_state"], "completed", "current_state")
    for path, entry in zip(inputs, entries, strict=True):
        wanted = "succeeded" if path == "a.txt" else "failed"
        equal(entry["status"], wanted, f"the status of {path[:50]!r}")
        equal(entry["input"]["path"], path, "path")
        if wanted == "failed":
            equal(entry["error"]["code"], "input", f"the code of {path[:50]!r}")
            check(entry["error"]["message"], "an empty message")
    check_nothing_shown(suite, batch)


def check_nothing_shown(suite, batch):
    for path in ("", "/results", "/jobs?limit=1000", "/jobs/0", "/state"):
        text = suite.client.get(f"/v1/batches/{batch}{path}").is_(200).text
        for secret in (str(suite.root), suite.root.name, str(suite.folder)):
            check(secret not in text, f"{path or 'the status'} shows {secret}")


@test
def missing_names_the_path(suite):
    """the message names the client's path"""
    batch = suite.client.run("checksum", ["no/such/file.txt"])
    message = suite.client.job(batch, 0)["error"]["message"]
    contains(message, "no/such/file.txt", "the message")
    check_nothing_shown(suite, batch)


@test
def shrinking_file(suite):
    """a file that shrinks while it is read ends that job, not the server"""
    client, path = suite.client, suite.root / "shrinking"
    with open(path, "wb") as file:
        file.truncate(4 << 30)  # takes longer to read than the test
    batch = client.create("checksum", ["shrinking", "a.txt"])
    until(lambda: (client.job(batch, 0)["progress"] or 0) > 0, "progress")

    os.truncate(path, 10)

    client.until_ended(batch)
    job = client.job(batch, 0)
    equal((job["state"], job["error"] and job["error"]["code"]), ("failed", "input"), "the job")
    equal(client.job(batch, 1)["state"], "succeeded", "the other job")
    os.unlink(path)


@test
def stopped_while_reading(suite):
    """a cancel stops a checksum in the middle of a file"""
    client, path = suite.client, suite.root / "huge"
    with open(path, "wb") as file:
        file.truncate(64 << 30)
    batch = client.create("checksum", ["huge", "huge", "huge"])
    client.until_running(batch, 2)

    jobs = client.change(batch).is_(200).data["jobs"]

    equal((jobs["stopped"], jobs["not_started"]), (2, 1), "the account")
    os.unlink(path)


@test
def exchanged_file(suite):
    """a file that was exchanged for a symlink out of the root is refused"""
    client, path = suite.client, suite.root / "changing"
    path.write_text("one")
    first = client.run("checksum", ["changing"])
    path.unlink()
    path.symlink_to("../outside.txt")
    second = client.run("checksum", ["changing"])
    equal(client.job(first, 0)["result"]["digest"], hashlib.sha256(b"one").hexdigest(), "digest")
    equal(client.job(second, 0)["error"]["code"], "input", "code")
    path.unlink()
