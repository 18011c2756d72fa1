// The queries whose rows builder.cc reads: column order is the contract between the two files.
// Columns that only newer servers have are read through to_jsonb(row), so that one text serves all.
#include <array>

#include "catalog/builder.h"
#include "catalog/query_index.h"

namespace shoal::catalog {
namespace {

constexpr std::string_view kCluster = R"(
SELECT c.name, c.epoch, pg_catalog.current_setting('server_version_num'),
  pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate,
  coalesce(j->>'datlocprovider', 'c'), coalesce(j->>'datlocale', j->>'daticulocale', ''),
  coalesce(j->>'datcollversion', '')
FROM shoal.cluster c, pg_catalog.pg_database d, LATERAL pg_catalog.to_jsonb(d) j
WHERE d.datname = pg_catalog.current_database())";

constexpr std::string_view kShards = R"(
SELECT id, name, host, port, dbname, options, home, active, system_identifier FROM shoal.shard
ORDER BY name)";

constexpr std::string_view kKeyspaces = R"(
SELECT id, name, function, params, pg_catalog.array_to_string(key_types, ',') FROM shoal.keyspace
ORDER BY id)";

constexpr std::string_view kSlotRanges = R"(
SELECT keyspace, first_slot, last_slot, shard FROM shoal.slot_range)";

constexpr std::string_view kPins = R"(SELECT keyspace, key, shard FROM shoal.pinned)";

constexpr std::string_view kPlaced = R"(
SELECT t.relation::pg_catalog.oid, t.kind, t.keyspace, key.ord, key.name, NULL
FROM shoal.placed_table t LEFT JOIN LATERAL pg_catalog.unnest(t.key_columns)
  WITH ORDINALITY key(name, ord) ON true
UNION ALL
SELECT t.relation::pg_catalog.oid, t.kind, t.keyspace, NULL, NULL, l.name
FROM shoal.placed_table t, LATERAL pg_catalog.unnest(t.local_constraints) l(name)
ORDER BY 1, 4)";

constexpr std::string_view kSchemas = R"(
SELECT nspname FROM pg_catalog.pg_namespace
WHERE nspname !~ '^pg_(toast|temp_|toast_temp_)' ORDER BY 1)";

// Other sessions' temporary tables are theirs; the reading session's own appear under "pg_temp".
#define SHOAL_NAMESPACE \
  "CASE WHEN n.oid = pg_catalog.pg_my_temp_schema() THEN 'pg_temp' ELSE n.nspname END"
#define SHOAL_OWN_OR_PERMANENT "(c.relpersistence <> 't' OR n.oid = pg_catalog.pg_my_temp_schema())"

// What users' functions or other relations the objects of a relation depend on, as "oid oid".
#define SHOAL_DEPENDS(class, rows, refclass, condition)                                     \
  "pg_catalog.array_to_string(ARRAY(SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d" \
  " WHERE d.classid = 'pg_catalog." class "'::pg_catalog.regclass AND d.objid IN (" rows    \
                                          ")"                                               \
                                          " AND d.refclassid = 'pg_catalog." refclass       \
                                          "'::pg_catalog.regclass AND d.refobjid >= "       \
                                          "16384 " condition "), ' ')"
#define SHOAL_HIDDEN_CODE                                                                \
  SHOAL_DEPENDS("pg_constraint",                                                         \
                "SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid", \
                "pg_proc", "")                                                           \
  ", " SHOAL_DEPENDS("pg_policy",                                                               \
                     "SELECT y.oid FROM pg_catalog.pg_policy y WHERE y.polrelid = c.oid",       \
                     "pg_proc", "")                                                             \
  ", " SHOAL_DEPENDS("pg_policy",                                                               \
                     "SELECT y.oid FROM pg_catalog.pg_policy y WHERE y.polrelid = c.oid",       \
                     "pg_class", "AND d.refobjid <> c.oid")                                     \
  ", pg_catalog.array_to_string(ARRAY(SELECT DISTINCT t.tgfoid FROM pg_catalog.pg_trigger t"    \
  " WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'), ' ')"

