// Sizes by table and shard: one query on each shard, one statement on home.
#include "control/measure.h"

#include "control/rows.h"

namespace shoal::control {
namespace {

// The names of placed tables with rows of their own, as a VALUES list: oid on home, name.
std::string placed_names(const catalog::Snapshot& snapshot) {
  std::string out;
  for (const auto& [oid, t] : snapshot.tables_by_oid) {
    if (t.kind != catalog::TableKind::kSharded && t.kind != catalog::TableKind::kReference)
      continue;
    if (t.relkind != 'r') continue;
    out += fmt::format("{}({}::pg_catalog.int8, {})", out.empty() ? "" : ", ", oid.value,
                       quote_literal(full_name(t)));
  }
  return out;
}

}  // namespace

io::Task<Result<>> measure(Work& work) {
  SHOAL_CO_TRY(co_await work.require_administrator("measure"));
  const std::string names = placed_names(*work.snapshot);
  if (names.empty()) co_return Result<>{};
  const std::string query = fmt::format(
      "SELECT v.o, greatest(c.reltuples, 0)::pg_catalog.int8,"
      " pg_catalog.pg_total_relation_size(c.oid)"
      " FROM (VALUES {}) v(o, n) JOIN pg_catalog.pg_class c"
      " ON c.oid = pg_catalog.to_regclass(v.n)",
      names);
  std::string rows;
  const std::vector<ShardId> shards = work.snapshot->active_shards();
  for (const ShardId shard : shards) {
    auto sizes = co_await work.on(shard, query);
    if (!sizes) co_return std::move(sizes).error();
    for (std::size_t i = 0; i < sizes->rows.size(); ++i) {
      rows += fmt::format("{}({}, {}, {}, {})", rows.empty() ? "" : ", ", cell(*sizes, i, 0),
                          shard.value, cell(*sizes, i, 1), cell(*sizes, i, 2));
    }
  }
  if (rows.empty()) co_return Result<>{};
  co_return co_await work.catalog(
      fmt::format("DELETE FROM shoal.table_size;\n"
                  "INSERT INTO shoal.table_size (relation, shard, rows, bytes)"
                  " SELECT o::pg_catalog.oid, s, r, b FROM (VALUES {}) v(o, s, r, b)",
                  rows));
}

}  // namespace shoal::control
