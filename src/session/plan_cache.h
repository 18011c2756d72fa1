// Plans of simple queries by literal-normalised text: a text that differs only in its constants
// costs a scan and a look-up. A plan is used again only if everything that shaped it is equal
// (plan::Plan::shaping_literals) and the one free literal converts to the key's type.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/snapshot.h"
#include "obs/key_load.h"
#include "plan/plan.h"
#include "route/session_facts.h"
#include "sql/normalize.h"

namespace shoal::session {

// A plan and the shard of a Forward: the plan may have been made for another value of the key.
struct Placed {
  ShardId shard;
  plan::PlanPtr plan;
};

class PlanCache {
 public:
  explicit PlanCache(std::size_t entries) : limit_(entries) {}

  // A one-shard plan for the text, or nullopt. `text` gave `normalized`. Its key is counted.
  std::optional<Placed> find(const sql::Normalized& normalized, const catalog::Snapshot& snapshot,
                             const route::SessionFacts& facts, obs::KeyLoad& load) const;
  // Remembers a Forward plan if it may be used for other constants. `locations` in the plan are
  // offsets into the text that gave `normalized`.
  void insert(const sql::Normalized& normalized, const catalog::Snapshot& snapshot,
              const route::SessionFacts& facts, plan::PlanPtr plan);

 private:
  struct Entry {
    std::uint64_t facts_hash;
    Epoch epoch;
    plan::PlanPtr plan;
    int key_literal = -1;  // index of the literal that is the key; -1: the shard is fixed
    std::vector<std::pair<std::size_t, std::string>> equal;  // literals that must read the same
  };
  std::size_t limit_;
  std::unordered_map<std::string, std::vector<Entry>> entries_;
};

}  // namespace shoal::session
