"""The active key on connections to a router: psycopg, asyncpg and SQLAlchemy, against a cluster."""

import asyncio

import asyncpg
import psycopg
import pytest
from conftest import TENANTS
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

import shoal
import shoal.asyncpg
import shoal.sqlalchemy

COUNT = "SELECT count(*) FROM notes"
ALL = sum(TENANTS.values())


class Problem(Exception):
    pass


def count(connection) -> int:
    return connection.execute(COUNT).fetchone()[0]


# ---- session_key with psycopg


@pytest.fixture(params=[True, False], ids=["autocommit", "transactions"])
def connection(notes, request):
    with psycopg.connect(notes, autocommit=request.param) as made:
        yield made


def test_statements_are_about_the_key_inside(connection):
    for tenant, rows in TENANTS.items():
        with shoal.session_key(connection, tenant) as same:
            assert same is connection and count(connection) == rows
        with shoal.with_key(tenant), shoal.session_key(connection):
            assert count(connection) == rows
    assert count(connection) == ALL


def test_scopes_nest(connection):
    with shoal.session_key(connection, 1):
        with shoal.session_key(connection, 2):
            assert count(connection) == TENANTS[2]
        assert count(connection) == TENANTS[1]


@pytest.mark.parametrize("key", ["o'n\\e", "\\\\", "ñ", "'; RESET shoal.key; --"])
def test_keys_are_quoted(notes, key):
    with psycopg.connect(notes) as connection, shoal.session_key(connection, key):
        assert connection.execute("SHOW shoal.key").fetchone() == (key,)


def test_no_key_and_the_empty_key_are_errors(connection):
    with pytest.raises(ValueError, match="active"):
        shoal.session_key(connection)
    with pytest.raises(ValueError, match="empty"):
        shoal.session_key(connection, "")
    with pytest.raises(TypeError, match="psycopg"), shoal.session_key(object(), 1):
        pass


def test_a_transaction_that_was_begun_inside_is_committed_at_the_end(connection):
    with shoal.session_key(connection, 1):
        connection.execute("INSERT INTO notes (words) VALUES ('new')")
    connection.rollback()
    assert count(connection) == ALL + 1
    connection.rollback()
    assert connection.execute("SHOW shoal.key").fetchone() == ("",)


def test_an_error_rolls_back_and_takes_the_key_away(connection):
    for problem in (lambda: connection.execute("SELECT 1 / 0"), lambda: raise_problem()):
        with pytest.raises((Problem, psycopg.errors.DivisionByZero)):
            with shoal.session_key(connection, 1), connection.transaction():
                connection.execute("INSERT INTO notes (words) VALUES ('lost')")
                problem()
        connection.rollback()
        assert count(connection) == ALL


