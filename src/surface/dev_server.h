// One PostgreSQL server of the development cluster.
// Thread rule: one thread; blocks.
#pragma once
#include <vector>

#include "base/result.h"
#include "surface/dev_cluster.h"

namespace shoal::surface {

// The postmaster's process id, 0 when it does not run.
int server_pid(const DevState& state, const DevShard& shard);
std::string server_log(const DevState& state, const DevShard& shard);

// Creates those that have no data folder and starts those that do not run, at the same time. A port
// that is taken by somebody else is replaced by a free one. Each gets role and database `app`.
Result<> start_servers(DevState& state, bool fsync, const Progress& progress);
void stop_servers(const DevState& state, const Progress& progress);

// A free TCP port of 127.0.0.1, or `wanted` if that is free; never one of `taken`.
int free_port(int wanted, const std::vector<int>& taken);
bool port_is_free(int port);

}  // namespace shoal::surface
