"""Readers of events, which are there all the time while something else is measured."""

import contextlib
import os
import selectors
import socket

from attack import FORK, leave_signals_to_harness
from checks import DEADLINE, check


@contextlib.contextmanager
def readers_of(server, count):
    """So many streams of all events, in a process of their own."""
    if count == 0:
        yield
        return
    here, there = FORK.Pipe(duplex=False)
    process = FORK.Process(target=read, args=(server, count, there), daemon=True)
    process.start()
    there.close()
    try:
        check(here.poll(DEADLINE) and here.recv() == "open", f"{count} streams of events could not be opened")
        yield
        check(process.is_alive(), "a stream of events has ended")
    finally:
        process.kill()
        process.join()


def read(server, count, told):
    leave_signals_to_harness()
    harness = os.getppid()
    asked = (f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: {server.key}\r\n\r\n").encode()
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            one = socket.create_connection(server.address)
            one.sendall(asked)
            if not one.recv(1 << 16).startswith(b"HTTP/1.1 200 "):
                return
            selector.register(one, selectors.EVENT_READ)
        told.send("open")
        while os.getppid() == harness:
            for key, _ in selector.select(1):
                if not key.fileobj.recv(1 << 16):
                    return
