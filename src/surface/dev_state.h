// What a development cluster consists of, kept in <dir>/dev.toml, and where that folder is.
// Thread rule: plain values and files.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"

namespace shoal::surface {

struct DevShard {
  std::string name;
  int port = 0;
  bool extra = false;  // made by `shoal dev add`, not one of the first
};

struct DevState {
  std::string dir;   // of dev.toml, router.toml, logs
  std::string data;  // of the servers' data folders: <dir>/data, or outside when user postgres
                     // can't reach <dir>
  std::string bin;   // PostgreSQL's programs
  std::string user;  // who runs the servers; empty: the caller
  int port = 0, http_port = 0;
  std::vector<DevShard> shards;

  std::string data_of(const DevShard& shard) const { return data + "/" + shard.name; }
  std::string config() const { return dir + "/router.toml"; }
  const DevShard* shard(const std::string& name) const;
};

Result<DevState> read_state(const std::string& dir);
Result<> write_state(const DevState& state);
bool has_state(const std::string& dir);

// The folder that is meant when none is named: $SHOAL_DIR; else .shoal of the working directory or
// of the project this binary was built in, whichever holds a cluster; else .shoal of the working
// directory. Where root cannot share that folder with user postgres, it is
// /var/lib/shoal-dev/<first 12 hexadecimal digits of the SHA-256 of the folder above .shoal>.
std::string default_dir();
std::string outside_dir(const std::string& parent);

// The newest /usr/lib/postgresql/*/bin, or the folder of `postgres` on PATH.
Result<std::string> find_postgresql();

std::string url_of(const DevState& state);                           // through the router
std::string url_of(const DevShard& shard, const std::string& role);  // directly

}  // namespace shoal::surface
