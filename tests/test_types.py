"""Types that users make have another oid on each shard; clients see home's, everywhere. The same
tests against plain PostgreSQL (SHOAL_TEST_AGAINST=postgres) say what is right."""

import asyncio
import enum
import random

import asyncpg
import psycopg
import pytest
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum

KEYS = range(24)
LABELS = ("sad", "ok", "happy")  # their order is neither the alphabet's nor that of making


class Mood(enum.Enum):
    sad = 1
    ok = 2
    happy = 3


SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pt AS (x int, m mood);
CREATE TYPE box2 AS (name text, corners pt[], middle pt);
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE DOMAIN feeling AS mood;
CREATE TYPE mood_range AS RANGE (subtype = mood);
CREATE TABLE m (k int PRIMARY KEY, v mood, p pt, a mood[], ps pt[], b box2, d small,
  f feeling, fs feeling[], r mood_range)
"""
PROGRAM = """
DROP TABLE IF EXISTS m;
DROP TYPE IF EXISTS mood_range, box2, pt;
DROP DOMAIN IF EXISTS small, feeling;
DROP TYPE IF EXISTS mood
"""


def label(k: int) -> str:
    return LABELS[k % 3]


def literals(k: int) -> tuple:
    v = label(k)
    point = f"({k},{v})"
    return (
        k,
        v,
        point,
        "{%s,NULL,%s}" % (v, LABELS[(k + 1) % 3]),
        '{"%s",NULL,"(,sad)"}' % point,
        '("n ""%d""","{""%s"",NULL}","(7,ok)")' % (k, point),
        k,
        v,
        "{%s}" % v,
        f"[{v},happy]",
    )


def rows_of_keys() -> list:
    """What every client must make of the columns k, v, a, p, ps, as plain values."""
    return [
        (
            k,
            label(k),
            [label(k), None, LABELS[(k + 1) % 3]],
            (k, label(k)),
            [(k, label(k)), None, (None, "sad")],
        )
        for k in KEYS
    ]


@pytest.fixture(scope="module")
def world(target):
    """Table m over the shards, whose counters of oids stand differently."""
    if target.router:
        for number in range(1, target.cluster.shards + 1):
            with psycopg.connect(target.cluster.url(f"s{number}"), autocommit=True) as shard:
                for _ in range(number * 3):
                    shard.execute("CREATE TYPE junk AS ENUM ('a')")
                    shard.execute("DROP TYPE junk")
    with target.connect() as db:
        for statement in (PROGRAM + ";" + SCHEMA).split(";"):
            db.execute(statement)
        if target.router:
            db.execute("SELECT create_distributed_table('m', 'k')")
        for k in KEYS:
            db.execute(
                "INSERT INTO m VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", literals(k)
            )
    yield target
    with target.connect() as db:
        for statement in PROGRAM.split(";"):
            db.execute(statement)


def test_shards_do_have_different_oids(world):
    if not world.router:
        pytest.skip("one server")
    oids = set()
    for number in range(1, world.cluster.shards + 1):
        with psycopg.connect(world.cluster.url(f"s{number}")) as shard:
            oids.add(shard.execute("SELECT 'mood'::regtype::oid").fetchone()[0])
    assert len(oids) == world.cluster.shards
    counts = world.shard_counts("m")
    assert sum(counts) == len(KEYS) and all(counts), counts


def oids_of(db) -> dict:
    names = ("mood", "mood[]", "pt", "pt[]", "box2", "mood_range", "m")
    return {n: db.execute(f"SELECT '{n}'::regtype::oid").fetchone()[0] for n in names}


# -- descriptions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
def test_every_answer_names_the_types_and_tables_of_home(world, binary):
    with world.connect() as db:
        oid = oids_of(db)
        table = db.execute("SELECT 'm'::regclass::oid").fetchone()[0]
        expected = ["mood", "pt", "mood[]", "pt[]", "box2", "mood", "mood_range"]
        columns = "v, p, a, ps, b, f, r"
        where = ["", *(f" WHERE k = {k}" for k in KEYS), " WHERE k IN (1, 2)"]
        for text in [f"SELECT {columns} FROM m{w}" for w in where]:
            cursor = db.execute(text, binary=binary)
            result = cursor.pgresult
            assert [result.ftype(i) for i in range(7)] == [oid[n] for n in expected], text
            assert {result.ftable(i) for i in range(7)} == {table}, text


