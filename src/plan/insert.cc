// INSERT: each row goes to the shard of its key. Keys that are constants or parameters are placed
// here; what must be computed first (sequences, expressions, gathered SELECTs) is planned as a
// source whose rows are routed one by one.
#include "plan/insert.h"

#include <map>

#include "plan/planner.h"
#include "plan/texts.h"
#include "route/code.h"
#include "route/functions.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace shoal::plan {

using catalog::TableKind;
using route::Constant;
using route::Property;

bool is_default(const sql::ExprPtr& e) {
  return e == nullptr || std::holds_alternative<sql::DefaultExpr>(e->node);
}

bool plain_values(const sql::Insert& s) {
  return s.source && !s.source->values.empty() && s.source->order_by.empty() && !s.source->limit &&
         !s.source->offset && s.source->with.ctes.empty();
}

DefaultKind default_kind(const catalog::Column& c, const catalog::Snapshot& snapshot,
                         const route::SessionFacts& session) {
  if (c.sequence.value != 0 || c.identity) return DefaultKind::kSequence;
  if (!c.has_default || c.generated) return DefaultKind::kNone;
  auto parsed = sql::parse("SELECT " + c.default_sql, sql::ParseLimits{});
  if (!parsed || parsed->size() != 1) return DefaultKind::kSequence;
  const route::Analysis a = route::bind(parsed->front(), snapshot, session);
  if (a.effects.home || a.effects.home_action || a.opaque || a.error) return DefaultKind::kSequence;
  if (a.effects.row_volatile) return DefaultKind::kRowVolatile;
  return a.effects.moment ? DefaultKind::kMoment : DefaultKind::kConstant;
}

namespace {

// Whether some unique index fits plain columns of ON CONFLICT; what is not plain may have one.
bool has_arbiter(const sql::OnConflict& c, const catalog::Table& t) {
  std::vector<std::int16_t> named;
  for (const auto& e : c.elements) {
    const catalog::Column* column = t.column(e.column);
    if (e.expr || column == nullptr || c.elements_where) return true;
    if (std::find(named.begin(), named.end(), column->attnum) == named.end())
      named.push_back(column->attnum);
  }
  return std::any_of(t.indexes.begin(), t.indexes.end(), [&](const catalog::Index& i) {
    return i.unique && !i.partial && i.attnums.size() == named.size() &&
           std::is_permutation(named.begin(), named.end(), i.attnums.begin());
  });
}

}  // namespace

std::optional<Error> check_conflict(const sql::Insert& s, const route::Analysis& a,
                                    const catalog::Table& t) {
  if (!s.on_conflict || t.kind != TableKind::kSharded) return std::nullopt;
  const auto& c = *s.on_conflict;
  const auto is_key = [&](std::string_view name) {
    const catalog::Column* column = t.column(name);
    return column != nullptr && std::find(t.key_attnums.begin(), t.key_attnums.end(),
                                          column->attnum) != t.key_attnums.end();
  };
  if (!c.constraint.empty()) {
    const catalog::Index* index = nullptr;
    for (const auto& i : t.indexes) {
      if (i.name == c.constraint) index = &i;
    }
    if (index == nullptr) {
      return make_error("42704", "constraint \"" + c.constraint + "\" for table \"" + t.name +
                                     "\" does not exist");
    }
    for (const std::int16_t key : t.key_attnums) {
      if (std::find(index->attnums.begin(), index->attnums.end(), key) == index->attnums.end()) {
        return refuse(Refusal::kConflictArbiter,
                      "constraint " + c.constraint + " does not contain the shard key");
      }
    }
  } else if (!c.elements.empty()) {
    if (!has_arbiter(c, t)) {
      return make_error("42P10",
                        "there is no unique or exclusion constraint matching the ON CONFLICT "
                        "specification");
    }
    for (const std::int16_t key : t.key_attnums) {
      const catalog::Column* column = t.column(key);
      const bool named =
          column != nullptr &&
          std::any_of(c.elements.begin(), c.elements.end(), [&](const auto& e) {
            return e.column == column->name && e.collation.empty() && e.opclass.empty();
          });
      if (!named)
        return refuse(Refusal::kConflictArbiter, "its columns do not contain the shard key");
    }
  } else {
    for (const auto& i : t.indexes) {
      if (i.unique && i.local) {
        return refuse(Refusal::kConflictArbiter, "index " + i.name + " holds on each shard only");
      }
    }
  }
  for (const auto& assignment : c.set) {
    if (!is_key(assignment.column)) continue;
    const auto own = assignment.value ? a.find_column(assignment.value.get()) : std::nullopt;
    if (!assignment.steps.empty() || !own || a.column(*own).name != assignment.column ||
        a.relation(own->relation).table != &t) {
      return refuse(Refusal::kUpdateKey, "ON CONFLICT sets the shard key " + assignment.column);
    }
  }
  return std::nullopt;
}

