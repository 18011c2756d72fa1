"""A workload whose damage can be seen: transfers between accounts, and pairs of rows written
together.

Whatever is killed, three things must hold afterwards: the sum of all accounts is what it was, a
pair is there whole or not at all, and every transaction that was acknowledged is there.
"""

from __future__ import annotations

import dataclasses
import random
import threading

import psycopg

ACCOUNTS = 60
START = 1000
TABLES = ("bank", "pair_a", "pair_b")


@dataclasses.dataclass
class Worker:
    """What one client did: tokens by what it heard about them."""

    number: int
    acknowledged: list[int] = dataclasses.field(default_factory=list)
    unknown: list[int] = dataclasses.field(default_factory=list)
    refused: int = 0
    last_error: str = ""


def create(url: str, placement: bool = True) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bank (k int PRIMARY KEY, v bigint NOT NULL)")
        connection.execute("CREATE TABLE pair_a (k int, token bigint, PRIMARY KEY (k, token))")
        connection.execute("CREATE TABLE pair_b (k int, token bigint, PRIMARY KEY (k, token))")
        if placement:
            for table in TABLES:
                connection.execute(f"SELECT create_distributed_table('{table}', 'k')")
        with connection.cursor() as cursor, cursor.copy("COPY bank FROM STDIN") as copy:
            for k in range(ACCOUNTS):
                copy.write_row((k, START))


def transfer(connection: psycopg.Connection, chance: random.Random, token: int) -> None:
    """One transaction: money from one key to another, and a row at each of two keys."""
    source, target = sorted(chance.sample(range(ACCOUNTS), 2))
    amount = chance.randint(-50, 50)
    with connection.transaction():
        connection.execute("UPDATE bank SET v = v - %s WHERE k = %s", (amount, source))
        connection.execute("UPDATE bank SET v = v + %s WHERE k = %s", (amount, target))
        connection.execute("INSERT INTO pair_a VALUES (%s, %s)", (source, token))
        connection.execute("INSERT INTO pair_b VALUES (%s, %s)", (target, token))


class Load:
    """Clients that transfer until told to stop; they reconnect when they lose their connection."""

    def __init__(self, url: str, workers: int = 4, seed: int = 1, act=transfer):
        self.url = url
        self.act = act
        self.stop = threading.Event()
        self.workers = [Worker(n) for n in range(workers)]
        self.threads = [
            threading.Thread(target=self._run, args=(w, random.Random(seed * 1000 + w.number)))
            for w in self.workers
        ]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(timeout=60)
        assert not any(t.is_alive() for t in self.threads), "a client hangs"

    def _run(self, worker: Worker, chance: random.Random) -> None:
        connection, sequence = None, 0
        while not self.stop.is_set():
            sequence += 1
            token = worker.number * 1_000_000 + sequence
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(self.url, autocommit=True, connect_timeout=5)
                self.act(connection, chance, token)
                worker.acknowledged.append(token)
            except psycopg.Error as error:
                worker.last_error = f"{error.sqlstate} {error}"
                # An error with a SQLSTATE before COMMIT is a promise that nothing stays, except
                # 08007.
                if error.sqlstate and not error.sqlstate.startswith(("08", "57P")):
                    worker.refused += 1
                else:
                    worker.unknown.append(token)
                if connection is not None:
                    connection.close()
                self.stop.wait(0.05)
        if connection is not None:
            connection.close()

    @property
    def acknowledged(self) -> set[int]:
        return {token for w in self.workers for token in w.acknowledged}

    @property
    def unknown(self) -> set[int]:
        return {token for w in self.workers for token in w.unknown}


def damage(urls: list[str], load: Load) -> list[str]:
    """What is wrong, in words; reads each shard by itself, so that no router can hide it."""
    total, left, right, prepared = 0, set(), set(), 0
    for url in urls:
        with psycopg.connect(url, autocommit=True) as shard:
            total += shard.execute("SELECT coalesce(sum(v), 0) FROM bank").fetchone()[0]
            left |= {r[0] for r in shard.execute("SELECT token FROM pair_a")}
            right |= {r[0] for r in shard.execute("SELECT token FROM pair_b")}
            prepared += shard.execute("SELECT count(*) FROM pg_prepared_xacts").fetchone()[0]
    found = []
    if total != ACCOUNTS * START:
        found.append(f"the sum is {total} instead of {ACCOUNTS * START}")
    if left != right:
        found.append(f"{len(left ^ right)} pairs are half there: {sorted(left ^ right)[:5]}")
    if lost := load.acknowledged - (left & right):
        found.append(f"{len(lost)} acknowledged transactions are lost: {sorted(lost)[:5]}")
    if extra := (left | right) - load.acknowledged - load.unknown:
        found.append(f"{len(extra)} transactions are there that failed: {sorted(extra)[:5]}")
    if prepared:
        found.append(f"{prepared} transactions are still prepared")
    return found
