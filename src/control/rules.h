// Placement rules: keys that must stay on shards with a tag, such as a region. A rule is about a
// whole keyspace, about listed keys, or about all keys between two. Whatever changes a placement
// (pin, move, set_tags, a new rule) asks rules_allow() about the placement as it would be.
// Thread rule: rules_allow and name_by_tags are pure; coroutines belong to one core.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/work.h"

namespace shoal::control {

struct PlacementRule {
  int id = 0;
  KeyspaceId keyspace;
  std::optional<std::vector<std::vector<keys::KeyValue>>> keys;
  std::optional<keys::KeyValue> low, high;  // both inclusive
  std::string tag;
};

using ShardTags = std::map<ShardId, std::vector<std::string>>;  // of active shards

// SH0504 with the rule, the key or slot, and the shard that lacks the tag.
Result<> rules_allow(const std::vector<PlacementRule>& rules, const ShardTags& tags,
                     const catalog::Keyspace& keyspace, const keys::Placement& placement,
                     const catalog::Snapshot& snapshot);

// What this transaction sees.
io::Task<Result<ShardTags>> read_tags(Work& work);
io::Task<Result<std::vector<PlacementRule>>> read_rules(Work& work);

// rules_allow for one keyspace with a placement that it would get (null: as it is).
io::Task<Result<>> require_rules(Work& work, KeyspaceId keyspace,
                                 std::shared_ptr<const keys::Placement> placement);

// A function's bucket may be named "tag:eu": it goes to shards of that tag, in turn. Adds such
// names to `shards`.
void name_by_tags(const keys::KeyFunction& function, const ShardTags& tags,
                  std::vector<keys::NamedShard>& shards);

// The commands shoal.set_tags, shoal.placement_rule (gives the rule's id), and drop_placement_rule.
io::Task<Result<>> set_tags(Work& work, std::string shard, std::vector<std::string> tags);
struct RuleRequest {
  std::string keyspace, tag;
  std::optional<std::vector<std::string>> keys;
  std::optional<std::string> low, high;
};
io::Task<Result<std::string>> add_rule(Work& work, RuleRequest request);

}  // namespace shoal::control