def test_a_rollback_inside_does_not_widen_the_scope(connection):
    with shoal.session_key(connection, 3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        connection.rollback()
        assert count(connection) == TENANTS[3]


def test_inside_a_transaction_the_scope_is_part_of_it(connection):
    with connection.transaction(), shoal.session_key(connection, 2):
        connection.execute("INSERT INTO notes (words) VALUES ('new')")
        assert count(connection) == TENANTS[2] + 1
    assert count(connection) == ALL + 1
    with pytest.raises(psycopg.errors.DivisionByZero):
        with connection.transaction(), shoal.session_key(connection, 2):
            connection.execute("SELECT 1 / 0")
    assert count(connection) == ALL + 1


def raise_problem():
    raise Problem


# ---- session_key with async drivers


def test_async_psycopg(notes):
    async def main(autocommit):
        connection = await psycopg.AsyncConnection.connect(notes, autocommit=autocommit)
        async with connection:

            async def counted():
                return (await (await connection.execute(COUNT)).fetchone())[0]

            async with shoal.session_key(connection, 1):
                assert await counted() == TENANTS[1]
                async with shoal.session_key(connection, 3):
                    assert await counted() == TENANTS[3]
                assert await counted() == TENANTS[1]
            with pytest.raises(psycopg.errors.DivisionByZero):
                async with shoal.session_key(connection, 2):
                    await connection.execute("SELECT 1 / 0")
            assert await counted() == ALL

    for autocommit in (True, False):
        asyncio.run(main(autocommit))


def test_asyncpg(notes):
    async def main():
        connection = await asyncpg.connect(notes)
        async with shoal.session_key(connection, 1):
            assert await connection.fetchval(COUNT) == TENANTS[1]
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with shoal.session_key(connection, 2), connection.transaction():
                await connection.execute("SELECT 1 / 0")
        assert await connection.fetchval(COUNT) == ALL
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with connection.transaction(), shoal.session_key(connection, 2):
                await connection.execute("SELECT 1 / 0")
        assert await connection.fetchval(COUNT) == ALL
        with pytest.raises(RuntimeError, match="must end in it"):
            async with shoal.session_key(connection, 2):
                await connection.transaction().start()
        assert await connection.fetchval(COUNT) == ALL
        await connection.close()

    asyncio.run(main())


def test_a_pool_of_asyncpg_follows_the_active_key_of_each_task(notes):
    calls = []

    async def setup(_):
        calls.append("setup")

    async def reset(_):
        calls.append("reset")

    async def main():
        pool = shoal.asyncpg.create_pool(notes, min_size=1, max_size=2, setup=setup, reset=reset)
        async with pool:

            async def counted(tenant):
                with shoal.with_key(tenant):
                    async with pool.acquire() as connection:
                        return await connection.fetchval(COUNT)

            asked = [tenant for _ in range(5) for tenant in TENANTS]
            found = await asyncio.gather(*(counted(tenant) for tenant in asked))
            assert found == [TENANTS[tenant] for tenant in asked]
            assert await pool.fetchval(COUNT) == ALL
            assert pool.get_size() <= 2
        assert calls.count("setup") == calls.count("reset") == len(asked) + 1

    asyncio.run(main())


# ---- SQLAlchemy


@pytest.fixture
def engine(notes):
    made = create_engine(notes.replace("postgresql:", "postgresql+psycopg:"), pool_size=1)
    yield shoal.sqlalchemy.follow_active_key(made)
    made.dispose()


def test_an_engine_follows_the_active_key(engine):
    for tenant, rows in TENANTS.items():
        with shoal.with_key(tenant), Session(engine) as session:
            assert session.scalar(text(COUNT)) == rows
            session.commit()
        with Session(engine) as session:
            assert session.scalar(text(COUNT)) == ALL


def test_it_follows_within_a_transaction_and_after_rollbacks(engine):
    with Session(engine) as session:
        assert session.scalar(text(COUNT)) == ALL
        with shoal.with_key(1):
            assert session.scalar(text(COUNT)) == TENANTS[1]
            session.rollback()
            assert session.scalar(text(COUNT)) == TENANTS[1]
        with shoal.with_key(2), pytest.raises(Problem), session.begin_nested():
            assert session.scalar(text(COUNT)) == TENANTS[2]
            raise_problem()
        with shoal.with_key(2):
            assert session.scalar(text(COUNT)) == TENANTS[2]
        assert session.scalar(text(COUNT)) == ALL


def test_an_engine_sends_nothing_when_the_key_is_the_same(engine):
    sent = []
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        plain = driver.cursor_factory

        class Watched(plain):
            def execute(self, query, *arguments, **options):
                sent.append(str(query))
                return super().execute(query, *arguments, **options)

        driver.cursor_factory = Watched
        with shoal.with_key(1):
            for _ in range(3):
                connection.execute(text(COUNT))
        driver.cursor_factory = plain
    assert [query for query in sent if "shoal.key" in query] == ["SET shoal.key = '1'"]


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_an_async_engine_follows_the_active_key(notes, driver):
    async def main():
        engine = create_async_engine(notes.replace("postgresql:", f"postgresql+{driver}:"))
        shoal.sqlalchemy.follow_active_key(engine.sync_engine)

        async def counted(tenant):
            with shoal.with_key(tenant):
                async with engine.connect() as connection:
                    return await connection.scalar(text(COUNT))

        asked = [tenant for _ in range(3) for tenant in TENANTS]
        found = await asyncio.gather(*(counted(tenant) for tenant in asked))
        assert found == [TENANTS[tenant] for tenant in asked]
        async with engine.connect() as connection:
            assert await connection.scalar(text(COUNT)) == ALL
        await engine.dispose()

    asyncio.run(main())
