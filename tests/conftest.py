"""A cluster for all tests of one run: three shards, unless SHOAL_TEST_AGAINST=postgres asks for
plain PostgreSQL, which checks the tests themselves."""

import os
import pathlib
import sys

import psycopg
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from oracle.worlds import make_database  # noqa: E402
from support.cluster import Cluster  # noqa: E402
from support.postgres import Server  # noqa: E402

SHARDS = 3


class Target:
    """What a test connects to. `router` is False when it is plain PostgreSQL."""

    def __init__(self, url: str, cluster: Cluster | None):
        self.url = url
        self.cluster = cluster
        self.router = cluster is not None

    def connect(self, **options) -> psycopg.Connection:
        return psycopg.connect(self.url, **{"autocommit": True, **options})

    def shard_counts(self, table: str) -> list[int]:
        """Rows of a table on each shard, past the router."""
        counts = []
        for number in range(1, self.cluster.shards + 1):
            with psycopg.connect(self.cluster.url(f"s{number}")) as shard:
                counts.append(shard.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        return counts


@pytest.fixture(scope="session")
def target():
    if os.environ.get("SHOAL_TEST_AGAINST") == "postgres":
        with Server("target") as server:
            make_database(server, None)
            yield Target(server.url("app", "app"), None)
    else:
        with Cluster(SHARDS) as cluster:
            yield Target(cluster.url(), cluster)


@pytest.fixture
def db(target):
    """An autocommit connection; tables that the test makes are its own to drop."""
    with target.connect() as connection:
        yield connection


@pytest.fixture
def tables(target):
    """Names of tables to drop when the test is over, whatever its connection did."""
    names: list[str] = []
    yield names
    with target.connect() as connection:
        for name in names:
            connection.execute(f"DROP TABLE IF EXISTS {name} CASCADE")
