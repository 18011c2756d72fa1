"""Databases that an application shards by hand become a cluster as they are: the key and its
function are found out and checked, and not one row moves."""

from __future__ import annotations

import contextlib
import hashlib

import psycopg
import pytest

from support.cluster import available
from support.postgres import Server
from support.shards import Shards

pytestmark = pytest.mark.skipif(not available(), reason="build/release/shoal is not built")

TENANTS = 160


@pytest.fixture(scope="module")
def server():
    with Server("adopt") as server:
        yield server


@contextlib.contextmanager
def router(shards: Shards):
    try:
        yield shards.serve()
    finally:
        shards.stop()


def dorm(key: object, shards: int) -> int:
    digest = hashlib.blake2b(str(key).encode(), digest_size=8, key=b"dorm-shard").digest()
    return int.from_bytes(digest, "big") % shards


def shop(shards: Shards, place) -> None:
    """Tenants, orders with lines, and a currency list that is copied to every shard."""
    shards.everywhere(
        "CREATE TABLE tenants (tenant text PRIMARY KEY, name text UNIQUE);"
        "CREATE TABLE orders (tenant text NOT NULL REFERENCES tenants, id serial, total numeric,"
        "  PRIMARY KEY (tenant, id));"
        "CREATE TABLE lines (tenant text, order_id int, n int, what text,"
        "  PRIMARY KEY (tenant, order_id, n),"
        "  FOREIGN KEY (tenant, order_id) REFERENCES orders);"
        "CREATE TABLE currency (code text PRIMARY KEY, name text);"
        "INSERT INTO currency VALUES ('EUR', 'Euro'), ('USD', 'Dollar');"
        "CREATE TABLE nothing_yet (tenant text, id int, PRIMARY KEY (tenant, id))"
    )
    keys = [f"t{i}" for i in range(TENANTS)]
    for number, name in enumerate(shards.names):
        mine = [k for k in keys if place(k) == number]
        shards.copy(name, "tenants", [(k, f"name of {k}") for k in mine])
        for i, k in enumerate(mine):
            shards.run(name, "INSERT INTO orders (tenant, total) SELECT %s, n FROM "
                             "generate_series(1, 1 + %s) n", k, i % 4)
        shards.run(name, "INSERT INTO lines SELECT tenant, id, n, 'x' FROM orders,"
                         " generate_series(1, 2) n")
        shards.run(name, "ANALYZE")
    shards.run(shards.names[0], "CREATE TABLE settings (k text PRIMARY KEY, v text);"
                                "INSERT INTO settings VALUES ('a', 'b')")


def by_name(report: dict, table: str) -> dict:
    return next(t for t in report["tables"] if t["table"] == table)


def contents(shards: Shards, table: str) -> list[tuple]:
    return [(n, shards.run(n, f"SELECT ctid, t.* FROM {table} t ORDER BY 1")) for n in shards.names]


def test_a_shop_sharded_by_blake2_is_found_out_and_served_without_moving_a_row(server):
    shards = Shards(server, ["a", "b", "c"])
    shop(shards, lambda k: dorm(k, 3))
    report = shards.adopt()
    assert report["problems"] == []
    [keyspace] = report["keyspaces"]
    assert keyspace["function"] == "dorm"
    assert keyspace["owners"] == {"shard_0": "a", "shard_1": "b", "shard_2": "c"}
    assert keyspace["slots"] == 4098, "refined, so that parts can be moved later"
    kinds = {t["table"]: (t["kind"], t["key"]) for t in report["tables"]}
    assert kinds == {
        "currency": ("reference", []),
        "lines": ("sharded", ["tenant"]),
        "nothing_yet": ("sharded", ["tenant"]),
        "orders": ("sharded", ["tenant"]),
        "settings": ("single", []),
        "tenants": ("sharded", ["tenant"]),
    }
    assert by_name(report, "tenants")["local_constraints"] == ["tenants_name_key"]
    assert report["written"] is False
    for name in shards.names:
        assert shards.run(name, "SELECT to_regnamespace('shoal')") == [(None,)]

    before = {t: contents(shards, t) for t in ("tenants", "orders", "lines", "currency")}
    assert shards.adopt("--verify", "all", "--yes")["written"] is True
    assert {t: contents(shards, t) for t in before} == before, "no row moved"
    highest = max(shards.run(n, "SELECT max(id) FROM orders")[0][0] for n in shards.names[1:])
    with router(shards) as url, psycopg.connect(url, autocommit=True) as db:
        assert db.execute("SELECT count(*) FROM tenants").fetchone() == (TENANTS,)
        assert db.execute("SELECT name FROM tenants WHERE tenant = 't7'").fetchone() == (
            "name of t7",
        )
        new = db.execute("INSERT INTO orders (tenant, total) VALUES ('t7', 1) RETURNING id")
        assert new.fetchone()[0] > highest, "no shard has given that number"
        assert db.execute("SELECT count(*) FROM lines JOIN orders ON lines.tenant = orders.tenant"
                          " AND order_id = id").fetchone()[0] > TENANTS
        assert db.execute("SELECT count(*) FROM currency, settings").fetchone() == (2,)
        # A single slot can be given away: its key is pinned with all its rows.
        db.execute("SELECT shoal.pin('orders', 't7', 'b')")
        assert db.execute("SELECT count(*) FROM tenants").fetchone() == (TENANTS,)
    where = [n for n in shards.names if shards.run(n, "SELECT FROM tenants WHERE tenant = 't7'")]
    assert where == ["b"]