def test_prepared_statements_describe_parameters_in_homes_oids(world):
    with world.connect() as db:
        oid = oids_of(db)
        for i, k in enumerate(KEYS):
            name = f"d{i}".encode()
            text = f"SELECT v FROM m WHERE k = {k} AND v = $1 AND p = $2::pt AND a = $3".encode()
            assert db.pgconn.prepare(name, text).status == psycopg.pq.ExecStatus.COMMAND_OK
            described = db.pgconn.describe_prepared(name)
            kinds = [described.param_type(n) for n in range(described.nparams)]
            assert kinds == [oid["mood"], oid["pt"], oid["mood[]"]]
            assert described.ftype(0) == oid["mood"]


# -- psycopg ---------------------------------------------------------------------------------------


def registered(world):
    db = world.connect()
    register_enum(EnumInfo.fetch(db, "mood"), db, Mood)
    register_composite(CompositeInfo.fetch(db, "pt"), db)
    register_composite(CompositeInfo.fetch(db, "box2"), db)
    return db


def plain(value):
    """Enums and named tuples as labels and tuples."""
    if isinstance(value, Mood):
        return value.name
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    return value


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("prepare", [False, True])
def test_psycopg_decodes_enums_composites_and_arrays_of_both(world, binary, prepare):
    with registered(world) as db:
        one = "SELECT k, v, a, p, ps FROM m WHERE k = %s"
        rows = [db.execute(one, (k,), binary=binary, prepare=prepare).fetchone() for k in KEYS]
        assert all(isinstance(r[1], Mood) for r in rows)
        assert [plain(tuple(r)) for r in rows] == rows_of_keys()
        rows = db.execute("SELECT k, v, a, p, ps FROM m ORDER BY k", binary=binary).fetchall()
        assert [plain(tuple(r)) for r in rows] == rows_of_keys()


@pytest.mark.parametrize("binary", [False, True])
def test_nested_composites(world, binary):
    with registered(world) as db:
        for text, keys in [
            *((f"SELECT b FROM m WHERE k = {k}", [k]) for k in KEYS),
            ("SELECT b FROM m ORDER BY k", KEYS),
        ]:
            got = [plain(r[0]) for r in db.execute(text, binary=binary)]
            assert got == [(f'n "{k}"', [(k, label(k)), None], (7, "ok")) for k in keys]


@pytest.mark.parametrize("format", ["s", "t", "b"])
def test_parameters_of_users_types(world, format):
    with registered(world) as db:
        pt = CompositeInfo.fetch(db, "pt")
        register_composite(pt, db)
        # Each value goes in as a parameter and must find its row.
        for k in KEYS:
            point, mood = pt.python_type(k, Mood[label(k)]), Mood[label(k)]
            found = db.execute(
                f"SELECT k FROM m WHERE k = %s AND v = %{format} AND p = %{format}"
                f" AND a[1] = %{format} AND ps[1] = %{format}",
                (k, mood, point, mood, point),
                prepare=k % 2 == 0,
            ).fetchall()
            assert found == [(k,)]
        found = db.execute(f"SELECT count(*) FROM m WHERE v = %{format}", (Mood.ok,)).fetchone()
        assert found == (len(KEYS) // 3,)
        found = db.execute(
            f"SELECT k FROM m WHERE v = ANY(%{format}) ORDER BY k", ([Mood.ok, Mood.sad],)
        ).fetchall()
        assert found == [(k,) for k in KEYS if label(k) != "happy"]


def test_executemany_writes_users_types(world):
    with registered(world) as db:
        pt = CompositeInfo.fetch(db, "pt")
        register_composite(pt, db)
        point = pt.python_type
        keys = range(100, 140)
        with db.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO m (k, v, p, a, ps) VALUES (%s, %s, %b, %s, %b)",
                [
                    (k, Mood[label(k)], point(k, Mood.ok), [Mood.sad], [point(k, None)])
                    for k in keys
                ],
            )
        rows = db.execute("SELECT k, v, p, a, ps FROM m WHERE k >= 100 ORDER BY k").fetchall()
        db.execute("DELETE FROM m WHERE k >= 100")
        assert [plain(tuple(r)) for r in rows] == [
            (k, label(k), (k, "ok"), ["sad"], [(k, None)]) for k in keys
        ]


