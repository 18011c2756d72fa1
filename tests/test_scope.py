"""SET shoal.key: ways out of a scope. Each either answers with the tenant's own rows or is refused;
afterwards nothing of the other tenants may have been seen, changed or locked."""

from __future__ import annotations

import os

import psycopg
import pytest
from support import scope_world
from support.cluster import Cluster
from support.scope_world import MARK, MINE

REFUSED = "refused"
SCOPE = "SH0307"


class World:
    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.url = cluster.url()
        names = [f"s{n}" for n in range(1, cluster.shards + 1)]
        self.shards = [
            psycopg.connect(cluster.url(name), autocommit=True) for name in names
        ]
        self.admin = psycopg.connect(self.url, autocommit=True)
        scope_world.make(self.admin)
        self.before = scope_world.others(self.shards)
        self.dirty = False

    def connect(self, **options) -> psycopg.Connection:
        return psycopg.connect(self.url, **{"autocommit": True, **options})

    def close(self) -> None:
        for connection in [self.admin, *self.shards]:
            connection.close()


@pytest.fixture(scope="module")
def world():
    if os.environ.get("SHOAL_TEST_AGAINST") == "postgres":
        pytest.skip("a scope is the router's")
    with Cluster(3) as cluster:
        world = World(cluster)
        yield world
        world.close()


class Session:
    """A client's connection that writes down all it is told."""

    def __init__(self, world: World, mode: str = "simple", **options):
        self.connection = world.connect(**options)
        self.mode = mode
        self.told: list[str] = []
        self.connection.add_notice_handler(
            lambda d: self.told.append(f"{d.message_primary} {d.message_detail}")
        )

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_) -> None:
        self.connection.close()

    def run(self, text: str):
        """Rows of the answer (COPY: its lines), [] without an answer, or REFUSED."""
        cursor = self.connection.cursor(binary=self.mode == "binary")
        try:
            if text.startswith("COPY") and " TO STDOUT" in text:
                with cursor.copy(text) as copy:
                    data = b"".join(bytes(part) for part in copy).decode()
                self.told.append(data)
                return data.splitlines()
            if text.startswith("COPY") and "\n" in text:
                command, _, lines = text.partition("\n")
                with cursor.copy(command) as copy:
                    copy.write(lines)
                return cursor.rowcount
            if self.mode == "prepared":
                cursor.execute(text, prepare=True)
            elif self.mode == "pipeline":
                with self.connection.pipeline():
                    cursor.execute(text, prepare=False)
            else:
                cursor.execute(text, prepare=False)
            rows = []
            while True:
                if cursor.description:
                    rows = cursor.fetchall()
                    self.told.append(repr(rows))
                if not cursor.nextset():
                    break
            return rows
        except psycopg.Error as error:
            d = error.diag
            self.told.append(f"{error} {d.message_detail} {d.message_hint} {d.context}")
            self.last = f"{d.sqlstate} {d.message_detail or d.message_primary}"
            return REFUSED


class Either:
    """One of several answers: some forms are refused that may be answered one day."""

    def __init__(self, *outcomes):
        self.outcomes = outcomes


def attack(world: World, statements, expected, mode="simple", **options):
    """Runs the statements with shoal.key set, unless options are given, and compares the last
    answer. `expected`: rows, REFUSED, or a set of either."""
    with Session(world, mode, **options) as session:
        if not options:
            session.run(f"SET shoal.key = '{MINE}'")
        answer = None
        for statement in statements:
            answer = session.run(statement)
        seen = " ".join(session.told)
        locked = scope_world.locked(world.shards)
        note = f"{statements} [{mode}] -> {answer}: {getattr(session, 'last', '')}"
    assert MARK not in seen, f"rows of other tenants were seen: {note} {seen}"
    assert not locked, f"rows of other tenants are locked: {note}"
    assert scope_world.others(world.shards) == world.before, f"others were changed: {note}"
    outcomes = expected.outcomes if isinstance(expected, Either) else [expected]
    wanted = [sorted(map(repr, e)) if isinstance(e, list) else e for e in outcomes]
    given = sorted(map(repr, answer)) if isinstance(answer, list) else answer
    assert given in wanted, note


MY_IDS = [(1,), (2,)]
MY_SECRETS = [("mine-7-1",), ("mine-7-2",)]

