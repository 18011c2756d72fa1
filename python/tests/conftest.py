"""Tests run against the package as it is installed: built here into build/python when the
interpreter has none, and again when a source has changed since."""

from __future__ import annotations

import pathlib
import sys

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests"))

from support.python_package import build_package  # noqa: E402

sys.path.insert(0, str(build_package()))

TENANTS = {1: 3, 2: 2, 3: 1}  # rows of each tenant


@pytest.fixture(scope="session")
def cluster():
    """Two shards behind a router, with a sharded table `notes`."""
    import psycopg
    from support.cluster import Cluster

    with Cluster(2) as made:
        with psycopg.connect(made.url(), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE notes (tenant_id int, id bigserial, words text NOT NULL,"
                " PRIMARY KEY (tenant_id, id))"
            )
            connection.execute("SELECT create_distributed_table('notes', 'tenant_id')")
        yield made


@pytest.fixture
def notes(cluster):
    """The URL of the router; `notes` holds the rows of TENANTS."""
    import psycopg

    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("TRUNCATE notes")
        for tenant, count in TENANTS.items():
            for i in range(count):
                connection.execute(
                    "INSERT INTO notes (tenant_id, words) VALUES (%s, %s)", (tenant, f"note {i}")
                )
    return cluster.url()