Error null_violation(const catalog::Table& table, const catalog::Column& column) {
  Error e = make_error("23502", fmt::format("null value in column \"{}\" of relation \"{}\" "
                                            "violates not-null constraint",
                                            column.name, table.name));
  e.object = std::make_shared<ErrorObject>(
      ErrorObject{.schema = table.schema, .table = table.name, .column = column.name});
  return e;
}

Result<InsertTarget> find_columns(const sql::Insert& s, const catalog::Table& t,
                                  std::size_t width) {
  InsertTarget out;
  out.table = &t;
  if (s.columns.empty()) {
    for (const auto& c : t.columns) {
      if (out.columns.size() < width) out.columns.push_back(&c);
    }
  }
  for (const auto& c : s.columns) {
    const catalog::Column* column = t.column(std::string_view(c.name));
    if (column == nullptr) {
      return make_error("42703",
                        "column \"" + c.name + "\" of relation \"" + t.name + "\" does not exist");
    }
    if (!c.steps.empty())
      return refuse(Refusal::kInsertSource, "a part of column " + c.name + " is given");
    out.columns.push_back(column);
  }
  for (const std::int16_t attnum : t.key_attnums) {
    int at = -1;
    for (std::size_t i = 0; i < out.columns.size(); ++i) {
      if (out.columns[i]->attnum == attnum) at = static_cast<int>(i);
    }
    out.key.push_back(at);
  }
  return out;
}

Result<std::optional<std::vector<ShardId>>> place_rows(const sql::Insert& s,
                                                       const InsertTarget& target,
                                                       const catalog::Snapshot& snapshot,
                                                       route::ConstantReader& reader,
                                                       std::vector<Constant>& keys) {
  using Places = std::optional<std::vector<ShardId>>;
  const catalog::Keyspace* ks = snapshot.keyspace(target.table->keyspace);
  if (ks == nullptr || !ks->placement || ks->types.size() != target.key.size()) {
    return refuse(Refusal::kUnknownKeyspace, "of table " + target.table->name);
  }
  std::vector<ShardId> out;
  for (const auto& row : s.source->values) {
    std::vector<keys::KeyValue> key;
    for (std::size_t i = 0; i < target.key.size(); ++i) {
      const int at = target.key[i];
      if (at < 0 || static_cast<std::size_t>(at) >= row.size()) return Places();
      const auto& e = row[static_cast<std::size_t>(at)];
      if (is_default(e)) return Places();
      const catalog::Column& column = *target.columns[static_cast<std::size_t>(at)];
      auto value = reader.read_stored(*e, column, ks->types[i]);
      if (!value) return value.error();
      if (value->kind == Constant::Kind::kNull) {
        return null_violation(*target.table, column);
      }
      if (value->kind != Constant::Kind::kValue) return Places();
      key.push_back(*value->value);
      keys.push_back(std::move(*value));
    }
    auto shard = ks->placement->place(key);
    if (!shard) return shard.error();
    out.push_back(*shard);
  }
  return Places(std::move(out));
}