# name -> (statements, answer of the last one); each runs in all modes of the protocol.
READS = {
    "plain": (["SELECT secret FROM accounts"], MY_SECRETS),
    "another_key": (["SELECT secret FROM accounts WHERE tenant_id = 8"], []),
    "several_keys": (["SELECT id FROM accounts WHERE tenant_id IN (7, 8, 9)"], MY_IDS),
    "or_true": (["SELECT id FROM accounts WHERE tenant_id = 8 OR true"], MY_IDS),
    "or_in_parentheses": (["SELECT id FROM accounts WHERE (id = 1 OR 1 = 1)"], MY_IDS),
    "not_equal": (["SELECT id FROM accounts WHERE tenant_id <> 7"], []),
    "negated": (["SELECT id FROM accounts WHERE NOT (tenant_id = 7)"], []),
    "null_key": (["SELECT id FROM accounts WHERE tenant_id IS NULL"], []),
    "key_is_not_distinct": (["SELECT id FROM accounts WHERE tenant_id IS NOT DISTINCT FROM 8"], []),
    "count": (["SELECT count(*), sum(amount) FROM accounts"], [(2, 30)]),
    "filter": (["SELECT count(*) FILTER (WHERE tenant_id = 8) FROM accounts"], [(0,)]),
    "key_as_text": (["SELECT id FROM accounts WHERE tenant_id::text = '8'"], []),
    "key_as_numeric": (["SELECT id FROM accounts WHERE tenant_id = 8.0"], []),
    "key_as_domain": (["SELECT id FROM accounts WHERE tenant_id::sevenish = 8"], []),
    "cast_of_the_alias": (["SELECT a.tenant_id FROM accounts AS a(x, tenant_id)"], MY_IDS),
    "alias_hides_the_key": (["SELECT k FROM accounts AS a(k, i)"], [(7,), (7,)]),
    "alias_swaps_key_and_id": (["SELECT a.id FROM accounts AS a(id, tenant_id)"], [(7,), (7,)]),
    "alias_doubles_the_key": (
        ["SELECT secret FROM accounts AS a(tenant_id, tenant_id)"], REFUSED),
    "output_named_like_the_key": (
        ["SELECT 8 AS tenant_id, id FROM accounts ORDER BY tenant_id"], [(8, 1), (8, 2)]),
    "table_named_twice": (["SELECT count(*) FROM accounts a, accounts b"], [(4,)]),
    "cross_join": (["SELECT count(*) FROM accounts CROSS JOIN lines"], [(4,)]),
    "join": (["SELECT a.id FROM accounts a JOIN lines l ON l.account = a.id"], MY_IDS),
    "join_on_true": (["SELECT count(*) FROM accounts a JOIN lines l ON true"], [(4,)]),
    "join_using": (["SELECT count(*) FROM accounts JOIN lines USING (id)"], [(2,)]),
    "natural_join": (["SELECT count(*) FROM accounts NATURAL JOIN lines"], [(2,)]),
    "left_join": (
        ["SELECT l.note FROM country c LEFT JOIN lines l ON true"], [("mine note",)] * 4),
    "left_join_of_no_row": (
        ["SELECT l.note FROM country c LEFT JOIN lines l ON l.tenant_id = 8"], [(None,)] * 2),
    "right_join": (["SELECT a.id FROM accounts a RIGHT JOIN country c ON a.id = c.rank"], MY_IDS),
    "full_join": (
        ["SELECT a.secret, l.note FROM accounts a FULL JOIN lines l ON a.id = l.id + 5"],
        Either([("mine-7-1", None), ("mine-7-2", None), (None, "mine note"), (None, "mine note")],
               REFUSED)),
    "full_join_using": (
        ["SELECT count(*) FROM accounts FULL JOIN lines USING (tenant_id, id)"], [(2,)]),
    "aliased_join": (
        ["SELECT j.i FROM (accounts a JOIN lines l ON l.id = a.id) AS j(t, i)"], MY_IDS),
    "nested_joins": (
        ["SELECT count(*) FROM (country c LEFT JOIN (accounts a LEFT JOIN lines l ON true)"
         " ON true)"], [(8,)]),
    "lateral": (
        ["SELECT x.secret FROM country c, LATERAL (SELECT secret FROM accounts"
         " WHERE id = c.rank) x"], MY_SECRETS),
    "lateral_left": (
        ["SELECT count(*) FROM accounts a LEFT JOIN LATERAL (SELECT * FROM lines l"
         " WHERE l.id <> a.id) x ON true"], [(2,)]),
    "subquery_in_select": (["SELECT (SELECT count(*) FROM accounts)"], [(2,)]),
    "subquery_in_where": (
        ["SELECT rank FROM country WHERE rank * 10 IN (SELECT amount FROM accounts)"], MY_IDS),
    "subquery_not_in": (
        ["SELECT rank FROM country WHERE rank NOT IN (SELECT id FROM accounts)"], []),
    "exists": (["SELECT rank FROM country WHERE EXISTS (SELECT FROM accounts WHERE id = rank)"],
               MY_IDS),
    "subquery_in_having": (
        ["SELECT count(*) FROM accounts HAVING count(*) >= (SELECT count(*) FROM lines)"],
        [(2,)]),
    "subquery_in_order_by": (
        ["SELECT rank FROM country ORDER BY (SELECT sum(amount) FROM accounts WHERE id = rank)"],
        MY_IDS),
    "subquery_in_limit": (
        ["SELECT rank FROM country ORDER BY 1 LIMIT (SELECT count(*) FROM accounts)"], MY_IDS),
    "subquery_in_offset": (
        ["SELECT rank FROM country ORDER BY 1 OFFSET (SELECT count(*) FROM accounts)"], []),
    "subquery_in_group_by": (
        ["SELECT count(*) FROM country GROUP BY (SELECT max(secret) FROM accounts)"], [(2,)]),
    "subquery_in_values": (["VALUES ((SELECT count(*) FROM accounts))"], [(2,)]),
    "subquery_in_case": (
        ["SELECT CASE WHEN (SELECT count(*) FROM accounts) = 2 THEN 'two' ELSE 'more' END"],
        [("two",)]),
    "subquery_in_window": (
        ["SELECT count(*) OVER (ORDER BY (SELECT count(*) FROM lines)) FROM accounts"],
        [(2,), (2,)]),
    "subquery_in_function": (
        ["SELECT n FROM generate_series(1, (SELECT count(*)::int FROM accounts)) n"],
        Either(MY_IDS, REFUSED)),
    "subquery_in_join_condition": (
        ["SELECT count(*) FROM country a JOIN country b ON (SELECT count(*) FROM accounts) = 2"],
        [(4,)]),
    "array_subquery": (["SELECT ARRAY(SELECT id FROM accounts ORDER BY id)"], [([1, 2],)]),
    "row_subquery": (["SELECT (1, 'a') = (SELECT id, name FROM accounts WHERE id = 1)"], [(True,)]),
    "all_of": (["SELECT 20 >= ALL (SELECT amount FROM accounts)"], [(True,)]),
    "cte": (["WITH a AS (SELECT * FROM accounts) SELECT count(*) FROM a"], [(2,)]),
    "cte_twice": (["WITH a AS (SELECT * FROM accounts) SELECT count(*) FROM a x, a y"], [(4,)]),
    "cte_materialized": (
        ["WITH a AS MATERIALIZED (SELECT * FROM accounts) SELECT count(*) FROM a"], [(2,)]),
    "cte_shadows_the_table": (
        ["WITH accounts AS (SELECT 8 AS tenant_id) SELECT tenant_id FROM accounts"], [(8,)]),
    "cte_shadows_and_reads": (
        ["WITH accounts AS (SELECT * FROM public.accounts) SELECT id FROM accounts"], MY_IDS),
    "recursive": (
        ["WITH RECURSIVE r AS (SELECT id FROM accounts WHERE id = 1 UNION SELECT a.id FROM"
         " accounts a JOIN r ON a.id = r.id + 1) SELECT id FROM r"], MY_IDS),
    "union": (["SELECT id FROM accounts UNION SELECT id FROM lines"], MY_IDS),
    "union_all": (["SELECT secret FROM accounts UNION ALL SELECT note FROM lines"],
                  [*MY_SECRETS, ("mine note",), ("mine note",)]),
    "intersect": (["SELECT id FROM accounts INTERSECT SELECT id FROM lines"], MY_IDS),
    "except": (["SELECT id FROM accounts EXCEPT SELECT id FROM accounts WHERE tenant_id = 8"],
               MY_IDS),
    "view": (["SELECT secret FROM all_accounts"], MY_SECRETS),
    "view_of_sums": (["SELECT name, total FROM sums"], [("a", 10), ("b", 20)]),
    "view_over_view": (["SELECT count(*) FROM over_view"], [(2,)]),
    "view_with_a_key": (["SELECT count(*) FROM all_accounts WHERE tenant_id = 8"], [(0,)]),
    "text_key": (["SELECT body FROM mails"], [("mine mail",)] * 2),
    "text_key_of_another": (["SELECT body FROM mails WHERE tenant = '8'"], []),
    "text_key_by_collation": (
        ["SELECT body FROM mails WHERE tenant COLLATE \"C\" >= ''"], [("mine mail",)] * 2),
    "keys_of_two_types": (["SELECT count(*) FROM mails m, accounts a"], [(4,)]),
    "distinct": (["SELECT DISTINCT tenant_id FROM accounts"], [(7,)]),
    "distinct_on": (["SELECT DISTINCT ON (name) tenant_id FROM accounts ORDER BY name"],
                    [(7,), (7,)]),
    "window_over_all": (["SELECT count(*) OVER () FROM accounts"], [(2,), (2,)]),
    "grouping_sets": (
        ["SELECT tenant_id, count(*) FROM accounts GROUP BY GROUPING SETS ((tenant_id), ())"],
        [(7, 2), (None, 2)]),
    "string_agg": (["SELECT string_agg(secret, ',' ORDER BY id) FROM accounts"],
                   [("mine-7-1,mine-7-2",)]),
    "tablesample": (["SELECT id FROM accounts TABLESAMPLE BERNOULLI (100)"], MY_IDS),
    "only": (["SELECT id FROM ONLY accounts"], MY_IDS),
    "ctid": (["SELECT id FROM accounts WHERE ctid >= '(0,0)'"], MY_IDS),
    "partitioned": (["SELECT body FROM events"], [("mine event",)] * 2),
    "partition_by_name": (["SELECT body FROM events_low"], [("mine event",)]),
    "partition_only": (["SELECT body FROM ONLY events_high"], [("mine event",)]),
    "for_update": (["BEGIN", "SELECT id FROM accounts FOR UPDATE"], MY_IDS),
    "for_update_in_a_join": (
        ["BEGIN", "SELECT a.id FROM accounts a JOIN lines l USING (tenant_id, id) FOR UPDATE"],
        MY_IDS),
    "for_update_of_a_subquery": (
        ["BEGIN", "SELECT id FROM (SELECT * FROM accounts) q FOR UPDATE"], MY_IDS),
    "for_share_skip_locked": (
        ["BEGIN", "SELECT id FROM accounts FOR SHARE SKIP LOCKED"], MY_IDS),
    "row_as_a_value": (["SELECT (a.*)::text FROM accounts a WHERE id = 1"],
                       [("(7,1,a,mine-7-1,10)",)]),
    "row_to_json": (["SELECT row_to_json(a)->>'secret' FROM accounts a"], MY_SECRETS),
    "search_path_operator": (
        ["SET search_path = evil, pg_catalog, public", "SELECT count(*) FROM accounts"], [(2,)]),
    "schema_written_out": (["SELECT id FROM public.accounts"], MY_IDS),
    "quoted_names": (['SELECT "id" FROM "public"."accounts" AS "where"'], MY_IDS),
    "comment_at_the_end": (["SELECT id FROM accounts --"], MY_IDS),
    "comment_swallows": (["SELECT id FROM accounts /* "], REFUSED),
    "string_ends_the_condition": (["SELECT id FROM accounts WHERE name <> '' OR ''=''"], MY_IDS),
    "reference_table": (["SELECT code FROM country"], [("de",), ("fr",)]),
    "single_table": (["SELECT body FROM memo"], [("shared",)]),
    "current_setting": (["SELECT current_setting('shoal.key')"], [("7",)]),
    "now_beside_rows": (["SELECT count(*) FROM accounts WHERE now() > 'epoch'"], [(2,)]),
}


