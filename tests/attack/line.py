"""A connection of an attacker, and crowds of them: one thread, sockets that don't block."""

import asyncio
import re
import socket
import struct

from attack import LOST

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)")
CHUNKED = b"\r\ntransfer-encoding: chunked"
AT_ONCE = 65_536


class Line:
    """A connection that can be as rude as is wanted."""

    def __init__(self, receive_bytes=None):
        self.loop = asyncio.get_running_loop()
        self.socket = socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = bytearray()

    @classmethod
    async def to(cls, server, receive_bytes=None):
        line = cls(receive_bytes)
        try:
            await line.loop.sock_connect(line.socket, server.address)
        except BaseException:
            line.socket.close()
            raise
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    async def send(self, data):
        await self.loop.sock_sendall(self.socket, data)

    async def drip(self, piece, seconds):
        """A piece now and then, for ever."""
        while True:
            await asyncio.sleep(seconds)
            await self.send(piece)

    async def repeat(self, data):
        """The same again and again, as fast as it is taken."""
        while True:
            await self.send(data)

    async def receive(self):
        got = await self.loop.sock_recv(self.socket, AT_ONCE)
        if not got:
            raise EOFError("the server has closed the connection")
        return got

    async def swallow(self):
        """Whatever comes, until the server closes."""
        while True:
            await self.receive()

    async def answer(self):
        """The status of the next answer, whose body is dropped."""
        while (end := self.input.find(b"\r\n\r\n")) < 0:
            self.input += await self.receive()
        head = bytes(self.input[:end]).lower()
        del self.input[:end + 4]
        length = LENGTH.search(head)
        if length:
            await self.drop(int(length[1]))
        elif CHUNKED in head:
            await self.drop_chunks()
        return int(head[9:12])

    async def drop_chunks(self):
        size = None
        while size != 0:
            while (end := self.input.find(b"\r\n")) < 0:
                self.input += await self.receive()
            size = int(self.input[:end], 16)
            await self.drop(end + 2 + size + 2)

    async def drop(self, size):
        while len(self.input) < size:
            size -= len(self.input)
            self.input.clear()
            self.input += await self.receive()
        del self.input[:size]

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def end_by_reset(self):
        """From here on it ends with RST in place of FIN, also when the process is killed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def reset(self):
        self.end_by_reset()
        self.socket.close()


class Pace:
    """Lets through so many a second, all in all."""

    def __init__(self, per_second):
        self.every, self.next = 1 / per_second, 0

    async def turn(self):
        now = asyncio.get_running_loop().time()
        self.next = max(self.next + self.every, now)
        await asyncio.sleep(self.next - now)


async def crowd(told, number, play, per_second=200):
    """That many plays side by side for ever: one that has ended, or was ended by the server, begins
    again, so many in a second."""
    pace = Pace(per_second)

    async def one():
        while True:
            try:
                await play()
            except (OSError, EOFError):
                told.add(LOST)
            await pace.turn()

    await asyncio.gather(*(one() for _ in range(number)))


async def both(*plays):
    """Side by side, until one of them fails."""
    tasks = [asyncio.ensure_future(play) for play in plays]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
