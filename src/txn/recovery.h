// What to do with prepared transactions that somebody left behind: a pure decision over facts that
// the caller has gathered *in this order*, because each later fact may only make an earlier one
// more settled:
//   1. prepared on every shard    2. transactions that live routers are still working on
//   3. decision rows              4. prepared on every shard again
// Any router may run it at any time, several at once: every step is idempotent. The caller proves
// success by reading the prepared transactions once more, never by a return code.
// Thread rule: pure functions over values.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "txn/gid.h"

namespace shoal::txn {

struct Prepared {
  ShardId shard;  // where it was seen
  std::string gid;
  std::string owner;  // pg_prepared_xacts.owner: SET ROLE to it before COMMIT or ROLLBACK PREPARED
  auto operator<=>(const Prepared&) const = default;
};

enum class Decision : std::uint8_t { kCommit, kAbort };

struct RecoveryFacts {
  std::string cluster;
  std::set<Prepared> prepared_before;
  std::set<TransactionId> active;
  std::map<std::string, Decision> decisions;  // by decision key, of all shards that were read
  std::set<ShardId> decisions_read;           // shards whose decision rows were read
  std::set<Prepared> prepared_after;
};

struct Resolution {
  enum class Kind : std::uint8_t {
    kCommit,    // COMMIT PREPARED
    kRollback,  // ROLLBACK PREPARED
    kSettle,    // insert "abort" at the decision shard first, read what stands there, look again
    kLeave,     // nothing to be done now, `why` says what is missing
  };
  Kind kind;
  Prepared what;
  ShardId decision_shard;
  std::string key;
  std::string why;
};

// One entry per prepared transaction of this cluster that was there both times, in order.
std::vector<Resolution> resolve(const RecoveryFacts& facts);

// Decision rows that nobody can need again: "commit" rows of transactions that are not active and
// have nothing prepared on any shard, provided that every shard in `all_shards` was read in both
// rounds. "abort" rows stay: a last agent that was thought dead may still run into them; the caller
// deletes them after days.
std::vector<std::string> forgettable(const RecoveryFacts& facts,
                                     const std::set<ShardId>& all_shards,
                                     const std::set<ShardId>& prepared_read);

}  // namespace shoal::txn
