// What the commands need of the store; an interface so that tests can stand in for a whole cluster.
// Thread rule: functions from any thread, coroutines from a core.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/snapshot.h"
#include "io/task.h"

namespace shoal::control {

class CatalogStore {
 public:
  using HoldId = std::int64_t;
  virtual ~CatalogStore() = default;

  virtual const std::string& secret() const = 0;  // for tickets (ticket.h)
  virtual const std::string& catalog_dsn() const = 0;
  virtual catalog::SnapshotPtr snapshot() const = 0;  // the newest committed one
  // Holds the tables on all routers and returns when all have acknowledged (or were fenced).
  // Errors: 55P03 when transactions still use them after hold_timeout; 08001 without a catalog.
  virtual io::Task<Result<HoldId>> hold(std::vector<Oid> tables) = 0;
  // Ends holds after the client's transaction ended; returns when this router's cores have been
  // given a snapshot at least as new as the catalog is now (at most a few seconds).
  virtual io::Task<> release(std::vector<HoldId> holds, bool committed) = 0;
  // Runs `work` (blocking calls allowed) on a thread of its own and comes back to this core.
  virtual io::Task<Result<>> run_blocking(std::function<Result<>()> work) = 0;
};

}  // namespace shoal::control
