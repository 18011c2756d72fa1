"""Plays one script on one server and returns what it answered.

A Player opens the sessions that a script names, sends what it says, reads as far as it says, and
keeps a transcript. It judges nothing, except that a server which stays silent is given up.
"""

import select
import socket
import struct
import time
from dataclasses import dataclass, field

import protocol
from protocol import Message


@dataclass
class Server:
    """Where a server is, and how to log in."""

    host: str
    port: int
    user: str
    database: str
    options: str = ""
    shards: bool = False  # true: `shard` and `reference` steps are carried out
    timeout: float = 10.0


@dataclass
class Entry:
    """One line of a transcript, and the line of the script that caused it."""

    line: int
    session: str
    message: Message


@dataclass
class Transcript:
    entries: list = field(default_factory=list)
    problems: list = field(default_factory=list)  # expectations of the script that did not hold


class Silence(Exception):
    """The server did not answer in time."""


class Closed(Exception):
    """The server closed the connection."""


class Session:
    """One connection."""

    def __init__(self, server):
        self.server = server
        self.socket = socket.create_connection((server.host, server.port), server.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.pending = []
        self.write_mode = "together"
        self.key = None
        self.open = True

    def login(self, extra):
        params = {"user": self.server.user, "database": self.server.database,
                  "application_name": "conversations"}
        if self.server.options:
            params["options"] = self.server.options
        params.update(extra)
        self.socket.sendall(protocol.startup(params))
        while True:
            message = self.read()
            if message.type == "E":
                raise Closed(str(message))
            if message.type == "Z":
                return

    def flush(self):
        """Sends what was written since the last flush, in the shape that `write` chose."""
        pending, self.pending = self.pending, []
        if self.write_mode == "together":
            pieces = [b"".join(pending)]
        elif self.write_mode == "messages":
            pieces = pending
        else:
            size = int(self.write_mode)
            whole = b"".join(pending)
            pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
        try:
            for piece in pieces:
                if piece:
                    self._send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer that was sent before is still to be read

    def _send(self, data):
        """Sends while reading, so that neither side waits for the other with full buffers."""
        deadline = time.monotonic() + self.server.timeout
        while data:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Silence("the server does not read")
            readable, writable, _ = select.select([self.socket], [self.socket], [], left)
            if readable:
                more = self.socket.recv(65536)
                self.received += more
                if not more:
                    return
            if writable:
                data = data[self.socket.send(data[:65536]) :]

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.socket], [], [], left)[0]:
            raise Silence("no answer in time")
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            self.open = False
            raise Closed("connection closed")
        self.received += more

    def read_byte(self):
        deadline = time.monotonic() + self.server.timeout
        while not self.received:
            self._fill(deadline)
        byte, self.received = self.received[:1], self.received[1:]
        return Message("byte", byte.decode("latin-1"))

    def read(self, seconds=None):
        deadline = time.monotonic() + (self.server.timeout if seconds is None else seconds)
        while True:
            if len(self.received) >= 5:
                length = struct.unpack(">I", self.received[1:5])[0]
                if len(self.received) > length:
                    break
            self._fill(deadline)
        kind = chr(self.received[0])
        body, self.received = self.received[5 : length + 1], self.received[length + 1 :]
        if kind == "K":
            self.key = struct.unpack(">i", body[:4])[0], body[4:]
        return protocol.decode(kind, body)

    def has_answer(self, seconds):
        return bool(self.received) or bool(select.select([self.socket], [], [], seconds)[0])

    def cancel(self):
        pid, secret = self.key
        address = (self.server.host, self.server.port)
        with socket.create_connection(address, self.server.timeout) as connection:
            connection.sendall(protocol.cancel_request(pid, secret))
            # The server closes when it has passed the request on.
            connection.settimeout(self.server.timeout)
            try:
                while connection.recv(16):
                    pass
            except (ConnectionResetError, TimeoutError):
                pass

    def close(self, politely=True):
        try:
            if politely and self.open:
                self.socket.sendall(protocol.message("X"))
        except OSError:
            pass
        self.socket.close()
        self.open = False


def run_sql(server, statements):
    """Runs statements one by one on a connection of its own; returns the rows of the last."""
    session = Session(server)
    try:
        session.login({})
        rows = []
        for sql in statements:
            session.socket.sendall(protocol.message("Q", protocol.cstring(sql)))
            rows, error = [], None
            while True:
                message = session.read()
                if message.type == "D":
                    rows.append(message.shown)
                elif message.type == "E":
                    error = message
                elif message.type == "Z":
                    break
            if error is not None:
                raise RuntimeError(f"{sql}: {error}")
        return rows
    finally:
        session.close()


