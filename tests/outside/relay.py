"""A line between a client and a server that can be cut."""

import contextlib
import socket
import threading


class Relay:
    """Passes bytes on to `address`, as a context; `url` is where it listens."""

    def __init__(self, address):
        self.address = address
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.sockets, self.is_cut = [], False
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()

    def cut(self):
        """Ends what there is, and lets nobody through."""
        with self.lock:
            self.is_cut = True
            for one in self.sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self.sockets.clear()

    def restore(self):
        with self.lock:
            self.is_cut = False

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                with self.lock:
                    if self.is_cut:
                        client.close()
                        continue
                    server = socket.create_connection(self.address)
                    self.sockets += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self.pass_on, args=ends, daemon=True).start()

    @staticmethod
    def pass_on(source, sink):
        with contextlib.suppress(OSError), sink:
            while piece := source.recv(1 << 16):
                sink.sendall(piece)
