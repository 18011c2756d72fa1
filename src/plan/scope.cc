// SET shoal.key: every statement is about that key. Each sharded relation is filtered by it, an
// inserted row gets it or must have it; what can't be filtered is refused. The condition is written
// into the statement itself, so that it holds on whatever shards it runs.
#include "plan/scope.h"

#include <map>
#include <set>

#include "plan/texts.h"
#include "plan/views.h"
#include "route/bind.h"
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

  // Filters the statement; false when there is nothing to filter and the text stays.
  Result<bool> run(sql::Statement& s) {
    if (auto* q = std::get_if<sql::SelectPtr>(&s.node)) {
      if (auto done = expand_views(**q, snapshot_, session_); !done) return done.error();
    }
    const bool answered = answer_current_setting(s, *session_.scope_key);
    const route::Analysis a = route::bind(s, snapshot_, session_);
    if (a.refusal) return *a.refusal;
    if (auto e = beyond_scope(s, a, snapshot_, session_)) return *e;
    if (!a.sharded) {
      if (a.opaque && snapshot_.any_sharded())
        return refuse(Refusal::kScope, "a part of the statement is not understood");
      return answered;
    }
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
    twice_ = conditions_may_tell(s, snapshot_, session_);
    sql::for_each_root(s, [&](const auto& root) { inside(own_node(&root)); });
    if (auto* u = std::get_if<std::unique_ptr<sql::Update>>(&s.node)) update(**u);
    if (auto* d = std::get_if<std::unique_ptr<sql::Delete>>(&s.node)) remove(**d);
    if (auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&s.node)) insert(**i, a);
    if (error_) return *error_;
    // Whatever was not met on the way has no condition.
    if (done_.size() != sharded_.size())
      return refuse(Refusal::kScope, "a part of the statement can't be filtered");
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

  // The operator is named with its schema: the search path could hold another one.
  sql::ExprPtr comparison(sql::Operator::Form form, sql::ExprPtr left, std::string right) {
    sql::Operator equals;
    equals.form = form;
    equals.name = {"pg_catalog", "="};
    equals.left = std::move(left);
    equals.right = make_string(std::move(right));
    auto out = std::make_unique<sql::Expr>();
    out->node = std::move(equals);
    return out;
  }

  void add(sql::ExprPtr& sink, const route::Relation& r, bool qualified_name) {
    using Form = sql::Operator::Form;
    std::string name;
    if (key(r, name) == nullptr) return;
    done_.insert(r.source);
    const std::string table = qualified_name ? r.name : "";
    sql::BoolExpr both;
    if (twice_) {
      // As a member of a list the key costs half a comparison, and so it comes before all that
      // could tell of other rows; the comparison beside it is what indexes and orders are known by.
      std::string list = "{\"";
      for (const char c : *session_.scope_key) {
        if (c == '"' || c == '\\') list += '\\';
        list += c;
      }
      both.args.push_back(comparison(Form::kAny, make_column(table, name), list + "\"}"));
    }
    both.args.push_back(comparison(Form::kPlain, make_column(table, name), *session_.scope_key));
    if (sink) both.args.push_back(std::move(sink));
    if (both.args.size() == 1) {
      sink = std::move(both.args.front());
      return;
    }
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
    const auto at = sharded_.find(&u.table);
    if (at == sharded_.end()) return;
    const catalog::Table& t = *at->second->table;
    for (const auto& assignment : u.set) {
      const catalog::Column* column = t.column(std::string_view(assignment.column));
      if (column == nullptr || t.key_attnums.empty() || column->attnum != t.key_attnums[0])
        continue;
      const bool stays =
          assignment.value && assignment.steps.empty() && is_scope(*assignment.value, *column);
      if (!stays)
        fail(refuse(Refusal::kScope, "SET " + column->name + " may give the row another key"));
    }
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

  // SELECT * FROM unnest(a, b, ...), the way in which Django inserts many rows: every element of
  // the key's array is the scope's key.
  bool unnests_scope(const sql::Select& source, std::size_t position, const catalog::Column& c) {
    if (source.from.size() != 1 || source.targets.size() != 1) return false;
    const auto* star = std::get_if<sql::ColumnRef>(&source.targets[0].expr->node);
    const auto* from = std::get_if<sql::FromFunction>(&source.from[0]->node);
    if (!star || !star->star || !from || from->items.size() != 1 || from->ordinality) return false;
    const auto* call = std::get_if<sql::Call>(&from->items[0].call->node);
    if (!call || call->name != std::vector<std::string>{"unnest"}) return false;
    const auto type = keys::key_type_of_oid(c.type.value);
    if (!type || position >= call->args.size()) return false;
    const auto scope = make_string(*session_.scope_key);
    const auto wanted = reader_.read_stored(*scope, c, *type);
    const auto given = reader_.read_list(*call->args[position], c.type, *type);
    if (!wanted || wanted->kind != Constant::Kind::kValue || !given || c.typmod >= 0) return false;
    return std::all_of(given->begin(), given->end(), [&](const Constant& element) {
      return element.kind == Constant::Kind::kValue && *element.value == *wanted->value;
    });
  }

  void insert(sql::Insert& s, const route::Analysis& a) {
    const auto at = sharded_.find(&s.table);
    if (at == sharded_.end()) return;
    const catalog::Table& t = *at->second->table;
    std::string shown;
    const catalog::Column* column = key(*at->second, shown);
    if (column == nullptr || error_) return;
    done_.insert(&s.table);
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
    if (!s.source) {  // DEFAULT VALUES
      s.source = std::make_unique<sql::Select>();
      s.source->values.emplace_back();
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
      if (listed && source.op == sql::Select::SetOp::kNone &&
          unnests_scope(source, position, *column)) {
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
  std::set<const sql::RangeVar*> done_;  // of those, the ones that have their condition
  bool twice_ = false;                   // conditions_may_tell()
  std::optional<Error> error_;
};

}  // namespace

Result<bool> filter_by_scope(sql::Statement& s, const catalog::Snapshot& snapshot,
                             const route::SessionFacts& session, route::ConstantReader& reader) {
  return Scoper(snapshot, session, reader).run(s);
}

}  // namespace shoal::plan
