// Pins: single keys placed on a shard over their slot, with the rows that they take along.
// Thread rule: one core; coroutines whose Work outlives them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "control/work.h"

namespace shoal::control {

// Places one key of a keyspace (a text for each of its columns) on a shard, with its rows; without
// a shard: back to its slot's owner. A key that has no place yet gets one. Placement rules hold.
io::Task<Result<>> pin_key(Work& work, const catalog::Keyspace& keyspace,
                           std::vector<std::string> key, std::optional<std::string> shard);

}  // namespace shoal::control
