"""Real clients do what they do with PostgreSQL: psql, pgbench, psycopg, asyncpg."""

import asyncio
import contextlib
import datetime
import decimal
import os
import signal
import subprocess
import threading
import time
import uuid

import asyncpg
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from support.cluster import Cluster
from support.postgres import bin_dir


@pytest.fixture
def orders(db, tables):
    tables.append("orders")
    db.execute(
        "CREATE TABLE orders (k int, id int, note text, amount numeric(10,2), PRIMARY KEY (k, id))"
    )
    db.execute("SELECT create_distributed_table('orders', 'k')")
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO orders VALUES (%s, %s, %s, %s)",
            [(i % 10, i, f"note {i}", i * 1.5) for i in range(100)],
        )
    return db


def psql(target, *arguments, stdin=""):
    return subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=1", target.url, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


# -- psql ------------------------------------------------------------------------------------------


def test_psql_runs_statements_and_prints_their_tags(target, orders):
    done = psql(target, "-c", "UPDATE orders SET note = 'x'", "-c", "SELECT count(*) FROM orders")
    assert (
        done.returncode == 0 and "UPDATE 100" in done.stdout and "100\n(1 row)" in done.stdout
    ), done


def test_psql_describes_tables(target, orders):
    done = psql(
        target,
        "-c",
        r"\d orders",
        "-c",
        r"\dt",
        "-c",
        r"\di",
        "-c",
        r"\l",
        "-c",
        r"\du",
        "-c",
        r"\dn",
    )
    assert done.returncode == 0, done.stderr
    assert "orders_pkey" in done.stdout and "numeric(10,2)" in done.stdout


def test_psql_copies_both_ways(target, orders):
    done = psql(target, "-c", r"\copy orders from stdin csv", stdin='1000,1,"a,b",2.5\n1001,2,,\n')
    assert done.returncode == 0 and "COPY 2" in done.stdout, done
    done = psql(
        target, "-c", r"\copy (select * from orders where k >= 1000 order by k) to stdout csv"
    )
    assert done.stdout == '1000,1,"a,b",2.50\n1001,2,,\n'


def test_psql_stops_at_an_error_and_shows_its_sqlstate(target):
    done = psql(target, "-v", "VERBOSITY=verbose", "-c", "SELECT 1/0")
    assert done.returncode == 1 and "22012" in done.stderr


def test_psql_script_with_transaction_and_variables(target, orders):
    script = r"""
\set key 3
BEGIN;
DELETE FROM orders WHERE k = :key;
SELECT count(*) AS n FROM orders \gset
\echo inside :n
ROLLBACK;
SELECT count(*) FROM orders;
"""
    done = psql(target, "-At", stdin=script)
    assert (
        done.returncode == 0
        and done.stdout.split("\n")[-2:][0] == "100"
        and "inside 90" in done.stdout
    ), done


