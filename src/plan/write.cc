// UPDATE, DELETE and MERGE: the join of the target with the whole FROM or USING tree must be on one
// shard, or partitioned so that every row meets its partners where it lies.
#include "plan/planner.h"
#include "plan/texts.h"
#include "sql/parse.h"

namespace shoal::plan {

using route::Property;

// SET of a shard key: allowed where the new value is the one that WHERE already demands, so that no
// row moves.
std::optional<Plan> Planner::check_assignments(const route::Analysis& a, int target,
                                               const std::vector<sql::Assignment>& set) {
  const catalog::Table& t = *a.relation(target).table;
  const route::Block& block = a.block(a.relation(target).owner);
  const catalog::Keyspace* ks = snapshot_.keyspace(t.keyspace);
  for (const auto& assignment : set) {
    const catalog::Column* column = t.column(std::string_view(assignment.column));
    if (column == nullptr) continue;  // PostgreSQL will say so
    std::size_t position = t.key_attnums.size();
    for (std::size_t i = 0; i < t.key_attnums.size(); ++i) {
      if (t.key_attnums[i] == column->attnum) position = i;
    }
    if (position == t.key_attnums.size()) continue;
    bool stays = false;
    if (assignment.value && assignment.steps.empty() && ks != nullptr &&
        position < ks->types.size()) {
      const auto own = a.find_column(assignment.value.get());
      stays = own && own->relation == target && a.column(*own).name == column->name;
      route::Classes classes(a);
      classes.add(block.where);
      int index = -1;
      for (std::size_t i = 0; i < t.columns.size(); ++i) {
        if (t.columns[i].attnum == column->attnum) index = static_cast<int>(i);
      }
      const auto stored = reader_.read_stored(*assignment.value, *column, ks->types[position]);
      if (!stays && stored && stored->kind == route::Constant::Kind::kValue) {
        for (const auto& c : classes.constraints({target, index})) {
          if (c.kind != route::Constraint::Kind::kEqual) continue;
          const auto now = reader_.read(*c.value, a.column(c.column).type, ks->types[position]);
          stays =
              stays || (now.kind == route::Constant::Kind::kValue && *now.value == *stored->value);
        }
      }
    }
    if (!stays) {
      return refused(Refusal::kUpdateKey,
                     "SET " + column->name + " may place the row on another shard");
    }
  }
  return std::nullopt;
}

Plan Planner::modify(const route::Analysis& a, const std::vector<sql::Assignment>* set,
                     bool returning) {
  (void)returning;
  if (auto stop = stopped(a)) return std::move(*stop);
  const auto writes = [&](Plan plan) {
    plan.writes = plan.locks = true;
    return finish(std::move(plan), a);
  };
  const route::Relation& target = a.relation(a.target);
  if (home_only(a)) {
    if (auto stop = unseen(target.table)) return std::move(*stop);
    return writes(forward(snapshot_.home, "tables of the home shard"));
  }
  if (a.modifying_cte) return modifying_cte(a);
  if (a.opaque || target.table == nullptr) {
    if (a.temporary)
      return refused(Refusal::kTempTable, "the columns of temporary tables are home's");
    return refused(Refusal::kUnknownGrammar,
                   "a part of the statement is not understood by the router");
  }
  const catalog::Table& t = *target.table;
  if (auto stop = unseen(&t)) return std::move(*stop);
  route::Deriver d(a, reader_);
  const Property p = d.rows(a.block(a.root));
  trace_ = d.trace();
  decided_ = !d.sources().empty();
  if (t.kind == catalog::TableKind::kReference) {
    const bool alone = a.block(a.root).from.size() == 1;
    if (p.kind != Property::Kind::kEverywhere && p.kind != Property::Kind::kAnyOne) {
      return refused(Refusal::kReferenceWrite,
                     "it reads " + (p.rule.empty() ? "other tables" : p.rule));
    }
    return writes(reference_write(a, t, p.kind == Property::Kind::kEverywhere && alone, set,
                                  "reference table " + t.name));
  }
  const std::size_t looked_at = reader_.locations.size() + reader_.params.size();
  if (t.kind == catalog::TableKind::kSharded && set != nullptr) {
    if (auto stop = check_assignments(a, a.target, *set)) return std::move(*stop);
  }
  const bool needs_home = a.single || a.catalog || a.temporary || a.unknown;
  if (p.singular() && (!needs_home || p.shards[0] == snapshot_.home)) {
    Plan plan = forward(p.shards[0], d.sources().empty() ? p.rule : where_text(a, d));
    // A constant that SET gives the key again must stay equal to the one in WHERE.
    if (looked_at == reader_.locations.size() + reader_.params.size()) set_reuse(plan, a, d);
    return writes(std::move(plan));
  }
  if (!p.partitioned() || needs_home) {
    return refused(Refusal::kWriteNotProvable,
                   p.gathered() ? p.rule : "it joins tables of different shards");
  }
  if (a.system_columns) {
    return refused(Refusal::kSystemColumn, "a system column is read over several shards");
  }
  if (a.sampled) return refused(Refusal::kWriteNotProvable, "TABLESAMPLE over several shards");
  Plan plan;
  Scatter scatter;
  scatter.shards = p.shards;
  scatter.writes = true;
  if (a.effects.moment) {
    auto text = text_with_moment();
    if (!text) return error(text.error());
    scatter.text = std::move(*text);
    shape_all(plan);
    plan.depends_on_params = in_.statement.max_param > 0;
  }
  plan.node = std::move(scatter);
  plan.reason = p.rule;
  return writes(std::move(plan));
}

// The text of an UPDATE or DELETE in which now() is a value that all shards are given alike.
Result<ShardText> Planner::text_with_moment() const {
  const auto builtin = [&](const std::vector<std::string>& name) {
    const auto found = snapshot_.resolve_functions(in_.session.search_path, name);
    return std::all_of(found.begin(), found.end(), [](const auto* f) { return f->builtin(); });
  };
  sql::Statement changed;
  changed.text = in_.statement.text;
  changed.max_param = in_.statement.max_param;
  Result<ShardText> text = refuse(Refusal::kVolatileInPull, "now() in this kind of statement");
  const auto bound = [&](auto tree) {
    bind_moment(*tree, builtin);
    auto copy = sql::clone(*tree);
    text = text_of(*copy);
    changed.node = std::move(tree);
  };
  if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&in_.statement.node))
    bound(sql::clone(**u));
  else if (const auto* r = std::get_if<std::unique_ptr<sql::Delete>>(&in_.statement.node))
    bound(sql::clone(**r));
  if (!text) return text.error();
  if (route::bind(changed, snapshot_, in_.session).effects.moment) {
    return refuse(Refusal::kVolatileInPull, "now() has another value on each shard",
                  "pass the time as a parameter");
  }
  return text;
}

Plan Planner::update(const sql::Update& s) {
  return modify(route::bind(in_.statement, snapshot_, in_.session), &s.set, !s.returning.empty());
}

Plan Planner::remove(const sql::Delete& s) {
  return modify(route::bind(in_.statement, snapshot_, in_.session), nullptr, !s.returning.empty());
}

}  // namespace shoal::plan
