"""A cluster's catalog in an application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from .keys import KeyFunction, Placement


@dataclass(frozen=True)
class Shard:
    name: str
    host: str
    port: str
    dbname: str
    home: bool


@dataclass(frozen=True)
class Cluster:
    """Shards and keyspaces of one epoch. Read again when the epoch has moved: slots may have."""

    name: str
    epoch: int
    shards: dict[str, Shard]
    keyspaces: dict[str, Placement]

    def where(self, keyspace: str, key: object) -> Shard:
        """The shard that holds the key."""
        return self.shards[self.keyspaces[keyspace].shard(key)]


def _rows(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    return [tuple(row) for row in cursor.fetchall()]


def read_cluster(connection: Any) -> Cluster:
    """Reads the catalog through a DB-API connection to the router or to home.

    All queries must see one moment: with autocommit the epoch is compared at the end and the
    reading repeated if it moved.
    """
    for _ in range(10):
        cluster = _read_once(connection)
        with connection.cursor() as cursor:
            if _rows(cursor, "SELECT epoch FROM shoal.cluster") == [(cluster.epoch,)]:
                return cluster
    raise RuntimeError("the catalog changes faster than it can be read")


def _read_once(connection: Any) -> Cluster:
    with connection.cursor() as cursor:
        name, epoch = _rows(cursor, "SELECT name, epoch FROM shoal.cluster")[0]
        shard_rows = _rows(
            cursor,
            "SELECT id, name, host, port, dbname, home FROM shoal.shard WHERE active ORDER BY name",
        )
        keyspaces = _rows(
            cursor,
            "SELECT id, name, function, params, array_to_string(key_types, ',') "
            "FROM shoal.keyspace",
        )
        ranges = _rows(
            cursor, "SELECT keyspace, first_slot, last_slot, shard FROM shoal.slot_range"
        )
        pinned = _rows(cursor, "SELECT keyspace, key, shard FROM shoal.pinned")
    names: dict[int, str] = {row[0]: row[1] for row in shard_rows}
    placements: dict[str, Placement] = {}
    for ident, keyspace, function_name, params, types in keyspaces:
        function = KeyFunction(function_name, params, types.split(","))
        owners: list[Optional[str]] = [None] * function.slot_count
        for owner_keyspace, first, last, shard in ranges:
            if owner_keyspace == ident:
                owners[first : last + 1] = [names[shard]] * (last + 1 - first)
        pins = {key: names[shard] for pin_keyspace, key, shard in pinned if pin_keyspace == ident}
        placements[keyspace] = Placement._of_catalog(function, list(names.values()), owners, pins)
    shards = {row[1]: Shard(*row[1:]) for row in shard_rows}
    return Cluster(name, epoch, shards, placements)
