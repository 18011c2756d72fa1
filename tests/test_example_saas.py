"""examples/saas as its users see it, on a cluster whose shards are the two of an older scheme,
tenant_id % 2."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import types
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError, NoResultFound, ProgrammingError

from support.cluster import Cluster
from support.modules import load

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples/saas"
SHARDS = ["shard_0", "shard_1"]
ODD, EVEN = 123, 456  # tenants of shard_1 and of shard_0


def run(script: str, *arguments: str, url: str) -> str:
    done = subprocess.run(
        [sys.executable, script, *arguments],
        cwd=EXAMPLE,
        env={**os.environ, "DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cluster():
    with Cluster(2, ["--names", ",".join(SHARDS)]) as made:
        run("create_schema.py", "--modulo", "2", url=made.url())
        yield made


@pytest.fixture(scope="module")
def modules(cluster):
    """The example's modules as one."""
    database, demo, models = load(
        EXAMPLE, "database", "demo", "models", DATABASE_URL=cluster.url()
    )
    yield types.SimpleNamespace(**{**vars(models), **vars(database)}, demo=demo)
    database.engine.dispose()


@pytest.fixture
def app(modules):
    """The modules, with an ada under each tenant, who have one invoice and three."""
    with modules.get_session() as session:
        session.execute(text("TRUNCATE users, invoices, plans"))
        session.add(modules.Plan(code="pro", price=Decimal(25)))
    with modules.get_session(ODD) as session:
        session.add(user(modules, ODD, "ada", ["10.00"]))
    with modules.get_session(EVEN) as session:
        session.add(user(modules, EVEN, "ada", ["2.50"] * 3))
        session.add(user(modules, EVEN, "grace", []))
    return modules


def user(app, tenant_id: int, username: str, amounts: list[str]):
    made = app.User(tenant_id=tenant_id, username=username, email="a@example.org", plan_code="pro")
    made.invoices = [app.Invoice(tenant_id=tenant_id, amount=Decimal(a)) for a in amounts]
    return made


def rows(cluster, shard: str, query: str) -> list[tuple]:
    with psycopg.connect(cluster.url(shard)) as connection:
        return connection.execute(query).fetchall()


def test_tenants_lie_where_the_remainder_puts_them(app, cluster):
    query = "SELECT DISTINCT tenant_id FROM users UNION SELECT tenant_id FROM invoices"
    assert rows(cluster, "shard_1", query) == [(ODD,)]
    assert rows(cluster, "shard_0", query) == [(EVEN,)]


def test_a_user_of_one_tenant_is_not_found_under_another(app):
    query = select(app.User).where(app.User.username == "grace")
    with app.get_session(EVEN) as session:
        grace = session.scalars(query).one()
        assert (grace.tenant_id, grace.plan.price) == (EVEN, Decimal(25))
        ident = grace.id
    with app.get_session(ODD) as session:
        assert session.scalars(query).all() == []
        assert session.get(app.User, (EVEN, ident)) is None
        with pytest.raises(NoResultFound):
            session.execute(select(app.User.email).where(app.User.id == ident)).one()


def test_a_session_of_one_tenant_changes_no_other(app):
    with app.get_session(ODD) as session:
        assert session.execute(update(app.User).values(email="new")).rowcount == 1
    with pytest.raises(ProgrammingError, match="SH0307"), app.get_session(ODD) as session:
        session.add(user(app, EVEN, "eve", []))
    with app.get_session() as session:
        emails = select(app.User.tenant_id).where(app.User.email == "new")
        assert session.scalars(emails).all() == [ODD]
        assert session.scalar(select(func.count()).select_from(app.User)) == 3


def test_a_connection_brings_nothing_from_its_last_session(app):
    seen = []
    for tenant_id in (ODD, None, EVEN, None):
        with app.get_session(tenant_id) as session:
            seen.append(session.scalar(select(func.count()).select_from(app.User)))
            if tenant_id == ODD:
                session.rollback()
    assert seen == [1, 3, 2, 3]
    assert app.engine.pool.checkedout() == 0


