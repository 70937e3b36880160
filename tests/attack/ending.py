"""The end of the server while it answers."""

import contextlib
import signal
import socket

from attack import Attack
from checks import DEADLINE, Failure, check, equal, until
from peer import Peer
from wire import WireAnswer, request

JOBS = 30_000


class Reader:
    """A client that reads a long answer piece by piece, when it is told to."""

    def __init__(self, server, path):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(server.address)
        self.socket.sendall(request(server, "GET", path, "Accept: application/x-ndjson").encode())
        self.file = self.socket.makefile("rb")
        self.file.peek(1)

    def answer(self):
        """All of it."""
        return WireAnswer(self.file, head=False)

    def close(self):
        self.file.close()
        self.socket.close()


def is_ending(server):
    """Whether it has seen the signal: it takes no new work any more."""
    try:
        return Peer(server).ask(request(server, "GET", "/v1/types")).status == 503
    except (Failure, OSError):
        return True


class AnswersAtTheEnd(Attack):
    """SIGTERM in the middle of long answers, which are read on: they are finished."""
    name = "SIGTERM in an answer"
    is_measured = False

    def alone(self, harness):
        """All of the row: nobody attacks."""
        with harness.started(self) as server, contextlib.ExitStack() as readers:
            batch = Peer(server).ended(JOBS)
            reading = [readers.enter_context(contextlib.closing(Reader(server, path)))
                       for path in (f"/v1/batches/{batch}/results",
                                    f"/v1/batches/{batch}?include_job_details=true")]
            server.signal(signal.SIGTERM)
            until(lambda: is_ending(server), "503, or no connection, after SIGTERM")
            lines = reading[0].answer().is_(200)
            equal(lines.text.count("\n"), JOBS, "the lines that came in spite of SIGTERM")
            details = reading[1].answer().is_(200).data
            equal(len(details["job_details"]), JOBS, "the jobs that came in spite of SIGTERM")
            equal(server.wait_end(), 0, "the exit status after SIGTERM")
            check(not server.ready_file.exists(), "the ready file is still there after the exit")


ROWS = (AnswersAtTheEnd,)
