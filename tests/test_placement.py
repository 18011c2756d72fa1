"""Where keys are placed by hand: ranges, lists, directories, keys of several columns, and rules
that keep keys on shards with a tag."""

from __future__ import annotations

import json
import os
import subprocess

import psycopg
import pytest

from support.cluster import binary


def refused(db, sql: str) -> str:
    """SQLSTATE and DETAIL of what must not work."""
    with pytest.raises(psycopg.Error) as caught:
        db.execute(sql)
    return f"{caught.value.sqlstate} {caught.value.diag.message_detail or ''}"


def where(db, table: str, key: str) -> str:
    return db.execute(f"SELECT * FROM shoal.where('{table}', {key})").fetchone()[4]


@pytest.fixture
def keyspace(target):
    """Names of keyspaces that end with the test, with their pins and rules."""
    if not target.router:
        pytest.skip("PostgreSQL has no keyspaces")
    yield lambda name: name


def test_a_range_keyspace_places_prunes_and_refuses_what_no_range_holds(db, tables, keyspace):
    db.execute(
        """SELECT shoal.create_keyspace('by_day', 'range', '{"ranges": {
             "s1": "[2024-01-01,2024-07-01)", "s2": ["[2024-07-01,2025-01-01)", "[2026-01-01,)"]
           }}', '{date}')"""
    )
    tables.append("days")
    db.execute("CREATE TABLE days (day date, n int, PRIMARY KEY (day, n))")
    db.execute("SELECT shoal.shard_table('days', 'day', 'by_day')")
    db.execute("INSERT INTO days VALUES ('2024-06-30', 1), ('2024-07-01', 2), ('2030-01-01', 3)")
    assert db.execute("SELECT sum(n) FROM days").fetchone() == (6,)
    assert "SH0702: no range holds 2025-06-01" in refused(
        db, "INSERT INTO days VALUES ('2025-06-01', 4)"
    )
    assert where(db, "days", "'2024-06-30'") == "s1"
    assert where(db, "days", "'2030-01-01'") == "s2"
    between = "SELECT n FROM days WHERE day BETWEEN '2024-02-01' AND '2024-03-01'"
    route = "\n".join(r[0] for r in db.execute(f"EXPLAIN (ROUTE) {between}"))
    assert "s1" in route and "s2" not in route and "s3" not in route
    assert db.execute("SELECT n FROM days WHERE day > '2024-06-30' ORDER BY 1").fetchall() == [
        (2,),
        (3,),
    ]


def test_months_are_dealt_out_in_turn(db, tables, keyspace):
    db.execute(
        """SELECT shoal.create_keyspace('by_month', 'range', '{"start": "2024-01-01",
             "every": "1 month", "count": 12, "names": ["s1", "s2", "s3"]}', '{timestamptz}')"""
    )
    tables.append("events")
    db.execute("CREATE TABLE events (at timestamptz, n int, PRIMARY KEY (at, n))")
    db.execute("SELECT shoal.shard_table('events', 'at', 'by_month')")
    db.execute("INSERT INTO events SELECT '2024-01-15'::timestamptz + i * interval '1 month', i"
               " FROM generate_series(0, 11) i")
    assert db.execute("SELECT count(*) FROM events").fetchone() == (12,)
    assert [where(db, "events", f"'2024-{m:02}-15 00:00:00+00'") for m in (1, 2, 3, 4)] == [
        "s1", "s2", "s3", "s1"]  # fmt: skip


