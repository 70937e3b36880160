"""GET /v1/batches/{id}/map: a byte for each job."""

import gzip

from checks import check, equal, until
from suite import test

LETTERS = {"pending": ".", "running": ">", "succeeded": "s", "failed": "f", "not_started": "n", "stopped": "o",
           "terminated": "t", "killed": "k", "abandoned": "a", "lost": "x"}


def answer_of(client, batch, **headers):
    """The map with these fields; requests itself would ask for gzip."""
    headers = {"X-Api-Key": client.key, "Accept-Encoding": "identity", **headers}
    return client.session.get(f"{client.url}/v1/batches/{batch}/map", headers=headers)


def letters_of_jobs(client, batch):
    text, cursor = "", ""
    while cursor is not None:
        data = client.get(f"/v1/batches/{batch}/jobs?limit=1000" + (cursor and f"&cursor={cursor}")).is_(200).data
        text += "".join("l" if job["late"] else LETTERS[job["disposition"] or job["state"]] for job in data["jobs"])
        cursor = data["next_cursor"]
    return text


@test
def job_map(suite):
    """the map says of each job what the list of jobs says, before and after a cancel"""
    client = suite.client
    batch = client.create("sleep", [0] * 3 + [3_600_000] * 6)
    until(lambda: client.state(batch)["jobs"]["succeeded"] == 3, "three jobs")
    client.until_running(batch, 2)
    running = answer_of(client, batch)
    equal(running.text, "sss>>....", "while it runs")
    equal(running.headers["Content-Type"], "application/octet-stream", "Content-Type")
    equal(running.headers["Content-Length"], "9", "Content-Length")
    check("ETag" not in running.headers, "no ETag yet")
    for headers, status in (({"If-Match": "*"}, 200), ({"If-Match": '"x", ,"y"'}, 412), ({"If-Match": ","}, 412),
                            ({"If-None-Match": "*"}, 304), ({"If-None-Match": '"x"'}, 200)):
        equal(answer_of(client, batch, **headers).status_code, status, f"the status with {headers}")
    client.change_job(batch, 8).is_(200)
    equal(answer_of(client, batch).text, "sss>>...n", "after the cancel of one job")
    client.change(batch).is_(200)
    equal(answer_of(client, batch).text, "sssoonnnn", "after the cancel")
    equal(letters_of_jobs(client, batch), "sssoonnnn", "what the list of jobs says")
    failed = client.run("checksum", ["a.txt", "missing"])
    equal(answer_of(client, failed).text, "sf", "a job that failed")


@test
def map_forms(suite):
    """the map of an ended batch has an ETag, parts, and comes compressed to whoever takes that"""
    client = suite.client
    jobs = 100_000
    batch = client.create("sleep", [0] * jobs)
    client.until_ended(batch)
    whole = answer_of(client, batch)
    equal(whole.text, "s" * jobs, "the map")
    packed = client.session.get(f"{client.url}/v1/batches/{batch}/map", stream=True,
                                headers={"X-Api-Key": client.key, "Accept-Encoding": "br, gzip;q=0.5"})
    equal(packed.headers["Content-Encoding"], "gzip", "Content-Encoding")
    bytes_sent = packed.raw.read(decode_content=False)
    equal(gzip.decompress(bytes_sent), whole.content, "what it is compressed from")
    check(len(bytes_sent) < jobs / 100, f"{len(bytes_sent)} bytes")
    check("Accept-Ranges" not in packed.headers and whole.headers["Accept-Ranges"] == "bytes", "Accept-Ranges")
    known = answer_of(client, batch, **{"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "gzip"})
    equal((known.status_code, known.headers["Vary"]), (304, "Accept-Encoding"), "what the client has, compressed")
    for tag, status in ((whole.headers["ETag"], 206), (packed.headers["ETag"], 200)):
        equal(answer_of(client, batch, Range="bytes=5-", **{"If-Range": tag}).status_code, status, f"If-Range {tag}")
    check(packed.headers["ETag"] != whole.headers["ETag"], "each form has its own ETag")
    for coding in ("identity, gzip;q=0.5", "gzip;q=0", "br", "*;q=0, identity"):
        equal(answer_of(client, batch, **{"Accept-Encoding": coding}).headers.get("Content-Encoding"), None, coding)
    known = answer_of(client, batch, **{"If-None-Match": whole.headers["ETag"]})
    equal((known.status_code, known.content), (304, b""), "what the client has")
    part = answer_of(client, batch, Range="bytes=99998-", **{"Accept-Encoding": "gzip"})
    equal((part.status_code, part.text, part.headers["Content-Range"], part.headers.get("Content-Encoding")),
          (206, "ss", f"bytes 99998-99999/{jobs}", None), "a part")
    equal(answer_of(client, batch, Range=f"bytes={jobs}-").status_code, 416, "a part that is not there")
    answer = client.get(f"/v1/batches/{batch}/map", headers={"If-Match": '"other"'})
    answer.is_(412, "precondition_failed")
    client.get(f"/v1/batches/{batch}/map?limit=3").is_(400, "invalid_request", "limit")
