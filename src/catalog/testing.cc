// The rows of the test cluster.
#include "catalog/testing.h"

namespace shoal::catalog {
namespace {

struct Entry {
  std::size_t query;
  TestRow row;
};

const std::vector<Entry>& entries() {
  static constexpr std::nullopt_t N = std::nullopt;
  static const std::vector<Entry> rows{
      {kQueryCluster, {"test", "5", "150020", "UTF8", "C.UTF-8", "c", "", ""}},
      {kQueryShards, {"3", "a_resting", "h3", "5432", "app", "", "f", "f", "7"}},
      {kQueryShards, {"1", "s1", "h1", "5432", "app", "", "t", "t", "7"}},
      {kQueryShards, {"2", "s2", "h2", "5432", "app", "sslmode=require", "f", "t", "7"}},
      {kQueryKeyspaces, {"1", "ints", "postgres", "{\"slots\": 4096}", "int8"}},
      {kQuerySlotRanges, {"1", "0", "2047", "1"}},
      {kQuerySlotRanges, {"1", "2048", "4095", "2"}},
      {kQueryPins, {"1", "7", "2"}},
      {kQueryPlaced, {"20001", "sharded", "1", "1", "tenant_id", N}},
      {kQueryPlaced, {"20001", "sharded", "1", N, N, "orders_code_key"}},
      {kQueryPlaced, {"20002", "reference", N, N, N, N}},
      {kQueryPlaced, {"29999", "reference", N, N, N, N}},
      {kQuerySchemas, {"app"}},
      {kQuerySchemas, {"pg_catalog"}},
      {kQuerySchemas, {"public"}},
      {kQueryClasses, {"20001", "public", "orders", "r", N, "t", "f", "f", "f", "f", N, N, N, N}},
      {kQueryClasses, {"20002", "public", "country", "r", N, "f", "f", "f", "f", "f", N, N, N, N}},
      {kQueryClasses, {"20003", "public", "note", "r", N, "f", "f", "f", "f", "f", N, N, N, N}},
      {kQueryClasses, {"20004", "app", "orders", "r", N, "f", "f", "f", "f", "f", N, N, N, N}},
      {kQueryClasses,
       {"20005", "public", "big", "v", "SELECT 1", "f", "f", "f", "f", "f", N, N, N, N}},
      {kQueryColumns,
       {"20001", "1", "id", "20", "-1", "t", "nextval('s'::regclass)", "f", "f", "0", "20009",
        "f"}},
      {kQueryColumns, {"20001", "3", "tenant_id", "20", "-1", "t", N, "f", "f", "0", "0", "f"}},
      {kQueryColumns,
       {"20001", "4", "code", "25", "-1", "f", "gen_random_uuid()", "f", "f", "100", "0", "t"}},
      {kQueryIndexes, {"20001", "orders_code_key", "4 1", "1", "t", "f", "f"}},
      {kQueryIndexes, {"20001", "orders_pkey", "3 1", "2", "t", "t", "f"}},
      {kQueryTypes, {"20100", "app", "mood", "e", "E", "0", "0", N}},
      {kQueryFunctions,
       {"20200", "app", "lower", "v", "f", "f", "f", "f", "1", "0", "25", "25", "local", N, N}},
      {kQueryCollations, {"20300", "ci", "und-u-ks-level2", "i", "f", "153"}},
      {kQueryBuiltinClasses,
       {"1259", "pg_catalog", "pg_class", "r", N, "f", "f", "f", "f", "f", N, N, N, N}},
      {kQueryBuiltinColumns, {"1259", "1", "oid", "26", "-1", "t", N, "f", "f", "0", "0", "f"}},
      {kQueryBuiltinTypes, {"20", "pg_catalog", "int8", "b", "N", "0", "0", N}},
      {kQueryBuiltinTypes, {"25", "pg_catalog", "text", "b", "S", "0", "0", N}},
      {kQueryBuiltinFunctions,
       {"870", "pg_catalog", "lower", "i", "f", "f", "f", "t", "1", "0", "25", "25", N, N, N}},
      {kQueryBuiltinFunctions,
       {"3800", "pg_catalog", "lower", "i", "f", "f", "f", "t", "1", "0", "3831", "2283", N, N, N}},
      {kQueryBuiltinCollations, {"950", "C", "C", "c", "t", ""}},
  };
  return rows;
}

}  // namespace

Result<> add_test_cluster(SnapshotBuilder& builder) {
  for (const Entry& e : entries()) SHOAL_TRY(builder.add_row(e.query, e.row));
  return {};
}

SnapshotPtr make_test_snapshot() {
  SnapshotBuilder builder;
  if (!add_test_cluster(builder)) return nullptr;
  auto snapshot = builder.finish();
  return snapshot ? *snapshot : nullptr;
}

}  // namespace shoal::catalog
