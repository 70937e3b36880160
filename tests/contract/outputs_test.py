"""GET …/outputs, and the lists of jobs by their error and by how long they took."""

import io
import tarfile

from checks import check, equal
from suite import test


def tar_of(client, batch, query=""):
    """Names and contents."""
    answer = client.session.get(f"{client.url}/v1/batches/{batch}/outputs{query}", headers={"X-Api-Key": client.key})
    equal((answer.status_code, answer.headers["Content-Type"]), (200, "application/x-tar"), "the answer")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        check(all(one.isreg() and one.mode == 0o644 and one.mtime > 1_700_000_000 for one in tar), "what the files are")
        return {one.name: tar.extractfile(one).read() for one in tar}


@test
def tar_of_outputs(suite):
    """the outputs of a batch come as a tar, of all jobs that have one or of a range"""
    client = suite.client
    batch = client.run("compress", ["a.txt", "missing", "big.bin", "empty", "a.txt"])

    def output(job):
        return client.session.get(f"{client.url}/v1/batches/{batch}/jobs/{job}/output",
                                  headers={"X-Api-Key": client.key}).content
    wanted = {str(job): output(job) for job in (0, 2, 3, 4)}
    equal(tar_of(client, batch), wanted, "all of them")
    equal(sorted(tar_of(client, batch, "?from=1&to=4")), ["2", "3"], "a range")
    equal(tar_of(client, batch, "?from=5"), {}, "none")
    equal(tar_of(client, batch, "?from=999&to=9999"), {}, "beyond the end")
    equal(tar_of(client, client.run("sleep", [0, 0])), {}, "of jobs without any")
    client.get(f"/v1/batches/{batch}/outputs?from=2&to=1").is_(400, "invalid_request", "to")
    client.get(f"/v1/batches/{batch}/outputs?from=x").is_(400, "invalid_request", "from")
    equal(sorted(tar_of(client, batch, "?state=succeeded&from=1&to=4")), ["2", "3"], "of those that succeeded")
    for state in ("failed", "pending", "running", "cancelled"):
        equal(tar_of(client, batch, f"?state={state}"), {}, f"of those that are {state}")
    client.get(f"/v1/batches/{batch}/outputs?state=late").is_(400, "invalid_request", "state")
    client.get(f"/v1/batches/{batch}/outputs?status=failed").is_(400, "invalid_request", "status")
    client.get("/v1/batches/batch-none/outputs").is_(404, "not_found")


def jobs_of(client, batch, query):
    data = client.get(f"/v1/batches/{batch}/jobs?{query}").is_(200).data
    return [job["job"] for job in data["jobs"]], data["next_cursor"]


@test
def jobs_by_error(suite):
    """error lists the jobs that have failed so, by code or by code and message"""
    client = suite.client
    batch = client.run("checksum", ["a.txt", "missing", "sub", "nowhere", "empty"])
    failed = {job: client.job(batch, job)["error"]["message"] for job in (1, 2, 3)}
    equal(jobs_of(client, batch, "error=input"), ([1, 2, 3], None), "by code")
    equal(jobs_of(client, batch, "error=input&limit=2"), ([1, 2], "3"), "a page")
    equal(jobs_of(client, batch, "error=input&cursor=3"), ([3], None), "the next")
    answer = client.get(f"/v1/batches/{batch}/jobs", params={"error": "input:" + failed[2]}).is_(200)
    equal([job["job"] for job in answer.data["jobs"]], [2], "by code and message")
    equal(jobs_of(client, batch, "error=timeout"), ([], None), "of another code")
    client.get(f"/v1/batches/{batch}/jobs?error=input&state=failed").is_(400, "invalid_request", "error")


@test
def slowest_jobs(suite):
    """sort=duration lists the jobs that took longest, the longest first"""
    client = suite.client
    batch = client.run("sleep", [1, 120, 1, 60, 1, 240] + [0] * 600)
    equal(jobs_of(client, batch, "sort=duration&limit=3"), ([5, 1, 3], None), "the slowest")
    equal(jobs_of(client, batch, "sort=duration&limit=1000")[0][:3], [5, 1, 3], "all")
    equal(len(jobs_of(client, batch, "sort=duration&limit=1000")[0]), 606, "how many")
    equal(jobs_of(client, batch, "sort=duration&state=failed"), ([], None), "of those that failed")
    for query, field in (("sort=index", "sort"), ("sort=duration&from=1", "from"), ("sort=duration&cursor=1", "cursor"),
                         ("sort=duration&error=input", "error")):
        client.get(f"/v1/batches/{batch}/jobs?{query}").is_(400, "invalid_request", field)
