#!/usr/bin/env python3
"""A proxy in front of PostgreSQL that makes one mistake on purpose: the positive control of run.py.

    faulty_proxy.py --postgres HOST:PORT --list
    faulty_proxy.py --postgres HOST:PORT          plays all conversations through every mistake

Every mistake must be found by at least one conversation, and the two harmless changes by none. It
listens on a free port of 127.0.0.1 and stops when done.
"""

import argparse
import contextlib
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading

import protocol

HERE = pathlib.Path(__file__).resolve().parent


class Faults:
    """One object for each connection: sees every server message, returns what to send instead."""

    def __init__(self):
        self.seen = 0
        self.previous = None

    def nothing(self, kind, body):
        return [(kind, body)]

    def lost_notice(self, kind, body):
        return [] if kind == "N" else [(kind, body)]

    def lost_parameter_status(self, kind, body):
        self.seen += kind == "Z"
        return [] if kind == "S" and self.seen else [(kind, body)]

    def second_error(self, kind, body):
        return [(kind, body)] * (2 if kind == "E" else 1)

    def second_ready(self, kind, body):
        self.seen += kind == "Z"
        return [(kind, body)] * (2 if kind == "Z" and self.seen == 3 else 1)

    def idle_status_in_block(self, kind, body):
        return [(kind, b"I" if kind == "Z" else body)]

    def wrong_sqlstate(self, kind, body):
        return [(kind, body.replace(b"C23505\0", b"CXX000\0") if kind == "E" else body)]

    def wrong_tag(self, kind, body):
        return [(kind, re.sub(rb"^(INSERT 0|COPY) \d+", rb"\1 0", body) if kind == "C" else body)]

    def null_becomes_empty(self, kind, body):
        changed = body.replace(b"\xff\xff\xff\xff", b"\0\0\0\0") if kind == "D" else body
        return [(kind, changed)]

    def format_zero_in_description(self, kind, body):
        return [(kind, body[:-1] + b"\0" if kind == "T" and len(body) > 2 else body)]

    def rows_swapped(self, kind, body):
        if kind == "D" and self.previous is None:
            self.previous = (kind, body)
            return []
        held, self.previous = self.previous, None
        return [(kind, body), held] if held else [(kind, body)]

    def no_portal_suspended(self, kind, body):
        return [("C", b"SELECT 1\0")] if kind == "s" else [(kind, body)]

    def parse_not_answered(self, kind, body):
        self.seen += kind == "1"
        return [] if kind == "1" and self.seen == 2 else [(kind, body)]

    def error_without_position(self, kind, body):
        return [(kind, re.sub(rb"\0P\d+\0", b"\0", body) if kind == "E" else body)]


HARMLESS = ("nothing", "nothing in pieces")
# Changes only what people read, and so shows up as wording.
WORDING = ("error_without_position",)


def faults():
    return [n for n in vars(Faults) if not n.startswith("_")]


class Proxy:
    def __init__(self, upstream, fault, pieces=False):
        self.upstream, self.fault, self.pieces = upstream, fault, pieces
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.upstream)
                for s in (client, server):
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._copy, args=(client, server), daemon=True).start()
                threading.Thread(target=self._alter, args=(server, client), daemon=True).start()

    @staticmethod
    def _end(*sockets):
        for s in sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def _copy(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        self._end(source, target)

    def _alter(self, source, target):
        alter = getattr(Faults(), self.fault)
        buffer = b""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                buffer += data
                if buffer[:1] == b"N" and len(buffer) == 1:  # the answer to SSLRequest
                    target.sendall(buffer)
                    buffer = b""
                out = b""
                while len(buffer) >= 5:
                    length = struct.unpack(">I", buffer[1:5])[0]
                    if len(buffer) <= length:
                        break
                    body, kind = buffer[5 : length + 1], chr(buffer[0])
                    buffer = buffer[length + 1 :]
                    out += b"".join(protocol.message(k, b) for k, b in alter(kind, body))
                self._send(target, out)
        self._end(source, target)

    def _send(self, target, data):
        if not self.pieces or len(data) > 20000:
            target.sendall(data)
            return
        for i in range(0, len(data), 7):
            target.sendall(data[i : i + 7])


def score(postgres, port, extra):
    command = [sys.executable, str(HERE / "run.py"), "--postgres", postgres, "--plain",
               "--shoal", f"127.0.0.1:{port}", "--timeout", "2", *extra]
    out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    last = out.strip().split("\n")[-1]
    counts = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", last)}
    if "equal" not in counts:
        sys.exit(f"run.py failed: {out}")
    return counts, last


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--postgres", required=True, metavar="HOST:PORT")
    parser.add_argument("--list", action="store_true")
    args, extra = parser.parse_known_args()
    host, _, port = args.postgres.rpartition(":")
    names = faults() + ["nothing in pieces"]
    if args.list:
        print("\n".join(names))
        return 0
    bad = 0
    for name in names:
        proxy = Proxy((host, int(port)), name.split(" ")[0], pieces=" " in name)
        counts, last = score(args.postgres, proxy.port, extra)
        proxy.stop()
        found = counts["different"] + counts["leaks"]
        if name in WORDING:
            found = counts["wording"]
        good = (found == 0) if name in HARMLESS else (found > 0)
        bad += not good
        print(f"{'ok' if good else 'NOT FOUND' if name not in HARMLESS else 'FALSE ALARM':11} "
              f"{name}: {last}", flush=True)
    print(f"{len(names)} controls, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
