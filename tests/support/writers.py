"""Clients that insert numbered rows as fast as they can and remember what was acknowledged, to see
whether a change of placement under their hands loses, doubles or misplaces one."""

from __future__ import annotations

import collections
import itertools
import threading
import time

import psycopg


class Writers:
    """Inserts (k, id) into a table through several routers: single statements, prepared ones,
    several rows at once, and transactions, until the block ends."""

    def __init__(self, urls: list[str], table: str, workers: int = 6, keys: int = 200,
                 first: int = 1):
        self.urls, self.table, self.keys = urls, table, keys
        self.acknowledged: set[int] = set()
        self.errors: list[psycopg.Error] = []
        self.slowest = 0.0
        self._ids = itertools.count(first)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(workers)]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"

    def _run(self, number: int) -> None:
        kinds = (self._single, self._prepared, self._several, self._transaction)
        write = kinds[number % len(kinds)]
        with psycopg.connect(self.urls[number % len(self.urls)], autocommit=True) as connection:
            while not self._stop.is_set():
                ids = [next(self._ids) for _ in range(3)]
                started = time.monotonic()
                try:
                    write(connection, ids)
                except psycopg.Error as error:
                    self.errors.append(error)
                    if connection.closed:
                        return
                else:
                    with self._lock:
                        self.acknowledged.update(ids)
                self.slowest = max(self.slowest, time.monotonic() - started)

    def _row(self, row: int) -> tuple[int, int]:
        return row * 7919 % self.keys, row

    def _single(self, connection: psycopg.Connection, ids: list[int]) -> None:
        for row in ids:
            k, i = self._row(row)
            connection.execute(f"INSERT INTO {self.table} VALUES ({k}, {i})")

    def _prepared(self, connection: psycopg.Connection, ids: list[int]) -> None:
        for row in ids:
            connection.execute(
                f"INSERT INTO {self.table} VALUES (%s, %s)", self._row(row), prepare=True
            )

    def _several(self, connection: psycopg.Connection, ids: list[int]) -> None:
        rows = ", ".join(str(self._row(row)) for row in ids)
        connection.execute(f"INSERT INTO {self.table} VALUES {rows}")

    def _transaction(self, connection: psycopg.Connection, ids: list[int]) -> None:
        with connection.transaction():
            self._prepared(connection, ids)


def places(urls: dict[str, str], table: str) -> dict[tuple[int, int], list[str]]:
    """Every row of the table and the shards on which it lies."""
    found = collections.defaultdict(list)
    for name, url in urls.items():
        with psycopg.connect(url) as shard:
            if shard.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0] is None:
                continue
            for row in shard.execute(f"SELECT k, id FROM {table}"):
                found[row].append(name)
    return found