@pytest.mark.parametrize("binary", [False, True])
def test_a_tables_row_as_a_value(world, binary):
    with registered(world) as db:
        oid = oids_of(db)["m"]
        register_composite(CompositeInfo.fetch(db, "m"), db)
        for text in [
            *(f"SELECT m FROM m WHERE k = {k}" for k in KEYS),
            "SELECT m FROM m WHERE k IN (0, 1, 2, 3, 4, 5) ORDER BY k",
        ]:
            cursor = db.execute(text, binary=binary)
            assert cursor.pgresult.ftype(0) == oid
            for (row,) in cursor:
                assert plain(row.v) == label(row.k)
                assert plain(row.ps) == [(row.k, label(row.k)), None, (None, "sad")]


@pytest.mark.parametrize("binary", [False, True])
def test_anonymous_rows(world, binary):
    with registered(world) as db:
        for k in KEYS:
            cursor = db.execute(f"SELECT ROW(k, v, ps) FROM m WHERE k = {k}", binary=binary)
            (got,) = cursor.fetchone()
            if binary:
                assert plain(got) == (k, label(k), [(k, label(k)), None, (None, "sad")])
            else:
                assert got[:2] == (str(k), label(k))


def test_server_side_prepare(world):
    with registered(world) as db:
        db.execute("PREPARE by_key (int, mood) AS SELECT k, v, p FROM m WHERE k = $1 AND v = $2")
        for k in KEYS:
            row = db.execute(f"EXECUTE by_key ({k}, '{label(k)}')").fetchone()
            assert plain(tuple(row)) == (k, label(k), (k, label(k)))
        db.execute("DEALLOCATE by_key")


# -- statements over several shards ----------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
def test_order_and_groups_are_those_of_the_labels(world, binary):
    with registered(world) as db:
        rows = db.execute("SELECT v, k FROM m ORDER BY v DESC, k", binary=binary).fetchall()
        expected = sorted(((label(k), k) for k in KEYS), key=lambda r: (-LABELS.index(r[0]), r[1]))
        assert [plain(tuple(r)) for r in rows] == expected
        rows = db.execute("SELECT v FROM m ORDER BY v LIMIT 9", binary=binary).fetchall()
        assert [plain(r[0]) for r in rows] == ["sad"] * 8 + ["ok"]
        rows = db.execute(
            "SELECT v, count(*) FROM m GROUP BY v ORDER BY v", binary=binary
        ).fetchall()
        assert [plain(tuple(r)) for r in rows] == [(v, 8) for v in LABELS]
        rows = db.execute("SELECT DISTINCT v FROM m", binary=binary).fetchall()
        assert sorted(plain(r[0]) for r in rows) == sorted(LABELS)
        got = db.execute("SELECT min(v), max(v) FROM m", binary=binary).fetchone()
        assert plain(tuple(got)) == ("sad", "happy")
        got = db.execute("SELECT array_agg(v ORDER BY k) FROM m", binary=binary).fetchone()
        assert plain(got[0]) == [label(k) for k in KEYS]
        got = db.execute("SELECT array_agg(p ORDER BY k) FROM m", binary=binary).fetchone()
        assert plain(got[0]) == [(k, label(k)) for k in KEYS]
        rows = db.execute("SELECT p FROM m ORDER BY p DESC LIMIT 3", binary=binary).fetchall()
        assert [plain(r[0]) for r in rows] == [(k, label(k)) for k in (23, 22, 21)]


@pytest.mark.parametrize("binary", [False, True])
def test_joins_that_are_gathered_keep_the_types(world, binary):
    with registered(world) as db:
        text = (
            "SELECT a.k, b.ps, b.p FROM m a JOIN m b ON a.k = b.k + 1"
            " WHERE a.k < 9 ORDER BY a.k"
        )
        rows = db.execute(text, binary=binary).fetchall()
        assert [plain(tuple(r)) for r in rows] == [
            (k, [(k - 1, label(k - 1)), None, (None, "sad")], (k - 1, label(k - 1)))
            for k in range(1, 9)
        ]