class Player:
    def __init__(self, server):
        self.server = server
        self.sessions = {}
        self.current = "main"
        self.transcript = Transcript()
        self.last_read = []  # messages of the last `<`

    def play(self, script):
        if not any(step.verb in ("session", "connect") for step in script.steps[:1]):
            self._open("main", {})
        try:
            for step in script.steps:
                self._do(step)
        except (Silence, Closed) as problem:
            self._note(step.line, f"!! {type(problem).__name__.lower()}: {problem}")
        except OSError as problem:
            self._note(step.line, f"!! {problem}")
        finally:
            for session in self.sessions.values():
                session.close()
        return self.transcript

    def _note(self, line, text):
        self.transcript.entries.append(Entry(line, self.current, Message("!", text)))

    def _open(self, name, params, login=True):
        self.current = name
        self.sessions[name] = Session(self.server)
        if login:
            self.sessions[name].login(params)

    @property
    def session(self):
        return self.sessions[self.current]

    def _do(self, step):
        handler = {
            ">": lambda: self.session.pending.append(step.data),
            "send": self._send,
            "<": lambda: self._read(step),
            "=": lambda: self._expect(step),
            "session": lambda: self._choose(step.arguments),
            "connect": lambda: self._open(step.arguments[0], {}, login=False),
            "write": lambda: self._write(step.arguments[0]),
            "wait": lambda: time.sleep(float(step.arguments[0])),
            "cancel": lambda: self._cancel(step.arguments),
            "drop": self._drop,
            # Done before and after by the runner, which knows what is set up already.
            "setup": lambda: None,
            "teardown": lambda: None,
            "shard": lambda: None,
            "reference": lambda: None,
        }[step.verb]
        handler()

    def _choose(self, arguments):
        name, params = arguments[0], dict(a.split("=", 1) for a in arguments[1:])
        if name in self.sessions:
            self.current = name
        else:
            self._open(name, {k: v.replace("+", " ") for k, v in params.items()})

    def _write(self, mode):
        self.session.write_mode = "1" if mode == "bytes" else mode

    def _send(self):
        self.session.flush()

    def _drop(self):
        self._send()
        self.session.close(politely=False)

    def _cancel(self, arguments):
        self._send()
        if arguments == ["once"]:
            self.session.cancel()
            return
        # A request that arrives before the statement began has no effect, so it is repeated.
        deadline = time.monotonic() + self.server.timeout
        while not self.session.has_answer(0.1):
            if time.monotonic() > deadline:
                raise Silence("the statement was not cancelled")
            self.session.cancel()

    def _read(self, step):
        self._send()
        self.last_read = []
        what, count = step.arguments[0], 1
        if what == "quiet":
            self._read_until_quiet(step, 0.15)
            return
        if what == "closed":
            self._read_until_closed(step)
            return
        if what == "startup":
            self._read_startup(step)
            return
        ignored = step.arguments[2] if step.arguments[1:2] == ["ignoring"] else ""
        if len(step.arguments) > 1 and not ignored:
            count = int(step.arguments[1])
        while count > 0:
            message = self.session.read_byte() if what == "byte" else self.session.read()
            if not ignored or message.type not in ignored:
                self._keep(step, message)
            if what in ("any", "byte") or message.type in what.split("|"):
                count -= 1

    def _keep(self, step, message):
        self.last_read.append(message)
        self.transcript.entries.append(Entry(step.line, self.current, message))

    def _read_until_quiet(self, step, seconds):
        try:
            while True:
                self._keep(step, self.session.read(seconds))
        except Silence:
            pass

    def _read_until_closed(self, step):
        try:
            while True:
                self._keep(step, self.session.read())
        except Closed:
            self._keep(step, Message("closed", ""))

    def _read_startup(self, step):
        """Up to ready; the order of ParameterStatus is nobody's business."""
        statuses, others = [], []
        while True:
            message = self.session.read()
            (statuses if message.type == "S" else others).append(message)
            if message.type in "ZE":
                break
        for message in sorted(statuses, key=lambda m: m.shown) + others:
            self._keep(step, message)

    def _expect(self, step):
        expected = " ".join(step.arguments)
        got = " ".join(m.type for m in self.last_read)
        if got != expected:
            self.transcript.problems.append((step.line, expected, got))