bool feeds_key(const Property& source, const route::Block& root, const InsertTarget& target) {
  return std::any_of(source.match.begin(), source.match.end(), [&](const route::Match& m) {
    if (m.keyspace != target.table->keyspace || !m.part || !m.link ||
        m.columns.size() != target.key.size()) {
      return false;
    }
    for (std::size_t i = 0; i < m.columns.size(); ++i) {
      const int at = target.key[i];
      if (at < 0 || m.columns[i].column != at) return false;
      // Storing must not change the value: no blanks cut, no other family.
      const catalog::Column& c = *target.columns[static_cast<std::size_t>(at)];
      const Oid from = root.outputs[static_cast<std::size_t>(at)].type;
      const auto x = keys::key_type_of_oid(from.value), y = keys::key_type_of_oid(c.type.value);
      if (!x || !y || keys::family_of(*x) != keys::family_of(*y) || c.typmod >= 0) return false;
    }
    return true;
  });
}

// Rows of VALUES that belong to several shards: each gets the statement with its own rows.
Plan Planner::split_values(const InsertWork& w, const std::vector<ShardId>& places) const {
  Plan out;
  Write write;
  write.returning = !w.s.returning.empty();
  const bool conflict = w.s.on_conflict.has_value();
  if (write.returning && conflict && w.s.on_conflict->do_update && w.s.on_conflict->where) {
    return refused(Refusal::kConflictArbiter,
                   "RETURNING of ON CONFLICT DO UPDATE ... WHERE over several shards");
  }
  write.row_by_row = write.returning && conflict && !w.s.on_conflict->do_update;
  std::map<ShardId, std::vector<std::uint32_t>> by_shard;
  for (std::uint32_t i = 0; i < places.size(); ++i) by_shard[places[i]].push_back(i);
  // The tree without its rows; each part is a copy of it with the rows that belong there.
  const std::unique_ptr<sql::Insert> tree = sql::clone(w.s);
  const std::vector<sql::ExprList> rows = std::exchange(tree->source->values, {});
  const auto whole = [&](ShardId shard, const std::vector<std::uint32_t>& input) -> Result<void> {
    const std::unique_ptr<sql::Insert> insert = sql::clone(*tree);
    for (const std::uint32_t i : input) {
      sql::ExprList row;
      for (const auto& e : rows[i]) row.push_back(sql::clone(*e));
      insert->source->values.push_back(std::move(row));
    }
    auto text = text_of(*insert);
    if (!text) return text.error();
    write.parts.push_back({shard, std::move(*text), input});
    return {};
  };
  if (write.row_by_row) {
    for (std::uint32_t i = 0; i < places.size(); ++i) {
      if (auto done = whole(places[i], {i}); !done) return error(done.error());
    }
  } else {
    for (const auto& [shard, input] : by_shard) {
      if (auto done = whole(shard, input); !done) return error(done.error());
    }
  }
  out.node = std::move(write);
  out.reason = std::to_string(places.size()) + " rows by shard key";
  return out;
}

// Notes what the columns that rows leave out will be.
std::optional<Error> Planner::note_defaults(InsertWork& w) const {
  const catalog::Table& t = *w.target.table;
  std::optional<Error> hidden;
  const auto note = [&](const catalog::Column& c) {
    const DefaultKind kind = default_kind(c, snapshot_, in_.session);
    w.row_volatile |= kind == DefaultKind::kRowVolatile;
    w.moment |= kind == DefaultKind::kMoment;
    if (!c.default_sql.empty() && route::hides_rows(snapshot_, in_.session)) {
      const route::Reach reach = route::reach_of_text(c.default_sql, snapshot_);
      if (!reach.unproved.empty() && !hidden)
        hidden = refuse(Refusal::kUserFunction, "the default of " + c.name + ": " + reach.unproved);
    }
    return kind;
  };
  const auto& listed = w.target.columns;
  for (const auto& c : t.columns) {
    if (std::find(listed.begin(), listed.end(), &c) != listed.end()) continue;
    const bool key =
        std::find(t.key_attnums.begin(), t.key_attnums.end(), c.attnum) != t.key_attnums.end();
    const DefaultKind kind = note(c);
    if (key && kind == DefaultKind::kNone) {
      return null_violation(t, c);
    }
    w.computed |= kind == DefaultKind::kSequence || key;
    const bool copies_differ = kind == DefaultKind::kRowVolatile && t.kind == TableKind::kReference;
    if (key || kind == DefaultKind::kSequence || kind == DefaultKind::kMoment || copies_differ) {
      w.filled.push_back(&c);
    }
  }
  if (!plain_values(w.s)) return hidden;
  for (const auto& row : w.s.source->values) {
    if (row.size() > listed.size()) {
      return make_error("42601", "INSERT has more expressions than target columns");
    }
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (is_default(row[i]) && note(*listed[i]) == DefaultKind::kSequence) w.computed = true;
    }
  }
  return hidden;
}

