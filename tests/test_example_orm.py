"""examples/orm-migration as its users see it: four databases that were sharded by hand are adopted,
and the application goes on without its own sharding."""

from __future__ import annotations

import os
import pathlib
import subprocess
from decimal import Decimal

import pytest

from support.cluster import binary
from support.modules import load
from support.postgres import Server
from support.shards import Shards

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples/orm-migration"
NAMES = ["shard_0", "shard_1", "shard_2", "shard_3"]
CUSTOMERS = [f"customer-{i}" for i in range(60)]


def url(shards: Shards, name: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{shards.server.port}/{name}"


def adopt(shards: Shards, *options: str) -> subprocess.CompletedProcess:
    urls = " ".join(url(shards, name) for name in NAMES)
    return subprocess.run(
        [EXAMPLE / "adopt.sh", *options],
        env={**os.environ, "SHARD_URLS": urls, "SHOAL": str(binary())},
        capture_output=True,
        text=True,
        timeout=60,
    )


def rows(shards: Shards) -> dict[str, list[tuple]]:
    """Every row of every database, with its place in the file."""
    return {
        f"{name}.{table}": shards.run(name, f"SELECT ctid, * FROM {table} ORDER BY 1")
        for name in NAMES
        for table in ("customers", "orders")
    }


@pytest.fixture(scope="module")
def shop():
    """The old application and its databases, with customers who have ordered."""
    with Server("orm") as server:
        shards = Shards(server, NAMES)
        urls = " ".join(url(shards, name) for name in NAMES)
        [before] = load(EXAMPLE, "before", SHARD_URLS=urls)
        for engine in before.engines:
            before.Order.metadata.create_all(engine)
        for i, customer in enumerate(CUSTOMERS):
            before.sign_up(customer, f"name of {customer}")
            for n in range(i % 4):
                before.place_order(customer, Decimal(10 + i + n))
        try:
            yield shards, before
        finally:
            for engine in before.engines:
                engine.dispose()
            if shards.router:
                shards.stop()


@pytest.fixture(scope="module")
def adopted(shop):
    """The new application over the router, and what the old one had answered."""
    shards, before = shop
    stored = rows(shards)
    answers = {c: before.orders_of(c) for c in CUSTOMERS}, before.best_customers(10)
    looked = adopt(shards)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert shards.run(NAMES[0], "SELECT to_regnamespace('shoal')") == [(None,)], "it only looks"
    done = adopt(shards, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(shards) == stored, "not one row was touched"
    shards.serve()
    router = f"postgresql://postgres@127.0.0.1:{shards.port}/shard_0"
    [after] = load(EXAMPLE, "after", DATABASE_URL=router)
    yield after, answers
    after.engine.dispose()


def test_both_applications_give_the_same_answers(adopted):
    after, (orders, best) = adopted
    assert {customer: after.orders_of(customer) for customer in CUSTOMERS} == orders
    assert after.best_customers(10) == best and len(best) == 10


def test_new_rows_lie_where_the_old_application_looks_for_them(shop, adopted):
    before, after = shop[1], adopted[0]
    for i in range(20):
        after.sign_up(f"new-{i}", f"name {i}")
        after.place_order(f"new-{i}", Decimal(i))
        assert before.orders_of(f"new-{i}") == after.orders_of(f"new-{i}") == [Decimal(i)]


def test_ids_of_new_orders_do_not_repeat(shop, adopted):
    old = {ident for name in NAMES for (ident,) in shop[0].run(name, "SELECT id FROM orders")}
    new = [adopted[0].place_order(customer, Decimal(1)) for customer in CUSTOMERS]
    assert len(set(new)) == len(new) and not set(new) & old


def test_the_audit_finds_every_row_in_place_and_brings_home_what_is_not(shop, adopted):
    shards, before = shop
    assert shards.audit()["total"]["misplaced"] == 0
    lost = "customer-lost"
    wrong = NAMES[(before.shard_of(lost) + 1) % 4]
    shards.run(wrong, "INSERT INTO customers VALUES (%s, 'lost')", lost)
    shards.run(wrong, "INSERT INTO orders (customer, id, amount) VALUES (%s, 1, 5)", lost)
    assert shards.audit(status=2)["total"]["misplaced"] == 2
    assert shards.audit("--repair")["moved"] == 2
    assert shards.audit()["total"]["misplaced"] == 0
    assert adopted[0].orders_of(lost) == before.orders_of(lost) == [Decimal(5)]


def test_a_wrong_salt_is_found_out(shop):
    shards = shop[0]
    function = ["--key", "customer", "--function", "dorm", "--params", '{"n": 4, "salt": "other"}']
    report = shards.adopt(*function, status=None)
    assert report["problems"] != []