def test_a_list_keyspace_names_its_shards(db, tables, keyspace):
    db.execute(
        """SELECT shoal.create_keyspace('by_country', 'list',
             '{"values": {"s1": ["de", "at"], "s3": ["us"]}}', '{text}')"""
    )
    tables.append("shops")
    db.execute("CREATE TABLE shops (country text, id int, PRIMARY KEY (country, id))")
    db.execute("SELECT shoal.shard_table('shops', 'country', 'by_country')")
    db.execute("INSERT INTO shops VALUES ('de', 1), ('us', 2)")
    assert where(db, "shops", "'at'") == "s1"
    assert where(db, "shops", "'us'") == "s3"
    assert "SH0702" in refused(db, "INSERT INTO shops VALUES ('jp', 3)")
    # A value that is not listed may be pinned, over any function.
    db.execute("SELECT shoal.pin('by_country', 'jp', 's2')")
    db.execute("INSERT INTO shops VALUES ('jp', 3)")
    assert where(db, "shops", "'jp'") == "s2"
    assert "which has no other place" in refused(db, "SELECT shoal.unpin('by_country', 'jp')")
    db.execute("DELETE FROM shops WHERE country = 'jp'")
    db.execute("SELECT shoal.unpin('by_country', 'jp')")
    assert "SH0702" in refused(db, "INSERT INTO shops VALUES ('jp', 3)")


def test_a_directory_places_only_what_is_pinned(db, tables, keyspace, target):
    db.execute("SELECT shoal.create_keyspace('by_hand', 'directory', '{}', '{int8}')")
    tables.append("accounts")
    db.execute("CREATE TABLE accounts (tenant bigint, id int, PRIMARY KEY (tenant, id))")
    db.execute("SELECT shoal.shard_table('accounts', 'tenant', 'by_hand')")
    assert "SH0504: slot 0 is not assigned" in refused(db, "INSERT INTO accounts VALUES (7, 1)")
    db.execute("SELECT shoal.pin('by_hand', 7, 's2')")
    db.execute("SELECT shoal.pin('by_hand', 8, 's3')")
    db.execute("INSERT INTO accounts VALUES (7, 1), (8, 2), (7, 3)")
    assert target.shard_counts("accounts") == [0, 2, 1]
    db.execute("SELECT shoal.pin('by_hand', 7, 's1')")
    assert target.shard_counts("accounts") == [2, 0, 1]
    assert db.execute("SELECT count(*) FROM accounts").fetchone() == (3,)


def test_a_key_of_several_columns_is_pinned_with_its_rows(db, tables, keyspace, target):
    db.execute(
        "SELECT shoal.create_keyspace('by_pair', 'postgres', '{\"slots\": 64}', '{text,int8}')"
    )
    tables.append("pairs")
    db.execute("CREATE TABLE pairs (region text, tenant int, n int, PRIMARY KEY (region, tenant))")
    db.execute("SELECT shoal.shard_table('pairs', ARRAY['region', 'tenant'], 'by_pair')")
    db.execute("INSERT INTO pairs SELECT 'r' || i % 3, i, i FROM generate_series(1, 60) i")
    old = where(db, "pairs", "ARRAY['r1', '4']")
    new = next(s for s in ("s1", "s2", "s3") if s != old)
    db.execute(f"SELECT shoal.pin('pairs', ARRAY['r1', '4'], '{new}')")
    assert where(db, "pairs", "ARRAY['r1', '4']") == new
    row = db.execute("SELECT n FROM pairs WHERE region = 'r1' AND tenant = 4").fetchone()
    assert row == (4,)
    assert sum(target.shard_counts("pairs")) == 60
    db.execute("SELECT shoal.unpin('pairs', ARRAY['r1', '4'])")
    assert where(db, "pairs", "ARRAY['r1', '4']") == old
    assert "give an array" in refused(db, "SELECT shoal.pin('pairs', ARRAY['r1'], 's1')")


