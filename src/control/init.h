// Bootstrap: makes the catalog of a cluster and registers its first shards. Used by `shoal init`
// and `shoal dev up`. Idempotent: running it again upgrades the schema, adds shards that are new
// and changes the address of shards that are known by name.
// Thread rule: blocks; not on a core's thread.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "control/pq.h"

namespace shoal::control {

struct ShardSpec {
  std::string name, dsn;
};

// What keeps a server from being a shard, and what it will cost. Each entry says how to get it.
struct ShardReport {
  std::vector<std::string> missing;  // not empty: refused
  std::vector<std::string> notes;    // works, but something else will not
  std::string system_identifier;
};
// `reference` is home (null when `shard` itself is home).
Result<ShardReport> check_shard(Pq& shard, Pq* reference);

// Creates schema shoal on the shard and gives it the cluster's secret.
Result<> prepare_shard(Pq& shard, const std::string& secret);

// `home_dsn` names the database that is home and holds the catalog; one of `shards` must be it (by
// host, port and database), or, when none is, it is registered under the name "home". The role must
// be superuser there and on the shards.
Result<> init(const std::string& home_dsn, const std::string& cluster_name,
              const std::vector<ShardSpec>& shards);

// The cluster's secret, for tickets (ticket.h). Needs the rights of the schema's owner.
Result<std::string> read_secret(Pq& home);

}  // namespace shoal::control
