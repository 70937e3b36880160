"""Clients that have gone, and places for those that come: who waits longest gives way."""

import os
import socket
import struct

import shapes
from checks import check, equal, until
from suite import test
from wire import put, request, wire_to, wires

JSON = "Content-Type: application/json"
DRAIN = '{"mode":"drain"}'


def reset(wire):
    """Closes a connection as a client does that has crashed."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def connections(server):
    """How many sockets the server has open."""
    folder = f"/proc/{server.pid}/fd"
    count = 0
    for name in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
        except FileNotFoundError:
            pass
    return count


def drain(server, batch):
    return put(server, batch, JSON, f"Content-Length: {len(DRAIN)}", body=DRAIN)


def long_upload(server):
    return request(server, "POST", "/v1/batches?type=sleep", "Content-Type: application/x-ndjson",
                   "Content-Length: 1000000", body="1\n" * 1000)


@test
def resets_are_noticed(suite):
    """a reset is noticed in every state: before, in and after a request, and while a cancel waits"""
    with suite.start() as server:
        idle = connections(server)
        client = suite.client_of(server)
        batch = client.sleeping(jobs=2)
        client.session.close()
        until(lambda: connections(server) <= idle, "the end of the client's connection")
        states = ["", request(server, "GET", "/healthz")[:-7], long_upload(server),
                  drain(server, batch), request(server, "GET", "/healthz")]
        with wires(server, 5 * len(states)) as crowd:
            for number, wire in enumerate(crowd):
                wire.send(states[number % len(states)])
            until(lambda: connections(server) >= idle + len(crowd), "the connections")
            for wire in crowd:
                reset(wire)
            until(lambda: connections(server) <= idle, "the end of those connections")
        # The drain goes on without them.
        shapes.state(client.get(f"/v1/batches/{batch}/state").is_(200).data,
                     current_state="cancelling")


@test
def waiters_give_way(suite):
    """with every place taken by cancels that wait, one is answered 202 and makes room"""
    with suite.start("--connections-max", "8") as server:
        client = suite.client_of(server)
        draining = client.sleeping(jobs=2)
        batches = [client.create("sleep", [3_600_000]) for _ in range(3)]
        client.session.close()
        with wires(server, 8) as crowd:
            for wire in crowd:  # also where it is not the first request of its connection
                wire.send(request(server, "GET", "/healthz")).answer().is_(200)
                wire.send(drain(server, draining))
            for batch in batches:
                shapes.state(client.change(batch).is_(200).data, current_state="cancelled")
                client.session.close()
            client.get("/healthz").is_(200)
            gave_way = until(lambda: [wire for wire in crowd if wire.has_input()], "an answer")
            check(1 <= len(gave_way) <= 4, f"{len(gave_way)} cancels gave way")
            for wire in gave_way:
                answer = wire.answer().is_(202)
                equal(answer.fields.get("connection", "").lower(), "close", "Connection")
                check(wire.closed(), "the connection goes on")
                shapes.state(answer.data, current_state="cancelling")
            client.change(draining, {"mode": "immediate"}).is_(200)


@test
def finished_clients_first(suite):
    """of cancels that wait the one whose client sends no more gives way first; it has its answer"""
    with suite.start("--connections-max", "4") as server:
        client = suite.client_of(server)
        draining = client.sleeping(jobs=2)
        with wire_to(server) as first:
            first.send(drain(server, draining))
            until(lambda: client.state(draining)["current_state"] == "cancelling", "the cancel")
            client.session.close()
            with wires(server, 3) as crowd:  # which have nothing but the end to wait for any more
                for wire in crowd:
                    wire.send(drain(server, draining))
                crowd[1].socket.shutdown(socket.SHUT_WR)
                client.get("/healthz").is_(200)
                crowd[1].answer().is_(202)
                client.session.close()
                client.change(draining, {"mode": "immediate"})
                for number in (0, 2):
                    shapes.state(crowd[number].answer().is_(200).data, current_state="cancelled")


@test
def thousand_that_left(suite):
    """with all places taken by cancels whose clients have closed, others are let in"""
    with suite.start("--connections-max", "64") as server:
        client = suite.client_of(server)
        draining = client.sleeping(jobs=2)
        batch = client.create("sleep", [3_600_000])
        client.session.close()
        for _ in range(128):
            with wire_to(server) as wire:
                wire.send(drain(server, draining))
        client.get("/healthz").is_(200)
        client.session.close()
        shapes.state(client.change(batch).is_(200).data, current_state="cancelled")
        client.change(draining, {"mode": "immediate"}).is_(200)


@test
def slow_uploads(suite):
    """with as many uploads as there may be, all of them slow, the slowest is answered 503"""
    with suite.start("--requests-max", "4") as server:
        client = suite.client_of(server)
        with wires(server, 4) as crowd:
            for wire in crowd:
                wire.send(long_upload(server))
            until(lambda: client.get("/v1/batches").status == 200, "a place for another request")
            refused = until(lambda: [wire for wire in crowd if wire.has_input()], "its answer")
            equal(len(refused), 1, "how many gave way")
            refused[0].answer().is_(503, "unavailable")


@test
def unread_answers(suite):
    """answers that nobody takes hold so many bytes; then the slowest connection is closed"""
    with suite.start("--buffer-bytes-max", "4000000", "--line-bytes-max", "1000000") as server:
        client = suite.client_of(server)
        batch = client.run("checksum", ["x" * 900_000])
        with wires(server, 30) as crowd:
            for wire in crowd:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                wire.send(request(server, "GET", f"/v1/batches/{batch}/jobs/0"))
            until(lambda: client.get(f"/v1/batches/{batch}/jobs/0").status == 200,
                  "an answer to a client that takes it")
            resident = int(open(f"/proc/{server.pid}/statm").read().split()[1]) * 4096
            check(resident < 200_000_000, f"{resident} bytes are resident")


@test
def requests_within_connections(suite):
    """--requests-max is lowered where it would leave no connection to cancels, and that is said"""
    with suite.start("--connections-max", "8") as server:
        until(lambda: "--requests-max is 7 in place of 256" in server.stderr(), "a line on stderr")
