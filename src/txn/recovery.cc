// The decision of recovery.h.
#include "txn/recovery.h"

#include <algorithm>

namespace shoal::txn {
namespace {

Resolution resolve_one(const RecoveryFacts& facts, const Prepared& prepared, const Gid& gid) {
  using Kind = Resolution::Kind;
  Resolution out{Kind::kLeave, prepared, gid.decision, decision_key(gid.transaction), {}};
  if (gid.participant != prepared.shard) {
    // A database that two shard entries share would be resolved twice, once under a wrong name.
    out.why = "prepared under the name of another shard";
    return out;
  }
  const auto decision = facts.decisions.find(out.key);
  if (decision != facts.decisions.end()) {
    const bool commit = decision->second == Decision::kCommit;
    out.kind = commit ? Kind::kCommit : Kind::kRollback;
    out.why = commit ? "decided to commit" : "decided to abort";
  } else if (facts.active.contains(gid.transaction)) {
    out.why = "its router is still working on it";
  } else if (!facts.decisions_read.contains(gid.decision)) {
    out.why = "the shard that holds its decision could not be read";
  } else {
    out.kind = Kind::kSettle;
    out.why = "neither decided nor active";
  }
  return out;
}

}  // namespace

std::vector<Resolution> resolve(const RecoveryFacts& facts) {
  std::vector<Resolution> all;
  for (const Prepared& prepared : facts.prepared_after) {
    const auto gid = parse_gid(prepared.gid);
    if (!gid || gid->transaction.cluster != facts.cluster) continue;
    if (!facts.prepared_before.contains(prepared)) continue;  // too young to judge
    all.push_back(resolve_one(facts, prepared, *gid));
  }
  return all;
}

std::vector<std::string> forgettable(const RecoveryFacts& facts,
                                     const std::set<ShardId>& all_shards,
                                     const std::set<ShardId>& prepared_read) {
  if (!std::includes(prepared_read.begin(), prepared_read.end(), all_shards.begin(),
                     all_shards.end())) {
    return {};
  }
  std::set<std::string> needed;
  for (const auto* prepared : {&facts.prepared_before, &facts.prepared_after}) {
    for (const Prepared& entry : *prepared) {
      if (const auto gid = parse_gid(entry.gid)) needed.insert(decision_key(gid->transaction));
    }
  }
  for (const TransactionId& id : facts.active) needed.insert(decision_key(id));
  std::vector<std::string> keys;
  for (const auto& [key, decision] : facts.decisions) {
    const auto id = parse_decision_key(key);
    if (!id || id->cluster != facts.cluster || decision != Decision::kCommit) continue;
    if (!needed.contains(key)) keys.push_back(key);
  }
  return keys;
}

}  // namespace shoal::txn
