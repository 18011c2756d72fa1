"""A change of placement while clients write through two routers: no row is lost, doubled or left
where nobody looks, and no client sees more than a short wait."""

import contextlib
import os
import signal
import subprocess
import time

import psycopg
import pytest
from support.cluster import Cluster, binary
from support.postgres import Server, free_port
from support.writers import Writers, places


@pytest.fixture(scope="module")
def cluster():
    with Cluster(3) as made:
        yield made


@pytest.fixture(scope="module")
def second(cluster):
    """Another router on the same catalog: its URL and its process."""
    port = free_port()
    config = str(cluster.directory / "router.toml")
    command = [binary(), "serve", "--config", config, "--set", f"listen.port={port}"]
    with open(cluster.folder / "second.log", "w") as log:
        process = subprocess.Popen(
            [*command, "--set", "http.port=0"], stdout=log, stderr=subprocess.STDOUT
        )
    url = cluster.url().replace(f":{cluster.port}/", f":{port}/")
    try:
        wait_until(lambda: answers(url))
        yield url, process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(20)


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def wait_until(true, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def shard_urls(cluster: Cluster) -> dict[str, str]:
    with psycopg.connect(cluster.url()) as connection:
        rows = connection.execute("SELECT name, port FROM shoal.shards").fetchall()
    return {name: f"host=127.0.0.1 port={port} dbname=app user=postgres" for name, port in rows}


@contextlib.contextmanager
def table(cluster: Cluster, name: str, sharded: bool = False):
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {name} (k int, id int, PRIMARY KEY (k, id))")
        if sharded:
            connection.execute(f"SELECT create_distributed_table('{name}', 'k')")
        yield connection
        connection.execute(f"DROP TABLE {name}")


def check_sharded(cluster: Cluster, writers: Writers) -> None:
    found = places(shard_urls(cluster), writers.table)
    doubled = {row: where for row, where in found.items() if len(where) > 1}
    assert not doubled
    assert {row[1] for row in found} >= writers.acknowledged, "acknowledged rows are lost"
    with psycopg.connect(cluster.url()) as connection:
        owner = {
            k: connection.execute(
                f"SELECT * FROM shoal.where('{writers.table}', '{k}')"
            ).fetchone()[4]
            for k in {row[0] for row in found}
        }
        seen = connection.execute(f"SELECT count(*) FROM {writers.table}").fetchone()[0]
    misplaced = {
        row: (where, owner[row[0]])
        for row, where in found.items()
        if where != [owner[row[0]]]
    }
    assert not misplaced
    assert seen == len(found)


def unexpected(writers: Writers) -> list:
    """A transaction that began under the old placement may be told to start anew (40001)."""
    return [e for e in writers.errors if e.sqlstate != "40001"]


@pytest.mark.parametrize("turn", range(3))
def test_a_table_is_sharded_while_two_routers_write_to_it(cluster, second, turn):
    with table(cluster, f"moving{turn}") as connection:
        with Writers([cluster.url(), second[0]], f"moving{turn}", workers=8) as writers:
            time.sleep(0.7)
            connection.execute(f"SELECT create_distributed_table('moving{turn}', 'k')")
            time.sleep(0.7)
        assert len(writers.acknowledged) > 100
        assert unexpected(writers) == []
        check_sharded(cluster, writers)


def test_a_table_becomes_a_reference_table_while_two_routers_write_to_it(cluster, second):
    with table(cluster, "copied") as connection:
        with Writers([cluster.url(), second[0]], "copied", workers=8) as writers:
            time.sleep(0.7)
            connection.execute("SELECT create_reference_table('copied')")
            time.sleep(1)
        assert unexpected(writers) == []
        check_copies(cluster, writers)


def check_copies(cluster: Cluster, writers: Writers) -> None:
    urls = shard_urls(cluster)
    found = places(urls, writers.table)
    assert {row[1] for row in found} >= writers.acknowledged
    assert not {row: where for row, where in found.items() if len(where) != len(urls)}


def test_keys_with_rows_are_pinned_while_two_routers_write_to_them(cluster, second):
    with table(cluster, "pinned", sharded=True) as connection:
        with Writers([cluster.url(), second[0]], "pinned", workers=8, keys=5) as writers:
            for key in range(5):
                time.sleep(0.3)
                try:
                    connection.execute("SELECT shoal.pin('pinned', %s, 's2')", (str(key),))
                except psycopg.Error as refused:  # a move is another matter; nothing changed
                    assert (refused.diag.message_detail or "").startswith("SH"), refused
            time.sleep(0.5)
        assert unexpected(writers) == []
        check_sharded(cluster, writers)


def test_a_router_that_was_stopped_does_not_write_by_its_old_map(cluster, second):
    """It is stopped before the table is sharded and goes on afterwards, with clients waiting."""
    url, process = second
    with table(cluster, "frozen") as connection:
        with Writers([url], "frozen", workers=4) as frozen:
            with Writers([cluster.url()], "frozen", workers=4, first=10_000_000) as writers:
                time.sleep(0.7)
                os.kill(process.pid, signal.SIGSTOP)
                try:
                    connection.execute("SELECT create_distributed_table('frozen', 'k')")
                    time.sleep(0.5)
                finally:
                    os.kill(process.pid, signal.SIGCONT)
                time.sleep(1)
        assert unexpected(writers) == []
        frozen.acknowledged |= writers.acknowledged
        check_sharded(cluster, frozen)
    wait_until(lambda: answers(url))


def test_a_shard_is_added_while_two_routers_write_reference_rows(cluster, second):
    with Server("added") as server, table(cluster, "everywhere") as connection:
        connection.execute("SELECT create_reference_table('everywhere')")
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute("CREATE ROLE app LOGIN")
            admin.execute("CREATE DATABASE app OWNER app")
        with Writers([cluster.url(), second[0]], "everywhere", workers=4) as writers:
            time.sleep(0.5)
            connection.execute(
                "SELECT shoal.add_shard('s4', %s)",
                (f"host=127.0.0.1 port={server.port} dbname=app user=postgres",),
            )
            time.sleep(0.7)
        assert unexpected(writers) == []
        check_copies(cluster, writers)
