// SET shoal.key: every statement is about that key. Each sharded relation is filtered by it, an
// inserted row gets it or must have it; what can't be filtered is refused. The condition is written
// into the statement itself, so that it holds on whatever shards it runs.
#include <map>

#include "plan/planner.h"
#include "plan/texts.h"
#include "plan/views.h"
#include "sql/parse.h"
#include "sql/visit.h"

namespace shoal::plan {

using catalog::TableKind;
using route::Constant;

namespace {

class Scoper {
 public:
  Scoper(const catalog::Snapshot& snapshot, const route::SessionFacts& session,
         route::ConstantReader& reader)
      : snapshot_(snapshot), session_(session), reader_(reader) {}

  // Filters the statement; false when it has no sharded relation.
  Result<bool> run(sql::Statement& s) {
    if (auto* q = std::get_if<sql::SelectPtr>(&s.node)) {
      if (auto done = expand_views(**q, snapshot_, session_); !done) return done.error();
    }
    const route::Analysis a = route::bind(s, snapshot_, session_);
    if (a.refusal) return *a.refusal;
    if (!a.sharded) return false;
    if (a.error) return *a.error;
    if (a.opaque || a.modifying_cte)
      return refuse(Refusal::kScope, "a part of the statement can't be filtered");
    if (a.view_row_security) return refuse(Refusal::kScope, "row security behind a view");
    for (const auto& r : a.relations) {
      if (r->table == nullptr || r->table->kind != TableKind::kSharded || r->source == nullptr)
        continue;
      if (r->view) return refuse(Refusal::kScope, "view " + r->table->name);
      sharded_[r->source] = r.get();
    }
    // A view that was not written out hides its relations.
    for (const auto& r : a.relations) {
      if (r->view) return refuse(Refusal::kScope, "view " + r->name + " can't be filtered here");
    }
    sql::for_each_root(s, [&](const auto& root) { inside(own_node(&root)); });
    if (auto* u = std::get_if<std::unique_ptr<sql::Update>>(&s.node)) update(**u);
    if (auto* d = std::get_if<std::unique_ptr<sql::Delete>>(&s.node)) remove(**d);
    if (auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&s.node)) insert(**i, a);
    if (error_) return *error_;
    return true;
  }

 private:
  void fail(Error e) {
    if (!error_) error_ = std::move(e);
  }

  template <class Node>
  void inside(Node& root) {
    sql::walk(root, [&](auto& node) {
      if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Select>) {
        for (auto& f : node.from) item(*f, &node.where);
      }
      return true;
    });
  }

  const catalog::Column* key(const route::Relation& r, std::string& shown) {
    const catalog::Table& t = *r.table;
    if (t.key_attnums.size() != 1) {
      fail(refuse(Refusal::kScope, "table " + t.name + " has a shard key of several columns"));
      return nullptr;
    }
    for (std::size_t i = 0; i < t.columns.size(); ++i) {
      if (t.columns[i].attnum != t.key_attnums[0]) continue;
      shown = i < r.columns.size() ? r.columns[i].name : t.columns[i].name;
      const auto type = keys::key_type_of_oid(t.columns[i].type.value);
      if (!type || !keys::parse_text(*type, *session_.scope_key, reader_.settings())) {
        fail(refuse(Refusal::kScope,
                    "'" + *session_.scope_key + "' is no value of column " + t.columns[i].name));
      }
      return &t.columns[i];
    }
    return nullptr;
  }

  void add(sql::ExprPtr& sink, const route::Relation& r, bool qualified_name) {
    std::string name;
    if (key(r, name) == nullptr) return;
    auto condition = std::make_unique<sql::Expr>();
    sql::Operator equals;
    equals.name = {"="};
    equals.left = make_column(qualified_name ? r.name : "", name);
    equals.right = make_string(*session_.scope_key);
    condition->node = std::move(equals);
    if (!sink) {
      sink = std::move(condition);
      return;
    }
    sql::BoolExpr both;
    both.args.push_back(std::move(sink));
    both.args.push_back(std::move(condition));
    sink = std::make_unique<sql::Expr>();
    sink->node = std::move(both);
  }

