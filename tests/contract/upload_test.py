"""POST /v1/batches as multipart/form-data: a file for each job."""

import hashlib
import json
import os
import random
import subprocess

from checks import DEADLINE, Cases, check, contains, equal, until
from suite import test
from wire import Wire, request, wire_to


def form(client, files, headers=None, **fields):
    """Sends files, in order, as (name, bytes), and other fields after them."""
    parts = [("file", (name, data)) for name, data in files]
    parts += [(name, (None, text if isinstance(text, str) else json.dumps(text)))
              for name, text in fields.items()]
    return client.call("POST", "/v1/batches", files=parts, headers=headers)


def made(client, files, **more):
    """An ended batch of such a form."""
    answer = form(client, files, **more).is_(202)
    equal(answer.data["total"], len(files), "total")
    batch = answer.data["batch_id"]
    client.made.append(batch)
    client.until_ended(batch)
    return batch


def digests(client, batch):
    return [entry["result"]["digest"] for entry in client.results(batch)]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def outputs(data):
    """What lies beside the database: folders of batches, and drafts."""
    folder = data / "outputs"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def drafted(data):
    """How many bytes of files on their way are on the disk."""
    return sum(os.stat(data / "outputs" / name).st_size for name in outputs(data)
               if name.startswith("draft-") and not name.endswith(".index"))


def body_of(parts, boundary="frontier", end=True):
    """The bytes of a form out of (name, file name or None, bytes)."""
    body = b""
    for name, filename, data in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if filename is not None:
            head += f'; filename="{filename}"'
        body += head.encode() + b"\r\n\r\n" + data + b"\r\n"
    return body + (f"--{boundary}--\r\n".encode() if end else b"")