@pytest.mark.parametrize("binary", [False, True])
def test_returning_and_updates(world, binary):
    with registered(world) as db:
        rows = db.execute(
            "UPDATE m SET d = d RETURNING k, v, a, p, ps", binary=binary
        ).fetchall()
        assert sorted(plain(tuple(r)) for r in rows) == rows_of_keys()
        for k in KEYS:
            row = db.execute(
                "UPDATE m SET v = %s WHERE k = %s RETURNING p", (Mood[label(k)], k), binary=binary
            ).fetchone()
            assert plain(row[0]) == (k, label(k))


def test_ranges_and_domains(world):
    with registered(world) as db:
        for k in KEYS:
            row = db.execute(f"SELECT d, f, fs, r FROM m WHERE k = {k}").fetchone()
            assert plain(tuple(row))[:2] == (k, label(k))
            assert row[3] == f"[{label(k)},happy]"
        with pytest.raises(psycopg.errors.CheckViolation):
            db.execute("UPDATE m SET d = 1000 WHERE k = 3")


# -- asyncpg: all binary, described once, prepared on whichever shard it comes to ------------------


def as_plain(value):
    if isinstance(value, asyncpg.Record):
        return tuple(as_plain(v) for v in value)
    if isinstance(value, list):
        return [as_plain(v) for v in value]
    return value


@pytest.mark.parametrize("cache", [0, 100])
def test_asyncpg(world, cache):
    async def run():
        db = await asyncpg.connect(world.url, statement_cache_size=cache)
        try:
            one = await db.prepare("SELECT k, v, a, p, ps FROM m WHERE k = $1")
            for _ in range(3):
                rows = [as_plain(await one.fetchrow(k)) for k in KEYS]
                assert rows == rows_of_keys()
            rows = await db.fetch("SELECT k, v, a, p, ps FROM m ORDER BY k")
            assert [as_plain(r) for r in rows] == rows_of_keys()
            shuffled = random.sample(list(KEYS), len(KEYS))
            for k in shuffled:
                row = await db.fetchrow("SELECT b FROM m WHERE k = $1", k)
                assert as_plain(row[0]) == (f'n "{k}"', [(k, label(k)), None], (7, "ok"))
                row = await db.fetchrow("SELECT m FROM m WHERE k = $1", k)
                assert as_plain(row["m"])[:4] == (
                    k,
                    label(k),
                    (k, label(k)),
                    [label(k), None, LABELS[(k + 1) % 3]],
                )
                row = await db.fetchrow("SELECT r, fs FROM m WHERE k = $1", k)
                assert (row[0].lower, row[0].upper, row[1]) == (label(k), "happy", [label(k)])
        finally:
            await db.close()

    asyncio.run(run())


@pytest.mark.parametrize("cache", [0, 100])
def test_asyncpg_sends_composites_and_arrays(world, cache):
    async def run():
        db = await asyncpg.connect(world.url, statement_cache_size=cache)
        keys = range(200, 240)
        try:
            await db.executemany(
                "INSERT INTO m (k, v, p, a, ps, b) VALUES ($1, $2, $3, $4, $5, $6)",
                [
                    (
                        k,
                        label(k),
                        (k, label(k)),
                        [label(k), None],
                        [(k, "sad"), None],
                        ("x", [(1, "ok")], None),
                    )
                    for k in keys
                ],
            )
            for k in keys:
                found = await db.fetchrow(
                    "SELECT k, b FROM m WHERE k = $1 AND p = $2::pt AND ps = $3::pt[] AND a = $4",
                    k,
                    (k, label(k)),
                    [(k, "sad"), None],
                    [label(k), None],
                )
                assert as_plain(found) == (k, ("x", [(1, "ok")], None))
            found = await db.fetch(
                "SELECT k FROM m WHERE p = ANY($1::pt[]) ORDER BY k",
                [(k, label(k)) for k in keys],
            )
            assert [r[0] for r in found] == list(keys)
            async with db.transaction():
                seen = [
                    as_plain(r)
                    async for r in db.cursor("SELECT ps FROM m WHERE k = 201", prefetch=1)
                ]
            assert seen == [([(201, "sad"), None],)]
        finally:
            await db.execute("DELETE FROM m WHERE k >= 200")
            await db.close()

    asyncio.run(run())