@pytest.mark.parametrize(
    ("name", "place", "function", "column"),
    [
        ("remainders", lambda k: k % 4, "mod_floor", "int"),
        ("sixteen buckets in turn", lambda k: k % 16 % 4, "mod_floor", "bigint"),
        (
            "md5",
            lambda k: int(hashlib.md5(str(k).encode()).hexdigest()[:8], 16) % 4,
            "digest_mod",
            "int",
        ),
        (
            "sha256 of text",
            lambda k: int(hashlib.sha256(str(k).encode()).hexdigest(), 16) % 4,
            "digest_mod",
            "text",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_well_known_schemes_are_found_from_rows_alone(server, name, place, function, column):
    shards = Shards(server, ["s1", "s2", "s3", "s4"])
    shards.everywhere(f"CREATE TABLE t (owner {column}, id int, PRIMARY KEY (owner, id))")
    for number, database in enumerate(shards.names):
        rows = [(k, k * 7919 % 1009) for k in range(1, 900) if place(k) == number]
        shards.copy(database, "t", rows)
    report = shards.adopt("--verify", "all")
    assert report["problems"] == []
    assert report["keyspaces"][0]["function"] == function
    assert by_name(report, "t")["key"] == ["owner"]
    assert by_name(report, "t")["misplaced"] == 0
    assert by_name(report, "t")["checked"] == 899


def test_sql_remainders_of_negative_keys_keep_their_shards(server):
    """SQL's % keeps the sign: -1 % 4 is -1, which an application may have put anywhere."""
    shards = Shards(server, ["s1", "s2", "s3", "s4"])
    shards.everywhere("CREATE TABLE t (k int PRIMARY KEY)")
    keys = range(-400, 400)
    for number, database in enumerate(shards.names):
        mine = [(k,) for k in keys if abs(int(abs(k) % 4 * (1 if k > 0 else -1))) == number]
        shards.copy(database, "t", mine)
    report = shards.adopt("--verify", "all", "--yes")
    assert report["problems"] == []
    assert by_name(report, "t")["misplaced"] == 0
    with router(shards) as url, psycopg.connect(url, autocommit=True) as db:
        for key in (-399, -398, -4, -1, 0, 1, 399):
            assert db.execute(f"SELECT k FROM t WHERE k = {key}").fetchone() == (key,)
        assert db.execute("SELECT count(*) FROM t").fetchone() == (800,)


def test_partitions_on_different_servers_are_adopted_as_they_are(server):
    shards = Shards(server, ["p1", "p2", "p3"])
    shards.everywhere(
        "CREATE TABLE m (k bigint, v text, PRIMARY KEY (k)) PARTITION BY HASH (k)"
    )
    layout = {"m_a": (2, 0, "p1"), "m_b": (4, 1, "p2"), "m_c": (4, 3, "p3")}
    for part, (modulus, remainder, on) in layout.items():
        shards.run(on, f"CREATE TABLE {part} PARTITION OF m FOR VALUES WITH"
                       f" (MODULUS {modulus}, REMAINDER {remainder})")
    whole = Shards(server, ["whole"])
    whole.run("whole", "CREATE TABLE m (k bigint, v text) PARTITION BY HASH (k)")
    for part, (modulus, remainder, _) in layout.items():
        whole.run("whole", f"CREATE TABLE {part} PARTITION OF m FOR VALUES WITH"
                           f" (MODULUS {modulus}, REMAINDER {remainder})")
    whole.run("whole", "INSERT INTO m SELECT i, 'v' || i FROM generate_series(1, 500) i")
    for part, (_, _, on) in layout.items():
        shards.copy(on, "m", whole.run("whole", f"SELECT * FROM {part}"))
    report = shards.adopt("--verify", "all", "--yes")
    assert report["problems"] == []
    assert report["keyspaces"][0]["function"] == "postgres"
    assert report["keyspaces"][0]["owners"] == {p: on for p, (_, _, on) in layout.items()}
    assert by_name(report, "m")["misplaced"] == 0
    with router(shards) as url, psycopg.connect(url, autocommit=True) as db:
        assert db.execute("SELECT count(*) FROM m").fetchone() == (500,)
        db.execute("INSERT INTO m SELECT i, 'new' FROM generate_series(501, 600) i")
        for key in (1, 250, 501, 600):
            assert db.execute("SELECT k FROM m WHERE k = %s", (key,)).fetchone() == (key,)
    assert sum(len(shards.run(n, "SELECT FROM m")) for n in shards.names) == 600


def test_what_cannot_be_explained_is_asked_for_and_nothing_is_written(server):
    shards = Shards(server, ["x1", "x2"])
    shards.everywhere("CREATE TABLE t (id int PRIMARY KEY, v text)")
    # Where the rows lie depends on nothing that is in them.
    for number, database in enumerate(shards.names):
        rows = [(i, "v") for i in range(600)
                if hashlib.sha1(b"secret%d" % i).digest()[0] % 2 == number]  # fmt: skip
        shards.copy(database, "t", rows)
    report = shards.adopt("--yes", status=2)
    assert report["written"] is False
    assert "no known function explains where its rows lie" in report["problems"][0]
    wrong = shards.adopt("--key", "id", "--function", "mod_floor", "--params", '{"n": 2}',
                         status=2)  # fmt: skip
    assert "it is not the one that placed them" in wrong["problems"][0]
    # A table of tenants that somebody placed by hand is a directory.
    stated = shards.adopt("--key", "t=id", "--verify", "all")
    assert stated["keyspaces"][0]["function"] == "directory"
    assert stated["keyspaces"][0]["pins"] == 600
    assert shards.run("x1", "SELECT to_regnamespace('shoal')") == [(None,)]


def test_misplaced_rows_are_counted_and_shown(server):
    shards = Shards(server, ["a", "b"])
    shards.everywhere("CREATE TABLE t (k int PRIMARY KEY)")
    shards.copy("a", "t", [(k,) for k in range(0, 1000, 2)] + [(7,), (9,)])
    shards.copy("b", "t", [(k,) for k in range(1, 1000, 2) if k not in (7, 9)])
    report = shards.adopt("--verify", "all")
    assert report["problems"] == []
    assert by_name(report, "t")["misplaced"] == 2
    assert set(by_name(report, "t")["examples"]) == {
        "7 is on a and belongs on b", "9 is on a and belongs on b"}  # fmt: skip


def test_a_missing_table_is_made_and_foreign_keys_are_judged(server):
    shards = Shards(server, ["home", "one", "two"])
    for name in ("one", "two"):
        shards.run(name, "CREATE SCHEMA app; CREATE TABLE app.t (k int, id bigserial,"
                         " v text DEFAULT 'd', PRIMARY KEY (k, id))")  # fmt: skip
    shards.copy("one", "app.t (k, id)", [(k, k) for k in range(0, 600, 2)])
    shards.copy("two", "app.t (k, id)", [(k, k) for k in range(1, 600, 2)])
    shards.run("two", "SELECT setval('app.t_id_seq', 7000)")
    shards.run("home", "CREATE TABLE users (id int PRIMARY KEY)")
    report = shards.adopt("--yes")
    assert report["written"] is True
    assert "create the empty table app.t on home" in report["actions"]
    with router(shards) as url, psycopg.connect(url, autocommit=True) as db:
        assert db.execute("SELECT count(*) FROM app.t").fetchone() == (600,)
        row = db.execute("INSERT INTO app.t (k) VALUES (1001) RETURNING id, v").fetchone()
        assert row == (7001, "d")
    assert shards.run("home", "SELECT count(*) FROM app.t") == [(0,)]

    other = Shards(server, ["f1", "f2"])
    other.everywhere("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (k int PRIMARY KEY,"
                     " p int REFERENCES p)")  # fmt: skip
    other.copy("f1", "p", [(1,)])
    other.copy("f2", "p", [(2,)])
    for n, name in enumerate(other.names):
        other.copy(name, "t", [(k, n + 1) for k in range(n, 400, 2)])
    report = other.adopt("--single", "p", status=2)
    assert any("SH0202" in p for p in report["problems"]), report["problems"]


def test_a_citus_map_is_shown_and_refused(server):
    """Tables of the columns that Citus has; the extension itself is not needed to be recognised."""
    shards = Shards(server, ["citus"])
    shards.run(
        "citus",
        "CREATE TABLE t (k int);"
        "CREATE TABLE pg_dist_partition (logicalrelid regclass, partmethod \"char\", partkey text);"
        "CREATE TABLE pg_dist_shard (logicalrelid regclass, shardid int8, shardstorage \"char\","
        " shardminvalue text, shardmaxvalue text);"
        "CREATE TABLE pg_dist_placement (placementid int8, shardid int8, groupid int);"
        "INSERT INTO pg_dist_partition VALUES ('t', 'h', '{VAR :varno 1 :varattno 1 :vartype 23}');"
        "INSERT INTO pg_dist_shard VALUES ('t', 102008, 't', '-2147483648', '-1'),"
        " ('t', 102009, 't', '0', '2147483647');"
        "INSERT INTO pg_dist_placement VALUES (1, 102008, 1), (2, 102009, 2)",
    )
    report = shards.adopt("--yes", status=2)
    assert report["citus"] == [
        {"table": "public.t", "method": "hash", "column": "k", "shards": 2, "nodes": 2}
    ]
    assert "this is a Citus cluster" in report["problems"][0]
    assert report["written"] is False


def test_the_report_is_readable(server):
    shards = Shards(server, ["a", "b", "c"])
    shop(shards, lambda k: dorm(k, 3))
    text = shards.shoal("adopt", *shards.shard_options()).stdout
    for words in ("(home)", "function  dorm", "shard_0", "orders", "sharded", "tenants_name_key",
                  "Nothing was written"):
        assert words in text
    assert "Usage:" in shards.shoal("adopt", "--help").stdout
    wrong = shards.shoal("adopt", "--shard", "nonsense", status=1)
    assert "NAME=DSN is needed" in wrong.stderr


def test_a_default_database_with_strays_becomes_home_without_slots(server):
    """Four shards by BLAKE2b beside a default database that has its own tables and lost rows."""
    shards = Shards(server, ["default", "shard_0", "shard_1", "shard_2", "shard_3"])
    shards.everywhere("CREATE TABLE app_order (id serial PRIMARY KEY, tenant varchar(64), v int)")
    shards.run("default", "CREATE TABLE auth_user (id int PRIMARY KEY)")
    keys = [f"user-{i}" for i in range(400)]
    for number in range(4):
        rows = [(k, i) for i, k in enumerate(keys) if dorm(k, 4) == number]
        shards.copy(f"shard_{number}", "app_order (tenant, v)", rows)
    shards.copy("default", "app_order (tenant, v)", [(k, -1) for k in keys[:150]])
    report = shards.adopt("--verify", "all")
    assert report["problems"] == []
    [keyspace] = report["keyspaces"]
    assert keyspace["function"] == "dorm"
    assert keyspace["owners"] == {f"shard_{i}": f"shard_{i}" for i in range(4)}
    order = by_name(report, "app_order")
    assert (order["key"], order["misplaced"]) == (["tenant"], 150)
    assert order["local_constraints"] == ["app_order_pkey"]
    assert "set app_order.tenant NOT NULL on every shard" in report["actions"]
    assert any("lie on a server that owns no key" in n for n in report["notes"])
    assert shards.adopt("--yes")["written"] is True
    # Ids repeat on independent shards: rows whose id is taken there are left for a decision.
    repaired = shards.audit("--repair", status=2)
    assert repaired["total"]["misplaced"] == 150
    assert repaired["moved"] + repaired["left"] == 150
    with router(shards) as url, psycopg.connect(url, autocommit=True) as db:
        # What is left on a server without slots stays out of sight, as it was for the application.
        total = 400 + repaired["moved"]
        assert db.execute("SELECT count(*) FROM app_order").fetchone() == (total,)
        row = db.execute("INSERT INTO app_order (tenant, v) VALUES ('user-1', 0) RETURNING id")
        assert row.fetchone()[0] > 150


def test_a_ring_over_the_names_of_the_shards_is_found(server):
    def point(text: str) -> int:
        return int.from_bytes(hashlib.md5(text.encode()).digest(), "big")

    names = ["5432", "5433", "5434"]
    ring = sorted((point(f"{n}-{i}"), n) for n in names for i in range(160))

    def node(key: str) -> str:
        return next((n for p, n in ring if p > point(key)), ring[0][1])

    shards = Shards(server, names)
    shards.everywhere("CREATE TABLE urls (id serial, url text, url_id varchar(5))")
    for name in names:
        urls = [f"https://example.org/{i}" for i in range(900)]
        ids = [hashlib.sha256(u.encode()).hexdigest()[:5] for u in urls]
        rows = [(u, k) for u, k in zip(urls, ids) if node(k) == name]
        shards.copy(name, "urls (url, url_id)", rows)
    report = shards.adopt("--verify", "all", "--yes")
    assert report["problems"] == []
    assert report["keyspaces"][0]["function"] == "ring"
    assert by_name(report, "urls")["key"] == ["url_id"]
    again = shards.adopt("--yes")
    assert by_name(again, "urls")["why"] == "part of the cluster already"
    with router(shards) as url, psycopg.connect(url, autocommit=True) as db:
        assert db.execute("SELECT count(*) FROM urls").fetchone() == (900,)
