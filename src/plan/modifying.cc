// Statements whose WITH list writes: they go to one shard, when every part of them provably is on
// it. Over several shards each part would have to see the state from before the statement, which
// shards can't promise each other: refused.
#include "plan/insert.h"
#include "plan/planner.h"

namespace shoal::plan {

using catalog::TableKind;
using route::Property;

namespace {

struct OneShard {
  std::optional<ShardId> shard;
  std::string why;  // empty: so far so good

  void take(const Property& p, const std::string& what) {
    if (!why.empty() || p.anywhere()) return;
    if (!p.singular())
      why = what + " is not on one shard: " + p.rule;
    else
      take(p.shards[0], what);
  }
  void take(ShardId s, const std::string& what) {
    if (shard && *shard != s) why = what + " is on another shard than the rest";
    shard = s;
  }
};

}  // namespace

// The shard of rows whose SELECT gives the key as constants.
std::optional<ShardId> Planner::constant_shard(const InsertTarget& target, const route::Block& b) {
  const catalog::Keyspace* ks = snapshot_.keyspace(target.table->keyspace);
  if (ks == nullptr || !ks->placement || ks->types.size() != target.key.size() || b.left >= 0)
    return std::nullopt;
  std::vector<keys::KeyValue> key;
  for (std::size_t i = 0; i < target.key.size(); ++i) {
    const auto at = static_cast<std::size_t>(target.key[i]);
    if (target.key[i] < 0 || at >= b.outputs.size() || b.outputs[at].expr == nullptr)
      return std::nullopt;
    auto value = reader_.read_stored(*b.outputs[at].expr, *target.columns[at], ks->types[i]);
    if (!value || value->kind != route::Constant::Kind::kValue) return std::nullopt;
    key.push_back(*value->value);
  }
  const auto shard = ks->placement->place(key);
  return shard ? std::optional(*shard) : std::nullopt;
}

// The shard of all rows that an INSERT makes, when it is one.
Result<ShardId> Planner::insert_shard(const sql::Insert& s, const route::Analysis& a, int target,
                                      int source, route::Deriver& d) {
  const catalog::Table* t = a.relation(target).table;
  if (t == nullptr) return refuse(Refusal::kWriteNotProvable, "the target of INSERT");
  if (auto stop = unseen(t)) return std::get<Error>(stop->node);
  if (t->kind == TableKind::kSingle) return snapshot_.home;
  if (t->kind != TableKind::kSharded) {
    return refuse(Refusal::kWriteNotProvable, "a reference table beside other writes");
  }
  if (auto e = check_conflict(s, a, *t)) return *e;
  if (source < 0) return refuse(Refusal::kInsertSource, "DEFAULT VALUES into a sharded table");
  auto columns = find_columns(s, *t, a.block(source).outputs.size());
  if (!columns) return columns.error();
  const auto drawn = [&](const catalog::Column& c) {
    return default_kind(c, snapshot_, in_.session) == DefaultKind::kSequence;
  };
  for (const auto& c : t->columns) {
    const bool listed =
        std::find(columns->columns.begin(), columns->columns.end(), &c) != columns->columns.end();
    if (!listed && drawn(c)) {
      return refuse(Refusal::kInsertSource, "column " + c.name + " is filled from a sequence");
    }
  }
  const Property p = d.block(source);
  if (plain_values(s)) {
    for (const auto& row : s.source->values) {
      for (std::size_t i = 0; i < row.size() && i < columns->columns.size(); ++i) {
        if (is_default(row[i]) && drawn(*columns->columns[i])) {
          return refuse(Refusal::kInsertSource,
                        "column " + columns->columns[i]->name + " is filled from a sequence");
        }
      }
    }
    std::vector<route::Constant> keys;
    auto places = place_rows(s, *columns, snapshot_, reader_, keys);
    if (!places) return places.error();
    if (!*places) return refuse(Refusal::kInsertSource, "a key that must be computed first");
    for (const ShardId id : **places) {
      if (id != (*places)->front())
        return refuse(Refusal::kWriteNotProvable, "its rows belong to several shards");
    }
    if (!p.anywhere() && !(p.singular() && p.shards[0] == (*places)->front())) {
      return refuse(Refusal::kWriteNotProvable, "its source is on another shard");
    }
    return (*places)->front();
  }
  if (auto shard = constant_shard(*columns, a.block(source))) {
    if (p.anywhere() || (p.singular() && p.shards[0] == *shard)) return *shard;
    return refuse(Refusal::kWriteNotProvable, "its source is on another shard");
  }
  if (!p.singular() || !feeds_key(p, a.block(source), *columns)) {
    return refuse(Refusal::kWriteNotProvable,
                  p.singular() ? "the key of its rows is not certain" : p.rule);
  }
  return p.shards[0];
}

Plan Planner::modifying_cte(const route::Analysis& a) {
  if (a.opaque) {
    return refused(Refusal::kUnknownGrammar,
                   "a part of the statement is not understood by the router");
  }
  route::Deriver d(a, reader_);
  OneShard one;
  std::optional<Plan> stop;
  const auto write = [&](int target, const std::vector<sql::Assignment>* set) {
    const route::Relation& r = a.relation(target);
    stop = unseen(r.table);
    if (r.table == nullptr) stop = refused(Refusal::kWriteNotProvable, "the target " + r.name);
    if (stop) return;
    if (r.table->kind == TableKind::kReference) {
      stop = refused(Refusal::kWriteNotProvable, "a reference table beside other writes");
      return;
    }
    if (set != nullptr && r.table->kind == TableKind::kSharded)
      stop = check_assignments(a, target, *set);
    one.take(d.rows(a.block(r.owner)), "the write of " + r.table->name);
  };
  const auto insert = [&](const sql::Insert& s, int target, int source) {
    auto shard = insert_shard(s, a, target, source, d);
    if (!shard) {
      stop = error(shard.error());
      return;
    }
    one.take(*shard, "the INSERT");
    d.pin(a.relation(target).owner, *shard);
    for (const auto& sub : a.block(a.relation(target).owner).sublinks)
      one.take(d.block(sub.block), "a subquery");
  };
  for (const route::CteUse& use : a.ctes) {
    if (!use.modifying || stop) continue;
    if (use.cte == nullptr || use.target < 0) {
      stop = refused(Refusal::kWriteNotProvable, "the WITH query " + use.name);
    } else if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&use.cte->query)) {
      write(use.target, &(*u)->set);
    } else if (std::holds_alternative<std::unique_ptr<sql::Delete>>(use.cte->query)) {
      write(use.target, nullptr);
    } else {
      insert(*std::get<std::unique_ptr<sql::Insert>>(use.cte->query), use.target, use.source);
    }
  }
  const auto& node = in_.statement.node;
  if (stop) return std::move(*stop);
  if (std::holds_alternative<sql::SelectPtr>(node)) {
    one.take(d.block(a.root), "the outer query");
  } else if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&node)) {
    write(a.target, &(*u)->set);
  } else if (std::holds_alternative<std::unique_ptr<sql::Delete>>(node)) {
    write(a.target, nullptr);
  } else if (const auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&node)) {
    insert(**i, a.target, a.root);
  } else {
    return refused(Refusal::kWriteNotProvable, "a data-modifying WITH query in this statement");
  }
  if (stop) return std::move(*stop);
  trace_ = d.trace();
  decided_ = !d.sources().empty();
  const bool needs_home = a.single || a.catalog || a.temporary || a.unknown || a.effects.home;
  if (one.why.empty() && needs_home && one.shard != snapshot_.home)
    one.why = "it needs tables of the home shard";
  if (!one.why.empty() || !one.shard) return refused(Refusal::kWriteNotProvable, one.why);
  Plan plan = forward(*one.shard, where_text(a, d));
  plan.writes = plan.locks = true;
  return finish(std::move(plan), a);
}

}  // namespace shoal::plan