  // `sink`: the condition that filters what stands here; null where there is none.
  void item(sql::FromItem& f, sql::ExprPtr* sink) {
    if (auto* j = std::get_if<sql::Join>(&f.node)) {
      using K = sql::Join::Kind;
      sql::ExprPtr* own = j->natural || !j->using_columns.empty() ? nullptr : &j->on;
      const bool inner = j->kind == K::kInner || j->kind == K::kCross;
      if (j->alias || j->using_alias)
        sink = nullptr, own = nullptr;  // the tables have no name outside
      item(*j->left, inner || j->kind == K::kLeft ? sink : j->kind == K::kRight ? own : nullptr);
      item(*j->right, inner || j->kind == K::kRight ? sink : j->kind == K::kLeft ? own : nullptr);
      return;
    }
    if (auto* sample = std::get_if<sql::TableSample>(&f.node)) {
      const auto at = sharded_.find(&sample->table);
      if (at == sharded_.end()) return;
      if (sink == nullptr)
        fail(refuse(Refusal::kScope, "TABLESAMPLE in an outer join"));
      else
        add(*sink, *at->second, true);
      return;
    }
    auto* rv = std::get_if<sql::RangeVar>(&f.node);
    const auto at = rv == nullptr ? sharded_.end() : sharded_.find(rv);
    if (at == sharded_.end()) return;
    const route::Relation& r = *at->second;
    if (sink != nullptr) {
      add(*sink, r, true);
      return;
    }
    if (r.system_column) {
      fail(refuse(Refusal::kScope, "a system column of " + r.table->name + " in an outer join"));
      return;
    }
    sql::FromSelect query;
    query.alias = rv->alias ? *rv->alias : sql::Alias{rv->name, {}};
    query.query = std::make_unique<sql::Select>();
    sql::Target all;
    all.expr = std::make_unique<sql::Expr>();
    sql::ColumnRef star;
    star.star = true;
    all.expr->node = std::move(star);
    query.query->targets.push_back(std::move(all));
    route::Relation plain = r;
    plain.name = rv->name;
    for (std::size_t i = 0; i < plain.columns.size() && i < r.table->columns.size(); ++i) {
      plain.columns[i].name = r.table->columns[i].name;
    }
    add(query.query->where, plain, false);
    auto table = std::make_unique<sql::FromItem>();
    sql::RangeVar bare = *rv;
    bare.alias.reset();
    table->node = std::move(bare);
    query.query->from.push_back(std::move(table));
    f.node = std::move(query);
  }

  void target(const sql::RangeVar& table, sql::ExprPtr& where) {
    const auto at = sharded_.find(&table);
    if (at != sharded_.end()) add(where, *at->second, true);
  }
  void update(sql::Update& u) {
    for (auto& f : u.from) item(*f, &u.where);
    target(u.table, u.where);
  }
  void remove(sql::Delete& d) {
    for (auto& f : d.using_items) item(*f, &d.where);
    target(d.table, d.where);
  }

  bool is_scope(const sql::Expr& e, const catalog::Column& c) {
    const auto type = keys::key_type_of_oid(c.type.value);
    if (!type) return false;
    const auto scope = make_string(*session_.scope_key);
    const auto wanted = reader_.read_stored(*scope, c, *type);
    const auto given = reader_.read_stored(e, c, *type);
    return wanted && given && given->kind == Constant::Kind::kValue &&
           wanted->kind == Constant::Kind::kValue && *wanted->value == *given->value;
  }