#define SHOAL_CLASSES(condition, viewdef, hidden)                                             \
  "SELECT c.oid, " SHOAL_NAMESPACE ", c.relname, c.relkind, " viewdef                         \
  ","                                                                                         \
  " c.relhastriggers AND EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid" \
  "   AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND NOT EXISTS ("                         \
  "     SELECT FROM shoal.declared_function d"                                                \
  "     WHERE pg_catalog.to_regprocedure(d.function) = t.tgfoid)),"                           \
  " c.relhasrules AND EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid"   \
  "   AND w.rulename <> '_RETURN'),"                                                          \
  " c.relrowsecurity, c.relpersistence = 't', c.relkind = 'p' OR c.relhassubclass, " hidden   \
  " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"      \
  " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'pg_toast' "           \
  "AND " SHOAL_OWN_OR_PERMANENT " AND " condition

constexpr std::string_view kClasses = SHOAL_CLASSES(
    "c.oid >= 16384", "CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END",
    SHOAL_HIDDEN_CODE);
constexpr std::string_view kBuiltinClasses =
    SHOAL_CLASSES("c.oid < 16384", "NULL", "NULL, NULL, NULL, NULL");

// The sequence of a column: the one its default names, otherwise the one that belongs to it.
// A default is volatile when it calls what is neither immutable, nextval nor of now()'s family.
constexpr std::string_view kColumns = R"(
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull,
  CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
  a.attidentity <> '', a.attgenerated <> '', a.attcollation,
  coalesce((SELECT p.refobjid FROM pg_catalog.pg_depend p JOIN pg_catalog.pg_class s
      ON s.oid = p.refobjid AND s.relkind = 'S'
      WHERE p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND p.objid = d.oid
        AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass LIMIT 1), own.sequence, 0),
  d.adbin IS NOT NULL AND a.attgenerated = '' AND EXISTS (
    SELECT FROM pg_catalog.regexp_matches(d.adbin::pg_catalog.text, ':(?:op)?funcid (\d+)', 'g')
      f(m)
    JOIN pg_catalog.pg_proc p ON p.oid = f.m[1]::pg_catalog.oid
    WHERE p.provolatile <> 'i' AND NOT (p.oid < 16384 AND p.proname IN ('nextval', 'now',
      'transaction_timestamp', 'timezone', 'date', 'timestamptz', 'timestamp', 'to_char')))
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN (SELECT p.refobjid, p.refobjsubid, min(p.objid) AS sequence FROM pg_catalog.pg_depend p
    JOIN pg_catalog.pg_class s ON s.oid = p.objid AND s.relkind = 'S'
    WHERE p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.refobjsubid > 0
      AND p.deptype = 'i' GROUP BY 1, 2) own
  ON own.refobjid = a.attrelid AND own.refobjsubid = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND (c.relpersistence <> 't' OR n.oid = pg_catalog.pg_my_temp_schema())
ORDER BY a.attrelid, a.attnum)";

constexpr std::string_view kBuiltinColumns = R"(
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, NULL, false, false,
  a.attcollation, 0, false
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.oid < 16384 AND c.relkind IN ('r', 'v')
ORDER BY a.attrelid, a.attnum)";

constexpr std::string_view kIndexes = R"(
SELECT i.indrelid, c.relname, i.indkey, i.indnkeyatts, i.indisunique, i.indisprimary,
  i.indpred IS NOT NULL
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indisvalid AND i.indrelid >= 16384 ORDER BY i.indrelid, c.relname)";

#define SHOAL_TYPES(checks)                                                             \
  "SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typbasetype,"        \
  " CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE 0 END, " checks      \
  " FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace" \
  " WHERE n.nspname !~ '^pg_(toast|temp_)' AND "
constexpr std::string_view kTypes = SHOAL_TYPES("CASE WHEN t.typtype = 'd' THEN " SHOAL_DEPENDS(
    "pg_constraint", "SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid",
    "pg_proc", "") " END") "t.oid >= 16384";
