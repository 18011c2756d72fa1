// Looking up and remembering one-shard plans.
#include "session/plan_cache.h"

#include "exec/count_key.h"
#include "keys/value.h"

namespace shoal::session {
namespace {

// The literal's value in the type of the key; nullopt: plan it properly.
std::optional<keys::KeyValue> literal_value(const sql::Literal& literal, keys::KeyType type) {
  std::string owned;
  std::string_view text = literal.text;
  if (literal.kind == sql::Literal::Kind::kString) {
    owned = sql::string_value(text);
    text = owned;
  } else if (literal.kind == sql::Literal::Kind::kInteger) {
    keys::KeyType family = keys::family_of(type);
    if (family != keys::KeyType::kInt8) return std::nullopt;
    type = keys::KeyType::kInt8;  // any width compares equal within the family
  } else {
    return std::nullopt;
  }
  Result<keys::KeyValue> value = keys::parse_text(type, text);
  if (!value) return std::nullopt;
  return std::move(*value);
}

}  // namespace

std::optional<Placed> PlanCache::find(const sql::Normalized& normalized,
                                      const catalog::Snapshot& snapshot,
                                      const route::SessionFacts& facts, obs::KeyLoad& load) const {
  auto found = entries_.find(normalized.key);
  if (found == entries_.end()) return std::nullopt;
  for (const Entry& entry : found->second) {
    if (entry.epoch != snapshot.epoch || entry.facts_hash != facts.settings_hash) continue;
    bool same = true;
    for (const auto& [index, text] : entry.equal)
      same = same && normalized.literals[index].text == text;
    if (!same) continue;
    if (entry.key_literal < 0)
      return Placed{std::get<plan::Forward>(entry.plan->node).shard, entry.plan};
    const auto& reuse = *entry.plan->reuse;
    std::optional<keys::KeyValue> value =
        literal_value(normalized.literals[static_cast<std::size_t>(entry.key_literal)], reuse.type);
    const catalog::Keyspace* keyspace = snapshot.keyspace(reuse.keyspace);
    if (!value || !keyspace) return std::nullopt;
    Result<ShardId> shard = keyspace->placement->place(*value);
    if (!shard) return std::nullopt;
    exec::count_key(load, *keyspace, *value);
    return Placed{*shard, entry.plan};
  }
  return std::nullopt;
}

void PlanCache::insert(const sql::Normalized& normalized, const catalog::Snapshot& snapshot,
                       const route::SessionFacts& facts, plan::PlanPtr plan) {
  const auto* forward = std::get_if<plan::Forward>(&plan->node);
  if (!forward || !forward->text.sql.empty() || plan->depends_on_params) return;
  Entry entry{facts.settings_hash, snapshot.epoch, plan, -1, {}};
  auto index_at = [&](int location) -> int {
    for (std::size_t i = 0; i < normalized.literals.size(); ++i)
      if (normalized.literals[i].position == location) return static_cast<int>(i);
    return -1;
  };
  if (plan->reuse) {
    if (plan->reuse->param != 0) return;
    entry.key_literal = index_at(plan->reuse->literal_location);
    if (entry.key_literal < 0) return;
    // The cached way must agree with the planner for the text at hand.
    const catalog::Keyspace* keyspace = snapshot.keyspace(plan->reuse->keyspace);
    std::optional<keys::KeyValue> value = literal_value(
        normalized.literals[static_cast<std::size_t>(entry.key_literal)], plan->reuse->type);
    if (!value || !keyspace) return;
    Result<ShardId> shard = keyspace->placement->place(*value);
    if (!shard || *shard != forward->shard) return;
  }
  for (int location : plan->shaping_literals) {
    int index = index_at(location);
    if (index < 0) return;  // not seen by the scanner as a literal: not cacheable
    entry.equal.emplace_back(
        static_cast<std::size_t>(index),
        std::string(normalized.literals[static_cast<std::size_t>(index)].text));
  }
  if (entries_.size() >= limit_) entries_.clear();
  std::vector<Entry>& list = entries_[normalized.key];
  std::erase_if(list, [&](const Entry& e) { return e.epoch != snapshot.epoch; });
  if (list.size() >= 16) list.erase(list.begin());
  list.push_back(std::move(entry));
}

}  // namespace shoal::session
