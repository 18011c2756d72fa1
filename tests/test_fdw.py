"""PostgreSQL itself as a client: postgres_fdw on another server reads and writes through the
router."""

import psycopg
import pytest
from psycopg import sql
from support.postgres import Server


@pytest.fixture(scope="module")
def foreign(target):
    with Server("fdw") as server, psycopg.connect(server.dsn(), autocommit=True) as connection:
        try:
            connection.execute("CREATE EXTENSION postgres_fdw")
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("postgres_fdw is not installed")
        host, port = target.url.split("@")[1].split("/")[0].split(":")
        connection.execute(
            sql.SQL(
                "CREATE SERVER shoal FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host {}, port {},"
                " dbname 'app')"
            ).format(host, port)
        )
        connection.execute(
            "CREATE USER MAPPING FOR postgres SERVER shoal OPTIONS (user 'app', password_required"
            " 'false')"
        )
        yield connection


@pytest.fixture
def remote(db, tables, foreign):
    tables.append("far")
    db.execute("CREATE TABLE far (k int, id int, v text, PRIMARY KEY (k, id))")
    db.execute("SELECT create_distributed_table('far', 'k')")
    db.execute("INSERT INTO far VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'c'), (3, 1, NULL)")
    foreign.execute("IMPORT FOREIGN SCHEMA public LIMIT TO (far) FROM SERVER shoal INTO public")
    yield foreign
    foreign.execute("DROP FOREIGN TABLE far")


def test_rows_of_one_key_are_read(remote):
    assert remote.execute("SELECT id, v FROM far WHERE k = 1 ORDER BY id").fetchall() == [
        (1, "a"),
        (2, "b"),
    ]


def test_rows_of_one_key_are_written(remote):
    remote.execute("INSERT INTO far VALUES (1, 9, 'new')")
    remote.execute("UPDATE far SET v = 'changed' WHERE k = 1 AND id = 1")
    assert remote.execute("SELECT id, v FROM far WHERE k = 1 ORDER BY id").fetchall() == [
        (1, "changed"),
        (2, "b"),
        (9, "new"),
    ]


def test_all_rows_are_read_or_the_reason_is_told(remote):
    """It reads by a cursor under REPEATABLE READ, which may be refused over shards, never cut
    short."""
    try:
        assert remote.execute("SELECT count(*) FROM far").fetchone() == (4,)
    except psycopg.Error as error:
        assert "SH0" in str(error), error