constexpr std::string_view kBuiltinTypes = SHOAL_TYPES("NULL") "t.oid < 16384";

#define SHOAL_DECLARED                                \
  "(SELECT d.declared FROM shoal.declared_function d" \
  " WHERE pg_catalog.to_regprocedure(d.function) = p.oid)"
#define SHOAL_BODY                                                                 \
  "CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN"                                 \
  " coalesce(nullif(p.prosrc, ''), pg_catalog.pg_get_function_sqlbody(p.oid), '')" \
  " || ' ' || coalesce(pg_catalog.pg_get_expr(p.proargdefaults, 0), '') END"

// Operators that users made stand among the functions under their own names.
constexpr std::string_view kFunctions =
    "SELECT p.oid, n.nspname, p.proname, CASE WHEN p.prokind = 'a' THEN (SELECT"
    "   CASE WHEN bool_or(s.provolatile = 'v') THEN 'v'"
    "     WHEN bool_or(s.provolatile = 's') THEN 's' ELSE 'i' END"
    "   FROM pg_catalog.pg_aggregate g JOIN pg_catalog.pg_proc s ON s.oid IN (g.aggtransfn,"
    "     g.aggfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn, g.aggmtransfn,"
    "     g.aggminvtransfn, g.aggmfinalfn)"
    "   WHERE g.aggfnoid = p.oid AND s.oid >= 16384) ELSE p.provolatile::pg_catalog.text END,"
    " p.prokind, p.proretset, p.provariadic <> 0, p.proisstrict, p.pronargs, p.pronargdefaults,"
    " p.proargtypes, p.prorettype, " SHOAL_DECLARED ", l.lanname, " SHOAL_BODY
    " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
    " WHERE n.nspname !~ '^pg_temp_' AND p.oid >= 16384"
    " UNION ALL"
    " SELECT o.oid, n.nspname, o.oprname, p.provolatile::pg_catalog.text, 'o', false, false, "
    "p.proisstrict,"
    " p.pronargs, 0, p.proargtypes, o.oprresult, " SHOAL_DECLARED ", l.lanname, " SHOAL_BODY
    " FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode"
    " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
    " JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
    " WHERE o.oid >= 16384 AND p.oid >= 16384";
constexpr std::string_view kBuiltinFunctions =
    "SELECT p.oid, n.nspname, p.proname, p.provolatile, p.prokind, p.proretset,"
    " p.provariadic <> 0, p.proisstrict, p.pronargs, p.pronargdefaults, p.proargtypes,"
    " p.prorettype, NULL, NULL, NULL"
    " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " WHERE n.nspname !~ '^pg_temp_' AND p.oid < 16384";

#define SHOAL_COLLATIONS                                                                          \
  "SELECT c.oid, c.collname, coalesce(j->>'colllocale', j->>'colliculocale', c.collcollate, '')," \
  " c.collprovider, c.collisdeterministic, coalesce(c.collversion, '')"                           \
  " FROM pg_catalog.pg_collation c, LATERAL pg_catalog.to_jsonb(c) j WHERE "
constexpr std::string_view kCollations = SHOAL_COLLATIONS "c.oid >= 16384";
constexpr std::string_view kBuiltinCollations = SHOAL_COLLATIONS "c.oid < 16384";

constexpr std::string_view kTableRules = R"(
SELECT id, column_name, schema_name, table_pattern, kind, keyspace FROM shoal.table_rules
ORDER BY id)";

constexpr std::array<std::string_view, kQueryCount> kQueries{
    kCluster,        kShards,       kKeyspaces,        kSlotRanges,       kPins,
    kPlaced,         kSchemas,      kClasses,          kColumns,          kIndexes,
    kTypes,          kFunctions,    kCollations,       kTableRules,       kBuiltinClasses,
    kBuiltinColumns, kBuiltinTypes, kBuiltinFunctions, kBuiltinCollations};

}  // namespace

std::span<const std::string_view> snapshot_queries() {
  return kQueries;
}
std::size_t first_builtin_query() {
  return kQueryBuiltinClasses;
}

}  // namespace shoal::catalog
