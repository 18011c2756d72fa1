"""Asks the admin console (database `shoal`) whether anything was left behind.

After a script every client is gone, so no server connection may be in use and nobody may wait.
"""

import time

import player
import protocol


def show(server, command, user):
    """The rows of a SHOW command as dictionaries."""
    console = player.Server(server.host, server.port, user, "shoal", timeout=5.0)
    session = player.Session(console)
    try:
        session.login({})
        session.socket.sendall(protocol.message("Q", protocol.cstring(command)))
        names, rows = [], []
        while True:
            message = session.read()
            if message.type == "T":
                names = [c.split(":")[0] for c in message.shown.split(" ")]
            elif message.type == "D":
                rows.append([v.strip("'") for v in message.shown.split(" ")])
            elif message.type == "E":
                raise RuntimeError(f"{command}: {message}")
            elif message.type == "Z":
                return [dict(zip(names, row)) for row in rows]
    finally:
        session.close()


BUSY = ("cl_waiting", "sv_active", "sv_login", "sv_tested")


def busy(server, user):
    """What of the server's database is still in use, as text; empty when all is idle."""
    found = []
    for pool in show(server, "SHOW POOLS", user):
        if pool.get("database") != server.database:
            continue
        for column in BUSY:
            if pool.get(column, "0") not in ("0", "NULL"):
                found.append(f"{column}={pool[column]}")
    return " ".join(found)


def wait_until_idle(server, user, seconds=3.0):
    """Returns what is still busy after a while, or an empty string."""
    deadline = time.monotonic() + seconds
    while (left := busy(server, user)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