# -- COPY ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ["", " (FORMAT csv)"])
def test_copy_in_text_and_csv(world, options):
    with registered(world) as db:
        with db.cursor() as cursor:
            text = f"COPY (SELECT k + 300, v, p, a, ps FROM m) TO STDOUT{options}"
            with cursor.copy(text) as out:
                data = b"".join(out)
            with cursor.copy(f"COPY m (k, v, p, a, ps) FROM STDIN{options}") as into:
                into.write(data)
        rows = db.execute(
            "SELECT k - 300, v, a, p, ps FROM m WHERE k >= 300 ORDER BY k"
        ).fetchall()
        db.execute("DELETE FROM m WHERE k >= 300")
        assert [plain(tuple(r)) for r in rows] == rows_of_keys()


def test_copy_binary_of_enums_and_domains(world):
    with registered(world) as db:
        with db.cursor() as cursor:
            with cursor.copy("COPY m (k, v, d, f) TO STDOUT (FORMAT binary)") as out:
                out.set_types(["int4", "mood", "int4", "mood"])
                rows = sorted(plain(tuple(r)) for r in out.rows())
        assert rows == [(k, label(k), k, label(k)) for k in KEYS]


def binary_copy(db, text) -> list:
    """The tuples of a COPY TO in binary format: lists of the fields' bytes."""
    with db.cursor() as cursor, cursor.copy(text) as out:
        data = b"".join(bytes(b) for b in out)
    assert data.startswith(b"PGCOPY\n\xff\r\n\0") and data.endswith(b"\xff\xff")
    at, tuples = 19, []
    while (fields := int.from_bytes(data[at : at + 2], "big", signed=True)) >= 0:
        at += 2
        tuples.append([])
        for _ in range(fields):
            size = int.from_bytes(data[at : at + 4], "big", signed=True)
            at += 4
            tuples[-1].append(None if size < 0 else data[at : at + size])
            at += max(size, 0)
    assert at + 2 == len(data)
    return tuples


def test_copy_binary_of_composites_and_arrays_has_homes_oids(world):
    with world.connect() as db:
        columns = "k, v, p, a, ps, b, fs, r"
        expected = [raw(db, f"SELECT {columns} FROM m WHERE k = {k}") for k in KEYS]
        got = binary_copy(db, f"COPY m ({columns}) TO STDOUT (FORMAT binary)")
        assert sorted(got) == sorted(expected)
        got = binary_copy(db, f"COPY (SELECT {columns} FROM m) TO STDOUT (FORMAT binary)")
        assert sorted(got) == sorted(expected)
        for k in KEYS:
            text = f"COPY (SELECT {columns} FROM m WHERE k = {k}) TO STDOUT (FORMAT binary)"
            assert binary_copy(db, text) == [expected[k]]
        none = "COPY (SELECT p FROM m WHERE k < 0) TO STDOUT (FORMAT binary)"
        assert binary_copy(db, none) == []


def raw(db, text) -> list:
    """One row's values in binary format as they came."""
    result = db.execute(text, binary=True).pgresult
    return [result.get_value(0, i) for i in range(result.nfields)]


def test_copy_binary_into_shards(world):
    columns = "k, v, p, a, ps, b, fs, r"
    with registered(world) as db:
        with db.cursor() as cursor:
            with cursor.copy(
                f"COPY (SELECT k + 400, {columns[3:]} FROM m) TO STDOUT (FORMAT binary)"
            ) as out:
                data = b"".join(bytes(b) for b in out)
            with cursor.copy(f"COPY m ({columns}) FROM STDIN (FORMAT binary)") as into:
                for at in range(0, len(data), 100):
                    into.write(data[at : at + 100])
        different = db.execute(
            "SELECT x.k FROM m x JOIN m y ON y.k = x.k + 400 WHERE (x.v, x.p, x.a, x.ps, x.b, x.r)"
            " IS DISTINCT FROM (y.v, y.p, y.a, y.ps, y.b, y.r)"
        ).fetchall()
        count = db.execute("SELECT count(*) FROM m WHERE k >= 400").fetchone()[0]
        db.execute("DELETE FROM m WHERE k >= 400")
        assert (different, count) == ([], len(KEYS))