MODES = ["simple", "pipeline", "binary", "prepared"]


@pytest.mark.parametrize("name", READS)
def test_reads(world, name):
    statements, expected = READS[name]
    for mode in MODES if len(statements) == 1 else ["simple"]:
        attack(world, statements, expected, mode)


# Conditions that PostgreSQL could apply to rows of others first; their errors would show values.
TELLING = {
    "cast_in_where": ["SELECT id FROM accounts WHERE secret::int = 5"],
    "cast_to_regclass": ["SELECT id FROM accounts WHERE secret::regclass IS NULL"],
    "cast_in_a_subquery": ["SELECT rank FROM country WHERE EXISTS"
                           " (SELECT FROM accounts WHERE secret::regclass IS NULL)"],
    "cast_above_a_subquery": ["SELECT id FROM (SELECT * FROM accounts) q"
                              " WHERE q.secret::regclass IS NULL"],
    "cast_in_having": ["SELECT secret FROM accounts GROUP BY secret"
                       " HAVING secret::regclass IS NULL"],
    "cast_in_join": ["SELECT count(*) FROM accounts a JOIN lines l ON a.secret::regclass IS NULL"],
    "cast_in_outer_join": ["SELECT count(*) FROM country LEFT JOIN accounts a"
                           " ON a.secret::regclass IS NULL"],
    "division": ["SELECT id FROM accounts WHERE 1 / (amount - 8000) = 1"],
    "privilege_of_a_name": ["SELECT id FROM accounts WHERE has_table_privilege(secret, 'SELECT')"],
    "regular_expression": ["SELECT id FROM accounts WHERE 'x' ~ ('(' || secret)"],
    "function_with_a_notice": ["SELECT id FROM accounts WHERE tells(secret)"],
    "function_in_update": ["UPDATE accounts SET name = 'z' WHERE tells(secret)"],
    "function_in_delete": ["DELETE FROM lines WHERE tells(note)"],
    "function_in_join": ["SELECT count(*) FROM accounts a JOIN lines l ON tells(a.secret)"],
}


@pytest.mark.parametrize("name", TELLING)
def test_conditions_do_not_tell(world, name):
    """Whatever the answer is, no message may hold a value of another tenant."""
    for mode in ["simple", "binary"]:
        with Session(world, mode) as session:
            session.run(f"SET shoal.key = '{MINE}'")
            for statement in TELLING[name]:
                session.run(statement)
            seen = " ".join(session.told)
        assert MARK not in seen, seen
        assert "division" not in seen, seen
    assert scope_world.others(world.shards) == world.before
    scope_world.refill(world.admin)


