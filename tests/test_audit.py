"""Rows that lie on another shard than their key says: found, listed, and moved without losing or
doubling one, whatever is killed meanwhile."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time

import psycopg
import pytest

from support.cluster import available, binary
from support.postgres import Server
from support.shards import Shards

pytestmark = pytest.mark.skipif(not available(), reason="build/release/shoal is not built")

KEYS = 300


@pytest.fixture(scope="module")
def server():
    with Server("audit") as server:
        yield server


def right(key: int) -> int:
    return key % 3


def adopted(server, names=("a", "b", "c")) -> Shards:
    """Orders and their lines, right where they belong, on three shards."""
    shards = Shards(server, list(names))
    shards.everywhere(
        "CREATE TABLE orders (k int, id int, note text, PRIMARY KEY (k, id));"
        "CREATE TABLE lines (k int, id int, n int, PRIMARY KEY (k, id, n),"
        "  FOREIGN KEY (k, id) REFERENCES orders ON DELETE CASCADE);"
        "CREATE TABLE plain (k int, v int, PRIMARY KEY (k, v));"
        "CREATE TABLE code (c text PRIMARY KEY); INSERT INTO code VALUES ('x'), ('y')"
    )
    for number, name in enumerate(shards.names):
        mine = [k for k in range(KEYS) if right(k) == number]
        shards.copy(name, "orders", [(k, i, f"{k}/{i}") for k in mine for i in (1, 2)])
        shards.copy(name, "lines", [(k, i, n) for k in mine for i in (1, 2) for n in (1, 2)])
        shards.copy(name, "plain", [(k, 7) for k in mine])
    report = shards.adopt("--key", "k", "--yes")
    assert report["problems"] == []
    return shards


def move_wrongly(shards: Shards, key: int, to: str) -> None:
    """Takes a key with all its rows to a shard where it does not belong."""
    home = shards.names[right(key)]
    for table in ("orders", "lines", "plain"):
        shards.copy(to, table, shards.run(home, f"SELECT * FROM {table} WHERE k = {key}"))
    for table in ("lines", "orders", "plain"):
        shards.run(home, f"DELETE FROM {table} WHERE k = {key}")


def rows(shards: Shards, table: str, extra: list[str] = []) -> list[tuple]:
    return sorted(r for n in shards.names + extra for r in shards.run(n, f"SELECT * FROM {table}"))


def everything(shards: Shards) -> dict:
    return {t: rows(shards, t) for t in ("orders", "lines", "plain")}


def prepared(shards: Shards) -> int:
    return shards.run("postgres", "SELECT count(*) FROM pg_prepared_xacts")[0][0]


def test_rows_in_place_are_counted_and_nothing_is_found(server):
    shards = adopted(server)
    report = shards.audit()
    assert report["total"]["rows"] == KEYS * 7
    assert report["total"]["misplaced"] == 0 and report["findings"] == []
    assert {(t["table"], t["shard"]) for t in report["tables"]} == {
        (t, s) for t in ("orders", "lines", "plain") for s in "abc"
    }
    assert shards.audit("plain")["total"]["rows"] == KEYS
    # Rows by slot are a by-product.
    assert shards.run("a", "SELECT sum(rows)::int FROM shoal.slot_rows") == [(KEYS,)]
    assert "is not a sharded table" in shards.shoal(
        "audit", "code", "--catalog", shards.dsn("a"), status=1
    ).stderr


def test_misplaced_rows_are_listed_by_key_and_repaired_with_what_hangs_on_them(server):
    shards = adopted(server)
    before = everything(shards)
    for key in (0, 3, 31):
        move_wrongly(shards, key, "c")
    found = shards.audit(status=2)
    assert found["total"]["misplaced"] == 3 * 7
    assert {(f["table"], f["key"], f["shard"], f["belongs"]) for f in found["findings"]} == {
        (t, k, "c", b)
        for t in ("orders", "lines", "plain")
        for k, b in (("0", "a"), ("3", "a"), ("31", "b"))
    }
    repaired = shards.audit("--repair")
    assert (repaired["moved"], repaired["removed"], repaired["left"]) == (21, 0, 0)
    assert {f["state"] for f in repaired["findings"]} == {"moved"}
    assert everything(shards) == before
    assert shards.audit()["total"]["misplaced"] == 0
    assert prepared(shards) == 0
    for name in shards.names:
        assert shards.run(name, "SELECT count(*) FROM shoal.decision") == [(0,)]


def test_copies_are_removed_and_rows_that_differ_are_left(server):
    shards = adopted(server)
    before = everything(shards)
    shards.copy("c", "plain", [(0, 7), (0, 8)])  # one that a has too, one that it has not
    shards.copy("c", "orders", [(3, 1, "3/1"), (4, 1, "another note"), (4, 9, "new")])
    found = shards.audit(status=2)["findings"]
    numbers = {(f["table"], f["key"]): (f["rows"], f["duplicates"], f["conflicts"]) for f in found}
    assert numbers == {
        ("plain", "0"): (2, 1, 0),
        ("orders", "3"): (1, 1, 0),
        ("orders", "4"): (2, 0, 1),
    }
    report = shards.audit("--repair", status=2)
    assert (report["moved"], report["removed"]) == (1, 2)
    state = {(f["table"], f["key"]): f["state"] for f in report["findings"]}
    assert state[("orders", "4")].startswith("left: another row with the same primary key")
    assert shards.run("c", "SELECT * FROM orders WHERE k = 4 ORDER BY 2") == [
        (4, 1, "another note"), (4, 9, "new")]  # fmt: skip
    assert shards.run("b", "SELECT note FROM orders WHERE k = 4 AND id = 1") == [("4/1",)]
    assert rows(shards, "plain") == sorted(before["plain"] + [(0, 8)])
    assert shards.run("a", "SELECT v FROM plain WHERE k = 0 ORDER BY 1") == [(7,), (8,)]


def test_rows_that_a_default_database_has_come_home(server):
    shards = adopted(server)
    old = Shards(server, ["old"])
    old.run("old", "CREATE TABLE orders (k int, id int, note text, PRIMARY KEY (k, id));"
                   "CREATE TABLE users (id int)")
    old.copy("old", "orders", [(5, 1, "5/1"), (5, 50, "late"), (6, 60, "late"), (7, 1, "other")])
    also = ["--also", f"old={old.dsn('old')}"]
    found = shards.audit(*also, status=2)
    assert found["total"]["misplaced"] == 4
    report = shards.audit("--repair", *also, status=2)
    assert (report["moved"], report["removed"], report["left"]) == (2, 1, 1)
    assert old.run("old", "SELECT * FROM orders") == [(7, 1, "other")]
    assert shards.run("c", "SELECT note FROM orders WHERE k = 5 AND id = 50") == [("late",)]
    assert shards.run("a", "SELECT note FROM orders WHERE k = 6 AND id = 60") == [("late",)]


def test_what_violates_a_constraint_where_it_belongs_is_left(server):
    shards = adopted(server)
    shards.everywhere("ALTER TABLE plain ADD CHECK (v < 1000) NOT VALID")
    shards.run("c", "ALTER TABLE plain DROP CONSTRAINT plain_v_check")
    shards.copy("c", "plain", [(0, 2000)])
    report = shards.audit("--repair", status=2)
    assert report["left"] == 1 and "plain_v_check" in report["findings"][0]["state"]
    assert shards.run("c", "SELECT v FROM plain WHERE k = 0") == [(2000,)]
    # A line without its order: the foreign key is checked although triggers do not fire.
    shards.run("c", "DELETE FROM plain WHERE k = 0; SET session_replication_role = replica;"
                    "INSERT INTO lines VALUES (0, 99, 1)")
    report = shards.audit("--repair", status=2)
    assert "lines_k_id_fkey would not hold" in report["findings"][0]["state"]
    assert shards.run("c", "SELECT id FROM lines WHERE k = 0") == [(99,)]
    assert shards.run("a", "SELECT count(*) FROM lines WHERE id = 99") == [(0,)]


def test_copies_of_a_reference_table_that_differ_are_named(server):
    shards = adopted(server)
    shards.run("b", "INSERT INTO code VALUES ('z')")
    report = shards.audit(status=2)
    [text] = report["copies_differ"]
    assert text.startswith("code: b has 3 rows") and "home (a) has 2 rows" in text


def start_audit(shards: Shards, *options: str) -> subprocess.Popen:
    command = [str(binary()), "audit", "--catalog", shards.dsn("a"), "--json", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_audit_that_is_stopped_goes_on_where_it_was(server):
    shards = adopted(server)
    move_wrongly(shards, 0, "c")
    shards.everywhere("CREATE TABLE big (k int, v int, PRIMARY KEY (k, v))")
    for number, name in enumerate(shards.names):
        shards.run(name, f"INSERT INTO big SELECT 3 * i + {number}, i FROM generate_series(1, 4000) i")
    shards.run("a", "INSERT INTO shoal.placed_table SELECT 'big', kind, keyspace, key_columns,"
                    " local_constraints FROM shoal.placed_table WHERE relation = 'plain'::regclass")
    process = start_audit(shards, "--rate", "1500")
    done = "SELECT count(*) FROM shoal.audit_part"
    for _ in range(1500):
        if shards.run("a", done)[0][0] >= 1 or process.poll() is not None:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 3, process.stderr.read()
    assert shards.run("a", "SELECT state FROM shoal.jobs WHERE kind = 'audit'") == [("stopped",)]
    parts = shards.run("a", done)[0][0]
    assert 0 < parts < 12
    report = shards.audit("--resume", status=2)
    assert report["total"]["rows"] == KEYS * 7 + 12000
    assert report["total"]["misplaced"] == 7
    assert "no unfinished audit" in shards.shoal(
        "audit", "--resume", "--catalog", shards.dsn("a"), status=1).stderr  # fmt: skip


@contextlib.contextmanager
def sometimes_a_router(shards: Shards, wanted: bool):
    if wanted:
        shards.serve()
    try:
        yield
    finally:
        if wanted:
            shards.stop()


@pytest.mark.parametrize("with_router", [False, True], ids=["alone", "beside a router"])
def test_a_repair_that_is_killed_again_and_again_loses_and_doubles_nothing(server, with_router):
    shards = adopted(server)
    before = everything(shards)
    for key in range(0, KEYS, 2):
        home = shards.names[right(key)]
        move_wrongly(shards, key, next(n for n in shards.names if n != home))
    chance = random.Random(5)
    with sometimes_a_router(shards, with_router):
        kills = 0
        for _ in range(12):
            process = start_audit(shards, "--repair")
            time.sleep(chance.uniform(0.05, 0.6))
            kills += process.poll() is None
            process.kill()
            process.communicate(timeout=30)
        assert kills > 0
        for _ in range(100):
            report = shards.audit("--repair", status=None)
            if report["total"]["misplaced"] == 0 and prepared(shards) == 0:
                break
            time.sleep(0.1)
    assert report["left"] == 0
    assert everything(shards) == before
    for number, name in enumerate(shards.names):
        assert shards.run(name, f"SELECT count(*) FROM orders WHERE k % 3 <> {number}") == [(0,)]


def test_a_repair_from_a_server_that_is_no_shard_survives_kills(server):
    shards = adopted(server)
    before = everything(shards)
    old = Shards(server, ["old"])
    old.run("old", "CREATE TABLE plain (k int, v int, PRIMARY KEY (k, v))")
    strays = [(k, 100 + i) for k in range(KEYS) for i in range(3)]
    old.copy("old", "plain", strays)
    also = ["--also", f"old={old.dsn('old')}"]
    chance = random.Random(9)
    for _ in range(8):
        process = start_audit(shards, "--repair", *also)
        time.sleep(chance.uniform(0.1, 0.5))
        process.kill()
        process.communicate(timeout=30)
    for _ in range(100):
        report = shards.audit("--repair", *also, status=None)
        if report["total"]["misplaced"] == 0 and prepared(shards) == 0:
            break
        time.sleep(0.1)
    assert old.run("old", "SELECT count(*) FROM plain") == [(0,)]
    assert rows(shards, "plain") == sorted(before["plain"] + strays)


def test_the_report_is_readable_and_a_wrong_catalog_is_an_error(server):
    shards = adopted(server)
    move_wrongly(shards, 0, "b")
    text = shards.shoal("audit", "--catalog", shards.dsn("a"), status=2).stdout
    assert "orders key 0: 2 on b belong on a" in text
    assert "shoal audit --repair moves them" in text
    assert "Exit status" in shards.shoal("audit", "--help").stdout
    nowhere = shards.shoal("audit", "--catalog", "host=127.0.0.1 port=1 dbname=x", status=1)
    assert "refused" in nowhere.stderr
    with psycopg.connect(shards.dsn("a")) as c:
        assert c.execute("SELECT kind, state FROM shoal.jobs").fetchone() == ("audit", "done")
