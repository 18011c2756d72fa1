// Shutting a router out that does not answer: every shard asks new server connections for a newer
// epoch than it knows, and those that it has are ended.
// Thread rule: blocks; a control thread.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"
#include "control/pq.h"

namespace shoal::control {

// First half: marks the router and raises the epoch; the other routers must get to know it before
// the second half, or their own new connections are turned away. Gives the new epoch.
Result<std::int64_t> raise_epoch_against(Pq& catalog, int router);

// Second half, on every active shard: the fence first, then the router's connections. Any shard
// that cannot be reached makes it fail (SH0204): the router may still reach it.
Result<> fence_on_shards(Pq& catalog, int router, std::int64_t min_epoch);

}  // namespace shoal::control
