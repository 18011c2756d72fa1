// The catalog's tables, views and functions.
#include "control/schema.h"

#include <array>

#include "base/result.h"

namespace shoal::control {
namespace {

constexpr std::string_view kShardSchema = R"sql(
CREATE SCHEMA IF NOT EXISTS shoal;
GRANT USAGE ON SCHEMA shoal TO PUBLIC;
COMMENT ON SCHEMA shoal IS 'Shoal: cluster catalog and two-phase decisions';

CREATE TABLE IF NOT EXISTS shoal.secret (
  one boolean PRIMARY KEY DEFAULT true CHECK (one), value bytea NOT NULL);
REVOKE ALL ON shoal.secret FROM PUBLIC;

CREATE TABLE IF NOT EXISTS shoal.decision (
  gid text PRIMARY KEY,
  outcome text NOT NULL CHECK (outcome IN ('commit', 'abort')),
  at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE shoal.decision IS 'Outcome of transactions over several shards, by group id';
CREATE TABLE IF NOT EXISTS shoal.fence (
  one boolean PRIMARY KEY DEFAULT true CHECK (one), min_epoch bigint NOT NULL DEFAULT 0);
INSERT INTO shoal.fence DEFAULT VALUES ON CONFLICT DO NOTHING;
CREATE UNLOGGED TABLE IF NOT EXISTS shoal.backend (
  pid int PRIMARY KEY, router int NOT NULL, started timestamptz NOT NULL);
COMMENT ON TABLE shoal.backend IS 'Server connections by router, so that a router can be fenced';
GRANT SELECT ON shoal.decision, shoal.fence, shoal.backend TO PUBLIC;

CREATE OR REPLACE FUNCTION shoal.ticket_of(message text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(sha256(s.value || sha256(s.value || convert_to(message, 'UTF8'))), 'hex')
  FROM shoal.secret s
$$;
REVOKE ALL ON FUNCTION shoal.ticket_of(text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION shoal.apply(statement text, ticket text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF ticket IS DISTINCT FROM shoal.ticket_of('apply:' || txid_current() || ':' || statement) THEN
    RAISE insufficient_privilege USING MESSAGE = 'only a router may change the catalog';
  END IF;
  EXECUTE statement;
END $$;

-- decision.gid holds txn's decision key. decide: by the last agent, inside its transaction.
CREATE OR REPLACE FUNCTION shoal.decide(key text, ticket text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF ticket IS DISTINCT FROM shoal.ticket_of('decide:' || key) THEN
    RAISE insufficient_privilege USING MESSAGE = 'only a router may decide a transaction';
  END IF;
  INSERT INTO shoal.decision (gid, outcome) VALUES (key, 'commit');
EXCEPTION WHEN unique_violation THEN
  RAISE serialization_failure USING
    MESSAGE = 'recovery settled this transaction before it could commit',
    DETAIL = 'SH0406: recovery had aborted ' || key, HINT = 'repeat the transaction';
END $$;

-- Waits for a last agent still at work, then says how the matter stands: commit or abort.
CREATE OR REPLACE FUNCTION shoal.settle(key text, ticket text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE result text;
BEGIN
  IF ticket IS DISTINCT FROM shoal.ticket_of('settle:' || key) THEN
    RAISE insufficient_privilege USING MESSAGE = 'only a router may settle a transaction';
  END IF;
  INSERT INTO shoal.decision (gid, outcome) VALUES (key, 'abort') ON CONFLICT DO NOTHING;
  SELECT d.outcome INTO result FROM shoal.decision d WHERE d.gid = key;
  RETURN result;
END $$;

CREATE OR REPLACE FUNCTION shoal.forget(key text, ticket text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF ticket IS DISTINCT FROM shoal.ticket_of('forget:' || key) THEN
    RAISE insufficient_privilege USING MESSAGE = 'only a router may forget a decision';
  END IF;
  DELETE FROM shoal.decision d WHERE d.gid = key;
END $$;

CREATE OR REPLACE FUNCTION shoal.check_epoch(epoch bigint, router int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE least_epoch bigint;
BEGIN
  IF pg_is_in_recovery() THEN
    SELECT min_epoch INTO least_epoch FROM shoal.fence;
  ELSE
    INSERT INTO shoal.backend AS b (pid, router, started)
    SELECT pid, check_epoch.router, backend_start FROM pg_stat_get_activity(pg_backend_pid())
    ON CONFLICT (pid) DO UPDATE SET router = excluded.router, started = excluded.started;
    -- Whoever raises the fence waits for this transaction, and then finds the row above.
    SELECT min_epoch INTO least_epoch FROM shoal.fence FOR SHARE;
  END IF;
  IF epoch < least_epoch THEN
    RAISE EXCEPTION USING ERRCODE = '57P03',
      MESSAGE = 'this router''s map is out of date and it was fenced',
      DETAIL = format('SH0506: the router knows epoch %s, this shard asks for %s', epoch,
                      least_epoch),
      HINT = 'reconnect; the router refreshes itself';
  END IF;
  RETURN least_epoch;
END $$;
)sql";

constexpr std::string_view kHomeTables = R"sql(
CREATE TABLE IF NOT EXISTS shoal.cluster (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  name text NOT NULL, epoch bigint NOT NULL DEFAULT 1, version int NOT NULL,
  schema_mark numeric NOT NULL DEFAULT 0);
ALTER TABLE shoal.cluster ADD COLUMN IF NOT EXISTS schema_mark numeric NOT NULL DEFAULT 0;
COMMENT ON COLUMN shoal.cluster.schema_mark IS 'changes made past the routers show as another mark';
-- Another value whenever something changed that snapshots hold.
CREATE OR REPLACE FUNCTION shoal.schema_mark() RETURNS numeric LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(sum(hashint8(o * 4294967296 + x)), 0) FROM (
    SELECT oid::int8, xmin::text::int8 FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't'
    UNION ALL SELECT attrelid::int8 * 2048 + attnum, a.xmin::text::int8 FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid WHERE c.oid >= 16384 AND relpersistence <> 't'
        AND relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0
    UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_attrdef
    UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_trigger
    UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_rewrite WHERE oid >= 16384
    UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_namespace WHERE nspname !~ '^pg_'
  ) s(o, x)
$$;
CREATE TABLE IF NOT EXISTS shoal.shard (
  id int PRIMARY KEY, name text NOT NULL UNIQUE,
  host text NOT NULL, port text NOT NULL, dbname text NOT NULL, options text NOT NULL DEFAULT '',
  dsn text NOT NULL, home boolean NOT NULL DEFAULT false, active boolean NOT NULL DEFAULT false,
  system_identifier text NOT NULL DEFAULT '', notes text NOT NULL DEFAULT '',
  added timestamptz NOT NULL DEFAULT now());
ALTER TABLE shoal.shard ADD COLUMN IF NOT EXISTS tags text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN shoal.shard.tags IS 'what placement rules ask for, such as a region';
REVOKE ALL ON shoal.shard FROM PUBLIC;
GRANT SELECT (id, name, host, port, dbname, options, home, active, system_identifier, notes, added,
    tags)
  ON shoal.shard TO PUBLIC;
CREATE UNIQUE INDEX IF NOT EXISTS shard_home ON shoal.shard (home) WHERE home;
CREATE TABLE IF NOT EXISTS shoal.keyspace (
  id int PRIMARY KEY, name text NOT NULL UNIQUE, function text NOT NULL,
  params text NOT NULL DEFAULT '{}', key_types text[] NOT NULL, slots bigint NOT NULL);
CREATE TABLE IF NOT EXISTS shoal.slot_range (
  keyspace int NOT NULL REFERENCES shoal.keyspace, first_slot bigint NOT NULL,
  last_slot bigint NOT NULL CHECK (last_slot >= first_slot),
  shard int NOT NULL REFERENCES shoal.shard, PRIMARY KEY (keyspace, first_slot));
CREATE TABLE IF NOT EXISTS shoal.pinned (
  keyspace int NOT NULL REFERENCES shoal.keyspace, key text NOT NULL,
  shard int NOT NULL REFERENCES shoal.shard, PRIMARY KEY (keyspace, key));
COMMENT ON COLUMN shoal.pinned.key IS 'canonical text of the key';
CREATE TABLE IF NOT EXISTS shoal.placement_rule (
  id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  keyspace int NOT NULL REFERENCES shoal.keyspace ON DELETE CASCADE,
  keys text[], low text, high text, tag text NOT NULL,
  CHECK (keys IS NULL OR (low IS NULL AND high IS NULL)));
COMMENT ON TABLE shoal.placement_rule IS 'Keys that must stay on shards with a tag';
CREATE TABLE IF NOT EXISTS shoal.placed_table (
  relation regclass PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('sharded', 'reference')),
  keyspace int REFERENCES shoal.keyspace, key_columns text[] NOT NULL DEFAULT '{}',
  local_constraints text[] NOT NULL DEFAULT '{}', placed timestamptz NOT NULL DEFAULT now(),
  CHECK ((kind = 'sharded') = (keyspace IS NOT NULL)));
CREATE TABLE IF NOT EXISTS shoal.table_rules (
  id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  column_name text, schema_name text, table_pattern text NOT NULL DEFAULT '%',
  kind text NOT NULL CHECK (kind IN ('sharded', 'reference', 'single')), keyspace text);
COMMENT ON TABLE shoal.table_rules IS 'What becomes of a new table: the first rule that fits';
CREATE TABLE IF NOT EXISTS shoal.declared_function (
  function text PRIMARY KEY, declared text NOT NULL CHECK (declared IN ('local')));
COMMENT ON COLUMN shoal.declared_function.function IS 'as regprocedure prints it, with its schema';
CREATE SEQUENCE IF NOT EXISTS shoal.router_id AS int;
CREATE TABLE IF NOT EXISTS shoal.router (
  id int PRIMARY KEY, name text NOT NULL, host text NOT NULL DEFAULT '', pid int NOT NULL DEFAULT 0,
  version text NOT NULL DEFAULT '', epoch bigint NOT NULL,
  started timestamptz NOT NULL DEFAULT now(),
  lease_until timestamptz NOT NULL, state text NOT NULL DEFAULT 'live'
    CHECK (state IN ('live', 'fenced', 'gone')));
CREATE TABLE IF NOT EXISTS shoal.hold (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, router int NOT NULL, relations oid[] NOT NULL,
  begun timestamptz NOT NULL DEFAULT now());
COMMENT ON COLUMN shoal.hold.relations IS '0 = every schema change and reference write';
CREATE TABLE IF NOT EXISTS shoal.hold_acknowledged (
  hold bigint NOT NULL REFERENCES shoal.hold ON DELETE CASCADE, router int NOT NULL,
  at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (hold, router));
CREATE TABLE IF NOT EXISTS shoal.jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, state text NOT NULL,
  subject text NOT NULL DEFAULT '', progress real NOT NULL DEFAULT 0,
  detail text NOT NULL DEFAULT '',
  params jsonb NOT NULL DEFAULT '{}', router int, begun timestamptz NOT NULL DEFAULT now(),
  changed timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS shoal.table_size (
  relation regclass NOT NULL, shard int NOT NULL REFERENCES shoal.shard ON DELETE CASCADE,
  rows bigint NOT NULL, bytes bigint NOT NULL, measured timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (relation, shard));
COMMENT ON TABLE shoal.table_size IS
  'As of the last shoal.measure(); rows are the planner''s estimate';
-- Keys are data: what audits write is for the service role only.
CREATE TABLE IF NOT EXISTS shoal.audit_part (
  job bigint NOT NULL REFERENCES shoal.jobs ON DELETE CASCADE, shard text NOT NULL,
  relation regclass NOT NULL, part text NOT NULL, rows bigint NOT NULL,
  misplaced bigint NOT NULL, without_key bigint NOT NULL, without_place bigint NOT NULL,
  PRIMARY KEY (job, shard, relation, part));
CREATE TABLE IF NOT EXISTS shoal.audit_finding (
  job bigint NOT NULL REFERENCES shoal.jobs ON DELETE CASCADE, shard text NOT NULL,
  relation regclass NOT NULL, key text NOT NULL, belongs text, rows bigint NOT NULL,
  duplicates bigint NOT NULL DEFAULT 0, conflicts bigint NOT NULL DEFAULT 0,
  compared boolean NOT NULL DEFAULT false, state text NOT NULL DEFAULT '',
  PRIMARY KEY (job, shard, relation, key));
COMMENT ON TABLE shoal.audit_finding IS 'Keys with rows on another shard than theirs, by audit';
CREATE TABLE IF NOT EXISTS shoal.slot_count (
  job bigint NOT NULL REFERENCES shoal.jobs ON DELETE CASCADE,
  keyspace int NOT NULL REFERENCES shoal.keyspace ON DELETE CASCADE,
  slot bigint NOT NULL, rows bigint NOT NULL, PRIMARY KEY (job, keyspace, slot));
GRANT SELECT ON shoal.slot_count TO PUBLIC;
GRANT SELECT ON shoal.cluster, shoal.keyspace, shoal.slot_range, shoal.pinned, shoal.placed_table,
  shoal.placement_rule, shoal.table_size,
  shoal.table_rules, shoal.declared_function, shoal.router, shoal.hold, shoal.hold_acknowledged,
  shoal.jobs TO PUBLIC;
)sql";

constexpr std::string_view kHomeViews = R"sql(
CREATE OR REPLACE VIEW shoal.shards AS
  SELECT s.id, s.name, s.home, s.active, s.host, s.port, s.dbname, s.options,
    (SELECT count(*) FROM shoal.keyspace k WHERE EXISTS
      (SELECT FROM shoal.slot_range r WHERE r.keyspace = k.id AND r.shard = s.id)) AS keyspaces,
    (SELECT coalesce(sum(last_slot - first_slot + 1), 0)::bigint FROM shoal.slot_range r
      WHERE r.shard = s.id) AS slots,
    (SELECT count(*) FROM shoal.pinned p WHERE p.shard = s.id) AS pins, s.notes, s.added, s.tags
  FROM shoal.shard s;
CREATE OR REPLACE VIEW shoal.keyspaces AS
  SELECT k.id, k.name, k.function, k.params::jsonb AS params, k.key_types, k.slots,
    (SELECT count(*) FROM shoal.placed_table t WHERE t.keyspace = k.id) AS tables
  FROM shoal.keyspace k;
CREATE OR REPLACE VIEW shoal.slots AS
  SELECT k.name AS keyspace, r.first_slot, r.last_slot, s.name AS shard
  FROM shoal.slot_range r JOIN shoal.keyspace k ON k.id = r.keyspace
    JOIN shoal.shard s ON s.id = r.shard;
CREATE OR REPLACE VIEW shoal.pins AS
  SELECT k.name AS keyspace, p.key, s.name AS shard
  FROM shoal.pinned p JOIN shoal.keyspace k ON k.id = p.keyspace
    JOIN shoal.shard s ON s.id = p.shard;
CREATE OR REPLACE VIEW shoal.tables AS
  SELECT n.nspname AS schema_name, c.relname AS table_name, c.oid::regclass AS relation,
    coalesce(t.kind, 'single') AS kind, k.name AS keyspace, t.key_columns, t.local_constraints
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN shoal.placed_table t ON t.relation = c.oid
    LEFT JOIN shoal.keyspace k ON k.id = t.keyspace
  WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'shoal', 'pg_toast');
CREATE OR REPLACE VIEW shoal.placement_rules AS
  SELECT r.id, k.name AS keyspace, r.keys, r.low, r.high, r.tag
  FROM shoal.placement_rule r JOIN shoal.keyspace k ON k.id = r.keyspace;
CREATE OR REPLACE VIEW shoal.table_sizes AS
  SELECT z.relation, t.kind, k.name AS keyspace, s.name AS shard, z.rows, z.bytes, z.measured
  FROM shoal.table_size z JOIN shoal.shard s ON s.id = z.shard
    LEFT JOIN shoal.placed_table t ON t.relation = z.relation
    LEFT JOIN shoal.keyspace k ON k.id = t.keyspace;
CREATE OR REPLACE VIEW shoal.balance AS
  SELECT k.name AS keyspace, s.name AS shard, coalesce(o.slots, 0) AS slots,
    coalesce(p.pins, 0) AS pins, coalesce(z.rows, 0) AS rows, coalesce(z.bytes, 0) AS bytes,
    round(100.0 * coalesce(z.bytes, 0) / nullif(sum(coalesce(z.bytes, 0)) OVER by_keyspace, 0), 1)
      AS percent, z.measured
  FROM shoal.keyspace k CROSS JOIN shoal.shard s
    LEFT JOIN LATERAL (SELECT sum(last_slot - first_slot + 1)::bigint AS slots
      FROM shoal.slot_range r WHERE r.keyspace = k.id AND r.shard = s.id) o ON true
    LEFT JOIN LATERAL (SELECT count(*) AS pins
      FROM shoal.pinned p WHERE p.keyspace = k.id AND p.shard = s.id) p ON true
    LEFT JOIN LATERAL (SELECT sum(z.rows)::bigint AS rows, sum(z.bytes)::bigint AS bytes,
        min(z.measured) AS measured
      FROM shoal.table_size z JOIN shoal.placed_table t ON t.relation = z.relation
      WHERE t.keyspace = k.id AND z.shard = s.id) z ON true
  WHERE s.active
  WINDOW by_keyspace AS (PARTITION BY k.id);
CREATE OR REPLACE VIEW shoal.slot_rows AS
  SELECT k.name AS keyspace, c.slot, s.name AS shard, c.rows
  FROM shoal.slot_count c JOIN shoal.keyspace k ON k.id = c.keyspace
    LEFT JOIN shoal.slot_range r ON r.keyspace = c.keyspace
      AND c.slot BETWEEN r.first_slot AND r.last_slot
    LEFT JOIN shoal.shard s ON s.id = r.shard
  WHERE c.job = (SELECT max(j.id) FROM shoal.jobs j WHERE j.kind = 'audit' AND j.state = 'done'
    AND EXISTS (SELECT FROM shoal.slot_count x WHERE x.job = j.id));
COMMENT ON VIEW shoal.slot_rows IS 'Rows of each slot as the last finished audit counted them';
CREATE OR REPLACE VIEW shoal.functions AS
  SELECT function, declared FROM shoal.declared_function;
CREATE OR REPLACE VIEW shoal.routers AS
  SELECT r.id, r.name, r.host, r.pid, r.version, r.epoch, r.started, r.lease_until,
    CASE WHEN r.state = 'live' AND r.lease_until < now() THEN 'lapsed' ELSE r.state END AS state
  FROM shoal.router r;
CREATE OR REPLACE VIEW shoal.holds AS
  SELECT h.id, h.router, h.relations::regclass[] AS relations,
    h.begun, ARRAY(SELECT a.router FROM shoal.hold_acknowledged a WHERE a.hold = h.id
      ORDER BY 1) AS acknowledged
  FROM shoal.hold h;
CREATE OR REPLACE VIEW shoal.settings AS
  SELECT 'cluster' AS name, c.name AS value FROM shoal.cluster c
  UNION ALL SELECT 'epoch', c.epoch::text FROM shoal.cluster c
  UNION ALL SELECT 'catalog_version', c.version::text FROM shoal.cluster c;
GRANT SELECT ON shoal.shards, shoal.keyspaces, shoal.slots, shoal.pins, shoal.tables,
  shoal.placement_rules, shoal.table_sizes, shoal.balance, shoal.slot_rows,
  shoal.functions, shoal.routers, shoal.holds, shoal.settings TO PUBLIC;
)sql";

constexpr std::array<Parameter, 2> kAddShard{{{"name", "text", ""}, {"dsn", "text", ""}}};
constexpr std::array<Parameter, 4> kCreateKeyspace{{{"name", "text", ""},
                                                    {"function", "text", "'postgres'"},
                                                    {"params", "jsonb", "'{}'"},
                                                    {"key_types", "text[]", "'{bigint}'"}}};
constexpr std::array<Parameter, 4> kShardTable{{{"table_name", "regclass", ""},
                                                {"columns", "text", ""},
                                                {"keyspace", "text", "NULL"},
                                                {"local_constraints", "text[]", "'{}'"}}};
constexpr std::array<Parameter, 4> kShardTableArray{{{"table_name", "regclass", ""},
                                                     {"columns", "text[]", ""},
                                                     {"keyspace", "text", "NULL"},
                                                     {"local_constraints", "text[]", "'{}'"}}};
constexpr std::array<Parameter, 1> kTable{{{"table_name", "regclass", ""}}};
constexpr std::array<Parameter, 3> kPin{
    {{"keyspace", "text", ""}, {"key", "text", ""}, {"shard", "text", ""}}};
constexpr std::array<Parameter, 3> kPinInt{
    {{"keyspace", "text", ""}, {"key", "bigint", ""}, {"shard", "text", ""}}};
constexpr std::array<Parameter, 3> kPinArray{
    {{"keyspace", "text", ""}, {"key", "text[]", ""}, {"shard", "text", ""}}};
constexpr std::array<Parameter, 2> kUnpinArray{{{"keyspace", "text", ""}, {"key", "text[]", ""}}};
constexpr std::array<Parameter, 2> kSetTags{{{"shard", "text", ""}, {"tags", "text[]", ""}}};
constexpr std::array<Parameter, 5> kPlacementRule{{{"keyspace", "text", ""},
                                                   {"tag", "text", ""},
                                                   {"keys", "text[]", "NULL"},
                                                   {"low", "text", "NULL"},
                                                   {"high", "text", "NULL"}}};
constexpr std::array<Parameter, 2> kUnpin{{{"keyspace", "text", ""}, {"key", "text", ""}}};
constexpr std::array<Parameter, 2> kUnpinInt{{{"keyspace", "text", ""}, {"key", "bigint", ""}}};
constexpr std::array<Parameter, 2> kWhere{{{"table_name", "text", ""}, {"key", "text", ""}}};
constexpr std::array<Parameter, 2> kWhereInt{{{"table_name", "text", ""}, {"key", "bigint", ""}}};
constexpr std::array<Parameter, 2> kWhereArray{{{"table_name", "text", ""}, {"key", "text[]", ""}}};
constexpr std::array<Parameter, 2> kDeclare{
    {{"function", "text", ""}, {"declared", "text", "'local'"}}};
constexpr std::array<Parameter, 5> kRule{{{"column_name", "text", "NULL"},
                                          {"kind", "text", "'sharded'"},
                                          {"keyspace", "text", "NULL"},
                                          {"schema_name", "text", "NULL"},
                                          {"table_pattern", "text", "'%'"}}};
constexpr std::array<Parameter, 1> kDropRule{{{"id", "int", ""}}};
constexpr std::array<Parameter, 5> kDistributed{{{"table_name", "regclass", ""},
                                                 {"distribution_column", "text", ""},
                                                 {"distribution_type", "text", "'hash'"},
                                                 {"colocate_with", "text", "'default'"},
                                                 {"shard_count", "int", "NULL"}}};
constexpr std::array<Parameter, 2> kDistributedFunction{
    {{"function_name", "text", ""}, {"distribution_arg_name", "text", "''"}}};

constexpr std::string_view kWhereRow =
    "TABLE (keyspace text, function text, hash text, slot bigint, shard text)";

constexpr std::array kSignatures{
    Signature{"shoal", "add_shard", kAddShard, "void"},
    Signature{"shoal", "create_keyspace", kCreateKeyspace, "void"},
    Signature{"shoal", "shard_table", kShardTable, "void"},
    Signature{"shoal", "shard_table", kShardTableArray, "void"},
    Signature{"shoal", "reference_table", kTable, "void"},
    Signature{"shoal", "single_table", kTable, "void"},
    Signature{"shoal", "pin", kPin, "void"},
    Signature{"shoal", "pin", kPinInt, "void"},
    Signature{"shoal", "pin", kPinArray, "void"},
    Signature{"shoal", "unpin", kUnpin, "void"},
    Signature{"shoal", "unpin", kUnpinArray, "void"},
    Signature{"shoal", "set_tags", kSetTags, "void"},
    Signature{"shoal", "placement_rule", kPlacementRule, "int"},
    Signature{"shoal", "drop_placement_rule", kDropRule, "void"},
    Signature{"shoal", "measure", {}, "void"},
    Signature{"shoal", "unpin", kUnpinInt, "void"},
    Signature{"shoal", "where", kWhere, kWhereRow},
    Signature{"shoal", "where", kWhereInt, kWhereRow},
    Signature{"shoal", "where", kWhereArray, kWhereRow},
    Signature{"shoal", "declare_function", kDeclare, "void"},
    Signature{"shoal", "table_rule", kRule, "int"},
    Signature{"shoal", "drop_table_rule", kDropRule, "void"},
    Signature{"public", "create_distributed_table", kDistributed, "void"},
    Signature{"public", "create_reference_table", kTable, "void"},
    Signature{"public", "undistribute_table", kTable, "void"},
    Signature{"public", "create_distributed_function", kDistributedFunction, "void"},
};

std::string refusing_function(const Signature& s) {
  std::string args;
  for (const Parameter& p : s.parameters) {
    if (!args.empty()) args += ", ";
    args += fmt::format("{} {}", p.name, p.type);
    if (!p.default_sql.empty()) args += fmt::format(" DEFAULT {}", p.default_sql);
  }
  return fmt::format(
      "CREATE OR REPLACE FUNCTION {0}.{1}({2}) RETURNS {3} LANGUAGE plpgsql AS $$\n"
      "BEGIN PERFORM shoal.refuse_call('{0}.{1}'); END $$;\n",
      s.schema, s.name, args, s.returns);
}

}  // namespace

std::string_view shard_schema_sql() {
  return kShardSchema;
}

std::span<const Signature> signatures() {
  return kSignatures;
}

const Signature* find_signature(std::string_view schema, std::string_view name) {
  for (const Signature& s : kSignatures) {
    if (s.schema == schema && s.name == name) return &s;
  }
  return nullptr;
}

std::string home_schema_sql() {
  std::string sql(kHomeTables);
  sql += kHomeViews;
  const Error refusal = refuse(Refusal::kCatalogCall, "");
  sql += fmt::format(
      "CREATE OR REPLACE FUNCTION shoal.refuse_call(function text) RETURNS void LANGUAGE plpgsql "
      "AS "
      "$$\nBEGIN RAISE EXCEPTION USING ERRCODE = '{}', MESSAGE = '{}',\n"
      "  DETAIL = 'SH0505: ' || function || ' was reached inside another statement or past the "
      "router', HINT = '{}'; END $$;\n",
      refusal.sqlstate, refusal.message, refusal.hint);
  for (const Signature& s : kSignatures) sql += refusing_function(s);
  return sql;
}

}  // namespace shoal::control