def test_a_rule_keeps_keys_on_shards_with_its_tag(db, tables, keyspace):
    db.execute("SELECT shoal.set_tags('s1', ARRAY['eu', 'fast'])")
    db.execute("SELECT shoal.set_tags('s2', ARRAY['eu'])")
    db.execute("SELECT shoal.set_tags('s3', ARRAY['us'])")
    db.execute(
        """SELECT shoal.create_keyspace('by_region', 'list',
             '{"values": {"tag:eu": ["de", "fr"], "tag:us": ["us"]}}', '{text}')"""
    )
    assert [r[0] for r in db.execute("SELECT shard FROM shoal.slots WHERE keyspace = 'by_region'"
                                     " ORDER BY first_slot")] == ["s1", "s3"]
    rule = db.execute(
        "SELECT shoal.placement_rule('by_region', 'eu', ARRAY['de', 'fr', 'it'])"
    ).fetchone()[0]
    broken = refused(db, "SELECT shoal.pin('by_region', 'de', 's3')")
    assert broken == (f"22023 SH0504: placement rule {rule} keeps key de of keyspace by_region on "
                      "shards with the tag eu, which s3 has not")
    db.execute("SELECT shoal.pin('by_region', 'de', 's2')")
    assert "placement rule" in refused(db, "SELECT shoal.set_tags('s2', ARRAY['us'])")
    assert "placement rule" in refused(db, "SELECT shoal.placement_rule('by_region', 'fast')")
    assert db.execute("SELECT count(*) FROM shoal.placement_rules").fetchone() == (1,), (
        "what was refused is not there"
    )
    db.execute("SELECT shoal.unpin('by_region', 'de')")
    db.execute("SELECT shoal.set_tags('s2', ARRAY['us'])")
    db.execute(f"SELECT shoal.drop_placement_rule({rule})")
    db.execute("SELECT shoal.pin('by_region', 'de', 's3')")


def test_a_rule_between_two_keys_holds_for_slots_and_pins(db, tables, keyspace):
    db.execute("SELECT shoal.set_tags('s1', ARRAY['ssd'])")
    db.execute("SELECT shoal.set_tags('s2', ARRAY['disk'])")
    db.execute(
        """SELECT shoal.create_keyspace('by_number', 'range',
             '{"bounds": [1000], "names": ["s1", "s2"]}', '{int8}')"""
    )
    db.execute("SELECT shoal.placement_rule('by_number', 'ssd', low => '100', high => '200')")
    assert "slot 1" in refused(
        db, "SELECT shoal.placement_rule('by_number', 'ssd', low => '500', high => '1500')"
    )
    assert "placement rule" in refused(db, "SELECT shoal.pin('by_number', 150, 's2')")
    db.execute("SELECT shoal.pin('by_number', 50, 's2')")


def test_sizes_and_balance_are_measured(db, tables, keyspace):
    tables.append("sized")
    db.execute("CREATE TABLE sized (k int PRIMARY KEY, pad text)")
    db.execute("SELECT create_distributed_table('sized', 'k')")
    db.execute("INSERT INTO sized SELECT i, repeat('x', 100) FROM generate_series(1, 3000) i")
    db.execute("ANALYZE sized")
    db.execute("SELECT shoal.measure()")
    rows = db.execute(
        "SELECT shard, rows, bytes FROM shoal.table_sizes WHERE relation = 'sized'::regclass"
        " ORDER BY 1"
    ).fetchall()
    assert [r[0] for r in rows] == ["s1", "s2", "s3"]
    assert sum(r[1] for r in rows) == 3000
    assert all(r[2] > 8192 for r in rows)
    balance = db.execute(
        "SELECT shard, slots, rows, bytes, percent FROM shoal.balance"
        " WHERE keyspace = 'default_int8' ORDER BY 1"
    ).fetchall()
    assert sum(r[1] for r in balance) == 4096
    assert abs(sum(r[4] for r in balance) - 100) < 1