# What a scope refuses.
DENIED = {
    "function_that_reads": ["SELECT peek()"],
    "function_that_lies": ["SELECT liar()"],
    "function_in_from": ["SELECT * FROM peek()"],
    "function_beside_rows": ["SELECT liar() FROM accounts"],
    "function_in_a_condition": ["SELECT id FROM accounts WHERE liar() > 2"],
    "function_in_returning": ["UPDATE accounts SET name = name RETURNING liar()"],
    "function_in_values": ["INSERT INTO accounts (id, amount) VALUES (9, liar())"],
    "query_to_xml": ["SELECT query_to_xml('SELECT * FROM accounts', true, false, '')"],
    "table_to_xml": ["SELECT table_to_xml('accounts', true, false, '')"],
    "database_to_xml": ["SELECT database_to_xml(true, false, '')"],
    "cursor_to_xml": ["SELECT cursor_to_xml('c', 1, true, false, '')"],
    "ts_stat": ["SELECT * FROM ts_stat('SELECT secret::tsvector FROM accounts')"],
    "pg_stats": ["SELECT most_common_vals FROM pg_stats WHERE tablename = 'accounts'"],
    "pg_statistic": ["SELECT * FROM pg_statistic"],
    "pg_stats_ext": ["SELECT * FROM pg_stats_ext"],
    "pg_stat_user_tables": ["SELECT n_live_tup FROM pg_stat_user_tables"],
    "pg_stat_activity": ["SELECT query FROM pg_stat_activity"],
    "pg_statio": ["SELECT * FROM pg_statio_user_tables"],
    "pg_locks": ["SELECT * FROM pg_locks"],
    "pg_prepared_xacts": ["SELECT * FROM pg_prepared_xacts"],
    "pg_largeobject": ["SELECT * FROM pg_largeobject"],
    "pg_authid": ["SELECT * FROM pg_authid"],
    "reltuples": ["SELECT reltuples FROM pg_class WHERE relname = 'accounts'"],
    "reltuples_by_star": ["SELECT * FROM pg_class"],
    "reltuples_in_a_condition": ["SELECT relname FROM pg_class WHERE reltuples > 3"],
    "reltuples_as_a_row": ["SELECT c::text FROM pg_class c"],
    "relation_size": ["SELECT pg_relation_size('accounts')"],
    "total_relation_size": ["SELECT pg_total_relation_size('accounts')"],
    "database_size": ["SELECT pg_database_size(current_database())"],
    "stat_function": ["SELECT pg_stat_get_live_tuples('accounts'::regclass)"],
    "terminate": ["SELECT pg_terminate_backend(1)"],
    "read_file": ["SELECT pg_read_file('postgresql.conf')"],
    "large_object": ["SELECT lo_from_bytea(0, 'x')"],
    "setval": ["SELECT setval('serials_id_seq', 1)"],
    "catalog_of_shoal": ["SELECT * FROM shoal.shards"],
    "pins_of_shoal": ["SELECT * FROM shoal.pin"],
    "function_of_shoal": ["SELECT shoal.where('accounts', '8')"],
    "pin": ["SELECT shoal.pin('accounts', '7', 's1')"],
    "truncate": ["TRUNCATE accounts"],
    "truncate_cascade": ["TRUNCATE memo CASCADE"],
    "truncate_reference": ["TRUNCATE country CASCADE"],
    "truncate_two": ["TRUNCATE memo, accounts"],
    "lock": ["BEGIN", "LOCK TABLE accounts"],
    "lock_partition": ["BEGIN", "LOCK TABLE events_low IN SHARE MODE"],
    "vacuum": ["VACUUM accounts"],
    "analyze": ["ANALYZE accounts"],
    "analyze_all": ["ANALYZE"],
    "cluster": ["CLUSTER accounts USING accounts_pkey"],
    "reindex": ["REINDEX TABLE accounts"],
    "drop": ["DROP TABLE lines"],
    "alter": ["ALTER TABLE accounts DROP COLUMN secret"],
    "create_index": ["CREATE INDEX ON accounts (secret)"],
    "create_view": ["CREATE VIEW mine AS SELECT * FROM accounts"],
    "create_table_as": ["CREATE TABLE copied AS SELECT * FROM accounts"],
    "create_temp_table_as": ["CREATE TEMP TABLE copied AS SELECT * FROM accounts"],
    "create_temp_view": ["CREATE TEMP VIEW copied AS SELECT * FROM accounts"],
    "select_into": ["SELECT * INTO copied FROM accounts"],
    "select_into_temp": ["SELECT * INTO TEMP copied FROM accounts"],
    "materialized_view": ["CREATE MATERIALIZED VIEW copied AS SELECT * FROM accounts"],
    "create_function": ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
    "create_trigger": ["CREATE TRIGGER t AFTER UPDATE ON accounts EXECUTE FUNCTION f()"],
    "create_rule": ["CREATE RULE r AS ON UPDATE TO memo DO ALSO DELETE FROM accounts"],
    "create_policy": ["CREATE POLICY p ON accounts USING (true)"],
    "comment_on": ["COMMENT ON TABLE accounts IS 'x'"],
    "grant": ["GRANT SELECT ON accounts TO PUBLIC"],
    "do": ["DO $$ BEGIN DELETE FROM accounts; END $$"],
    "call": ["CALL wipe()"],
    "explain": ["EXPLAIN SELECT * FROM accounts"],
    "explain_analyze": ["EXPLAIN ANALYZE SELECT * FROM accounts"],
    "explain_analyze_delete": ["EXPLAIN ANALYZE DELETE FROM accounts"],
    "explain_analyze_without_costs": ["EXPLAIN (ANALYZE, COSTS OFF) DELETE FROM lines"],
    "copy_to_a_file": ["COPY accounts TO '/tmp/x'"],
    "copy_to_a_program": ["COPY accounts TO PROGRAM 'cat'"],
    "copy_from_a_file": ["COPY accounts FROM '/etc/passwd'"],
    "copy_of_a_write": ["COPY (DELETE FROM accounts RETURNING *) TO STDOUT"],
    "insert_another_key": ["INSERT INTO accounts (tenant_id, id) VALUES (8, 99)"],
    "insert_two_keys": ["INSERT INTO accounts (tenant_id, id) VALUES (7, 9), (8, 99)"],
    "insert_null_key": ["INSERT INTO accounts (tenant_id, id) VALUES (NULL, 99)"],
    "insert_computed_key": ["INSERT INTO accounts (tenant_id, id) VALUES (7 + 1, 99)"],
    "insert_key_of_a_subquery": [
        "INSERT INTO accounts (tenant_id, id) VALUES ((SELECT 8), 99)"],
    "insert_without_columns": ["INSERT INTO accounts VALUES (8, 99)"],
    "insert_select_another": ["INSERT INTO accounts (tenant_id, id) SELECT 8, 99"],
    "insert_select_computed": ["INSERT INTO accounts (tenant_id, id) SELECT tenant_id + 1, 9"
                               " FROM accounts"],
    "insert_select_union": ["INSERT INTO accounts (tenant_id, id) SELECT 7, 9 UNION SELECT 8, 99"],
    "insert_select_outer": ["INSERT INTO accounts (tenant_id, id) SELECT a.tenant_id, 77"
                            " FROM country c LEFT JOIN accounts a ON a.id = 55"],
    "insert_text_key": ["INSERT INTO mails VALUES ('8', 99, 'x')"],
    "update_the_key": ["UPDATE accounts SET tenant_id = 8"],
    "update_the_key_computed": ["UPDATE accounts SET tenant_id = tenant_id + 1"],
    "update_the_key_in_a_row": ["UPDATE accounts SET (tenant_id, id) = (8, 99)"],
    "update_the_key_by_default": ["UPDATE accounts SET tenant_id = DEFAULT"],
    "conflict_sets_the_key": [
        "INSERT INTO accounts (id, name) VALUES (1, 'x') ON CONFLICT (tenant_id, id)"
        " DO UPDATE SET tenant_id = 8"],
    "conflict_without_the_key": [
        "INSERT INTO accounts (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'y'"
    ],
    "merge": ["MERGE INTO accounts a USING country c ON a.id = c.rank"
              " WHEN MATCHED THEN DELETE"],
    "writable_cte": ["WITH d AS (DELETE FROM accounts RETURNING *) SELECT count(*) FROM d"],
    "writable_cte_insert": [
        "WITH i AS (INSERT INTO lines VALUES (8, 99, 1, 'x') RETURNING *) SELECT * FROM i"],
    "where_current_of": ["BEGIN", "DECLARE c CURSOR FOR SELECT * FROM accounts FOR UPDATE",
                         "DELETE FROM accounts WHERE CURRENT OF c"],
    "delete_reference_cascades": ["DELETE FROM country WHERE code = 'de'"],
    "update_reference_cascades": ["UPDATE country SET code = 'xx' WHERE code = 'de'"],
    "execute_with_a_subquery": ["PREPARE p(bigint) AS SELECT $1",
                                "EXECUTE p((SELECT count(*) FROM accounts))"],
    "execute_with_a_function": ["PREPARE p(bigint) AS SELECT $1", "EXECUTE p(liar())"],
    "set_config": ["SELECT set_config('shoal.key', '8', false)"],
    "set_config_local": ["SELECT set_config('shoal.key', '8', true)"],
    "set_config_in_other_letters": ["SELECT set_config('SHOAL.Key', '8', false)"],
    "set_config_beside_rows": ["SELECT set_config('shoal.key', '8', false) FROM accounts"],
    "set_config_in_a_condition": [
        "SELECT id FROM accounts WHERE set_config('shoal.key', '8', false) = '8'"],
    "set_as_second_statement": ["SELECT 1; SET shoal.key = '8'"],
    "reset_as_second_statement": ["SELECT 1; RESET shoal.key"],
    "reset_all_as_second_statement": ["SELECT 1; RESET ALL"],
    "set_local_as_second_statement": ["SELECT 1; SET LOCAL shoal.key = '8'"],
    "discard_as_second_statement": ["SELECT 1; DISCARD ALL"],
    "shard_as_second_statement": ["SELECT 1; SET shoal.shard = 's1'"],
    "hint_of_another_key": ["/* shoal: key=8 */ SELECT secret FROM accounts"],
    "hint_behind": ["SELECT secret FROM accounts /* shoal: key=8 */"],
    "hint_inside": ["SELECT secret /*shoal:key='8'*/ FROM accounts"],
    "hint_with_a_dash": ["SELECT secret FROM accounts -- shoal: key=8"],
    "two_hints": ["/* shoal: key=7 */ SELECT secret FROM accounts /* shoal: key=8 */"],
    "hint_that_is_wrong": ["/* shoal: tenant=8 */ SELECT secret FROM accounts"],
    "hint_on_set": ["/* shoal: key=8 */ SET shoal.key = '8'"],
    "empty_key": ["SET shoal.key = ''"],
    "local_outside": ["SET LOCAL shoal.key = '8'"],
    "unknown_setting": ["SET shoal.keys = '8'"],
    "from_current": ["SET shoal.key FROM CURRENT"],
    "pg_temp_table": ["SELECT * FROM pg_temp.accounts"],
    "unknown_table": ["SELECT * FROM nowhere"],
    "unknown_grammar": ["SELECT * FROM accounts WHERE"],
    "copy_other_keys": ["COPY accounts (tenant_id, id) FROM STDIN\n7\t50\n8\t51\n"],
    "copy_other_keys_csv": ["COPY accounts (id, tenant_id) FROM STDIN (FORMAT csv)\n50,7\n51,8\n"],
    "copy_null_key": ["COPY accounts (tenant_id, id) FROM STDIN\n\\N\t50\n"],
    "copy_all_columns": ["COPY accounts FROM STDIN\n8\t50\tx\ty\t1\n"],
    "copy_filter": ["COPY accounts (tenant_id, id) FROM STDIN WHERE tenant_id = 7\n8\t51\n"],
    "copy_where_a_function": [
        "COPY accounts (tenant_id, id) FROM STDIN WHERE liar() > 2\n7\t50\n"],
    "xml_with_a_subquery": [
        "SELECT xmlelement(name x, (SELECT string_agg(secret, ',') FROM accounts))"],
    "copy_into_a_partition": ["COPY events_low FROM STDIN\n8\t50\t1\tx\n"],
}


@pytest.mark.parametrize("name", DENIED)
def test_denied(world, name):
    try:
        deny(world, name)
    finally:
        scope_world.refill(world.admin)


def deny(world, name):
    for mode in ["simple", "binary"]:
        multiple = any(";" in s and "$$" not in s for s in DENIED[name])
        copy = any(s.startswith("COPY") for s in DENIED[name])
        if mode == "binary" and (multiple or copy):
            continue
        attack(world, DENIED[name], REFUSED, mode)
    with Session(world) as session:
        session.run(f"SET shoal.key = '{MINE}'")
        for statement in DENIED[name]:
            session.run(statement)
        session.run("ROLLBACK")
        after = session.run("SELECT secret FROM accounts")
    assert after == MY_SECRETS, "the scope is there still"


