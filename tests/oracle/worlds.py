"""Where comparisons run: for each number of shards one plain PostgreSQL and one Shoal cluster.

For checks of the oracle itself the Shoal side can be a second PostgreSQL (`against="postgres"`,
nothing may differ) or one that loses rows (`against="lossy"`, differences must be found).
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib

import psycopg

from support.cluster import Cluster
from support.postgres import Server

from .pair import Pair
from .sides import Side, clean

STUBS = pathlib.Path(__file__).with_name("stubs.sql")


@dataclasses.dataclass
class World:
    """One pair of databases; `connect` may be called in any process."""

    shards: int
    postgres_dsn: str
    shoal_dsn: str
    against: str = "shoal"
    revive: list[str] | None = None

    def connect(self) -> Pair:
        shoal = Side(self.shoal_dsn, sabotage=self.against == "lossy", revive=self.revive)
        return Pair(Side(self.postgres_dsn), shoal)


def clean_pair(pair: Pair) -> list[str]:
    """Both databases empty again; the errors of dropping, each with its side."""
    failed = [f"PostgreSQL: {e}" for e in clean(pair.postgres)]
    return failed + [f"Shoal: {e}" for e in clean(pair.shoal)]


def make_database(server: Server, like: str | None) -> str:
    """Creates role and database `app` with the stubs, in the locale of the database `like`."""
    superuser, options = False, ""
    if like:
        with psycopg.connect(like, autocommit=True) as shard:
            superuser = shard.execute(
                "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()[0]
            options = _locale_options(shard)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(
            f"CREATE ROLE app LOGIN {'SUPERUSER' if superuser else 'CREATEDB CREATEROLE'}"
        )
        admin.execute(f"CREATE DATABASE app OWNER app TEMPLATE template0 {options}")
    with psycopg.connect(server.dsn("app"), autocommit=True) as database:
        database.execute(STUBS.read_text())
    return server.dsn("app", "app")


def _locale_options(shard: psycopg.Connection) -> str:
    row = shard.execute(
        "SELECT to_jsonb(d) FROM pg_database d WHERE datname = current_database()"
    ).fetchone()[0]
    options = f"LC_COLLATE '{row['datcollate']}' LC_CTYPE '{row['datctype']}'"
    if row.get("datlocprovider") == "i":
        options += (
            f" LOCALE_PROVIDER icu ICU_LOCALE '{row.get('daticulocale') or row.get('datlocale')}'"
        )
    return options


@contextlib.contextmanager
def worlds(shards: list[int], against: str = "shoal"):
    """Starts everything; yields a World for each number of shards; removes everything."""
    with contextlib.ExitStack() as stack:
        made = []
        for count in shards:
            if against == "shoal":
                cluster = stack.enter_context(Cluster(count))
                like = cluster.url("s1")
                server = stack.enter_context(Server(f"oracle{count}"))
                revive = cluster.command("up")
                made.append(
                    World(count, make_database(server, like), cluster.url(), against, revive)
                )
            else:
                first = stack.enter_context(Server(f"oracle{count}"))
                second = stack.enter_context(Server(f"twin{count}"))
                made.append(
                    World(count, make_database(first, None), make_database(second, None), against)
                )
        yield made
