"""Results that are read piece by piece from several shards, as drivers and ORMs do it: named
cursors, cursors WITH HOLD, portals with a row limit."""

import asyncio
import datetime
import os
import subprocess
import sys
import textwrap

import asyncpg
import psycopg
import pytest
from sqlalchemy import create_engine, text
from support.cluster import router
from support.postgres import bin_dir

ROWS = 5000
ALL = "SELECT k, id, note FROM pieces ORDER BY id"


@pytest.fixture(scope="module")
def filled(target):
    """A table over all shards."""
    with target.connect() as db:
        db.execute("DROP TABLE IF EXISTS pieces")
        db.execute(
            "CREATE TABLE pieces (k int, id int, note text, at timestamptz, PRIMARY KEY (k, id))"
        )
        if target.router:
            db.execute("SELECT create_distributed_table('pieces', 'k')")
        with db.cursor().copy("COPY pieces FROM STDIN") as copy:
            for i in range(ROWS):
                copy.write_row((i % 50, i, f"note {i}", "2024-01-01 00:00:00+00"))
        yield db
        db.execute("DROP TABLE pieces")


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_named_cursor(target, filled, binary):
    with target.connect(autocommit=False) as connection:
        with connection.cursor("named", binary=binary) as cursor:
            cursor.itersize = 700
            cursor.execute("SELECT id, note, at FROM pieces WHERE id >= %s ORDER BY id", (10,))
            assert [c.name for c in cursor.description] == ["id", "note", "at"]
            assert [c.type_code for c in cursor.description] == [23, 25, 1184]
            first = cursor.fetchone()
            assert first == (
                10,
                "note 10",
                datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
            )
            assert [r[0] for r in cursor.fetchmany(5)] == list(range(11, 16))
            assert [r[0] for r in cursor] == list(range(16, ROWS))
        assert connection.execute("SELECT count(*) FROM pieces").fetchone() == (ROWS,)


def test_psycopg_named_cursor_holds_beyond_its_transaction(target, filled):
    with target.connect() as connection:  # autocommit, as Django's iterator()
        with connection.cursor("held", withhold=True, scrollable=False) as cursor:
            cursor.execute(ALL)
            assert cursor.fetchone()[1] == 0
            assert connection.execute("SELECT count(*) FROM pieces").fetchone() == (ROWS,)
            with connection.transaction():
                connection.execute("UPDATE pieces SET note = 'changed' WHERE id < 100")
            assert cursor.fetchmany(3) == [(i % 50, i, f"note {i}") for i in (1, 2, 3)]
        connection.execute("UPDATE pieces SET note = 'note ' || id WHERE id < 100")


def test_psycopg_scrollable_cursor(target, filled):
    with target.connect(autocommit=False) as connection:
        with connection.cursor("scrolls", scrollable=True) as cursor:
            cursor.execute(ALL)
            cursor.scroll(4000, mode="absolute")
            assert cursor.fetchone()[1] == 4000
            cursor.scroll(-3)
            assert cursor.fetchone()[1] == 3998


def test_rows_are_those_of_declare(target, filled):
    with target.connect(autocommit=False) as connection:
        cursor = connection.cursor("steady")
        cursor.execute(ALL)
        assert cursor.fetchone()[1] == 0
        connection.execute("DELETE FROM pieces WHERE id % 2 = 1")
        with target.connect() as other:
            other.execute("UPDATE pieces SET note = note WHERE id = 4999 AND k = -1")
        assert [r[1] for r in cursor.fetchall()] == list(range(1, ROWS))
        connection.rollback()


def test_nothing_of_a_cursor_stays_behind(target, filled):
    """Neither its name nor its table meets the next client on the same server connection."""
    for _ in range(3):
        with target.connect() as connection:
            connection.execute(f"DECLARE held CURSOR WITH HOLD FOR {ALL}")
            assert connection.execute("FETCH 1 FROM held").fetchone()[1] == 0
    for _ in range(5):
        with target.connect(autocommit=False) as connection:
            with pytest.raises(psycopg.errors.InvalidCursorName):
                connection.execute("FETCH 1 FROM held")
            connection.rollback()
            connection.execute(f"DECLARE held CURSOR FOR {ALL}")
            connection.rollback()
            assert (
                connection.execute(
                    "SELECT count(*) FROM pg_class WHERE relname LIKE 'shoal\\_rows\\_%'"
                ).fetchone()
                == (0,)
            )


