"""examples/django-saas as its users see it: migrated once, behind a router, over HTTP."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import uuid

import psycopg
import pytest

from support.cluster import Cluster
from support.python_package import build_package
from support.service import Service

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples/django-saas"
TENANTS = range(1, 9)


@pytest.fixture(scope="module")
def environment():
    with Cluster(3) as cluster:
        path = os.pathsep.join([str(build_package()), str(EXAMPLE)])
        yield cluster, {"DATABASE_URL": cluster.url(), "PYTHONPATH": path}


def manage(environment, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=EXAMPLE,
        env={**os.environ, **environment[1], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def service(environment):
    cluster, variables = environment
    manage(environment, "migrate")
    command = [sys.executable, "-m", "uvicorn", "service.asgi:application", "--port", "{port}"]
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("INSERT INTO shop_product VALUES ('tea', 2.50), ('cup', 7.00)")
    with Service(command, EXAMPLE, **variables) as made:
        made.cluster = cluster
        for tenant in TENANTS:
            for _ in range(tenant % 3 + 1):
                made.http.post("/orders", headers=of(tenant), json=order(f"customer {tenant}"))
        yield made


def of(tenant: int) -> dict[str, str]:
    return {"X-Tenant": str(tenant)}


def order(customer: str) -> dict:
    return {"customer": customer, "lines": {"tea": 4, "cup": 1}}


def orders(service: Service, tenant: int) -> list[dict]:
    return service.http.get("/orders", headers=of(tenant)).json()["orders"]


def test_migrate_ran_once_for_all_shards(service, environment):
    assert "No migrations to apply" in manage(environment, "migrate")
    assert "No changes detected" in manage(environment, "makemigrations", "--check")
    kinds = "SELECT table_name, kind FROM shoal.tables WHERE table_name LIKE 'shop%' ORDER BY 1"
    with psycopg.connect(service.cluster.url()) as connection:
        assert connection.execute(kinds).fetchall() == [
            ("shop_order", "sharded"),
            ("shop_orderline", "sharded"),
            ("shop_product", "reference"),
        ]


def test_rows_of_a_tenant_are_together_and_tenants_are_spread(service):
    tenants = []
    for name in ("s1", "s2", "s3"):
        with psycopg.connect(service.cluster.url(name)) as shard:
            query = "SELECT DISTINCT tenant_id FROM shop_order"
            here = {row[0] for row in shard.execute(query)}
            lines = {row[0] for row in shard.execute("SELECT tenant_id FROM shop_orderline")}
            assert here == lines
            tenants += here
    assert sorted(tenants) == list(TENANTS) and len(tenants) == len(set(tenants))


def test_a_tenant_sees_its_own_orders_only(service):
    for tenant in TENANTS:
        seen = orders(service, tenant)
        assert len(seen) == tenant % 3 + 1
        assert all(one["customer"] == f"customer {tenant}" for one in seen)
        assert all(one["lines"] == {"cup": 1, "tea": 4} for one in seen)
    own = orders(service, 1)[0]["id"]
    assert service.http.get(f"/orders/{own}", headers=of(1)).json()["id"] == own
    for act in ("GET", "PATCH", "DELETE"):
        answer = service.http.request(
            act, f"/orders/{own}", headers=of(2), content=json.dumps({"customer": "thief"})
        )
        assert answer.status_code == 404
    assert own in [one["id"] for one in orders(service, 1)]


def test_orders_are_changed_and_deleted_with_their_lines(service):
    made = service.http.post("/orders", headers=of(50), json=order("first")).json()
    path = f"/orders/{made['id']}"
    changed = service.http.patch(path, headers=of(50), json={"customer": "second"})
    assert changed.json()["customer"] == "second" and orders(service, 50) == [changed.json()]
    assert service.http.delete(path, headers=of(50)).status_code == 200
    assert orders(service, 50) == []
    with psycopg.connect(service.cluster.url()) as connection:
        query = "SELECT count(*) FROM shop_orderline WHERE tenant_id = 50"
        assert connection.execute(query).fetchone() == (0,)


def test_a_failed_request_leaves_nothing(service):
    given = {"customer": "nobody", "lines": {"no such product": 1}}
    assert service.http.post("/orders", headers=of(51), json=given).status_code == 500
    assert orders(service, 51) == []
    assert len(orders(service, 1)) == 2


def test_without_a_tenant_the_error_names_the_model(service):
    assert service.http.get("/orders").status_code == 500
    assert "no active shard key for shop.Order" in service.log()
    assert service.http.get(f"/orders/{uuid.uuid4()}").status_code == 500
    assert service.http.get("/orders", headers={"X-Tenant": "x"}).status_code == 400


def test_the_report_is_about_all_tenants(service):
    rows = {row["tenant_id"]: row for row in service.http.get("/report").json()["tenants"]}
    assert sorted(rows) == list(TENANTS)
    for tenant in TENANTS:
        count = tenant % 3 + 1
        assert rows[tenant]["orders"] == count
        assert float(rows[tenant]["revenue"]) == count * 17.0


def test_later_migrations_reach_every_shard_or_none(service, environment):
    """An added column, as Django writes it, and one that a row of one shard forbids."""
    columns = (
        "SELECT count(*) FROM information_schema.columns "
        "WHERE table_name = 'shop_order' AND column_name = 'note'"
    )

    def shards_with_the_column() -> int:
        total = 0
        for name in ("s1", "s2", "s3"):
            with psycopg.connect(service.cluster.url(name)) as shard:
                total += shard.execute(columns).fetchone()[0]
        return total

    with psycopg.connect(service.cluster.url(), autocommit=True) as connection:
        connection.execute("ALTER TABLE shop_order ADD COLUMN note text DEFAULT '' NOT NULL")
        assert shards_with_the_column() == 3
        connection.execute("ALTER TABLE shop_order DROP COLUMN note")
        with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
            connection.execute("ALTER TABLE shop_order ADD COLUMN note text")
            connection.execute("ALTER TABLE shop_order ADD CHECK (customer <> 'customer 8')")
    assert shards_with_the_column() == 0


def test_migrations_can_be_undone(environment):
    with psycopg.connect(environment[0].url(), autocommit=True) as connection:
        connection.execute("TRUNCATE shop_order, shop_orderline")
    manage(environment, "migrate", "shop", "zero")
    manage(environment, "migrate")