def raw(client, body, boundary="frontier", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.call("POST", "/v1/batches", data=body, headers={
        "Content-Type": f"multipart/form-data; boundary={boundary}", **headers})


@test
def a_file_each(suite):
    """each job works on its own file: short ones, an empty one, one of some MiB"""
    client = suite.client
    files = [("a.txt", b"one"), ("empty", b""), ("big.bin", random.Random(1).randbytes(5_000_011)),
             ("ünï \u20ac.txt", b"\r\n--frontier\r\n")]
    batch = made(client, files, type="checksum", batch_name="mine", collection_id="c")
    equal(digests(client, batch), [sha256(data) for _, data in files], "digests")
    status = client.status(batch)
    equal((status["batch_name"], status["collection"], status["type"], status["jobs"]["succeeded"]),
          ("mine", "c", "checksum", 4), "the batch")
    job = client.job(batch, 3)
    equal(job["input"], {"path": "ünï \u20ac.txt", "algorithm": "sha256"}, "input")
    equal(client.results(batch)[0]["filename"], "a.txt", "filename")


@test
def fields_in_any_order(suite):
    """the type may come last; input is for all files; an option's own field wins over batch_options"""
    client = suite.client
    like_ends = b"\r\n--frontierx\r\n--frontie\r\n--\n--frontier\r\r\n-"
    parts = [("file", "a", like_ends), ("weight", None, b"7"),
             ("batch_options", None, b'{"weight":5,"max_attempts":3}'), ("file", "b", b"two"),
             ("input", None, b'{"algorithm":"md5"}'), ("type", None, b"checksum")]
    answer = raw(client, body_of(parts)).is_(202)
    batch = answer.data["batch_id"]
    client.until_ended(batch)
    equal(digests(client, batch), [hashlib.md5(data).hexdigest() for data in (like_ends, b"two")], "digests")
    options = client.status(batch)["options"]
    equal((options["weight"], options["max_attempts"]), (7, 3), "options")


@test
def names_are_text(suite):
    """a client's file name is never a path of the server's; one that is missing is made"""
    client = suite.client
    names = ["../a.txt", "/etc/passwd", "a.txt", "C:\\a.txt", "sub/deep"]
    parts = [("file", name.replace("\\", "\\\\"), name.encode()) for name in names]
    parts += [("file", None, b"no name"), ("file", "", b"empty name"), ("type", None, b"checksum")]
    batch = raw(client, body_of(parts)).is_(202).data["batch_id"]
    client.until_ended(batch)
    equal(digests(client, batch), [sha256(data) for kind, _, data in parts if kind == "file"], "digests")
    equal([client.job(batch, n)["input"]["path"] for n in range(len(names))][:3], names[:3], "paths")
    equal([client.job(batch, n)["input"]["path"] for n in (5, 6)], ["file-5", "file-6"], "made names")


@test
def many_small_files(suite):
    """20,000 files lie in one; each job finds its own"""
    data = suite.folder / "data-many"
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        count = 20_000
        files = [(f"f{n}", f"file {n}".encode()) for n in range(count)]
        parts = [("file", name, content) for name, content in files] + [("type", None, b"checksum")]
        batch = raw(client, body_of(parts)).is_(202).data["batch_id"]
        client.until_ended(batch)
        equal(client.status(batch)["jobs"]["succeeded"], count, "succeeded")
        for n in (0, 1, 777, count - 1):
            equal(client.job(batch, n)["result"]["digest"], sha256(files[n][1]), f"the digest of {n}")
        [folder] = outputs(data)
        equal(sorted(path.name for path in (data / "outputs" / folder).iterdir()),
              ["upload", "upload.index"], "the folder")


@test
def a_command_gets_the_file(suite):
    """the first path input of a configured type is the uploaded file, and compress takes it too"""
    file = suite.folder / "upload-types.toml"
    file.write_text("""
[type.upper]
command = ["tr", "a-z", "{to}"]
stdin = "{file}"
inputs = { file = "path", to = { kind = "choice", values = ["A-Z", "b-za"] } }
""")
    file.chmod(0o600)
    with suite.start("--config", file, root=False) as server:
        client = suite.client_of(server)
        batch = made(client, [("x", b"abc"), ("y", b"def")], type="upper", input={"to": "A-Z"})
        equal([entry["result"]["stdout"] for entry in client.results(batch)], ["ABC", "DEF"], "stdout")
        equal(client.results(batch)[1]["filename"], "y", "filename")
        form(client, [("x", b"abc")], type="upper", input={"to": "no"}).is_(
            400, "invalid_request", "input.to")
        packed = made(client, [("x", b"abc" * 1000)], type="compress", input={"level": 9})
        equal(client.results(packed)[0]["result"]["bytes_in"], 3000, "bytes_in")
        types = {each["name"]: each["path_member"] for each in client.get("/v1/types").is_(200).data["types"]}
        equal(types, {"checksum": "path", "compress": "path", "sleep": None, "spin": None, "upper": "file"},
              "path members")


@test
def refused_forms(suite):
    """what is wrong with a form is 400, and named; nothing is kept of it"""
    data = suite.folder / "data-refused-forms"
    with suite.start("--inputs-max", "3", data=data) as server, Cases() as cases:
        client = suite.client_of(server)
        a_file, a_type = ("file", "a", b"x"), ("type", None, b"checksum")
        for name, parts, field in (
                ("no type", [a_file], "type"),
                ("no such type", [a_file, ("type", None, b"none")], "type"),
                ("a type without files", [a_file, ("type", None, b"sleep")], "type"),
                ("no file", [a_type], "file"),
                ("an unknown field", [a_file, a_type, ("files", None, b"x")], "files"),
                ("a doubled field", [a_file, a_type, a_type], "type"),
                ("too many files", [a_type] + 4 * [a_file], "file"),
                ("input that is no JSON", [a_file, a_type, ("input", None, b"{")], "input"),
                ("input that is no object", [a_file, a_type, ("input", None, b"[1]")], "input"),
                ("input with a path", [a_file, a_type, ("input", None, b'{"path":"x"}')], "input.path"),
                ("input of a wrong type", [a_file, a_type, ("input", None, b'{"algorithm":1}')],
                 "input.algorithm"),
                ("input with an unknown member", [a_file, a_type, ("input", None, b'{"x":1}')], "input.x"),
                ("a doubled member", [a_file, a_type, ("input", None, b'{"x":1,"x":1}')], "input.x"),
                ("a long input", [a_file, a_type, ("input", None, b'{"x":"' + 70_000 * b"x" + b'"}')], "input"),
                ("a long type", [a_file, ("type", None, 5000 * b"x")], "type"),
                ("a type that is not UTF-8", [a_file, ("type", None, b"\xff")], "type"),
                ("an option", [a_file, a_type, ("weight", None, b"1000")], "weight"),
                ("an option that is text", [a_file, a_type, ("weight", None, b"x")], "weight"),
                ("an option inside", [a_file, a_type, ("batch_options", None, b'{"weight":0}')],
                 "batch_options.weight"),
                ("an unknown option", [a_file, a_type, ("batch_options", None, b'{"x":0}')],
                 "batch_options.x"),
                ("a long name", [a_file, a_type, ("batch_name", None, 300 * b"x")], "batch_name"),
                ("a collection with a line end", [a_file, a_type, ("collection_id", None, b"a\nb")],
                 "collection_id")):
            with cases.case(name):
                raw(client, body_of(parts)).is_(400, "invalid_request", field)
        with cases.case("a query"):
            client.call("POST", "/v1/batches?type=checksum", data=body_of([a_file]), headers={
                "Content-Type": "multipart/form-data; boundary=frontier"}).is_(400, "invalid_request", "type")
        with cases.case("no boundary"):
            client.call("POST", "/v1/batches", data=b"x", headers={
                "Content-Type": "multipart/form-data"}).is_(400, "invalid_request")
        with cases.case("no last boundary"):
            raw(client, body_of([a_type, a_file], end=False)).is_(400, "invalid_request")
        with cases.case("another multipart"):
            client.call("POST", "/v1/batches", data=b"x", headers={
                "Content-Type": "multipart/mixed; boundary=x"}).is_(415, "unsupported_media_type")
        with cases.case("nothing is left"):
            until(lambda: outputs(data) == [], "an empty directory")
            equal(client.get("/v1/batches").is_(200).data["batches"], [], "batches")


@test
def half_an_upload(suite):
    """a client that goes in mid-body leaves nothing"""
    data = suite.folder / "data-half"
    with suite.start(data=data) as server:
        half = body_of([("type", None, b"checksum"), ("file", "a", 300_000 * b"x")], end=False)
        for length in ("Content-Length: 9000000", "Transfer-Encoding: chunked"):
            wire = Wire(server)
            wire.send(request(server, "POST", "/v1/batches", length,
                              "Content-Type: multipart/form-data; boundary=frontier"))
            if length.startswith("Transfer"):
                wire.send(f"{len(half):x}\r\n", half, "\r\n")
            else:
                wire.send(half)
            until(lambda: len(outputs(data)) == 2, "a draft")
            wire.close()
            until(lambda: outputs(data) == [], "an empty directory")
        equal(suite.client_of(server).get("/v1/batches").is_(200).data["batches"], [], "batches")


@test
def killed_in_the_middle(suite):
    """what a server leaves that is killed while a form comes goes at the next start; the rest is kept"""
    data = suite.folder / "data-killed-upload"
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        batch = made(client, [("a", b"kept")], type="checksum")
        with wire_to(server) as wire:
            wire.send(request(server, "POST", "/v1/batches", "Content-Length: 9000000",
                              "Content-Type: multipart/form-data; boundary=frontier"),
                      body_of([("file", "a", 300_000 * b"x")], end=False))
            until(lambda: len(outputs(data)) == 3, "a draft")
            server.kill()
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        equal(len(outputs(data)), 1, "what is there")
        check((data / "outputs" / outputs(data)[0] / "upload").read_bytes() == b"kept", "the file")
        equal(digests(client, batch), [sha256(b"kept")], "digests")


@test
def it_goes_on_after_a_restart(suite):
    """jobs that had not begun find their files in the next process"""
    data = suite.folder / "data-upload-restart"
    file = suite.folder / "upload-wait.toml"
    file.write_text("""
[type.gated]
command = ["/bin/sh", "-c", "while ! [ -e %s ]; do sleep 0.05; done; cat", "x"]
stdin = "{file}"
inputs = { file = "path" }
concurrency = 1
""" % (suite.folder / "upload-gate"))
    file.chmod(0o600)
    with suite.start("--config", file, data=data) as server:
        client = suite.client_of(server)
        batch = form(client, [("a", b"first"), ("b", b"second")], type="gated").is_(202).data["batch_id"]
        client.until_running(batch, 1)
    (suite.folder / "upload-gate").touch()
    with suite.start("--config", file, data=data) as server:
        client = suite.client_of(server)
        client.until_ended(batch)
        equal([entry["result"]["stdout"] for entry in client.results(batch)], ["first", "second"], "stdout")


@test
def deleting_removes_the_files(suite):
    """DELETE of the batch removes its folder"""
    data = suite.folder / "data-upload-delete"
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        batch = made(client, [("a", b"x")], type="checksum")
        equal(len(outputs(data)), 1, "folders")
        client.call("DELETE", f"/v1/batches/{batch}").is_(200)
        client.made.clear()
        until(lambda: outputs(data) == [], "an empty directory")


@test
def a_rest_has_its_files(suite):
    """a batch of what another left has those jobs' files, also when the other is deleted"""
    data = suite.folder / "data-upload-rest"
    file = suite.folder / "upload-pick.toml"
    file.write_text("""
[type.pick]
command = ["grep", "good"]
stdin = "{file}"
inputs = { file = "path" }
""")
    file.chmod(0o600)
    with suite.start("--config", file, data=data) as server:
        client = suite.client_of(server)
        first = made(client, [("a", b"bad 1"), ("b", b"good"), ("c", b"bad 2")], type="pick")
        answer = client.call("POST", "/v1/batches", json={"from": first}).is_(202)
        second = answer.data["batch_id"]
        client.until_ended(second)
        client.call("DELETE", f"/v1/batches/{first}").is_(200)
        until(lambda: len(outputs(data)) == 1, "one folder")
        equal([job["filename"] for job in client.results(second)], ["a", "c"], "names")
        client.made = [second]
        [folder] = outputs(data)
        equal((data / "outputs" / folder / "upload").read_bytes(), b"bad 1goodbad 2", "the bytes")
        index = (data / "outputs" / folder / "upload.index").read_bytes()
        numbers = [int.from_bytes(index[at:at + 8], "little") for at in range(16, len(index), 8)]
        equal(numbers, [2, 14, 0, 5, 9, 5], "the index")
        third = client.call("POST", "/v1/batches", json={"from": second, "select": "failed"}).is_(202)
        client.until_ended(third.data["batch_id"])
        equal([job["error"]["code"] for job in client.results(third.data["batch_id"])], ["exit", "exit"], "codes")


@test
def limits_of_uploads(suite):
    """--upload-bytes-max and --owner-upload-bytes-max: 413 while the body comes; deleting makes room"""
    data = suite.folder / "data-upload-limits"
    with suite.start("--upload-bytes-max", "1000000", "--owner-upload-bytes-max", "1500000",
                     data=data) as server:
        client = suite.client_of(server)
        over = raw(client, body_of([("type", None, b"checksum"), ("file", "a", 500_000 * b"x"),
                                    ("file", "b", 500_001 * b"x")])).is_(413, "payload_too_large", "file[1]")
        contains(over.body["message"], "1000000", "message")
        batch = made(client, [("a", 1_000_000 * b"x")], type="checksum")
        over = form(client, [("a", 500_000 * b"x")], type="checksum").is_(413, "payload_too_large")
        contains(over.body["message"], "1500000", "message")
        contains(over.body["message"], "deleting batches makes room", "message")
        equal(over.details["limit"], 1_500_000, "limit")
        until(lambda: len(outputs(data)) == 1, "one folder")
        # It is answered while the client still sends.
        with wire_to(server) as wire:
            wire.send(request(server, "POST", "/v1/batches", "Transfer-Encoding: chunked",
                              "Content-Type: multipart/form-data; boundary=frontier"))
            part = body_of([("file", "a", 700_000 * b"x")], end=False)
            wire.send(f"{len(part):x}\r\n", part, "\r\n")
            wire.answer().is_(413, "payload_too_large")
        client.call("DELETE", f"/v1/batches/{batch}").is_(200)
        client.made.clear()
        made(client, [("a", 500_000 * b"x")], type="checksum")
        # One that is on its way counts, until its client has gone.
        with wire_to(server) as wire:
            part = body_of([("file", "a", 800_000 * b"x")], end=False)
            wire.send(request(server, "POST", "/v1/batches", "Content-Length: 900000",
                              "Content-Type: multipart/form-data; boundary=frontier"), part)
            until(lambda: drafted(data) >= 600_000, "the draft")
            form(client, [("a", 400_000 * b"x")], type="checksum").is_(413, "payload_too_large")
        until(lambda: len(outputs(data)) == 1, "one folder")
        made(client, [("a", 900_000 * b"x")], type="checksum")
        client.call("POST", "/v1/batches", data=b"", headers={
            "Content-Type": "multipart/form-data; boundary=x", "Content-Length": "99999999999"}).is_(
                413, "payload_too_large")


@test
def a_repeated_upload(suite):
    """Idempotency-Key: the same parts answer the same batch, whatever their boundary; others are 409"""
    data = suite.folder / "data-upload-repeat"
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        parts = [("type", None, b"checksum"), ("file", "a", b"one"), ("file", "b", b"two")]
        first = raw(client, body_of(parts), Idempotency_Key="k").is_(202)
        again = raw(client, body_of(parts, "other"), "other", Idempotency_Key="k").is_(202)
        equal(again.data["batch_id"], first.data["batch_id"], "the batch")
        again.header("Idempotency-Replayed", "true")
        client.until_ended(first.data["batch_id"])
        with Cases() as cases:
            for name, changed in (("bytes", [parts[0], ("file", "a", b"onf"), parts[2]]),
                                  ("name", [parts[0], ("file", "c", b"one"), parts[2]]),
                                  ("cut", [parts[0], ("file", "a", b"onet"), ("file", "b", b"wo")]),
                                  ("order", [parts[0], parts[2], parts[1]]),
                                  ("fewer", parts[:2])):
                with cases.case(name):
                    raw(client, body_of(changed), Idempotency_Key="k").is_(409, "idempotency_conflict")
        equal(len(outputs(data)), 1, "folders")


@test
def curl_sends_files(suite):
    """curl -F sends a form that is taken"""
    folder = suite.folder / "to-send"
    folder.mkdir()
    (folder / "one.txt").write_bytes(b"one")
    (folder / "two.txt").write_bytes(b"two\r\n")
    done = subprocess.run(
        ["curl", "-sS", "-H", f"X-Api-Key: {suite.server.key}", "-F", "type=checksum",
         "-F", "file=@one.txt", "-F", "file=@two.txt", "-F", 'input={"algorithm":"sha512"}',
         f"{suite.server.url}/v1/batches"], cwd=folder, capture_output=True, text=True, timeout=DEADLINE,
        env={"PATH": os.environ["PATH"]})
    equal(done.returncode, 0, f"the status; stderr: {done.stderr}")
    batch = json.loads(done.stdout)["data"]["batch_id"]
    suite.client.until_ended(batch)
    equal(digests(suite.client, batch),
          [hashlib.sha512(data).hexdigest() for data in (b"one", b"two\r\n")], "digests")