# -- changes of the schema -------------------------------------------------------------------------


def test_types_made_in_a_transaction_are_known_there_at_once(world):
    with world.connect(autocommit=False) as db:
        for end in (db.rollback, db.rollback):
            db.execute("CREATE TYPE flag AS ENUM ('up', 'down')")
            db.execute("CREATE TYPE flags AS (f flag, n int)")
            oid = db.execute("SELECT 'flag'::regtype::oid").fetchone()[0]
            register_composite(CompositeInfo.fetch(db, "flags"), db)
            for k in KEYS:
                cursor = db.execute(
                    "SELECT 'up'::flag, ROW('down', k)::flags FROM m WHERE k = %s",
                    (k,),
                    binary=True,
                )
                assert cursor.pgresult.ftype(0) == oid
                assert cursor.fetchone() == (b"up", (b"down", k))
            end()
        with pytest.raises(psycopg.errors.UndefinedObject):
            db.execute("SELECT 'up'::flag FROM m WHERE k = 1")


def test_types_that_are_dropped_and_made_anew_get_their_new_oids(world):
    with world.connect() as db, world.connect() as other:
        for labels in ("'a', 'b'", "'b', 'a', 'c'"):
            db.execute(f"CREATE TYPE flag AS ENUM ({labels})")
            oid = db.execute("SELECT 'flag'::regtype::oid").fetchone()[0]
            for connection in (db, other):
                for k in KEYS:
                    cursor = connection.execute(
                        "SELECT 'b'::flag, ARRAY['b'::flag] FROM m WHERE k = %s",
                        (k,),
                        prepare=False,
                    )
                    assert cursor.pgresult.ftype(0) == oid
            db.execute("DROP TYPE flag")


@pytest.mark.parametrize("extension", ["hstore", "citext"])
def test_types_of_extensions(world, extension, tables):
    with world.connect() as db:
        known = "SELECT count(*) FROM pg_available_extensions WHERE name = %s"
        if db.execute(known, (extension,)).fetchone()[0] == 0:
            pytest.skip(f"{extension} is not installed here")
        db.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        tables.append("x")
        db.execute(f"CREATE TABLE x (k int PRIMARY KEY, v {extension}, vs {extension}[])")
        if world.router:
            db.execute("SELECT create_distributed_table('x', 'k')")
        value = {"hstore": '"a"=>"1"', "citext": "Abc"}[extension]
        oid = db.execute(f"SELECT '{extension}'::regtype::oid").fetchone()[0]
        for k in KEYS:
            db.execute(f"INSERT INTO x VALUES (%s, %s, ARRAY[%s::{extension}])", (k, value, value))
        for binary in (False, True):
            for k in KEYS:
                cursor = db.execute("SELECT v, vs FROM x WHERE k = %s", (k,), binary=binary)
                assert cursor.pgresult.ftype(0) == oid
            rows = db.execute("SELECT v, vs FROM x ORDER BY k").fetchall()
            assert len(rows) == len(KEYS)


def test_columns_of_other_statements_in_a_pipeline_are_not_mixed_up(world):
    """What a connection asks about users' types is not the description of a prepared statement."""
    with world.connect() as db:
        arrays, keys = "SELECT a, ps, b FROM m WHERE k = %s", "SELECT k, d FROM m WHERE k = %s"
        for k in KEYS:  # on some shards these types have other oids
            db.execute(arrays, (k,), prepare=True, binary=True)
            with db.pipeline():
                db.execute(arrays, (k,), prepare=True, binary=True)
                cursor = db.execute(keys + f" AND d = {k}", (k,), prepare=True, binary=True)
            assert cursor.fetchone() == (k, k)
        db.execute("ALTER TABLE m ADD COLUMN unrelated int")
        for k in KEYS:
            cursor = db.execute(keys + f" AND d = {k}", (k,), prepare=True, binary=True)
            assert cursor.fetchone() == (k, k)
        db.execute("ALTER TABLE m DROP COLUMN unrelated")
