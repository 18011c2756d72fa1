// The statements of fence.h.
#include "control/fence.h"

#include <charconv>

#include "control/work.h"

namespace shoal::control {

Result<std::int64_t> raise_epoch_against(Pq& catalog, int router) {
  auto rows = catalog.query(
      fmt::format("BEGIN; UPDATE shoal.router SET state = 'fenced' WHERE id = {};"
                  " UPDATE shoal.cluster SET epoch = epoch + 1; COMMIT; NOTIFY shoal_epoch;"
                  " SELECT epoch FROM shoal.cluster",
                  router));
  if (!rows) return std::move(rows).error();
  std::int64_t epoch = 0;
  const std::string text = cell(*rows, 0, 0);
  std::from_chars(text.data(), text.data() + text.size(), epoch);
  return epoch;
}

Result<> fence_on_shards(Pq& catalog, int router, std::int64_t min_epoch) {
  auto shards = catalog.query("SELECT name, dsn FROM shoal.shard WHERE active");
  if (!shards) return std::move(shards).error();
  for (std::size_t i = 0; i < shards->rows.size(); ++i) {
    const std::string name = cell(*shards, i, 0);
    auto shard = Pq::connect(cell(*shards, i, 1), std::chrono::seconds(3), "shoal fence");
    if (!shard) {
      return refuse(Refusal::kShardDownDdl,
                    fmt::format("router {} cannot be fenced on shard {}: {}", router, name,
                                shard.error().message));
    }
    // The UPDATE waits for connections that are being checked; they have registered by then.
    auto done = shard->query(fmt::format(
        "UPDATE shoal.fence SET min_epoch = greatest(min_epoch, {0});"
        "SELECT pg_terminate_backend(a.pid) FROM shoal.backend b JOIN pg_stat_activity a"
        " ON a.pid = b.pid AND a.backend_start = b.started WHERE b.router = {1};"
        "DELETE FROM shoal.backend WHERE router = {1}",
        min_epoch, router));
    if (!done) {
      Error e = std::move(done).error();
      e.shard = name;
      return e;
    }
  }
  return {};
}

}  // namespace shoal::control
