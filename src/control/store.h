// The catalog as one router sees it: keeps the current Snapshot, the router's lease, the holds, and
// the fencing of routers that do not answer. One thread of its own does all the waiting.
//
// Snapshots: every poll (or NOTIFY shoal_epoch) compares the epoch; a newer one is loaded and given
// to `publish`. When the catalog cannot be reached the last snapshot stays in force.
//
// Holds: a change of where rows belong first *holds* its tables. Every router sees the set of held
// tables in `hold`, and from then on
//   - a statement that touches a held table waits, unless its transaction already touched one of
//     the held tables before, or is itself the one that asked for the hold (hold_by);
//   - when no statement and no open transaction that touched one is left on any of its cores, it
//     calls acknowledge(generation).
// Oid 0 in the set stands for every schema change and every write to a reference table.
// A router whose lease lapsed meanwhile is fenced: the epoch is raised, every shard asks for the
// new one (shoal.check_epoch) and the router's server connections are ended. A hold ends with
// release(): the new snapshot is published first, then the smaller set.
//
// Thread rule: callbacks run on the store's threads (log on two of them) and must not block; the
// other functions may be called from any thread, the coroutines from a core.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/snapshot.h"
#include "control/catalog_store.h"
#include "io/task.h"

namespace shoal::control {

struct HeldTables {
  std::set<Oid> tables;          // Oid 0: schema changes and reference writes
  std::uint64_t generation = 0;  // to be given back to acknowledge()
};

class Store : public CatalogStore {
 public:
  struct Options {
    std::string catalog_dsn;  // a role that owns the schema (usually a superuser)
    std::string router_name, host, version;
    std::chrono::milliseconds poll{250};
    std::chrono::milliseconds lease{10'000};
    std::chrono::milliseconds hold_timeout{30'000};    // then 55P03, and the hold is released
    std::chrono::milliseconds recovery_period{5'000};  // 0: no recovery by this router
  };
  struct Callbacks {
    std::function<void(catalog::SnapshotPtr)> publish;
    std::function<void(HeldTables)> hold;
    std::function<void()> fenced;  // this router was fenced: its server connections are gone
    std::function<void(std::string_view event, std::string_view text)> log;
  };

  Store(Options options, Callbacks callbacks);
  ~Store() override;  // stop()
  Store(const Store&) = delete;

  // Connects, registers the router, loads the first snapshot (returned, not published), starts the
  // threads. Blocks.
  Result<catalog::SnapshotPtr> start();
  // Gives the lease back and ends the threads. Blocks.
  void stop();

  int router_id() const;  // after start(): part of every gid; shoal.check_epoch's
  const std::string& secret() const override;
  const std::string& catalog_dsn() const override;
  catalog::SnapshotPtr snapshot() const override;

  void acknowledge(std::uint64_t generation);
  void wake();  // look at the catalog now, for instance after a commit that changed it

  io::Task<Result<HoldId>> hold(std::vector<Oid> tables) override;
  io::Task<> release(std::vector<HoldId> holds, bool committed) override;
  io::Task<Result<>> run_blocking(std::function<Result<>()> work) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::control
