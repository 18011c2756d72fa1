// shoal.fanout and shoal.require_key: what a finished plan touches, and whether that is allowed.
#include <set>

#include "plan/planner.h"

namespace shoal::plan {

std::size_t shard_count(const Plan& plan) {
  struct Count {
    std::size_t operator()(const Scatter& n) const { return n.shards.size(); }
    std::size_t operator()(const CopyOut& n) const { return n.shards.size(); }
    std::size_t operator()(const Pull& n) const {
      std::set<std::int32_t> shards;
      for (const PullStep& step : n.steps) {
        for (const ShardId s : step.shards) shards.insert(s.value);
      }
      return shards.size();
    }
    std::size_t operator()(const Write& n) const {
      std::set<std::int32_t> shards;
      for (const WritePart& part : n.parts) shards.insert(part.shard.value);
      return shards.size();
    }
    std::size_t operator()(const RoutedInsert& n) const {
      return n.source ? shard_count(*n.source) : 1;
    }
    std::size_t operator()(const Forward&) const { return 1; }
    std::size_t operator()(const ReferenceWrite&) const { return 1; }
    std::size_t operator()(const CopyIn&) const { return 1; }
    std::size_t operator()(const Broadcast&) const { return 1; }
    std::size_t operator()(const NeedTypes&) const { return 1; }
    std::size_t operator()(const Error&) const { return 1; }
  };
  return std::visit(Count{}, plan.node);
}

namespace {

// A key is named: by each row, or by a condition that decided the shards.
bool has_key(const Plan& plan, const sql::Statement& statement, bool decided,
             std::size_t all_shards) {
  if (const auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&statement.node);
      i != nullptr && ((*i)->source == nullptr || !(*i)->source->values.empty())) {
    return true;
  }
  if (std::holds_alternative<CopyIn>(plan.node)) return true;
  if (std::holds_alternative<RoutedInsert>(plan.node)) return true;  // its source was asked
  if (std::holds_alternative<Pull>(plan.node) || std::holds_alternative<Broadcast>(plan.node))
    return std::holds_alternative<sql::Maintenance>(statement.node);
  if (!decided) return false;
  return std::holds_alternative<Forward>(plan.node) || shard_count(plan) < all_shards;
}

}  // namespace

std::optional<Error> Planner::not_allowed(const Plan& plan) const {
  const auto& session = in_.session;
  const std::size_t shards = shard_count(plan);
  if (session.fanout == route::Fanout::kDeny && shards > 1) {
    return refuse(Refusal::kFanoutDenied, "it would run on " + std::to_string(shards) + " shards");
  }
  if (!session.require_key || session.scope_key || session.shard) return std::nullopt;
  const catalog::Table* sharded = nullptr;
  for (const Oid oid : plan.tables) {
    const catalog::Table* t = snapshot_.table(oid);
    if (t != nullptr && t->kind == catalog::TableKind::kSharded) sharded = t;
  }
  if (sharded == nullptr) return std::nullopt;
  if (has_key(plan, in_.statement, decided_, snapshot_.active_shards().size())) return std::nullopt;
  Error e = refuse(Refusal::kFanoutDenied, "no condition gives the key of table " + sharded->name,
                   "add the shard key, SET shoal.key, or SET shoal.require_key = off");
  e.message = "shoal.require_key = on forbids statements without a shard key";
  return e;
}

}  // namespace shoal::plan