Plan Planner::insert_values(InsertWork& w) {
  const bool at_home = w.source.singular() && w.source.shards[0] == snapshot_.home;
  const bool with_subquery = !w.source.anywhere() && !at_home;
  if (w.computed || (with_subquery && !w.source.singular())) return computed_values(w);
  std::vector<Constant> keys;
  auto places = place_rows(w.s, w.target, snapshot_, reader_, keys);
  if (!places) return error(places.error());
  if (!*places && !with_subquery) return computed_values(w);
  const std::vector<ShardId> shards = *places ? **places : std::vector<ShardId>{};
  const bool one = !shards.empty() && std::all_of(shards.begin(), shards.end(),
                                                  [&](ShardId s) { return s == shards[0]; });
  // A subquery that reads one shard can go along with rows of that shard.
  const bool together = one && w.source.singular() && w.source.shards[0] == shards[0];
  if ((with_subquery || at_home) && !together) return computed_values(w);
  if (one) {
    Plan plan = forward(shards[0], "key of the inserted row");
    const catalog::Keyspace* ks = snapshot_.keyspace(w.target.table->keyspace);
    if (!together && keys.size() == 1 && keys[0].direct && ks->types.size() == 1 &&
        reusable_type(ks->types[0])) {
      plan.reuse = Plan::KeySource{ks->id, ks->types[0], keys[0].param,
                                   keys[0].param > 0 ? -1 : keys[0].location};
    }
    return plan;
  }
  if (w.moment) return computed_values(w);
  return split_values(w, shards);
}

// INSERT .. SELECT: pushed down when the source's part column feeds the key, otherwise gathered.
Plan Planner::insert_rows(InsertWork& w, const route::Deriver& d) {
  const route::Analysis& a = w.a;
  const Property& p = w.source;
  const bool needs_home = a.single || a.catalog || a.temporary || a.unknown;
  const bool stays = feeds_key(p, a.block(a.root), w.target) && !w.computed && !needs_home;
  if (stays && p.singular()) {
    return forward(p.shards[0], d.sources().empty() ? p.rule : where_text(a, d));
  }
  if (stays && p.partitioned() && !w.moment && !a.effects.home) {
    Plan plan;
    Scatter scatter;
    scatter.shards = p.shards;
    scatter.writes = true;
    plan.node = std::move(scatter);
    plan.reason = "the source has the target's shard key";
    return plan;
  }
  return computed_rows(w);
}

Plan Planner::insert_into(InsertWork& w, const route::Deriver& d) {
  const catalog::Table& t = *w.target.table;
  const bool at_home =
      w.source.anywhere() || (w.source.singular() && w.source.shards[0] == snapshot_.home);
  if (t.kind == TableKind::kSingle || t.kind == TableKind::kCatalog) {
    if (at_home) return forward(snapshot_.home, "tables of the home shard");
    w.filled.clear();  // home fills them itself
    return plain_values(w.s) ? computed_values(w) : computed_rows(w);
  }
  if (t.kind == TableKind::kReference) {
    // What ON CONFLICT and RETURNING compute for each row must not differ from copy to copy.
    const route::Effects& e = w.a.block(w.a.relation(w.a.target).owner).effects;
    if (e.row_volatile || e.moment || e.home) {
      if (!at_home) {
        return refused(Refusal::kReferenceWrite,
                       "a volatile function in ON CONFLICT or RETURNING of gathered rows");
      }
      return reference_write(w.a, t, false, w.s.on_conflict ? &w.s.on_conflict->set : nullptr,
                             "reference table " + t.name);
    }
    const bool same = w.source.kind == Property::Kind::kEverywhere && !w.row_volatile &&
                      !w.moment && !w.computed && !w.a.effects.home_action;
    if (same) return reference_write(w.a, t, true, nullptr, "reference table " + t.name);
    if (!w.s.source)
      return refused(Refusal::kInsertSource, "DEFAULT VALUES into a reference table");
    return plain_values(w.s) ? computed_values(w) : computed_rows(w);
  }
  if (!w.s.source) return refused(Refusal::kInsertSource, "DEFAULT VALUES into a sharded table");
  return plain_values(w.s) ? insert_values(w) : insert_rows(w, d);
}