# Sequences of statements: prepared before the SET, cursors, transactions, settings.
SESSIONS = {
    "prepared_before": (
        ["RESET shoal.key", "PREPARE p AS SELECT secret FROM accounts", "EXECUTE p",
         "SET shoal.key = '7'", "EXECUTE p"], MY_SECRETS),
    "prepared_with_a_parameter": (
        ["PREPARE p(int) AS SELECT secret FROM accounts WHERE tenant_id = $1", "EXECUTE p(8)"],
        []),
    "prepared_delete": (
        ["PREPARE d AS DELETE FROM lines", "EXECUTE d", "SELECT count(*) FROM lines"], [(0,)]),
    "execute_in_a_hint": (
        ["RESET shoal.key", "PREPARE p AS SELECT count(*) FROM accounts",
         "/* shoal: key=7 */ EXECUTE p"], [(2,)]),
    "cursor": (["BEGIN", "DECLARE c CURSOR FOR SELECT secret FROM accounts", "FETCH ALL FROM c"],
               MY_SECRETS),
    "cursor_scrolls": (
        ["BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT id FROM accounts ORDER BY id",
         "MOVE LAST IN c", "FETCH PRIOR FROM c"], [(1,)]),
    "cursor_holds": (
        ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM accounts", "COMMIT",
         "FETCH ALL FROM c"], MY_IDS),
    "copy_to": (["COPY accounts TO STDOUT"], ["7\ta\tmine-7-1\t10", "7\tb"]),
    "copy_columns": (["COPY accounts (secret) TO STDOUT"], ["mine-7-1", "mine-7-2"]),
    "copy_query": (["COPY (SELECT secret FROM accounts) TO STDOUT"], ["mine-7-1", "mine-7-2"]),
    "copy_join": (["COPY (SELECT a.id, l.note FROM accounts a JOIN lines l ON a.id = l.account)"
                   " TO STDOUT (FORMAT csv, HEADER)"], ["id,note", "1,mine note", "2,mine note"]),
    "copy_partitions": (["COPY events_low (body) TO STDOUT"], ["mine event"]),
    "local_in_a_transaction": (
        ["RESET shoal.key", "BEGIN", "SET LOCAL shoal.key = '7'", "SELECT id FROM accounts"],
        MY_IDS),
    "discard_plans": (["DISCARD PLANS", "SELECT id FROM accounts"], MY_IDS),
    "discard_temp": (["DISCARD TEMP", "SELECT id FROM accounts"], MY_IDS),
    "deallocate_all": (["DEALLOCATE ALL", "SELECT id FROM accounts"], MY_IDS),
    "role": (["SET ROLE tenant_role", "SELECT id FROM accounts"], MY_IDS),
    "session_authorization": (
        ["SET SESSION AUTHORIZATION tenant_role", "SELECT id FROM accounts",
         "RESET SESSION AUTHORIZATION", "SELECT id FROM accounts"], MY_IDS),
    "rollback_of_another_key": (
        ["BEGIN", "SET shoal.key = '8'", "ROLLBACK", "SELECT id FROM accounts"], MY_IDS),
    "savepoint": (
        ["BEGIN", "SAVEPOINT a", "RESET shoal.key", "ROLLBACK TO a", "SELECT id FROM accounts"],
        MY_IDS),
    "local_ends": (
        ["BEGIN", "SET LOCAL shoal.key = '9'", "COMMIT", "SELECT id FROM accounts"], MY_IDS),
    "failed_transaction": (
        ["BEGIN", "SELECT 1/0", "SELECT secret FROM accounts"], REFUSED),
    "several_statements": (["SELECT 1; SELECT secret FROM accounts"], MY_SECRETS),
    "several_with_scope_first": (
        ["SET shoal.key = '7'; SELECT secret FROM accounts"], MY_SECRETS),
    "temp_table_from_before": (
        ["RESET shoal.key", "CREATE TEMP TABLE accounts (secret text)",
         "INSERT INTO pg_temp.accounts VALUES ('mine own')", "SET shoal.key = '7'",
         "SELECT secret FROM accounts"], [("mine own",)]),
    "temp_view_from_before": (
        ["RESET shoal.key", "CREATE TEMP VIEW tv AS SELECT * FROM accounts",
         "SET shoal.key = '7'", "SELECT * FROM tv"], REFUSED),
    "show": (["SHOW shoal.key"], [("7",)]),
    "own_setting": (["SET app.tenant = '8'", "SELECT id FROM accounts"], MY_IDS),
    "explain_without_costs": (
        ["EXPLAIN (COSTS OFF) DELETE FROM lines", "SELECT count(*) FROM lines"], [(2,)]),
    "explain_route": (["EXPLAIN (ROUTE) DELETE FROM lines", "SELECT count(*) FROM lines"], [(2,)]),
    "columns_of_tables": (
        ["SELECT column_name FROM information_schema.columns WHERE table_name = 'memo'"],
        [("id",), ("body",)]),
    "definitions": (["SELECT relkind FROM pg_class WHERE relname = 'memo'"], [("r",)]),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_sessions(world, name):
    statements, expected = SESSIONS[name]
    if name in ("prepared_before",):
        # What the first EXECUTE shows is what the session may see without a scope.
        with Session(world) as session:
            answers = [session.run(s) for s in statements]
        assert answers[-1] == expected
        return
    if name == "copy_to":
        expected = ["7\t1\ta\tmine-7-1\t10", "7\t2\tb\tmine-7-2\t20"]
    attack(world, statements, expected)
    scope_world.refill(world.admin)