def test_sqlalchemy_streams(target, filled):
    engine = create_engine(target.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        result = connection.execution_options(yield_per=300).execute(text(ALL))
        assert [row.id for row in result] == list(range(ROWS))
        streamed = connection.execution_options(stream_results=True).execute(
            text("SELECT k, count(*) AS n FROM pieces GROUP BY k ORDER BY k")
        )
        assert streamed.fetchmany(2) == [(0, 100), (1, 100)]
    engine.dispose()


def run_asyncpg(target, work, port=None):
    async def main():
        options = {"port": port} if port else {}
        connection = await asyncpg.connect(target.url, **options)
        try:
            await work(connection)
        finally:
            await connection.close()

    asyncio.run(main())


async def read_in_pieces(connection):
    async with connection.transaction():
        seen = []
        async for row in connection.cursor(ALL, prefetch=333):
            seen.append(row["id"])
        assert seen == list(range(ROWS))
        cursor = await connection.cursor(
            "SELECT id, note FROM pieces WHERE k = ANY($1) ORDER BY id", [3, 4, 7]
        )
        assert [r["id"] for r in await cursor.fetch(4)] == [3, 4, 7, 53]
        assert await cursor.forward(2) == 2
        assert (await cursor.fetchrow())["id"] == 103
        # Two at once, and statements between their pieces.
        other = await connection.cursor("SELECT count(*) AS n FROM pieces GROUP BY k")
        assert (await other.fetchrow())["n"] == 100
        assert await connection.fetchval("SELECT count(*) FROM pieces") == ROWS
        await connection.execute("DELETE FROM pieces WHERE id = 107")
        assert [r["id"] for r in await cursor.fetch(2)] == [104, 107]
        assert len(await cursor.fetch(1000)) == 291 and await cursor.fetch(1) == []
        await connection.execute(f"DECLARE c NO SCROLL CURSOR FOR {ALL}")
        assert [r["id"] for r in await connection.fetch("FETCH 2 FROM c")] == [0, 1]
        await connection.execute("INSERT INTO pieces VALUES (7, 107, 'note 107', '2024-01-01Z')")


def test_asyncpg_cursor(target, filled):
    run_asyncpg(target, read_in_pieces)


def test_rows_of_a_portal_beyond_memory_are_kept_on_home(target, filled):
    """With little memory for portals the same, out of a table; nothing of it is seen."""
    if not target.router:
        pytest.skip("PostgreSQL has no such limit")
    with router(target.cluster, "limits.portal_bytes=1kB") as port:

        async def savepoints(connection):
            await read_in_pieces(connection)
            async with connection.transaction():
                cursor = await connection.cursor(ALL)
                assert len(await cursor.fetch(10)) == 10
                inner = connection.transaction()
                await inner.start()
                lost = await connection.cursor(ALL)
                assert len(await lost.fetch(10)) == 10
                await inner.rollback()
                assert (await cursor.fetchrow())["id"] == 10
                with pytest.raises(asyncpg.PostgresError):
                    async with connection.transaction():
                        await lost.fetch(1)
                assert (await cursor.fetchrow())["id"] == 11

        run_asyncpg(target, savepoints, port)


def test_psql_fetches_in_pieces(target, filled):
    done = subprocess.run(
        [bin_dir() / "psql", target.url, "-XAt", "-v", "FETCH_COUNT=1000", "-c", ALL],
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == ROWS, done.stderr
    assert lines[4321] == f"{4321 % 50}|4321|note 4321"


DJANGO = """
import sys
import django
from django.conf import settings
host, port = sys.argv[1], sys.argv[2]
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "HOST": host, "PORT": port,
                           "NAME": "app", "USER": "app", "PASSWORD": ""}},
    INSTALLED_APPS=[], USE_TZ=True, SECRET_KEY="test")
django.setup()
from django.db import connection, models, transaction
class Piece(models.Model):
    id = models.IntegerField(primary_key=True)
    k = models.IntegerField()
    note = models.TextField()
    class Meta:
        app_label = "app"
        db_table = "pieces"
everything = Piece.objects.order_by("id")
assert [p.id for p in everything.iterator(chunk_size=400)] == list(range(5000))
with transaction.atomic():
    seen = 0
    for piece in everything.filter(id__gte=100).iterator(chunk_size=50):
        assert piece.note == f"note {piece.id}"
        seen += 1
        if seen == 60:
            Piece.objects.filter(id__lt=3000).update(note="changed")
    assert seen == 4900
    transaction.set_rollback(True)
print("done")
"""


def test_django_iterator(target, filled, tmp_path):
    script = tmp_path / "app.py"
    script.write_text(textwrap.dedent(DJANGO))
    host, port = target.url.split("@")[1].split("/")[0].split(":")
    done = subprocess.run(
        [sys.executable, script, host, port],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0 and done.stdout == "done\n", done.stdout + done.stderr[-3000:]


def test_an_error_of_a_row_can_be_undone(target, filled):
    """It comes at DECLARE or at FETCH; cursors from before the savepoint go on."""
    with target.connect(autocommit=False) as connection:
        connection.execute(f"DECLARE c CURSOR FOR {ALL}")
        assert connection.execute("FETCH 2 FROM c").fetchall()[1][1] == 1
        connection.execute("SAVEPOINT s")
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("DECLARE d CURSOR FOR SELECT 1 / (id - 4000) FROM pieces")
            connection.execute("FETCH ALL FROM d")
        connection.execute("ROLLBACK TO s")
        with pytest.raises(psycopg.errors.InvalidCursorName), connection.transaction():
            connection.execute("FETCH 1 FROM d")
        assert connection.execute("FETCH 1 FROM c").fetchone()[1] == 2


def test_a_timeout_ends_a_cursor(target, filled):
    slow = "SELECT count(*) FROM pieces, generate_series(1, 10000000)"
    with target.connect(autocommit=False) as connection:
        connection.execute("SET LOCAL statement_timeout = '500ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(f"DECLARE c CURSOR FOR {slow}")
            connection.execute("FETCH 1 FROM c")
        connection.rollback()
        connection.execute(f"DECLARE c CURSOR FOR {ALL}")
        assert connection.execute("FETCH 1 FROM c").fetchone()[1] == 0


def test_moments_are_not_gathered_by_ambiguous_names(target, filled):
    """Text of a composite type and a moment beside it: CST is China's time and America's."""
    with target.connect() as db:
        db.execute("CREATE TYPE piece_pair AS (a int, b text)")
        db.execute("ALTER TABLE pieces ADD pair piece_pair DEFAULT (1, 'x')")
    try:
        with target.connect(autocommit=False) as connection:
            connection.execute("SET TimeZone = 'Asia/Shanghai'")
            connection.execute("SET DateStyle = 'SQL'")
            wanted = [("(1,x)", "01/01/2024 08:00:00 CST")]
            texts = [
                "DECLARE moments CURSOR FOR SELECT pair, at FROM pieces ORDER BY id;"
                " SELECT '(1,x)', '01/01/2024 08:00:00 CST'",
                "SELECT p.pair::text, p.at::text FROM (SELECT pair, at, row_number() OVER"
                " (ORDER BY id) AS n FROM pieces) p WHERE n = 1",
            ]
            for statement in texts:
                try:
                    with connection.transaction():
                        cursor = connection.execute(statement)
                        while cursor.nextset():
                            pass
                        assert cursor.fetchall() == wanted
                except psycopg.errors.FeatureNotSupported as refused:
                    assert target.router and refused.diag.message_detail.startswith("SH0001")
                else:
                    assert not target.router
            connection.execute("SET DateStyle = 'ISO'")
            connection.execute("DECLARE c CURSOR FOR SELECT pair::text, at FROM pieces")
            connection.execute("DECLARE d CURSOR FOR SELECT pair, at::text FROM pieces")
            assert connection.execute("FETCH 1 FROM d").fetchone()[1] == "2024-01-01 08:00:00+08"
    finally:
        with target.connect() as db:
            db.execute("ALTER TABLE pieces DROP pair")
            db.execute("DROP TYPE piece_pair")


@pytest.mark.parametrize("keys", [(3,), (1, 2, 3, 4, 5)])
def test_a_lost_cursor_does_not_undo_a_commit(target, filled, keys):
    """The connection that keeps the rows is lost; what the shards wrote is theirs to commit."""
    if not target.router:
        pytest.skip("PostgreSQL has one connection")
    with target.connect(autocommit=False) as connection:
        connection.execute(f"DECLARE c CURSOR FOR {ALL}")
        connection.execute("UPDATE pieces SET note = 'kept' WHERE k = ANY(%s)", (list(keys),))
        assert connection.execute("FETCH 7 FROM c").rowcount == 7
        with psycopg.connect(target.cluster.url("s1"), autocommit=True) as home:
            ended = home.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE query = 'FETCH 7 FROM c' AND state = 'idle in transaction'"
            ).fetchall()
            assert ended == [(True,)]
        connection.commit()
    count = filled.execute("SELECT count(*) FROM pieces WHERE note = 'kept'").fetchone()
    assert count == (100 * len(keys),)
    filled.execute("UPDATE pieces SET note = 'note ' || id WHERE note = 'kept'")