def test_without_a_tenant_a_query_runs_over_all_shards(app):
    assert app.demo.find("ada") == [ODD, EVEN]
    assert app.demo.find("ada", tenant_id=EVEN) == [EVEN]
    assert app.demo.find("nobody") == []


def test_sums_over_all_tenants_are_one_statement(app):
    with app.get_session() as session:
        assert session.scalar(select(func.sum(app.Invoice.amount))) == Decimal("17.50")
        per_tenant = select(app.Invoice.tenant_id, func.sum(app.Invoice.amount), func.count())
        per_tenant = per_tenant.group_by(app.Invoice.tenant_id).order_by(app.Invoice.tenant_id)
        assert session.execute(per_tenant).all() == [
            (ODD, Decimal("10.00"), 1),
            (EVEN, Decimal("7.50"), 3),
        ]
    assert app.demo.revenue_by_plan() == {"pro": Decimal("17.50")}


def test_rows_of_different_shards_are_joined(app):
    with app.get_session() as session:
        same_name = text(
            "SELECT a.tenant_id, b.tenant_id FROM users a JOIN users b USING (username) "
            "WHERE a.tenant_id < b.tenant_id"
        )
        assert session.execute(same_name).all() == [(ODD, EVEN)]


def test_a_transaction_over_shards_is_all_or_nothing(app):
    app.demo.transfer(Decimal(3), source=ODD, target=EVEN)
    amounts = select(func.sum(app.Invoice.amount)).group_by(app.Invoice.tenant_id)
    amounts = amounts.order_by(app.Invoice.tenant_id)
    expected = [Decimal("7.00"), Decimal("10.50")]
    with app.get_session() as session:
        assert session.scalars(amounts).all() == expected
    with pytest.raises(KeyError), app.get_session() as session:
        session.add_all([user(app, ODD, "late", ["1.00"]), user(app, EVEN, "late", ["1.00"])])
        session.flush()
        raise KeyError
    first = select(app.User.tenant_id, app.User.id).limit(1)
    with pytest.raises(IntegrityError), app.get_session() as session:
        tenant_id, ident = session.execute(first).one()
        session.add(app.User(tenant_id=tenant_id + 1, username="x", email="x", plan_code="pro"))
        session.flush()
        session.execute(
            text("INSERT INTO users VALUES (:t, :i, 'x', 'x', 'pro')"),
            {"t": tenant_id, "i": ident},
        )
    with app.get_session() as session:
        assert session.scalars(amounts).all() == expected
    assert app.demo.find("late") == app.demo.find("x") == []


def test_the_demo_says_what_its_readers_expect(app, cluster):
    with app.get_session() as session:
        session.execute(text("TRUNCATE users, invoices, plans"))
    assert run("demo.py", url=cluster.url()).splitlines() == [
        "tenants with an ada: [123, 456]",
        "grace under tenant 123: []",
        "grace under tenant 456: [456]",
        "revenue of basic: 12.50",
        "revenue of pro: 67.50",
    ]


def test_the_key_of_the_old_table_is_refused_with_reason_and_ways_out(cluster):
    """users(id bigint primary key, tenant_id ...): no shard can vouch for an id of its own."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE old_users (id bigint PRIMARY KEY, tenant_id int NOT NULL)")
        with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
            connection.execute("SELECT create_distributed_table('old_users', 'tenant_id')")
        told = caught.value.diag
        assert told.message_detail.startswith("SH0201") and "old_users_pkey" in told.message_detail
        assert "local_constraints" in told.message_hint
        connection.execute("ALTER TABLE old_users DROP CONSTRAINT old_users_pkey")
        connection.execute("ALTER TABLE old_users ADD PRIMARY KEY (tenant_id, id)")
        connection.execute("SELECT create_distributed_table('old_users', 'tenant_id')")
        connection.execute("DROP TABLE old_users")


def test_the_default_keyspace_serves_as_well(cluster):
    """The last test: it makes the tables anew."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("DROP TABLE invoices, users, plans")
        run("create_schema.py", url=cluster.url())
        query = "SELECT keyspace FROM shoal.tables WHERE table_name = 'users'"
        assert connection.execute(query).fetchall() == [("default_int8",)]
    assert "tenants with an ada: [123, 456]" in run("demo.py", url=cluster.url())
