// COPY, TRUNCATE, LOCK TABLE, VACUUM and their like: statements about whole tables.
#include "plan/insert.h"
#include "plan/planner.h"
#include "plan/texts.h"
#include "sql/deparse.h"

namespace shoal::plan {

using catalog::TableKind;
using route::Property;

Oid Planner::named_table(const sql::RangeVar& rv, const catalog::Table*& out) const {
  const bool temporary = route::is_own_temporary(rv, snapshot_, in_.session);
  out = temporary ? nullptr : snapshot_.resolve_table(in_.session.search_path, rv.schema, rv.name);
  return out == nullptr ? Oid{} : out->oid;
}

// The query's rows are gathered as for a SELECT, and the workspace copies them out.
Plan Planner::copy_gathered(const sql::Copy& c, const route::Analysis& a, std::string reason) {
  if (a.row_locks) return refused(Refusal::kRowLocks, "the rows would have to be gathered first");
  std::optional<Plan> plan;
  if (!in_.session.in_transaction) plan = pull_rows(*c.query, a, reason);
  if (!plan) plan = pull(*c.query, a, std::move(reason));
  if (auto* pull = std::get_if<Pull>(&plan->node)) {
    pull->finish.sql = "COPY (" + pull->finish.sql + ") TO STDOUT" + sql::copy_options(c, true);
  }
  return std::move(*plan);
}

Plan Planner::done_copy(Plan plan, const sql::Copy& c, const catalog::Table* t) const {
  plan.writes = plan.locks = c.from;
  if (t != nullptr) plan.tables.push_back(t->oid);
  shape_all(plan);
  return plan;
}

// COPY (query) TO: one shard, or the shards' rows one after the other.
Plan Planner::copy_query(const sql::Copy& c) {
  if (c.opaque_query || !c.query) {
    if (!snapshot_.any_sharded()) {
      return done_copy(forward(snapshot_.home, "nothing is sharded"), c, nullptr);
    }
    return refused(Refusal::kUnknownGrammar, "COPY of a data-modifying query");
  }
  const route::Analysis a = route::bind_query(*c.query, snapshot_, in_.session);
  if (auto stop = stopped(a)) return std::move(*stop);
  const auto done = [&](Plan plan) { return finish(done_copy(std::move(plan), c, nullptr), a); };
  if (home_only(a)) return done(forward(snapshot_.home, "tables of the home shard"));
  if (a.opaque || a.modifying_cte) return refused(Refusal::kUnknownGrammar, "COPY of this query");
  route::Deriver d(a, reader_);
  const Property p = d.block(a.root);
  trace_ = d.trace();
  decided_ = !d.sources().empty();
  const bool needs_home = a.single || a.catalog || a.temporary || a.unknown;
  if (p.anywhere()) return done(forward(snapshot_.home, p.rule));
  if (!c.file.empty() || c.program) {
    return refused(Refusal::kShardLocalCatalog, "COPY with a file of a server");
  }
  if (p.singular() && (!needs_home || p.shards[0] == snapshot_.home)) {
    return done(forward(p.shards[0], where_text(a, d)));
  }
  if (a.system_columns) {
    return refused(Refusal::kSystemColumn, "a system column is read over several shards");
  }
  const sql::Select& s = *c.query;
  const bool cut = s.limit || s.offset || !s.order_by.empty();
  if (!p.partitioned() || cut || needs_home || a.effects.moment || a.row_locks || a.sampled) {
    return done(copy_gathered(c, a, p.gathered() ? p.rule : "the rows have an order"));
  }
  Plan plan;
  plan.node = CopyOut{p.shards, {}, has_header(c)};
  plan.reason = p.rule;
  return done(std::move(plan));
}

Plan Planner::copy(const sql::Copy& c) {
  if (c.query || c.opaque_query) return copy_query(c);
  const catalog::Table* t = nullptr;
  named_table(c.table, t);
  if (t == nullptr || t->kind == TableKind::kSingle || t->kind == TableKind::kCatalog) {
    if (c.from) {
      if (auto stop = unseen(t)) return std::move(*stop);
    }
    return done_copy(forward(snapshot_.home, "table of the home shard"), c, t);
  }
  if (!c.file.empty() || c.program) {
    return refused(Refusal::kShardLocalCatalog, "COPY with a file of a server");
  }
  if (c.from) return copy_in(c, *t);
  if (t->kind == TableKind::kReference) {
    return done_copy(forward(snapshot_.home, "reference table"), c, t);
  }
  const std::vector<ShardId> shards = shards_of(*t);
  if (shards.size() == 1) return done_copy(forward(shards[0], "one shard"), c, t);
  Plan plan;
  plan.node = CopyOut{shards, {}, has_header(c)};
  plan.reason = "sharded table " + t->name;
  return done_copy(std::move(plan), c, t);
}

// Every shard that may hold rows of a sharded table.
std::vector<ShardId> Planner::shards_of(const catalog::Table& t) {
  const sql::Select none;
  const route::Analysis a = route::bind_query(none, snapshot_, in_.session);
  return route::Deriver(a, reader_).all_shards(t);
}

// Columns that the data lack and that must not be left to each shard: what a sequence gives, the
// key, one moment for all rows, and what would differ from copy to copy.
std::optional<Error> Planner::fill_columns(CopyIn& in, const catalog::Table& t) const {
  const std::vector<std::string> given = in.columns;
  const auto is_given = [&](const std::string& name) {
    return std::find(given.begin(), given.end(), name) != given.end();
  };
  for (const auto& column : t.columns) {
    if (is_given(column.name) || column.generated) continue;
    const bool key =
        std::find(t.key_attnums.begin(), t.key_attnums.end(), column.attnum) != t.key_attnums.end();
    if (key && fills_key_) {
      in.columns.push_back(column.name);
      in.filled.push_back({"", column.type, true});
      continue;
    }
    const DefaultKind kind = default_kind(column, snapshot_, in_.session);
    if (key && kind == DefaultKind::kNone) {
      return null_violation(t, column);
    }
    const bool differs = in.reference && kind == DefaultKind::kRowVolatile;
    if (!key && !differs && kind != DefaultKind::kSequence && kind != DefaultKind::kMoment)
      continue;
    auto expr = default_expr(snapshot_, column);
    if (!expr) return expr.error();
    in.columns.push_back(column.name);
    in.filled.push_back({sql::deparse(**expr), column.type, kind == DefaultKind::kMoment});
  }
  return std::nullopt;
}

// COPY FROM STDIN: each row by its key, or to every copy.
Plan Planner::copy_in(const sql::Copy& c, const catalog::Table& t) {
  if (auto stop = unseen(&t)) return std::move(*stop);
  CopyIn in;
  in.table = t.oid;
  in.keyspace = t.keyspace;
  in.reference = t.kind == TableKind::kReference;
  in.columns = c.columns;
  if (in.columns.empty()) {
    for (const auto& column : t.columns) {
      if (!column.generated) in.columns.push_back(column.name);
    }
  }
  for (const auto& name : in.columns) {
    if (t.column(std::string_view(name)) != nullptr) continue;
    return error(make_error(
        "42703", "column \"" + name + "\" of relation \"" + t.name + "\" does not exist"));
  }
  const auto field = [&](std::string_view name) {
    const auto at = std::find(in.columns.begin(), in.columns.end(), name);
    return at == in.columns.end() ? -1 : static_cast<int>(at - in.columns.begin());
  };
  if (auto e = fill_columns(in, t)) return error(std::move(*e));
  for (const std::int16_t attnum : t.key_attnums) {
    const catalog::Column* key = t.column(attnum);
    in.key_fields.push_back(key == nullptr ? -1 : field(key->name));
  }
  in.shards = in.reference ? snapshot_.active_shards() : shards_of(t);
  Plan plan;
  plan.reason = (in.reference ? "reference table " : "sharded table ") + t.name;
  plan.node = std::move(in);
  return done_copy(std::move(plan), c, &t);
}

namespace {

struct Kinds {
  bool spread = false, single = false;
};

}  // namespace

Plan Planner::truncate(const sql::Truncate& s) {
  Kinds kinds;
  std::string shared;  // the tables that every shard has
  Plan plan;
  for (const auto& rv : s.tables) {
    const catalog::Table* t = nullptr;
    if (named_table(rv, t).value != 0) plan.tables.push_back(t->oid);
    const bool spread =
        t != nullptr && (t->kind == TableKind::kSharded || t->kind == TableKind::kReference);
    (spread ? kinds.spread : kinds.single) = true;
    if (spread) {
      shared += shared.empty() ? "" : ", ";
      shared += (rv.only ? "ONLY " : "") + qualified(*t);
    }
    if (auto stop = unseen(t)) return std::move(*stop);
  }
  plan.writes = plan.locks = true;
  if (!kinds.spread) {
    plan.node = Forward{snapshot_.home, {}};
    plan.reason = "tables of the home shard";
    return plan;
  }
  if (kinds.single) {
    // The mode of LOCK TABLE is not kept in the tree.
    if (!std::holds_alternative<sql::Truncate>(in_.statement.node)) {
      return refused(Refusal::kWriteNotProvable,
                     "it names tables of one shard and of all shards together",
                     "name them in two statements in one transaction");
    }
    // The other shards know their own tables only.
    ShardText rest{"TRUNCATE TABLE " + shared, {}};
    if (s.restart_identity) rest.sql += " RESTART IDENTITY";
    if (s.cascade) rest.sql += " CASCADE";
    Write write;
    write.parts.push_back({snapshot_.home, {in_.statement.text, {}}, {0}});
    for (const ShardId shard : snapshot_.active_shards()) {
      if (shard != snapshot_.home) write.parts.push_back({shard, rest, {0}});
    }
    plan.node = std::move(write);
    plan.reason = "on every shard";
    return plan;
  }
  Broadcast all;
  all.shards = snapshot_.active_shards();
  std::stable_partition(all.shards.begin(), all.shards.end(),
                        [&](ShardId id) { return id == snapshot_.home; });
  plan.node = std::move(all);
  plan.reason = "on every shard";
  return plan;
}

Plan Planner::lock(const sql::LockTable& s) {
  sql::Truncate same;
  same.tables = s.tables;
  Plan plan = truncate(same);
  plan.writes = !std::holds_alternative<Error>(plan.node);
  return plan;
}

Plan Planner::maintenance(const sql::Maintenance& m) {
  Kinds kinds;
  Plan plan;
  for (const auto& rv : m.tables) {
    const catalog::Table* t = nullptr;
    if (named_table(rv, t).value != 0) plan.tables.push_back(t->oid);
    const bool spread =
        t != nullptr && (t->kind == TableKind::kSharded || t->kind == TableKind::kReference);
    (spread ? kinds.spread : kinds.single) = true;
  }
  const bool whole = m.tables.empty() && snapshot_.any_sharded() &&
                     (m.command == "VACUUM" || m.command == "ANALYZE");
  if (!kinds.spread && !whole) {
    plan.node = Forward{snapshot_.home, {}};
    plan.reason = "the home shard";
    return plan;
  }
  if (kinds.single) {
    return refused(Refusal::kWriteNotProvable,
                   "it names tables of one shard and of all shards together");
  }
  if (m.command != "VACUUM" && m.command != "ANALYZE" && m.command != "REINDEX" &&
      m.command != "CLUSTER") {
    return refused(Refusal::kDdlUnsupported, m.command + " over several shards");
  }
  Broadcast all;
  all.shards = snapshot_.active_shards();
  std::stable_partition(all.shards.begin(), all.shards.end(),
                        [&](ShardId id) { return id == snapshot_.home; });
  plan.node = std::move(all);
  plan.reason = "on every shard";
  return plan;
}

}  // namespace shoal::plan
