// The development cluster: PostgreSQL servers on loopback with trust, registered as shards, and one
// router in front of them. `up` may be repeated: what runs is left alone, what is missing is made.
// Thread rule: one thread; blocks.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "surface/dev_state.h"

namespace shoal::surface {

// Takes one line of progress.
using Progress = std::function<void(const std::string&)>;

struct UpOptions {
  std::string dir;
  int shards = 0;                  // 0: as it is, 4 for a new cluster
  std::vector<std::string> names;  // empty: s1, s2, ...
  int port = 0;                    // 0: as it is, 6432 for a new cluster
  std::string pg_bin;              // empty: find_postgresql()
  bool fsync = true;
};
Result<DevState> dev_up(const UpOptions& options, const Progress& progress);

// Stops what `up` started; with `destroy` removes its data.
Result<> dev_down(const std::string& dir, bool destroy, const Progress& progress);

// Makes and starts one more server with roles and database, not registered as a shard.
Result<DevShard> dev_add_server(const std::string& dir, const std::string& name,
                                const Progress& progress);

struct DevProcess {
  std::string name;  // "router" or the shard's
  int port = 0;
  int pid = 0;  // 0: not running
  std::string url, log;
};
std::vector<DevProcess> dev_status(const DevState& state);

}  // namespace shoal::surface