def shoal(target, *arguments: str, status: int = 0) -> str:
    catalog = target.cluster._run("url", "--shard", "s1", "--superuser")
    done = subprocess.run(
        [str(binary()), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "SHOAL_URL": target.url, "SHOAL_CATALOG": catalog},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_a_keyspace_is_drawn_and_listed(db, tables, keyspace, target):
    db.execute("SELECT shoal.create_keyspace('drawn', 'postgres', '{\"slots\": 6}', '{int8}')")
    text = shoal(target, "keyspace", "show", "drawn")
    assert "  0 |aabbcc| 5" in text and "33.3 %" in text
    shown = json.loads(shoal(target, "keyspace", "show", "drawn", "--json"))
    assert [(r["first"], r["last"], r["shard"]) for r in shown["ranges"]] == [
        (0, 1, "s1"), (2, 3, "s2"), (4, 5, "s3")]  # fmt: skip
    assert "drawn" in shoal(target, "keyspace", "list")
    shoal(target, "keyspace", "show", "nowhere", status=1)
    assert "drawn" in shoal(target, "balance")


@pytest.mark.parametrize(
    "types",
    ["int8", "text", "numeric", "uuid", "timestamptz", "bytea", "float8", "date", "bool", "bpchar",
     "time", "name", "int2", "oid", "text,int8,uuid"],
)  # fmt: skip
def test_postgresqls_function_agrees_with_the_server(db, keyspace, target, types):
    name = "tested_" + types.replace(",", "_")
    db.execute(
        f"SELECT shoal.create_keyspace('{name}', 'postgres', '{{\"slots\": 1021}}', '{{{types}}}')"
    )
    report = json.loads(shoal(target, "keyspace", "test", name, "--values", "3000", "--json"))
    assert report["server_values"] == 3000
    assert report["server_differ"] == 0, report["examples"]


def test_a_keyspace_is_tested_against_rows_and_expectations(db, tables, keyspace, target, tmp_path):
    tables.append("tested")
    db.execute("SELECT shoal.create_keyspace('by_rest', 'mod_floor', '{\"n\": 3}', '{int8}')")
    db.execute("CREATE TABLE tested (k int PRIMARY KEY)")
    db.execute("SELECT shoal.shard_table('tested', 'k', 'by_rest')")
    db.execute("INSERT INTO tested SELECT generate_series(1, 100)")
    good = tmp_path / "good.jsonl"
    good.write_text('{"key": 4, "shard": "s2"}\n{"key": "5", "shard": "s3"}\n')
    assert "100 rows against where they lie: 0 elsewhere" in shoal(
        target, "keyspace", "test", "by_rest", "--expect", str(good)
    )
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"key": 4, "shard": "s3"}\n')
    text = shoal(target, "keyspace", "test", "by_rest", "--expect", str(wrong), status=2)
    assert "4 was expected on s3 and belongs on s2" in text
    with psycopg.connect(target.cluster.url("s1")) as shard:
        shard.execute("INSERT INTO tested VALUES (-1)")
    text = shoal(target, "keyspace", "test", "by_rest", status=2)
    assert "tested -1 is on s1 and belongs on s3" in text


def test_hot_keys_and_slots_are_seen_on_the_admin_console(db, tables, keyspace, target):
    tables.append("hot")
    db.execute("CREATE TABLE hot (k int PRIMARY KEY, v int)")
    # A keyspace of its own: other tests have their own hot keys.
    db.execute("SELECT shoal.create_keyspace('by_heat', 'postgres', '{}', '{int8}')")
    db.execute("SELECT shoal.shard_table('hot', 'k', 'by_heat')")
    for i in range(800):
        key = 42 if i % 2 else i
        db.execute("SELECT v FROM hot WHERE k = %s", (key,), prepare=True)
        db.execute(f"SELECT v FROM hot WHERE k = {key}")
    url = f"postgresql://app@127.0.0.1:{target.cluster.port}/shoal"
    shown = subprocess.run(
        ["psql", "-XAtq", url, "-c", "SHOW KEYS"], capture_output=True, text=True, timeout=30
    )
    assert shown.returncode == 0, shown.stderr
    rows = [line.split("|") for line in shown.stdout.splitlines()]
    hottest = max((r for r in rows if r[0] == "by_heat"), key=lambda r: int(r[3]))
    assert hottest[1] == "42"
    assert hottest[2] == where(db, "hot", "42")
    # Half of the prepared ones; psycopg prepares the text with 42 in it, whose shard is fixed.
    assert 250 < int(hottest[3]) < 1000
    slots = subprocess.run(
        ["psql", "-XAtq", url, "-c", "SHOW SLOTS"], capture_output=True, text=True, timeout=30
    )
    stretches = [s.split("|") for s in slots.stdout.splitlines() if s.startswith("by_heat")]
    assert len(stretches) == 64
    assert stretches[0][1] == "0" and stretches[-1][2] == "4095"
    assert sum(int(s[4]) for s in stretches) > 800