Plan Planner::insert(const sql::Insert& s) {
  const route::Analysis a = route::bind(in_.statement, snapshot_, in_.session);
  if (auto stop = stopped(a)) return std::move(*stop);
  const auto done = [&](Plan plan) {
    plan.writes = plan.locks = true;
    if (!std::holds_alternative<Forward>(plan.node)) {
      shape_all(plan);
      plan.depends_on_params = in_.statement.max_param > 0;
    }
    return finish(std::move(plan), a);
  };
  const catalog::Table* t = a.relation(a.target).table;
  if (home_only(a)) {
    if (auto stop = unseen(t)) return std::move(*stop);
    return done(forward(snapshot_.home, "tables of the home shard"));
  }
  if (a.modifying_cte) return modifying_cte(a);
  if (a.opaque || t == nullptr || a.relation(a.target).view) {
    if (a.temporary)
      return refused(Refusal::kTempTable, "the columns of temporary tables are home's");
    return refused(Refusal::kUnknownGrammar,
                   "a part of the statement is not understood by the router");
  }
  if (auto stop = unseen(t)) return std::move(*stop);
  if (auto e = check_conflict(s, a, *t)) return error(std::move(*e));

  route::Deriver d(a, reader_);
  Property p;
  if (a.root >= 0) p = d.block(a.root);
  trace_ = d.trace();
  decided_ = !d.sources().empty();
  // Subqueries of ON CONFLICT and RETURNING run where each row is.
  for (const auto& sub : a.block(a.relation(a.target).owner).sublinks) {
    if (d.block(sub.block).kind != Property::Kind::kEverywhere) {
      return refused(Refusal::kWriteNotProvable, "a subquery in ON CONFLICT or RETURNING");
    }
  }
  auto columns = find_columns(s, *t, a.root >= 0 ? a.block(a.root).outputs.size() : 0);
  if (!columns) return error(columns.error());
  InsertWork w{in_, s, a, std::move(p), std::move(*columns), {}};
  w.row_volatile = a.effects.row_volatile;
  w.moment = a.effects.moment;
  if (auto e = note_defaults(w)) return done(null_key(std::move(*e), *t));
  Plan plan = insert_into(w, d);
  // ON CONFLICT and RETURNING run on each row's shard, whose transactions began at other moments.
  const bool one_row = plain_values(s) && s.source->values.size() == 1;
  if (t->kind == TableKind::kSharded && !one_row &&
      a.block(a.relation(a.target).owner).effects.moment &&
      !std::holds_alternative<Forward>(plan.node) && !std::holds_alternative<Error>(plan.node)) {
    return refused(Refusal::kVolatileInPull, "now() has another value on each shard",
                   "pass the time as a parameter, or SET a column to excluded's");
  }
  if (const auto* e = std::get_if<Error>(&plan.node)) plan = null_key(*e, *t);
  return done(std::move(plan));
}

// A row whose key is NULL belongs nowhere. Where every copy of the table refuses it, the server's
// own words are the answer; an adopted table may allow NULL, and its server would keep the row.
Plan Planner::null_key(Error e, const catalog::Table& t) const {
  const bool servers_refuse =
      std::all_of(t.key_attnums.begin(), t.key_attnums.end(), [&](std::int16_t attnum) {
        const catalog::Column* key = t.column(attnum);
        return key != nullptr && key->not_null;
      });
  if (e.sqlstate != "23502" || in_.session.scope_key || !servers_refuse) return error(std::move(e));
  return forward(snapshot_.home, "no shard takes a NULL key");
}

}  // namespace shoal::plan