  // SELECT a::int4, ... FROM (VALUES (...), ...) AS v(a, ...), the way in which SQLAlchemy inserts
  // many rows: the column is the scope's key in every listed row.
  bool lists_scope(const sql::Select& source, std::size_t position, const catalog::Column& c) {
    if (source.from.size() != 1 || position >= source.targets.size()) return false;
    const auto* from = std::get_if<sql::FromSelect>(&source.from[0]->node);
    if (!from || !from->query || from->query->values.empty() || !from->alias) return false;
    sql::ExprPtr wanted = sql::clone(*source.targets[position].expr);
    sql::Expr* inner = wanted.get();
    while (auto* cast = std::get_if<sql::Cast>(&inner->node)) inner = cast->arg.get();
    const auto* ref = std::get_if<sql::ColumnRef>(&inner->node);
    if (!ref || ref->star || ref->fields.empty() || ref->fields.size() > 2) return false;
    if (ref->fields.size() == 2 && ref->fields[0] != from->alias->name) return false;
    const auto& names = from->alias->columns;
    const auto named = std::find(names.begin(), names.end(), ref->fields.back());
    const auto column = static_cast<std::size_t>(named - names.begin());
    for (const sql::ExprList& row : from->query->values) {
      if (column >= row.size()) return false;
      inner->node = std::move(sql::clone(*row[column])->node);
      if (!is_scope(*wanted, c)) return false;
    }
    return true;
  }

  void insert(sql::Insert& s, const route::Analysis& a) {
    const auto at = sharded_.find(&s.table);
    if (at == sharded_.end()) return;
    const catalog::Table& t = *at->second->table;
    std::string shown;
    const catalog::Column* column = key(*at->second, shown);
    if (column == nullptr || error_) return;
    const std::size_t width = a.root < 0 ? 0 : a.block(a.root).outputs.size();
    if (s.columns.empty()) {
      for (const auto& c : t.columns) {
        if (s.columns.size() < width || !s.source) s.columns.push_back({c.name, {}});
      }
      if (!s.source) s.columns.clear();
    }
    std::size_t position = s.columns.size();
    for (std::size_t i = 0; i < s.columns.size(); ++i) {
      if (s.columns[i].name == column->name) position = i;
    }
    const bool listed = position < s.columns.size();
    if (!s.source) {
      fail(refuse(Refusal::kScope, "DEFAULT VALUES"));
      return;
    }
    if (!listed) s.columns.push_back({column->name, {}});
    sql::Select& source = *s.source;
    if (!source.values.empty()) {
      for (auto& row : source.values) {
        if (!listed) {
          row.push_back(make_string(*session_.scope_key));
        } else if (position >= row.size() || !row[position] || !is_scope(*row[position], *column)) {
          fail(refuse(Refusal::kScope, "a row of another key, or of one that is not a constant"));
          return;
        }
      }
      return;
    }
    if (source.op != sql::Select::SetOp::kNone || listed || source.distinct ||
        !source.group_by.empty()) {
      // The key of each row must be that of the scope, which a column of its own ensures.
      if (listed && source.op == sql::Select::SetOp::kNone && position < source.targets.size() &&
          source.targets.size() == width && source.targets[position].expr &&
          (is_scope(*source.targets[position].expr, *column) ||
           lists_scope(source, position, *column))) {
        return;
      }
      if (listed && position < width && source.op == sql::Select::SetOp::kNone) {
        const auto id = a.block(a.root).outputs[position].column;
        const route::Relation* r = id ? &a.relation(id->relation) : nullptr;
        const bool filtered = r != nullptr && r->table != nullptr && r->source != nullptr &&
                              sharded_.count(r->source) != 0 && r->table->key_attnums.size() == 1 &&
                              r->table->columns[static_cast<std::size_t>(id->column)].attnum ==
                                  r->table->key_attnums[0];
        const bool plain_from =
            std::all_of(source.from.begin(), source.from.end(), [](const auto& f) {
              return std::holds_alternative<sql::RangeVar>(f->node) ||
                     std::holds_alternative<sql::FromSelect>(f->node);
            });
        if (filtered && plain_from) return;
      }
      fail(refuse(Refusal::kScope, "the key of the rows that are inserted is not certain"));
      return;
    }
    sql::Target added;
    added.expr = make_string(*session_.scope_key);
    source.targets.push_back(std::move(added));
  }