# -- pgbench ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_transactions_keep_the_sum(target, db, tables, tmp_path, mode):
    """Its own transaction, over accounts by aid: three tables, often two shards, and a history."""
    tables += ["pgbench_accounts", "pgbench_tellers", "pgbench_branches", "pgbench_history"]
    db.execute("CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int)")
    db.execute("CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int)")
    db.execute("CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int)")
    db.execute(
        "CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp)"
    )
    db.execute("SELECT create_distributed_table('pgbench_accounts', 'aid')")
    db.execute("SELECT create_distributed_table('pgbench_history', 'aid')")
    db.execute("SELECT create_distributed_table('pgbench_tellers', 'tid')")
    for table, count in (("branches", 2), ("tellers", 20), ("accounts", 1000)):
        with db.cursor().copy(f"COPY pgbench_{table} FROM STDIN") as copy:
            for i in range(1, count + 1):
                copy.write_row((i, 0) if table == "branches" else (i, 1, 0))
    script = tmp_path / "tpcb.sql"
    script.write_text(r"""\set aid random(1, 1000)
\set bid random(1, 2)
\set tid random(1, 20)
\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
  VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
""")
    done = subprocess.run(
        [
            bin_dir() / "pgbench",
            "-n",
            "-M",
            mode,
            "-c",
            "4",
            "-t",
            "40",
            "--max-tries=20",
            "-f",
            script,
            target.url,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (
        done.returncode == 0 and "number of transactions actually processed: 160/160" in done.stdout
    ), done
    sums = db.execute(
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM"
        " pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM"
        " pgbench_history)"
    ).fetchone()
    assert len(set(sums)) == 1, sums
    assert db.execute("SELECT count(*) FROM pgbench_history").fetchone()[0] == 160


# -- psycopg ---------------------------------------------------------------------------------------


def test_rows_lie_on_their_shards(target, orders):
    if target.router:
        counts = target.shard_counts("orders")
        assert sum(counts) == 100 and all(n < 100 for n in counts)


def test_psycopg_parameters_and_row_factories(orders):
    cursor = orders.cursor(row_factory=dict_row)
    row = cursor.execute("SELECT * FROM orders WHERE k = %s AND id = %s", (3, 13)).fetchone()
    assert row == {"k": 3, "id": 13, "note": "note 13", "amount": decimal.Decimal("19.50")}
    rows = cursor.execute(
        "SELECT k, sum(amount) AS s FROM orders WHERE id < %s GROUP BY k ORDER BY k", (50,)
    ).fetchall()
    assert len(rows) == 10 and rows[0] == {"k": 0, "s": decimal.Decimal("150.00")}


def test_psycopg_prepares_after_some_executions(orders):
    for i in range(20):
        found = orders.execute(
            "SELECT id FROM orders WHERE k = %s ORDER BY id LIMIT 1", (i % 10,), prepare=True
        )
        assert found.fetchone() == (i % 10,)
        assert orders.execute(
            "SELECT count(*) FROM orders WHERE id >= %s", (i,), prepare=True
        ).fetchone() == (100 - i,)


def test_psycopg_binary_results(orders):
    cursor = orders.cursor(binary=True)
    assert cursor.execute(
        "SELECT sum(amount), max(note), count(*), avg(id) FROM orders"
    ).fetchone() == (decimal.Decimal("7425.00"), "note 99", 100, decimal.Decimal("49.5"))


def test_psycopg_pipeline(target, orders):
    with target.connect() as connection, connection.pipeline() as pipeline:
        cursors = [
            connection.execute("SELECT id FROM orders WHERE k = %s AND id = %s", (i % 10, i))
            for i in range(30)
        ]
        everything = connection.execute("SELECT count(*) FROM orders")
        pipeline.sync()
        assert [c.fetchone()[0] for c in cursors] == list(range(30))
        assert everything.fetchone() == (100,)


def test_an_error_in_a_pipeline_skips_to_sync_and_no_further(target, orders):
    with target.connect() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            with connection.pipeline():
                connection.execute("SELECT id FROM orders WHERE k = 1")
                connection.execute("SELECT 1/0")
                connection.execute("SELECT 2")
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (100,)


def test_psycopg_executemany_returning(orders):
    cursor = orders.cursor()
    cursor.executemany(
        "INSERT INTO orders VALUES (%s, %s, 'm', 0) RETURNING id",
        [(i, 500 + i) for i in range(8)],
        returning=True,
    )
    ids = []
    while True:
        ids.append(cursor.fetchone()[0])
        if not cursor.nextset():
            break
    assert ids == list(range(500, 508))


def test_psycopg_binary_copy_both_ways(orders):
    with orders.cursor().copy("COPY orders (k, id, note) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "int4", "text"])
        for i in range(200, 260):
            copy.write_row((i, i, None if i % 7 == 0 else f"bin {i}"))
    assert orders.execute("SELECT count(*), count(note) FROM orders WHERE k >= 200").fetchone() == (
        60,
        51,
    )
    with orders.cursor().copy(
        "COPY (SELECT k, note FROM orders WHERE k = 201) TO STDOUT (FORMAT binary)"
    ) as copy:
        copy.set_types(["int4", "text"])
        assert list(copy.rows()) == [(201, "bin 201")]


def test_transactions_over_shards_commit_and_roll_back(target, orders):
    with target.connect(autocommit=False) as connection:
        connection.execute("UPDATE orders SET amount = amount - 1 WHERE k = 1 AND id = 1")
        connection.execute("UPDATE orders SET amount = amount + 1 WHERE k = 2 AND id = 2")
        connection.rollback()
        with connection.transaction():
            connection.execute("DELETE FROM orders WHERE k IN (1, 2, 3)")
            try:
                with connection.transaction():
                    connection.execute("DELETE FROM orders")
                    raise RuntimeError
            except RuntimeError:
                pass
            assert connection.execute("SELECT count(*) FROM orders").fetchone() == (70,)
    assert (
        orders.execute(
            "SELECT count(*), sum(amount) FROM orders WHERE k NOT IN (1, 2, 3)"
        ).fetchone()[0]
        == 70
    )


def test_cancel_ends_a_statement_and_not_the_connection(target):
    with target.connect() as connection:
        threading.Timer(0.5, connection.cancel_safe).start()
        started = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")
        assert time.monotonic() - started < 10
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_cancel_ends_a_statement_on_all_shards(target, orders):
    with target.connect() as connection:
        threading.Timer(0.5, connection.cancel_safe).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT count(*) FROM orders, generate_series(1, 100000000)")
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (100,)


def test_cancel_ends_statements_that_wait_for_server_connections(target, orders):
    """Also between the steps of one statement, when nothing of it runs on any server."""
    heavy = "SELECT count(*) FROM orders a, orders b, orders c, generate_series(1, 1000000)"

    async def cancelled(connection):
        with contextlib.suppress(asyncio.TimeoutError):
            await connection.fetch(heavy, timeout=0.3)

    async def work():
        connections = [await asyncpg.connect(target.url) for _ in range(150)]
        await asyncio.gather(*(cancelled(c) for c in connections))
        counts = [c.fetchval("SELECT count(*) FROM orders", timeout=20) for c in connections]
        assert set(await asyncio.gather(*counts)) == {100}
        for connection in connections:
            await connection.close()

    asyncio.run(work())


def test_many_gathering_statements_do_not_wait_for_each_other(target, orders):
    """Each needs two connections to home: one whose rows it reads, and one that it finishes on."""

    async def work():
        connections = [await asyncpg.connect(target.url) for _ in range(150)]
        start = time.monotonic()
        query = "SELECT count(*) FROM orders a JOIN orders b ON a.id = b.id + 1"
        counts = [c.fetchval(query, timeout=60) for c in connections]
        assert set(await asyncio.gather(*counts)) == {99}
        inside = [c.transaction() for c in connections]
        await asyncio.gather(*(t.start() for t in inside[:50]))
        counts = [c.fetchval(query, timeout=60) for c in connections[:50]]
        assert set(await asyncio.gather(*counts)) == {99}
        await asyncio.gather(*(t.rollback() for t in inside[:50]))
        assert time.monotonic() - start < 25, "one waited for pool_wait"
        for connection in connections:
            await connection.close()

    asyncio.run(work())


def test_client_side_identifiers_and_types(orders):
    query = sql.SQL(
        "SELECT {}, %s::uuid, %s::jsonb, %s::timestamptz FROM {} WHERE k = 1 ORDER BY id LIMIT 1"
    ).format(sql.Identifier("note"), sql.Identifier("public", "orders"))
    some, moment = uuid.uuid4(), datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
    row = orders.execute(query, (some, Jsonb({"a": [1, None]}), moment)).fetchone()
    assert row == ("note 1", some, {"a": [1, None]}, moment)


def test_sessions_do_not_inherit_from_each_other(target):
    """What one client leaves behind is gone for the next, whichever server connection it gets."""
    with target.connect() as first:
        first.execute("SET work_mem = '3MB'")
        first.execute("SET app.mark = 'left'")
        first.execute("SELECT set_config('app.other', 'left', false)")
        first.execute("PREPARE left_behind AS SELECT 1")
    for _ in range(5):
        with target.connect() as second:
            assert second.execute("SHOW work_mem").fetchone() != ("3MB",)
            for name in ("app.mark", "app.other"):
                assert second.execute(
                    f"SELECT coalesce(current_setting('{name}', true), '')"
                ).fetchone() == ("",)
            with pytest.raises(psycopg.errors.InvalidSqlStatementName):
                second.execute("EXECUTE left_behind")


def test_prepared_statements_mean_the_temporary_table_of_the_moment(target, orders):
    """psycopg prepares a text that it has seen five times."""
    count = "SELECT count(*) FROM orders"
    with target.connect() as connection:
        connection.execute("CREATE TEMP TABLE other (x int)")
        for _ in range(8):
            assert connection.execute(count).fetchone() == (100,)
        connection.execute("CREATE TEMP TABLE orders (x int)")
        # PostgreSQL keeps the meaning that the name had when it was prepared.
        assert connection.execute(count).fetchone() in [(0,), (100,)]
        assert connection.execute(count + " o").fetchone() == (0,)
        connection.execute("DROP TABLE orders")
        assert connection.execute(count).fetchone() == (100,)


def test_temporary_tables_and_cursors_of_other_shards_are_kept_together(target, orders):
    """Several server connections belong to the client then, and all of them stay."""
    with target.connect() as connection:
        connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS x")
        for k in range(10):
            connection.execute(
                f"DECLARE c{k} CURSOR WITH HOLD FOR SELECT k FROM orders WHERE k = {k}"
            )
        assert connection.execute("SELECT x FROM mine").fetchone() == (1,)
        for k in range(10):
            assert connection.execute(f"FETCH 1 FROM c{k}").fetchone() == (k,)
        assert connection.execute("SELECT x FROM mine").fetchone() == (1,)


def test_a_session_ends_with_the_connection_that_holds_its_temporary_tables():
    """Going on without them, it would see other tables of their names."""
    with Cluster(2) as cluster:
        setup = psycopg.connect(cluster.url(), autocommit=True)
        setup.execute("CREATE TABLE t (k int PRIMARY KEY)")
        setup.execute("SELECT create_distributed_table('t', 'k')")
        setup.execute("INSERT INTO t SELECT generate_series(1, 20)")
        setup.close()
        connection = psycopg.connect(cluster.url(), autocommit=True)
        connection.execute("CREATE TEMP TABLE t (x int)")
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while not connection.closed and time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        assert connection.closed


def test_many_clients_at_once_get_their_own_rows(target, orders):
    failures = []

    def work(number: int) -> None:
        try:
            with target.connect() as connection:
                connection.execute(f"SET app.me = '{number}'")
                for i in range(25):
                    k = (number + i) % 10
                    rows = connection.execute(
                        "SELECT DISTINCT k FROM orders WHERE k = %s", (k,)
                    ).fetchall()
                    mine = connection.execute("SELECT current_setting('app.me')").fetchone()[0]
                    if rows != [(k,)] or mine != str(number):
                        failures.append((number, k, rows, mine))
        except Exception as error:
            failures.append((number, repr(error)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:5]


@pytest.mark.parametrize("terms", [100, 3_000, 25_000])
def test_a_monstrous_statement_gets_an_answer_or_an_error(target, db, terms):
    """Parsing must not be able to end the process; others keep working."""
    try:
        answer = db.execute("SELECT " + "+".join(["1"] * terms)).fetchone()
        assert answer == (terms,)
    except psycopg.errors.Error as error:
        assert error.sqlstate in ("54001", "54000", "0A000"), error
    with target.connect() as other:
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_a_null_key_names_its_column_for_programs(orders):
    for statement in (
        "INSERT INTO orders (id) VALUES (1)",
        "INSERT INTO orders VALUES (NULL, 1), (2, 2)",
        "COPY orders (id) FROM STDIN",
    ):
        with pytest.raises(psycopg.errors.NotNullViolation) as raised:
            with orders.cursor() as cursor:
                if statement.startswith("COPY"):
                    with cursor.copy(statement) as copy:
                        copy.write_row((1,))
                else:
                    cursor.execute(statement)
        diag = raised.value.diag
        assert (diag.schema_name, diag.table_name, diag.column_name) == ("public", "orders", "k")


# -- asyncpg ---------------------------------------------------------------------------------------


def run_asyncpg(target, work):
    async def main():
        connection = await asyncpg.connect(target.url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(main())


def test_asyncpg_prepared_statements_of_many_types(target):
    async def work(connection):
        values = (
            7,
            2**40,
            1.5,
            decimal.Decimal("1.50"),
            "text",
            True,
            uuid.UUID(int=5),
            datetime.date(2024, 2, 29),
            datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
            [1, None, 3],
            b"\x00\xff",
            datetime.timedelta(days=1, seconds=5),
        )
        types = (
            "int4",
            "int8",
            "float8",
            "numeric",
            "text",
            "bool",
            "uuid",
            "date",
            "timestamptz",
            "int4[]",
            "bytea",
            "interval",
        )
        selected = ", ".join(f"${i}::{t}" for i, t in enumerate(types, 1))
        row = await connection.fetchrow(f"SELECT {selected}", *values)
        assert tuple(row) == values

    run_asyncpg(target, work)


def test_asyncpg_over_one_shard_and_over_all(target, orders):
    async def work(connection):
        one = await connection.fetch("SELECT id FROM orders WHERE k = $1 ORDER BY id", 3)
        assert [r["id"] for r in one] == list(range(3, 100, 10))
        all_rows = await connection.fetch(
            "SELECT id, note FROM orders WHERE id < $1 ORDER BY id DESC", 30
        )
        assert [r["id"] for r in all_rows] == list(range(29, -1, -1))
        assert await connection.fetchval("SELECT sum(amount) FROM orders") == decimal.Decimal(
            "7425.00"
        )
        statement = await connection.prepare(
            "SELECT count(*) AS n FROM orders WHERE k = ANY($1::int[])"
        )
        assert [await statement.fetchval(keys) for keys in ([1], [1, 2], [], [77])] == [
            10,
            20,
            0,
            0,
        ]
        assert statement.get_attributes()[0].name == "n"

    run_asyncpg(target, work)


def test_asyncpg_prepares_anew_after_a_schema_change(target, orders):
    """It decodes rows by what it learned when it prepared: other columns must not come unsaid."""

    async def work(connection):
        one, all_of_them = "SELECT * FROM orders WHERE k = $1 ORDER BY id", "SELECT * FROM orders"
        assert len((await connection.fetch(one, 3))[0]) == 4
        assert len((await connection.fetch(all_of_them))[0]) == 4
        prepared = await connection.prepare(one)
        await prepared.fetch(3)  # prepare() alone ends without Sync: the server keeps its locks
        orders.execute("ALTER TABLE orders ADD COLUMN extra int DEFAULT 7")
        orders.execute("ALTER TABLE orders ALTER COLUMN amount TYPE text")
        deadline = time.monotonic() + 5
        rows = await connection.fetch(one, 3)
        while len(rows[0]) < 5 and time.monotonic() < deadline:
            await asyncio.sleep(0.05)  # until this router's other core has heard of it, too
            rows = await connection.fetch(one, 3)
        assert (rows[0]["extra"], rows[0]["amount"]) == (7, "4.50")
        rows = await connection.fetch(all_of_them)
        assert len(rows) == 100 and {len(row) for row in rows} == {5}
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            async with connection.transaction():
                await prepared.fetch(3)

    run_asyncpg(target, work)


def test_asyncpg_copies_records_and_rolls_back(target, orders):
    async def work(connection):
        records = [(i, i, f"r{i}", None) for i in range(300, 400)]
        await connection.copy_records_to_table(
            "orders", records=records, columns=["k", "id", "note", "amount"]
        )
        assert await connection.fetchval("SELECT count(*) FROM orders WHERE k >= 300") == 100
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.execute("DELETE FROM orders WHERE k >= 300")
                await connection.executemany(
                    "INSERT INTO orders VALUES ($1, $2)", [(500, 1), (501, 1), (500, 1)]
                )
        assert await connection.fetchval("SELECT count(*) FROM orders WHERE k >= 300") == 100

    run_asyncpg(target, work)


def test_asyncpg_sees_enum_types(target, tables):
    async def work(connection):
        await connection.execute("CREATE TYPE colour AS ENUM ('red', 'green')")
        try:
            await connection.execute(
                "CREATE TABLE painted (k int, c colour, cs colour[], PRIMARY KEY (k))"
            )
            await connection.execute("SELECT create_distributed_table('painted', 'k')")
            for k in range(6):
                await connection.execute(
                    "INSERT INTO painted VALUES ($1, $2, $3)", k, "red", ["red", "green"]
                )
            rows = await connection.fetch("SELECT k, c, cs FROM painted ORDER BY k")
            assert [tuple(r) for r in rows] == [(k, "red", ["red", "green"]) for k in range(6)]
        finally:
            await connection.execute("DROP TABLE IF EXISTS painted")
            await connection.execute("DROP TYPE colour")

    run_asyncpg(target, work)


def test_asyncpg_pool_resets_sessions(target):
    async def main():
        async with asyncpg.create_pool(target.url, min_size=2, max_size=4) as pool:

            async def one(i):
                async with pool.acquire() as connection:
                    return await connection.fetchval("SELECT $1::int", i)

            return await asyncio.gather(*(one(i) for i in range(40)))

    assert asyncio.run(main()) == list(range(40))


# -- what the process is asked ---------------------------------------------------------------------


def test_the_url_of_each_shard_reaches_a_plain_server(target):
    if not target.router:
        pytest.skip("plain PostgreSQL has no shards")
    for number in range(1, target.cluster.shards + 1):
        with psycopg.connect(target.cluster.url(f"s{number}")) as shard:
            assert shard.execute("SELECT current_database()").fetchone() == ("app",)


@pytest.mark.skipif("SHOAL_TEST_AGAINST" in os.environ, reason="asks the router")
def test_explain_route_names_the_shards(orders):
    one = "\n".join(
        r[0] for r in orders.execute("EXPLAIN (ROUTE) SELECT * FROM orders WHERE k = 3")
    )
    every = "\n".join(r[0] for r in orders.execute("EXPLAIN (ROUTE) SELECT count(*) FROM orders"))
    assert "k = 3" in one and one != every
