"""Shard keys to shards, in applications: exactly the functions of the Shoal router.

import shoal

shoal.shard_for("user-42", 4)                      # 0..3, by BLAKE2b keyed with the salt
ring = shoal.KeyFunction("ring", {"nodes": ["5432", "5433", "5434"]})
ring.owner("0OGWo")                                # "5433"

with shoal.with_key(42):                           # the active key, of this thread or task
    with shoal.session_key(connection):            # psycopg, asyncpg: rows of that key only
        ...
shoal.for_each_shard(count_orders, num_shards=4)   # {"shard_0": ..., ...}, in parallel

shoal.sqlalchemy, shoal.asyncpg and shoal.django bring the active key onto connections.
"""

from ._core import KeyFunctionError
from .cluster import Cluster, Shard, read_cluster
from .fanout import for_each_shard, for_each_shard_async, shard_aliases
from .keys import DEFAULT_SALT, KeyFunction, Placement, function_names, shard_for
from .scope import NoActiveKey, all_keys, current_key, get_shard_key, with_key, with_shard_key
from .session import session_key

__all__ = [
    "DEFAULT_SALT",
    "Cluster",
    "KeyFunction",
    "KeyFunctionError",
    "NoActiveKey",
    "Placement",
    "Shard",
    "all_keys",
    "current_key",
    "for_each_shard",
    "for_each_shard_async",
    "function_names",
    "get_shard_key",
    "read_cluster",
    "session_key",
    "shard_aliases",
    "shard_for",
    "with_key",
    "with_shard_key",
]
__version__ = "0.1.0"
