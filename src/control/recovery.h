// Settles transactions over several shards whose router or client is gone. Any router may do it, at
// any time, also several at once: it is safe beside transactions that are still under way.
//
// Observation order: prepared transactions of all shards; then who is still active (live routers by
// lease, and backends still at work on the decision shard); then decisions; then prepared again. A
// transaction that is prepared in both looks is committed when its decision row says so; aborted
// when its router is gone or it is old, no decision exists, and inserting "abort" under its gid on
// the decision shard succeeded (which waits for a last agent still at work and then settles it).
// Success is what pg_prepared_xacts says afterwards, never a return code.
// The names are those of txn/gid.h.
// Thread rule: blocks; a control thread.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/pq.h"

namespace shoal::control {

struct RecoveryReport {
  int committed = 0, aborted = 0;
  int waiting = 0;                       // prepared, but their router is alive: left alone
  std::vector<std::string> unreachable;  // shards that could not be asked
  std::vector<std::string> errors;
};

struct RecoveryOptions {
  std::string catalog_dsn;
  int router = 0;                              // this router: never touches its own
  std::chrono::seconds patience{60};           // of live routers' transactions: left alone so long
  std::chrono::milliseconds connect_timeout{3'000};
};

Result<RecoveryReport> recover(const RecoveryOptions& options);

}  // namespace shoal::control