# Writes that stay with the tenant: statements, then a question, then its answer.
WRITES = {
    "insert_fills_in": (["INSERT INTO accounts (id, secret) VALUES (9, 'new')",
                         "SELECT tenant_id, secret FROM accounts WHERE id = 9"], [(7, "new")]),
    "insert_own_key": (["INSERT INTO accounts (tenant_id, id) VALUES (7, 9) RETURNING tenant_id"],
                       [(7,)]),
    "insert_several": (["INSERT INTO accounts (id) VALUES (8), (9) RETURNING tenant_id, id"],
                       [(7, 8), (7, 9)]),
    "insert_all_columns": (["INSERT INTO accounts VALUES (7, 9, 'n', 's', 1) RETURNING id"],
                           [(9,)]),
    "insert_default_values": (["INSERT INTO serials DEFAULT VALUES RETURNING tenant_id"], [(7,)]),
    "insert_serial": (["INSERT INTO serials (body) VALUES ('x') RETURNING tenant_id"], [(7,)]),
    "insert_select": (["INSERT INTO accounts (id, secret) SELECT id + 10, secret FROM accounts"
                       " RETURNING tenant_id, secret"], [(7, "mine-7-1"), (7, "mine-7-2")]),
    "insert_select_with_key": (["INSERT INTO lines (tenant_id, id) SELECT tenant_id, id + 10"
                                " FROM accounts RETURNING tenant_id"], [(7,), (7,)]),
    "insert_text_key": (["INSERT INTO mails (id, body) VALUES (9, 'x') RETURNING tenant"],
                        [("7",)]),
    "insert_conflict": (["INSERT INTO accounts (id, name) VALUES (1, 'x') ON CONFLICT"
                         " (tenant_id, id) DO UPDATE SET name = excluded.name RETURNING id, name"],
                        [(1, "x")]),
    "insert_conflict_where": (
        ["INSERT INTO accounts AS a (id, name) VALUES (1, 'x') ON CONFLICT (tenant_id, id)"
         " DO UPDATE SET name = 'y' WHERE a.tenant_id = 8 RETURNING id"], []),
    "insert_returning_subquery": (
        ["INSERT INTO accounts (id) VALUES (9) RETURNING (SELECT count(*) FROM country)"],
        [(2,)]),
    "update_all": (["UPDATE accounts SET name = 'z'", "SELECT count(*) FROM accounts"
                    " WHERE name = 'z'"], [(2,)]),
    "update_another": (["UPDATE accounts SET name = 'z' WHERE tenant_id = 8 RETURNING id"], []),
    "update_returning": (["UPDATE accounts SET amount = amount + 1 RETURNING secret"], MY_SECRETS),
    "update_from": (["UPDATE accounts a SET name = l.note FROM lines l WHERE l.id = a.id"
                     " RETURNING a.name"], [("mine note",)] * 2),
    "update_subquery": (["UPDATE accounts SET amount = (SELECT count(*) FROM lines)"
                         " RETURNING amount"], [(2,), (2,)]),
    "update_key_to_itself": (["UPDATE accounts SET tenant_id = 7 RETURNING id"], MY_IDS),
    "update_partition": (["UPDATE events_low SET body = 'mine too' RETURNING body"],
                         [("mine too",)]),
    "delete_all": (["DELETE FROM lines", "SELECT count(*) FROM lines"], [(0,)]),
    "delete_another": (["DELETE FROM lines WHERE tenant_id = 8 RETURNING id"], []),
    "delete_using": (["DELETE FROM lines l USING accounts a WHERE a.name = 'a' AND a.id = l.id"
                      " RETURNING l.id"], [(1,)]),
    "delete_with_subquery": (["DELETE FROM lines WHERE id IN (SELECT max(id) FROM accounts)"
                              " RETURNING id"], [(2,)]),
    "delete_cascades": (["DELETE FROM accounts WHERE id = 1", "SELECT id FROM lines"], [(2,)]),
    "delete_only": (["DELETE FROM ONLY lines RETURNING id"], MY_IDS),
    "copy_from": (["COPY accounts (tenant_id, id) FROM STDIN\n7\t50\n7\t51\n",
                   "SELECT id FROM accounts WHERE id > 9"], [(50,), (51,)]),
    "copy_fills_in": (["COPY accounts (id, secret) FROM STDIN\n50\tx\n51\t\\N\n",
                       "SELECT tenant_id, id, secret FROM accounts WHERE id > 9"],
                      [(7, 50, "x"), (7, 51, None)]),
    "copy_fills_in_csv": (["COPY mails (body, id) FROM STDIN (FORMAT csv, HEADER)\n"
                           "body,id\n\"a,\n\"\"b\",50\n", "SELECT tenant, body FROM mails"
                           " WHERE id = 50"], [("7", "a,\n\"b")]),
    "reference_insert": (["INSERT INTO memo VALUES (5, 'x')", "DELETE FROM memo WHERE id = 5"
                          " RETURNING body"], [("x",)]),
    "transaction": (["BEGIN", "UPDATE accounts SET name = 'q'", "DELETE FROM lines", "COMMIT",
                     "SELECT count(*) FROM accounts WHERE name = 'q'"], [(2,)]),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes(world, name):
    statements, expected = WRITES[name]
    for mode in ["simple", "binary", "prepared"]:
        if mode != "simple" and any(s.startswith("COPY") for s in statements):
            continue
        try:
            attack(world, statements, expected, mode)
        finally:
            scope_world.refill(world.admin)


# ---- scopes from elsewhere --------------------------------------------------------------------


@pytest.fixture
def locked_session(world):
    with Session(world, options=f"-c shoal.key={MINE}") as session:
        yield session


LOCKED = {
    "set": "SET shoal.key = '8'",
    "set_session": "SET SESSION shoal.key = '8'",
    "set_first_in_a_text": "SET shoal.key = '8'; SELECT secret FROM accounts",
    "set_local": "BEGIN; SET LOCAL shoal.key = '8'; SELECT secret FROM accounts",
    "set_config": "SELECT set_config('shoal.key', '8', false)",
    "hint": "/* shoal: key=8 */ SELECT secret FROM accounts",
    "other_letters": "SET SHOAL.KEY = '8'",
}


@pytest.mark.parametrize("name", LOCKED)
def test_a_scope_of_the_start_is_locked(world, locked_session, name):
    assert locked_session.run(LOCKED[name]) == REFUSED
    locked_session.run("ROLLBACK")
    assert locked_session.run("SELECT secret FROM accounts") == MY_SECRETS
    assert MARK not in " ".join(locked_session.told)


@pytest.mark.parametrize(
    "statement",
    ["RESET shoal.key", "RESET ALL", "DISCARD ALL", "SET shoal.key TO DEFAULT",
     "SET shoal.key = '7'", "SET SESSION AUTHORIZATION DEFAULT", "SET ROLE tenant_role",
     "SELECT pg_advisory_unlock_all(); RESET ALL"],
)
def test_nothing_unlocks_it(world, locked_session, statement):
    locked_session.run(statement)
    assert locked_session.run("SELECT secret FROM accounts") == MY_SECRETS
    assert locked_session.run("SHOW shoal.key") == [("7",)]


def test_reset_and_discard_end_a_scope_that_was_set(world):
    for statement in ["RESET shoal.key", "RESET ALL", "DISCARD ALL", "SET shoal.key TO DEFAULT"]:
        with Session(world) as session:
            session.run("SET shoal.key = '7'")
            assert session.run("SELECT count(*) FROM accounts") == [(2,)]
            session.run(statement)
            assert session.run("SELECT count(*) FROM accounts") == [(24,)], statement


def test_a_role_is_bound_to_its_key(world):
    # On home, past the router: only a superuser may give a role a setting that no server knows.
    home = psycopg.connect(world.cluster.url("s1"), user="postgres", autocommit=True)
    home.execute("ALTER ROLE tenant_role SET shoal.key = '7'")
    try:
        with Session(world, user="tenant_role") as session:
            assert session.run("SELECT secret FROM accounts") == MY_SECRETS
            assert session.run("SET shoal.key = '8'") == REFUSED
            session.run("RESET ALL")
            assert session.run("SELECT secret FROM accounts") == MY_SECRETS
        with pytest.raises(psycopg.OperationalError, match="SH0307"):
            world.connect(user="tenant_role", options="-c shoal.key=8")
        with Session(world, user="tenant_role", options="-c shoal.key=7") as session:
            assert session.run("SELECT secret FROM accounts") == MY_SECRETS
    finally:
        home.execute("ALTER ROLE tenant_role RESET shoal.key")
        home.close()


def test_the_start_up_packet_is_checked(world):
    for options in ["-c shoal.keys=7", "-c shoal.snapshot=strict", "-c shoal.key=",
                    "-c shoal.fanout=perhaps", "-c shoal.shard=s99"]:
        with pytest.raises(psycopg.OperationalError):
            world.connect(options=options)


def test_a_hint_is_for_its_statement(world):
    with Session(world) as session:
        hinted = "/* shoal: key=7 */ SELECT secret FROM accounts"
        assert session.run(hinted) == MY_SECRETS
        assert session.run("SELECT count(*) FROM accounts") == [(24,)]
        assert session.run("SELECT secret FROM accounts /* shoal: key='7' */") == MY_SECRETS
        assert session.run("SELECT secret FROM accounts -- shoal: key=7") == MY_SECRETS
        assert session.run(hinted + "; SELECT 1") == REFUSED
        assert session.run("/* shoal: key=7 */ PREPARE p AS SELECT 1") == REFUSED
        assert session.run("/* shoal: key=8, key=7 */ SELECT 1") == REFUSED
        assert session.run("SELECT ' /* shoal: key=9 */' /* shoal: key=7 */") != REFUSED
        assert session.run("BEGIN /* shoal: key=7 */") == []
        assert session.run("UPDATE accounts SET name = name || '' /* shoal: key=7 */") == []
        session.run("ROLLBACK")
        assert session.run("SELECT count(*) FROM accounts") == [(24,)]
    for mode in ["pipeline", "binary", "prepared"]:
        with Session(world, mode) as session:
            for _ in range(3):
                assert session.run(hinted) == MY_SECRETS
                assert session.run("SELECT count(*) FROM accounts") == [(24,)]
    assert scope_world.others(world.shards) == world.before


def test_a_hint_after_a_failed_write_does_not_stay(world):
    with Session(world) as session:
        text = "/* shoal: key=7 */ INSERT INTO accounts (id) VALUES (1)"
        assert session.run(text) == REFUSED  # it is there already
        assert session.run("SELECT count(*) FROM accounts") == [(24,)]


def test_prepared_statements_obey_the_scope_of_their_execution(world):
    """One text, one plan cache: first without, then with, then without a scope."""
    with world.connect() as connection:
        text = "SELECT count(*) FROM accounts WHERE name = %s"
        for _ in range(3):
            for key, count in ((None, 12), ("7", 1), ("8", 1), (None, 12)):
                connection.execute(f"SET shoal.key = '{key}'" if key else "RESET shoal.key")
                row = connection.execute(text, ["a"], prepare=True).fetchone()
                assert row == (count,)
        by_key = "SELECT secret FROM accounts WHERE tenant_id = %s AND id = 1"
        for _ in range(3):
            connection.execute("RESET shoal.key")
            assert connection.execute(by_key, [8], prepare=True).fetchone() == ("OTHER-8-1",)
            connection.execute("SET shoal.key = '7'")
            assert connection.execute(by_key, [8], prepare=True).fetchone() is None
            assert connection.execute(by_key, [7], prepare=True).fetchone() == ("mine-7-1",)
        insert = "INSERT INTO lines (tenant_id, id) VALUES (%s, 70)"
        with pytest.raises(psycopg.Error, match="SH0307"):
            connection.execute(insert, [8], prepare=True)
    assert scope_world.others(world.shards) == world.before


def test_a_portal_from_before_is_not_read_on(world):
    with world.connect() as connection:
        with connection.transaction():
            with connection.cursor("c") as cursor:
                cursor.execute("SELECT id FROM accounts WHERE tenant_id = 8")
                cursor.fetchone()
                connection.execute("SET shoal.key = '7'")
                with pytest.raises(psycopg.Error):
                    cursor.fetchall()


def test_a_failed_pipeline_does_not_end_the_scope(world):
    with Session(world) as session:
        session.run("SET shoal.key = '7'")
        with pytest.raises(psycopg.Error):
            with session.connection.pipeline():
                session.connection.execute("RESET shoal.key")
                session.connection.execute("SELECT 1/0")
        assert session.run("SELECT secret FROM accounts") == MY_SECRETS


def test_row_level_security_and_the_scope_hold_together(world):
    admin = world.admin
    admin.execute("ALTER TABLE mails ENABLE ROW LEVEL SECURITY")
    admin.execute(
        "CREATE POLICY p ON mails USING (id = current_setting('app.mail', true)::int)"
    )
    try:
        with Session(world, user="tenant_role") as session:
            session.run("SET shoal.key = '7'")
            session.run("SET app.mail = '2'")
            assert session.run("SELECT tenant, id FROM mails") == [("7", 2)]
            session.run("SET app.mail = '1'")
            assert session.run("SELECT tenant, id FROM mails") == [("7", 1)]
            session.run("RESET shoal.key")
            assert len(session.run("SELECT tenant FROM mails")) == 12
    finally:
        admin.execute("DROP POLICY p ON mails")
        admin.execute("ALTER TABLE mails DISABLE ROW LEVEL SECURITY")


# ---- SET shoal.shard ------------------------------------------------------------------------


def shard_of(world, tenant: int) -> str:
    return world.admin.execute(
        f"SELECT shard FROM shoal.where('accounts', '{tenant}')"
    ).fetchone()[0]


def elsewhere(world, shard: str) -> int:
    return next(t for t in scope_world.TENANTS if t != MINE and shard_of(world, t) != shard)


def test_a_shard_answers_for_itself(world):
    with Session(world) as session:
        total = 0
        for number in (1, 2, 3):
            session.run(f"SET shoal.shard = 's{number}'")
            total += session.run("SELECT count(*) FROM accounts")[0][0]
            assert session.run("SHOW shoal.shard") == [(f"s{number}",)]
        assert total == 24
        assert session.run("SET shoal.shard = 's9'") == REFUSED
        session.run("RESET shoal.shard")
        for mode in (None, "prepared"):
            assert len(session.run("SELECT id FROM accounts /* shoal: shard=s1 */")) < 24, mode


def test_writes_of_one_shard(world):
    home = shard_of(world, MINE)
    other = elsewhere(world, home)
    kept = {
        "a row of its own": f"INSERT INTO accounts (tenant_id, id) VALUES ({MINE}, 70)",
        "a serial row": f"INSERT INTO serials (tenant_id, body) VALUES ({MINE}, 'x')",
        "an update": f"UPDATE accounts SET name = 'z' WHERE tenant_id = {MINE}",
        "a delete": f"DELETE FROM lines WHERE tenant_id = {MINE}",
        "rows by COPY": f"COPY accounts (tenant_id, id) FROM STDIN\n{MINE}\t71\n",
        "of another key": f"UPDATE accounts SET name = 'z' WHERE tenant_id = {other}",
    }
    denied = {
        "a row that belongs elsewhere": f"INSERT INTO accounts (tenant_id, id) VALUES ({other}, 70)",
        "a serial row": f"INSERT INTO serials (tenant_id, body) VALUES ({other}, 'x')",
        "rows of two shards":
            f"INSERT INTO accounts (tenant_id, id) VALUES ({MINE}, 72), ({other}, 70)",
        "rows of a SELECT": f"INSERT INTO accounts (tenant_id, id) SELECT {other}, 70",
        "rows by COPY": f"COPY accounts (tenant_id, id) FROM STDIN\n{MINE}\t73\n{other}\t70\n",
        "a new key": f"UPDATE accounts SET tenant_id = {other} WHERE tenant_id = {MINE}",
        "a merge": f"MERGE INTO accounts a USING (VALUES ({other}, 70)) v(t, i) ON a.tenant_id = v.t"
                   " AND a.id = v.i WHEN NOT MATCHED THEN INSERT (tenant_id, id) VALUES (v.t, v.i)",
        "a copy of a reference table": "INSERT INTO country VALUES ('it', 'Italy', 3)",
        "a reference table emptied": "TRUNCATE country CASCADE",
        "DDL": "ALTER TABLE accounts ADD COLUMN more int",
        "an index": "CREATE INDEX ON accounts (name)",
        "a table": "CREATE TABLE lonely (id int)",
        "a temporary table": "CREATE TEMP TABLE lonely (id int)",
        "a table of rows": "CREATE TABLE lonely AS SELECT * FROM accounts",
    }
    with Session(world) as session:
        session.run(f"SET shoal.shard = '{home}'")
        for what, statement in denied.items():
            assert session.run(statement) == REFUSED, what
            session.run("ROLLBACK")
        assert scope_world.others(world.shards) == world.before
        for what, statement in kept.items():
            assert session.run(statement) != REFUSED, f"{what}: {getattr(session, 'last', '')}"
    assert scope_world.others(world.shards) == world.before
    scope_world.refill(world.admin)


# ---- shoal.fanout and shoal.require_key ------------------------------------------------------


def test_fanout_warns(world):
    with Session(world) as session:
        session.run("SET shoal.fanout = warn")
        for statement in ["SELECT count(*) FROM accounts", "SELECT id FROM accounts ORDER BY 1",
                          "SELECT count(DISTINCT name) FROM accounts",
                          "UPDATE accounts SET name = name"]:
            session.told.clear()
            session.run(statement)
            assert "the statement runs on 3 shards" in " ".join(session.told), statement
        for statement in ["SELECT count(*) FROM accounts WHERE tenant_id = 7",
                          "SELECT count(*) FROM country", "SELECT 1"]:
            session.told.clear()
            session.run(statement)
            assert "shards" not in " ".join(session.told), statement
        assert session.run("SHOW shoal.fanout") == [("warn",)]
    with Session(world, options="-c shoal.fanout=deny") as session:
        assert session.run("SELECT count(*) FROM accounts") == REFUSED
        session.run("RESET shoal.fanout")
        assert session.run("SELECT count(*) FROM accounts") == REFUSED


def test_fanout_denies_with_the_number_of_shards(world):
    with Session(world) as session:
        session.run("SET shoal.fanout = deny")
        for statement in ["SELECT count(*) FROM accounts", "SELECT id FROM accounts",
                          "SELECT count(DISTINCT name) FROM accounts", "DELETE FROM lines",
                          "SELECT a.id FROM accounts a JOIN mails m ON a.id = m.id"]:
            assert session.run(statement) == REFUSED
            assert session.last.endswith("SH0006: it would run on 3 shards"), session.last
        assert session.run("SELECT count(*) FROM accounts WHERE tenant_id = 7") == [(2,)]
        assert session.run("INSERT INTO accounts (tenant_id, id) VALUES (7, 60)") == []
        assert session.run("SELECT count(*) FROM country") == [(2,)]
    scope_world.refill(world.admin)


def test_a_required_key(world):
    with Session(world) as session:
        session.run("SET shoal.require_key = on")
        assert session.run("SHOW shoal.require_key") == [("on",)]
        for statement in ["SELECT * FROM accounts", "SELECT count(*) FROM accounts",
                          "SELECT * FROM accounts WHERE id = 1", "DELETE FROM lines",
                          "UPDATE accounts SET name = 'z'",
                          "SELECT 1 FROM accounts WHERE tenant_id = 7 UNION ALL"
                          " SELECT 1 FROM lines",
                          "SELECT * FROM accounts WHERE tenant_id = 7 OR id = 1",
                          "COPY accounts TO STDOUT", "TRUNCATE lines",
                          "INSERT INTO memo SELECT id + 100, name FROM accounts"]:
            assert session.run(statement) == REFUSED, statement
            assert "SH0006" in session.last and "key" in session.last, session.last
        for statement in ["SELECT * FROM accounts WHERE tenant_id = 7", "SELECT * FROM country",
                          "SELECT 1", "SELECT * FROM accounts WHERE tenant_id IN (7)",
                          "INSERT INTO accounts (tenant_id, id) VALUES (7, 60)",
                          "UPDATE accounts SET name = 'z' WHERE tenant_id = 7",
                          "SELECT a.id FROM accounts a JOIN lines l USING (tenant_id, id)"
                          " WHERE a.tenant_id = 7"]:
            assert session.run(statement) != REFUSED, (statement, getattr(session, "last", ""))
        assert session.run("/* shoal: key=7 */ SELECT count(*) FROM accounts") != REFUSED
        session.run("SET shoal.key = '7'")
        assert session.run("SELECT count(*) FROM lines") == [(2,)]
    with Session(world, options="-c shoal.require_key=on") as session:
        assert session.run("SELECT * FROM accounts") == REFUSED
    assert scope_world.others(world.shards) == world.before
    scope_world.refill(world.admin)


# ---- isolation levels -------------------------------------------------------------------------

BEGINNINGS = {
    "begin": ["BEGIN ISOLATION LEVEL REPEATABLE READ"],
    "start": ["START TRANSACTION ISOLATION LEVEL SERIALIZABLE"],
    "set_transaction": ["BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
    "set_local": ["BEGIN", "SET LOCAL transaction_isolation = 'repeatable read'"],
    "characteristics": [
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ", "BEGIN"],
    "default": ["SET default_transaction_isolation = 'serializable'", "BEGIN"],
    "default_escaped": [r"SET default_transaction_isolation = E'repeatable\x20read'", "BEGIN"],
    "default_by_set_config": [
        "SELECT set_config('default_transaction_isolation', 'serializable', false)", "BEGIN"],
    "chain": ["BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "COMMIT AND CHAIN"],
    "rollback_and_chain": [
        "BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT 1/0", "ROLLBACK AND CHAIN"],
}


def two_shards(world) -> tuple[int, int]:
    return MINE, elsewhere(world, shard_of(world, MINE))


@pytest.mark.parametrize("name", BEGINNINGS)
@pytest.mark.parametrize("mode", ["simple", "binary"])
def test_a_strict_transaction_stays_on_one_shard(world, name, mode):
    mine, other = two_shards(world)
    with Session(world, mode) as session:
        for statement in BEGINNINGS[name]:
            session.run(statement)
        one = f"SELECT count(*) FROM accounts WHERE tenant_id = {mine}"
        assert session.run(one) == [(2,)]
        assert session.run(one) == [(2,)]
        assert session.run(f"SELECT 1 FROM accounts WHERE tenant_id = {other}") == REFUSED
        assert "SH0402" in session.last
        session.run("ROLLBACK")
        session.run("RESET ALL")
        # And nothing of it is left.
        session.run("BEGIN")
        assert session.run(one) == [(2,)]
        assert session.run(f"SELECT 1 FROM accounts WHERE tenant_id = {other}") == [(1,), (1,)]


def test_strict_transactions_over_shards_are_refused_at_once(world):
    with Session(world) as session:
        for statement in ["SELECT count(*) FROM accounts", "SELECT count(DISTINCT id) FROM lines",
                          "UPDATE accounts SET name = name",
                          "INSERT INTO country VALUES ('es', 'Spain', 4)"]:
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            assert session.run(statement) == REFUSED
            assert "SH0402" in session.last, session.last
            session.run("ROLLBACK")
        session.run("SET default_transaction_isolation = 'serializable'")
        assert session.run("SELECT count(*) FROM accounts") == REFUSED
        assert session.run("UPDATE accounts SET name = name") == REFUSED
        assert session.run("SELECT count(*) FROM accounts WHERE tenant_id = 7") == [(2,)]
        session.run("BEGIN ISOLATION LEVEL READ COMMITTED")
        assert session.run("SELECT count(*) FROM accounts") == [(24,)]
        session.run("COMMIT")
    assert scope_world.others(world.shards) == world.before


def test_strict_levels_of_the_start_and_of_the_role(world):
    mine, other = two_shards(world)
    one = [f"SELECT 1 FROM accounts WHERE tenant_id = {mine}",
           f"SELECT 1 FROM accounts WHERE tenant_id = {other}"]
    option = r"-c default_transaction_isolation=repeatable\ read"
    with Session(world, options=option) as session:
        assert session.run("SELECT count(*) FROM accounts") == REFUSED
        session.run("BEGIN")
        assert [session.run(s) for s in one][1] == REFUSED
        session.run("ROLLBACK")
        session.run("RESET default_transaction_isolation")
        assert session.run("SELECT count(*) FROM accounts") == REFUSED
    # A role of its own: pooled connections have the settings that held when they were made.
    world.admin.execute("CREATE ROLE strict_role LOGIN IN ROLE tenant_role")
    world.admin.execute(
        "ALTER ROLE strict_role SET default_transaction_isolation = 'serializable'")
    with Session(world, user="strict_role") as session:
        session.run("BEGIN")
        assert [session.run(s) for s in one][1] == REFUSED
        session.run("ROLLBACK")
        assert session.run("SELECT count(*) FROM accounts") == REFUSED
        assert "SH0402" in session.last


def test_a_pipeline_of_a_strict_session_stays_on_one_shard(world):
    mine, other = two_shards(world)
    with world.connect() as connection:
        connection.execute("SET default_transaction_isolation = 'repeatable read'")
        with pytest.raises(psycopg.Error, match="SH0402"):
            with connection.pipeline():
                connection.execute(f"SELECT 1 FROM accounts WHERE tenant_id = {mine}")
                connection.execute(f"SELECT 1 FROM accounts WHERE tenant_id = {other}")


def test_settings_in_a_strict_transaction_do_not_choose_a_shard(world):
    for tenant in two_shards(world):
        with Session(world) as session:
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            session.run("SET LOCAL app.tenant = '1'")
            assert len(session.run(f"SELECT 1 FROM accounts WHERE tenant_id = {tenant}")) == 2


def test_the_snapshot_setting(world):
    with Session(world) as session:
        assert session.run("SHOW shoal.snapshot") == [("shard",)]
        for mode in ("atomic", "strict"):
            assert session.run(f"SET shoal.snapshot = '{mode}'") == REFUSED
            assert "SH0401" in session.last
        assert session.run("SET shoal.snapshot = 'shard'") == []


# ---- settings of a transaction ----------------------------------------------------------------


def test_what_was_set_locally_ends_with_the_transaction(world):
    """Also for what the router itself goes by."""
    with Session(world) as session:
        session.run("BEGIN")
        session.run("SET LOCAL search_path = nowhere")
        assert session.run("SELECT count(*) FROM public.accounts") == [(24,)]
        session.run("COMMIT")
        assert session.run("SELECT count(*) FROM accounts") == [(24,)]
        session.run("BEGIN")
        session.run("SET LOCAL shoal.key = '8'")
        session.run("SET shoal.key = '7'")
        assert session.run("SELECT count(*) FROM accounts WHERE tenant_id = 8") == [(0,)]
        session.run("COMMIT")
        assert session.run("SELECT count(*) FROM accounts") == [(2,)]


def test_nobody_gets_one_shards_share_for_the_whole(world):
    with Session(world) as session:
        for statement in [
            "SELECT xmlelement(name x, (SELECT count(*) FROM accounts))",
            "SELECT xmlforest((SELECT max(secret) FROM accounts) AS m)",
            "SELECT reltuples FROM pg_class WHERE relname = 'accounts'",
            "SELECT relname FROM pg_class ORDER BY relpages",
            "SELECT pg_total_relation_size('accounts')",
            "SELECT pg_relation_size('accounts')",
            "SELECT pg_database_size(current_database())",
            "SELECT pg_terminate_backend(0)",
            "SELECT n_live_tup FROM pg_stat_user_tables",
            "SELECT * FROM pg_stats",
            "SELECT pg_stat_get_live_tuples('accounts'::regclass)",
        ]:
            assert session.run(statement) == REFUSED, statement
        assert session.run("SELECT relname FROM pg_class WHERE relname = 'memo'") == [("memo",)]


def test_temporary_tables_are_not_filled_from_one_shard(world):
    with Session(world) as session:
        for statement in ["CREATE TEMP TABLE t AS SELECT * FROM accounts",
                          "SELECT * INTO TEMP t FROM accounts",
                          "CREATE TEMP VIEW t AS SELECT * FROM accounts"]:
            assert session.run(statement) == REFUSED, statement
        assert session.run("CREATE TEMP TABLE t AS SELECT * FROM country") == []
        assert session.run("SELECT count(*) FROM t") == [(2,)]
