// INSERT: each row goes to the shard of its key. Keys that are constants or parameters are placed
// here; what must be computed first (sequences, expressions, gathered SELECTs) is planned as a
// source whose rows are routed one by one.
#include "plan/insert.h"

#include <map>

#include "plan/planner.h"
#include "plan/texts.h"
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
      return make_error("42704", "constraint \"" + c.constraint + "\" for table \"" + t.name + "\" does not exist");
    }
    for (const std::int16_t key : t.key_attnums) {
      if (std::find(index->attnums.begin(), index->attnums.end(), key) == index->attnums.end()) {
        return refuse(Refusal::kConflictArbiter, "constraint " + c.constraint + " does not contain the shard key");
      }
    }
  } else if (!c.elements.empty()) {
    for (const std::int16_t key : t.key_attnums) {
      const catalog::Column* column = t.column(key);
      const bool named = column != nullptr && std::any_of(c.elements.begin(), c.elements.end(), [&](const auto& e) {
        return e.column == column->name && e.collation.empty() && e.opclass.empty();
      });
      if (!named) return refuse(Refusal::kConflictArbiter, "its columns do not contain the shard key");
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

Result<InsertTarget> find_columns(const sql::Insert& s, const catalog::Table& t, std::size_t width) {
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
      return make_error("42703", "column \"" + c.name + "\" of relation \"" + t.name + "\" does not exist");
    }
    if (!c.steps.empty()) return refuse(Refusal::kInsertSource, "a part of column " + c.name + " is given");
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

namespace {

// Everything that the steps of planning one INSERT share.
struct InsertWork {
  const PlanInput& in;
  const catalog::Snapshot& snapshot;
  route::ConstantReader& reader;
  const sql::Insert& s;
  const route::Analysis& a;
  InsertTarget target;
  std::vector<const catalog::Column*> filled;  // not listed, computed on home first
  bool moment_default = false;
};

// The text of ON CONFLICT as the statement has it.
Result<std::string> suffix_text(const sql::Insert& s) {
  if (s.on_conflict) return refuse(Refusal::kInsertSource, "ON CONFLICT with keys that must be computed first");
  if (s.overriding == sql::Insert::Overriding::kSystem) return std::string("OVERRIDING SYSTEM VALUE");
  return std::string();
}

std::string returning_text(const sql::Insert& s) {
  std::string out;
  for (const auto& t : s.returning) {
    if (!out.empty()) out += ", ";
    out += sql::deparse(*t.expr);
    const std::string name = sql::output_name(t);
    const auto* c = std::get_if<sql::ColumnRef>(&t.expr->node);
    if (c != nullptr && c->star) continue;
    if (!t.name.empty()) out += " AS " + sql::quote_identifier(t.name);
    else if (!name.empty() && name != "?column?") out += " AS " + sql::quote_identifier(name);
  }
  return out;
}

// `e` as a value of the column's type, where an assignment and a cast are the same.
Result<sql::ExprPtr> typed(const InsertWork& w, const sql::Expr& e, const catalog::Column& c) {
  const catalog::Type* type = w.snapshot.type(c.type);
  if (type == nullptr) return refuse(Refusal::kInsertSource, "the type of column " + c.name + " is not known");
  const auto* constant = std::get_if<sql::Const>(&e.node);
  const bool literal = constant != nullptr && (constant->kind == sql::Const::Kind::kString ||
                                               constant->kind == sql::Const::Kind::kNull);
  const bool number = constant != nullptr && (constant->kind == sql::Const::Kind::kInteger ||
                                              constant->kind == sql::Const::Kind::kFloat);
  const bool boolean = constant != nullptr && constant->kind == sql::Const::Kind::kBool;
  const bool parameter = std::holds_alternative<sql::Param>(e.node);
  if (literal || parameter || (number && type->category == 'N') || (boolean && type->category == 'B')) {
    return make_cast(sql::clone(e), *type);
  }
  if (const auto* cast = std::get_if<sql::Cast>(&e.node); cast != nullptr && cast->type.array_bounds.empty()) {
    const catalog::Type* from = w.snapshot.resolve_type(w.in.session.search_path, cast->type.names);
    if (from != nullptr && (from->oid == type->oid || (from->category == 'N' && type->category == 'N') ||
                            (from->category == 'S' && type->category == 'S'))) {
      return make_cast(sql::clone(e), *type);
    }
  }
  if (const auto* call = std::get_if<sql::Call>(&e.node)) {
    const auto overloads = w.snapshot.resolve_functions(w.in.session.search_path, call->name);
    const bool same = !overloads.empty() && std::all_of(overloads.begin(), overloads.end(), [&](const auto* f) {
      const catalog::Type* from = w.snapshot.type(f->result);
      return f->result == type->oid || (from != nullptr && from->category == 'N' && type->category == 'N') ||
             (from != nullptr && from->category == 'S' && type->category == 'S');
    });
    if (same) return make_cast(sql::clone(e), *type);
  }
  return refuse(Refusal::kInsertSource, "the value of column " + c.name + " must be computed before its row is placed",
                "cast it to the column's type, or pass it as a parameter");
}

// What a column gets that a row leaves out, as an expression for home.
Result<sql::ExprPtr> default_expr(const InsertWork& w, const catalog::Column& c) {
  const catalog::Type* type = w.snapshot.type(c.type);
  if (c.sequence.value != 0) {
    const catalog::Table* sequence = w.snapshot.table(c.sequence);
    if (sequence == nullptr || type == nullptr) {
      return refuse(Refusal::kInsertSource, "the sequence of column " + c.name + " is not known");
    }
    sql::Cast regclass;
    regclass.arg = make_string(qualified(*sequence));
    regclass.type.names = {"pg_catalog", "regclass"};
    auto argument = std::make_unique<sql::Expr>();
    argument->node = std::move(regclass);
    return make_cast(make_call("nextval", std::move(argument)), *type);
  }
  if (!c.has_default || c.default_sql.empty()) {
    if (type == nullptr) return refuse(Refusal::kInsertSource, "the type of column " + c.name + " is not known");
    auto null = std::make_unique<sql::Expr>();
    null->node = sql::Const{};
    return make_cast(std::move(null), *type);
  }
  auto parsed = sql::parse("SELECT " + c.default_sql, sql::ParseLimits{});
  if (!parsed || parsed->size() != 1) return refuse(Refusal::kInsertSource, "the default of column " + c.name);
  auto& select = std::get<sql::SelectPtr>(parsed->front().node);
  if (type == nullptr) return refuse(Refusal::kInsertSource, "the type of column " + c.name + " is not known");
  return make_cast(std::move(select->targets.front().expr), *type);
}

}  // namespace

// The rows of VALUES (or of one row of DEFAULTs) computed on home, then routed.
static Plan routed_values(InsertWork& w) {
  Plan out;
  const auto fail = [&](Error e) {
    out.reason = e.detail;
    out.node = std::move(e);
    return std::move(out);
  };
  auto query = std::make_unique<sql::Select>();
  const std::size_t rows = w.s.source ? w.s.source->values.size() : 1;
  for (std::size_t r = 0; r < rows; ++r) {
    sql::ExprList row;
    for (std::size_t i = 0; i < w.target.columns.size(); ++i) {
      const auto& e = w.s.source->values[r][i];
      auto value = is_default(e) ? default_expr(w, *w.target.columns[i])
                                 : typed(w, *e, *w.target.columns[i]);
      if (!value) return fail(value.error());
      row.push_back(std::move(*value));
    }
    for (const catalog::Column* c : w.filled) {
      auto value = default_expr(w, *c);
      if (!value) return fail(value.error());
      row.push_back(std::move(*value));
    }
    query->values.push_back(std::move(row));
  }
  RoutedInsert insert;
  auto suffix = suffix_text(w.s);
  if (!suffix) return fail(suffix.error());
  insert.insert_suffix = std::move(*suffix);
  insert.returning = returning_text(w.s);
  insert.table = w.target.table->oid;
  for (const auto* c : w.target.columns) insert.columns.push_back(c->name);
  for (const auto* c : w.filled) insert.columns.push_back(c->name);
  for (const std::int16_t attnum : w.target.table->key_attnums) {
    const std::string& name = w.target.table->column(attnum)->name;
    const auto at = std::find(insert.columns.begin(), insert.columns.end(), name);
    if (at == insert.columns.end()) return fail(refuse(Refusal::kNullKey, "the shard key " + name + " is not given"));
    insert.key_columns.push_back(static_cast<int>(at - insert.columns.begin()));
  }
  // Identity columns take the value that was drawn for them.
  const auto always = [&](const auto* c) { return c->identity; };
  if (std::any_of(w.filled.begin(), w.filled.end(), always) ||
      (insert.insert_suffix.empty() && std::any_of(w.target.columns.begin(), w.target.columns.end(), always))) {
    insert.insert_suffix = "OVERRIDING SYSTEM VALUE";
  }
  if (w.target.table->kind == TableKind::kReference) insert.copies = w.snapshot.active_shards();
  else insert.keyspace = w.target.table->keyspace;
  auto text = text_of(*query);
  if (!text) return fail(text.error());
  auto source = std::make_shared<Plan>();
  source->node = Forward{w.snapshot.home, std::move(*text)};
  source->reason = "values computed on the home shard";
  source->writes = true;  // sequences advance
  insert.source = std::move(source);
  out.node = std::move(insert);
  out.reason = "values are computed on the home shard, then placed row by row";
  return out;
}

// A gathered source: its rows are routed one by one.
static Plan routed_select(InsertWork& w) {
  Plan out;
  const auto fail = [&](Error e) {
    out.reason = e.detail;
    out.node = std::move(e);
    return std::move(out);
  };
  if (!w.filled.empty() || w.moment_default) {
    return fail(refuse(Refusal::kInsertSource, "a column's default must be computed for each row of the source",
                       "name the column and give its value in the SELECT"));
  }
  const route::Block& root = w.a.block(w.a.root);
  if (root.outputs.size() != w.target.columns.size()) {
    return fail(make_error("42601", root.outputs.size() > w.target.columns.size()
                                        ? "INSERT has more expressions than target columns"
                                        : "INSERT has more target columns than expressions"));
  }
  for (std::size_t i = 0; i < root.outputs.size(); ++i) {
    const catalog::Type* to = w.snapshot.type(w.target.columns[i]->type);
    const catalog::Type* from = w.snapshot.type(root.outputs[i].type);
    const bool same = from != nullptr && to != nullptr &&
                      (from->oid == to->oid || (from->category == to->category && from->category == 'S'));
    if (!same) {
      return fail(refuse(Refusal::kInsertSource, "the type of the value for column " + w.target.columns[i]->name +
                                                     " is not certain",
                         "cast it to the column's type in the SELECT"));
    }
  }
  sql::Statement query;
  query.node = sql::clone(*w.s.source);
  query.text = w.in.statement.text;
  query.max_param = w.in.statement.max_param;
  auto& tree = *std::get<sql::SelectPtr>(query.node);
  if (!w.s.with.ctes.empty()) {
    return fail(refuse(Refusal::kInsertSource, "a WITH list before INSERT over several shards",
                       "put the WITH list into the SELECT"));
  }
  Plan source = make_plan({query, w.snapshot, w.in.session, w.in.params, w.in.unique});
  if (std::holds_alternative<Error>(source.node) || std::holds_alternative<NeedTypes>(source.node)) return source;
  ShardText* own = nullptr;
  if (auto* f = std::get_if<Forward>(&source.node)) own = &f->text;
  if (auto* s = std::get_if<Scatter>(&source.node)) own = &s->text;
  if (own != nullptr && own->sql.empty()) {
    auto text = text_of(tree);
    if (!text) return fail(text.error());
    *own = std::move(*text);
  }
  source.reuse.reset();
  RoutedInsert insert;
  auto suffix = suffix_text(w.s);
  if (!suffix) return fail(suffix.error());
  insert.insert_suffix = std::move(*suffix);
  insert.returning = returning_text(w.s);
  insert.table = w.target.table->oid;
  for (const auto* c : w.target.columns) insert.columns.push_back(c->name);
  if (w.target.table->kind == TableKind::kSharded) {
    insert.keyspace = w.target.table->keyspace;
    insert.key_columns = w.target.key;
  } else {
    insert.copies = w.target.table->kind == TableKind::kReference ? w.snapshot.active_shards()
                                                                  : std::vector<ShardId>{w.snapshot.home};
  }
  out.explain = source.explain;
  insert.source = std::make_shared<Plan>(std::move(source));
  out.node = std::move(insert);
  out.reason = "the rows of the source are gathered, then placed row by row";
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
        return make_error("23502", "null value in column \"" + column.name + "\" of relation \"" +
                                       target.table->name + "\" violates not-null constraint");
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

static Plan split_values(InsertWork& w, const std::vector<ShardId>& places) {
  Plan out;
  const auto fail = [&](Error e) {
    out.reason = e.detail;
    out.node = std::move(e);
    return std::move(out);
  };
  Write write;
  write.returning = !w.s.returning.empty();
  const bool conflict = w.s.on_conflict.has_value();
  if (write.returning && conflict && w.s.on_conflict->do_update && w.s.on_conflict->where) {
    return fail(refuse(Refusal::kConflictArbiter, "RETURNING of ON CONFLICT DO UPDATE ... WHERE over several shards"));
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
      if (auto done = whole(places[i], {i}); !done) return fail(done.error());
    }
  } else {
    for (const auto& [shard, input] : by_shard) {
      if (auto done = whole(shard, input); !done) return fail(done.error());
    }
  }
  out.node = std::move(write);
  out.reason = std::to_string(places.size()) + " rows by shard key";
  return out;
}

Plan Planner::insert(const sql::Insert& s) {
  const route::Analysis a = route::bind(in_.statement, snapshot_, in_.session);
  if (auto stop = stopped(a)) return std::move(*stop);
  const auto done = [&](Plan plan) {
    plan.writes = plan.locks = true;
    if (!std::holds_alternative<Forward>(plan.node)) shape_all(plan);
    if (!std::holds_alternative<Forward>(plan.node)) plan.depends_on_params = in_.statement.max_param > 0;
    return finish(std::move(plan), a);
  };
  const catalog::Table* t = a.relation(a.target).table;
  if (home_only(a)) {
    if (snapshot_.any_sharded() && t != nullptr && t->has_triggers) {
      return refused(Refusal::kTriggerNotLocal, "table " + t->name + " has a trigger");
    }
    return done(forward(snapshot_.home, "tables of the home shard"));
  }
  if (a.modifying_cte) return modifying_cte(a);
  if (a.opaque || t == nullptr || a.relation(a.target).view) {
    return refused(Refusal::kUnknownGrammar, "a part of the statement is not understood by the router");
  }
  if (t->has_triggers || t->has_rules) {
    return refused(Refusal::kTriggerNotLocal, "table " + t->name + " has a trigger or rule");
  }
  if (auto e = check_conflict(s, a, *t)) return error(std::move(*e));

  route::Deriver d(a, reader_);
  Property p;
  if (a.root >= 0) p = d.block(a.root);
  trace_ = d.trace();
  // Subqueries of ON CONFLICT and RETURNING run where each row is.
  for (const auto& sub : a.block(a.relation(a.target).owner).sublinks) {
    if (d.block(sub.block).kind != Property::Kind::kEverywhere) {
      return refused(Refusal::kWriteNotProvable, "a subquery in ON CONFLICT or RETURNING");
    }
  }
  const std::size_t width = a.root >= 0 ? a.block(a.root).outputs.size() : 0;
  auto columns = find_columns(s, *t, s.source ? width : 0);
  if (!columns) return error(columns.error());
  InsertWork w{in_, snapshot_, reader_, s, a, std::move(*columns), {}, false};

  bool row_volatile = a.effects.row_volatile, moment = a.effects.moment;
  const auto note_default = [&](const catalog::Column& c) {
    const DefaultKind kind = default_kind(c, snapshot_, in_.session);
    if (kind == DefaultKind::kRowVolatile) row_volatile = true;
    if (kind == DefaultKind::kMoment) moment = true;
    return kind;
  };
  bool computed = false;  // some value must come from home
  if (t->kind != TableKind::kSingle) {
    for (const auto& c : t->columns) {
      const bool listed = std::find(w.target.columns.begin(), w.target.columns.end(), &c) != w.target.columns.end();
      if (listed) continue;
      const bool key = std::find(t->key_attnums.begin(), t->key_attnums.end(), c.attnum) != t->key_attnums.end();
      const DefaultKind kind = note_default(c);
      if (key && kind == DefaultKind::kNone) {
        return error(make_error("23502", "null value in column \"" + c.name + "\" of relation \"" + t->name +
                                             "\" violates not-null constraint"));
      }
      const bool fill = key || kind == DefaultKind::kSequence || kind == DefaultKind::kMoment ||
                        (kind == DefaultKind::kRowVolatile && t->kind == TableKind::kReference);
      if (kind == DefaultKind::kSequence || key) computed = true;
      if (fill) w.filled.push_back(&c);
    }
  }
  const bool values = plain_values(s);
  if (values) {
    for (const auto& row : s.source->values) {
      for (std::size_t i = 0; i < row.size() && i < w.target.columns.size(); ++i) {
        if (!is_default(row[i])) continue;
        if (note_default(*w.target.columns[i]) == DefaultKind::kSequence) computed = true;
      }
      if (row.size() > w.target.columns.size()) {
        return error(make_error("42601", "INSERT has more expressions than target columns"));
      }
    }
  }
  const auto compute = [&]() -> Plan {
    if (!values && s.source) return routed_select(w);
    if (!s.source) {
      return refused(Refusal::kInsertSource, "DEFAULT VALUES into a sharded table");
    }
    if (!p.anywhere() && !(p.singular() && p.shards[0] == snapshot_.home)) {
      return refused(Refusal::kInsertSource, "a subquery in VALUES reads a sharded table",
                     "run the subquery first and pass its result as a parameter");
    }
    return routed_values(w);
  };

  if (t->kind == TableKind::kSingle || t->kind == TableKind::kCatalog) {
    if (p.anywhere() || (p.singular() && p.shards[0] == snapshot_.home)) {
      return done(forward(snapshot_.home, "tables of the home shard"));
    }
    return done(routed_select(w));
  }
  if (t->kind == TableKind::kReference) {
    const bool same = p.kind == Property::Kind::kEverywhere && !row_volatile && !moment && !computed &&
                      !a.effects.home_action;
    if (same) return done(reference_write(a, *t, true, nullptr, "reference table " + t->name));
    return done(compute());
  }

  // A sharded target.
  if (values) {
    if (computed) return done(compute());
    if (p.kind != Property::Kind::kEverywhere && p.kind != Property::Kind::kAnyOne) {
      return refused(Refusal::kInsertSource, "a subquery in VALUES: " + p.rule);
    }
    std::vector<Constant> keys;
    auto places = place_rows(s, w.target, snapshot_, reader_, keys);
    if (!places) return error(places.error());
    if (!*places) return done(compute());
    const bool one = std::all_of((*places)->begin(), (*places)->end(),
                                 [&](ShardId id) { return id == (*places)->front(); });
    if (one) {
      Plan plan = forward((*places)->front(), "key of the inserted row");
      const catalog::Keyspace* ks = snapshot_.keyspace(t->keyspace);
      if (keys.size() == 1 && keys[0].direct && ks->types.size() == 1 && reusable_type(ks->types[0])) {
        plan.reuse = Plan::KeySource{t->keyspace, ks->types[0], keys[0].param,
                                     keys[0].param > 0 ? -1 : keys[0].location};
      }
      return done(std::move(plan));
    }
    if (in_.session.fanout == route::Fanout::kDeny) {
      return refused(Refusal::kFanoutDenied, "its rows belong to several shards");
    }
    if (moment || a.effects.home) return done(compute());
    return done(split_values(w, **places));
  }
  if (!s.source) return done(compute());

  // INSERT .. SELECT: pushed down when the source's part column feeds the key.
  const bool needs_home = a.single || a.catalog || a.temporary || a.unknown;
  const bool feeds = feeds_key(p, a.block(a.root), w.target);
  if (feeds && !computed && !needs_home && (p.singular() || (p.partitioned() && !moment && !a.effects.home))) {
    if (p.singular()) return done(forward(p.shards[0], d.sources().empty() ? p.rule : where_text(a, d)));
    Plan plan;
    Scatter scatter;
    scatter.shards = p.shards;
    scatter.writes = true;
    plan.node = std::move(scatter);
    plan.reason = "the source has the target's shard key";
    return done(std::move(plan));
  }
  w.moment_default = moment && !a.effects.moment;
  return done(routed_select(w));
}

}  // namespace shoal::plan
