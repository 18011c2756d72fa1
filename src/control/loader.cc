// Runs the queries of catalog/builder.h.
#include "control/loader.h"

namespace shoal::control {
namespace {

Result<> add_rows(catalog::SnapshotBuilder& builder, std::size_t query, const TextRows& rows) {
  std::vector<std::optional<std::string_view>> views;
  for (const auto& row : rows.rows) {
    views.assign(row.begin(), row.end());
    SHOAL_TRY(builder.add_row(query, views));
  }
  return {};
}

Result<catalog::SnapshotPtr> load(Pq& catalog, const catalog::SnapshotPtr& previous) {
  SHOAL_TRY(
      catalog.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''"));
  catalog::SnapshotBuilder builder(previous);
  const auto queries = catalog::snapshot_queries();
  const std::size_t count = previous ? catalog::first_builtin_query() : queries.size();
  for (std::size_t i = 0; i < count; ++i) {
    auto rows = catalog.query(std::string(queries[i]));
    if (!rows) return std::move(rows).error();
    SHOAL_TRY(add_rows(builder, i, *rows));
  }
  SHOAL_TRY(catalog.query("COMMIT"));
  return builder.finish();
}

}  // namespace

Result<catalog::SnapshotPtr> load_snapshot(Pq& catalog, catalog::SnapshotPtr previous) {
  auto snapshot = load(catalog, previous);
  if (!snapshot && catalog.connected()) (void)catalog.query("ROLLBACK");
  if (!snapshot && previous && snapshot.error().sqlstate == "55000") {
    return load_snapshot(catalog, nullptr);
  }
  return snapshot;
}

io::Task<Result<catalog::SnapshotPtr>> derive_snapshot(backend::ShardRunner& runner,
                                                       catalog::SnapshotPtr previous) {
  const ShardId home = previous->home;
  auto path = co_await runner.run(home, "SELECT pg_catalog.current_setting('search_path')");
  if (!path) co_return std::move(path).error();
  const std::string restore = fmt::format("SELECT pg_catalog.set_config('search_path', {}, true)",
                                          quote_literal(path->rows.at(0).at(0).value_or("")));
  auto cleared = co_await runner.run(home, "SET LOCAL search_path = ''");
  if (!cleared) co_return std::move(cleared).error();
  catalog::SnapshotBuilder builder(previous);
  const auto queries = catalog::snapshot_queries();
  for (std::size_t i = 0; i < catalog::first_builtin_query(); ++i) {
    auto rows = co_await runner.run(home, std::string(queries[i]));
    if (!rows) co_return std::move(rows).error();
    auto added = add_rows(builder, i, *rows);
    if (!added) co_return std::move(added).error();
  }
  auto restored = co_await runner.run(home, restore);
  if (!restored) co_return std::move(restored).error();
  co_return builder.finish();
}

}  // namespace shoal::control
