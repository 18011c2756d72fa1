// MERGE: like source LEFT JOIN target. The ON prunes the target only; a row that it inserts must be
// placed where its source row lies.
#include "plan/insert.h"
#include "plan/planner.h"

namespace shoal::plan {

using catalog::TableKind;
using route::Property;

// The key of what one WHEN NOT MATCHED inserts, seen from the joined rows.
std::optional<Plan> Planner::check_merge_insert(const sql::MergeWhen& when,
                                                const route::Analysis& a, const catalog::Table& t,
                                                const Property& p) {
  sql::Insert shape;
  for (const auto& c : when.columns) shape.columns.push_back({c.name, {}});
  auto columns = find_columns(shape, t, when.values.size());
  if (!columns) return error(columns.error());
  for (const auto& c : t.columns) {
    const auto at = std::find(columns->columns.begin(), columns->columns.end(), &c);
    const bool given =
        at != columns->columns.end() &&
        !is_default(when.values[static_cast<std::size_t>(at - columns->columns.begin())]);
    const DefaultKind kind = given ? DefaultKind::kNone : default_kind(c, snapshot_, in_.session);
    if (kind == DefaultKind::kSequence || (kind == DefaultKind::kMoment && !p.singular())) {
      return refused(Refusal::kMergeStatement,
                     "column " + c.name + " of an inserted row is computed on each shard");
    }
  }
  const catalog::Keyspace* ks = snapshot_.keyspace(t.keyspace);
  std::vector<keys::KeyValue> constants;
  std::vector<route::ColumnId> own;
  for (std::size_t i = 0; i < columns->key.size(); ++i) {
    const int at = columns->key[i];
    if (at < 0 || static_cast<std::size_t>(at) >= when.values.size()) {
      return refused(Refusal::kMergeStatement, "an inserted row does not give the shard key");
    }
    const catalog::Column& c = *columns->columns[static_cast<std::size_t>(at)];
    const auto& e = when.values[static_cast<std::size_t>(at)];
    if (is_default(e) || ks == nullptr)
      return refused(Refusal::kMergeStatement, "an inserted row does not give the shard key");
    if (const auto column = a.find_column(e.get())) {
      const auto x = keys::key_type_of_oid(a.column(*column).type.value);
      const auto y = keys::key_type_of_oid(c.type.value);
      if (x && y && keys::family_of(*x) == keys::family_of(*y) && c.typmod < 0)
        own.push_back(*column);
    } else if (auto value = reader_.read_stored(*e, c, ks->types[i]);
               value && value->kind == route::Constant::Kind::kValue) {
      constants.push_back(*value->value);
    }
  }
  if (own.size() == columns->key.size()) {
    const bool placed = std::any_of(p.match.begin(), p.match.end(), [&](const route::Match& m) {
      return m.keyspace == t.keyspace && m.link && m.columns == own;
    });
    if (placed) return std::nullopt;
  } else if (constants.size() == columns->key.size() && p.singular() && ks->placement) {
    const auto shard = ks->placement->place(constants);
    if (shard && *shard == p.shards[0]) return std::nullopt;
  }
  return refused(Refusal::kMergeStatement,
                 "the shard key of an inserted row is not its source row's");
}

Plan Planner::merge(const sql::Merge& s) {
  const auto a = route::bind(in_.statement, snapshot_, in_.session);
  if (auto stop = stopped(a)) return std::move(*stop);
  const auto writes = [&](Plan plan) {
    plan.writes = plan.locks = true;
    return finish(std::move(plan), a);
  };
  const catalog::Table* t = a.relation(a.target).table;
  if (home_only(a)) {
    if (auto stop = unseen(t)) return std::move(*stop);
    return writes(forward(snapshot_.home, "tables of the home shard"));
  }
  if (a.opaque || a.modifying_cte || t == nullptr) {
    return refused(Refusal::kMergeStatement,
                   "a part of the statement is not understood by the router");
  }
  if (auto stop = unseen(t)) return std::move(*stop);
  if (t->kind == TableKind::kReference) {
    return refused(Refusal::kMergeStatement, "the target is a reference table");
  }
  route::Deriver d(a, reader_);
  const Property p = d.rows(a.block(a.root));
  trace_ = d.trace();
  decided_ = !d.sources().empty();
  const bool needs_home = a.single || a.catalog || a.temporary || a.unknown;
  if (!p.partitioned() && !p.singular()) {
    return refused(Refusal::kMergeStatement,
                   p.rule.empty() ? "the source is the same on every shard" : p.rule);
  }
  if (needs_home && !(p.singular() && p.shards[0] == snapshot_.home)) {
    return refused(Refusal::kMergeStatement, "it joins tables of different shards");
  }
  if (a.effects.moment && !p.singular()) {
    return refused(Refusal::kVolatileInPull, "now() has another value on each shard",
                   "pass the time as a parameter");
  }
  if (a.system_columns && !p.singular())
    return refused(Refusal::kSystemColumn, "over several shards");
  if (t->kind == TableKind::kSharded) {
    for (const auto& when : s.whens) {
      if (when.action == sql::MergeWhen::Action::kUpdate) {
        if (auto stop = check_assignments(a, a.target, when.set)) return std::move(*stop);
      }
      if (when.action == sql::MergeWhen::Action::kInsert) {
        if (auto stop = check_merge_insert(when, a, *t, p)) return std::move(*stop);
      }
    }
  }
  if (p.singular()) return writes(forward(p.shards[0], where_text(a, d)));
  Plan plan;
  Scatter scatter;
  scatter.shards = p.shards;
  scatter.writes = true;
  plan.node = std::move(scatter);
  plan.reason = p.rule;
  return writes(std::move(plan));
}

}  // namespace shoal::plan