  const catalog::Snapshot& snapshot_;
  const route::SessionFacts& session_;
  route::ConstantReader& reader_;
  std::map<const sql::RangeVar*, const route::Relation*> sharded_;
  std::optional<Error> error_;
};

}  // namespace

std::optional<Error> Planner::own_texts(Plan& plan, const sql::Statement& changed) const {
  ShardText* text = nullptr;
  if (auto* f = std::get_if<Forward>(&plan.node)) text = &f->text;
  if (auto* s = std::get_if<Scatter>(&plan.node)) text = &s->text;
  if (auto* r = std::get_if<ReferenceWrite>(&plan.node)) text = &r->text;
  if (text == nullptr || !text->sql.empty()) return std::nullopt;
  std::optional<Error> error;
  const auto take = [&](Result<ShardText> made) {
    if (made)
      *text = std::move(*made);
    else
      error = made.error();
  };
  if (const auto* q = std::get_if<sql::SelectPtr>(&changed.node)) take(text_of(*sql::clone(**q)));
  if (const auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&changed.node))
    take(text_of(*sql::clone(**i)));
  if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&changed.node))
    take(text_of(*sql::clone(**u)));
  if (const auto* d = std::get_if<std::unique_ptr<sql::Delete>>(&changed.node))
    take(text_of(*sql::clone(**d)));
  return error;
}

Plan Planner::scoped() {
  route::SessionFacts free = in_.session;
  free.scope_key.reset();
  sql::Statement changed;
  changed.text = in_.statement.text;
  changed.max_param = in_.statement.max_param;
  changed.has_opaque = in_.statement.has_opaque;
  const auto& node = in_.statement.node;
  if (const auto* q = std::get_if<sql::SelectPtr>(&node))
    changed.node = sql::clone(**q);
  else if (const auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&node))
    changed.node = sql::clone(**i);
  else if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&node))
    changed.node = sql::clone(**u);
  else if (const auto* d = std::get_if<std::unique_ptr<sql::Delete>>(&node))
    changed.node = sql::clone(**d);
  else {
    // Statements about whole tables have no place for the condition.
    const PlanInput input{in_.statement, snapshot_, free, in_.params, in_.unique};
    Plan plan = make_plan(input);
    const bool touches = std::any_of(plan.tables.begin(), plan.tables.end(), [&](Oid oid) {
      const catalog::Table* t = snapshot_.table(oid);
      return t != nullptr && t->kind == TableKind::kSharded;
    });
    const bool home =
        std::holds_alternative<Forward>(plan.node) || std::holds_alternative<Error>(plan.node);
    if (touches || !home)
      return refused(Refusal::kScope, "the statement is about all rows of its tables");
    return plan;
  }
  Scoper scoper(snapshot_, in_.session, reader_);
  auto filtered = scoper.run(changed);
  if (!filtered) return error(filtered.error());
  if (!*filtered) {
    const PlanInput input{in_.statement, snapshot_, free, in_.params, in_.unique};
    return make_plan(input);
  }
  const std::optional<std::string> bound = std::exchange(free.shard, std::nullopt);
  const PlanInput input{changed, snapshot_, free, in_.params, in_.unique};
  Plan plan = make_plan(input);
  if (std::holds_alternative<Error>(plan.node) || std::holds_alternative<NeedTypes>(plan.node))
    return plan;
  if (auto e = own_texts(plan, changed)) return error(std::move(*e));
  if (bound) {
    const auto* f = std::get_if<Forward>(&plan.node);
    if (f == nullptr || shard_name(f->shard) != *bound) {
      return refused(Refusal::kScope, "shoal.key lies elsewhere than shoal.shard says");
    }
  }
  plan.reuse.reset();
  shape_all(plan);
  plan.depends_on_params = in_.statement.max_param > 0;
  plan.reason = "shoal.key = '" + *in_.session.scope_key + "'";
  return plan;
}

}  // namespace shoal::plan
