// A smaller pull: when what FROM and WHERE of the outermost block let through is partitioned, the
// shards run them (joins included) and only the columns that the rest needs come; where every
// aggregate has an exact partial form, only its partial values per group. The rest of the statement
// runs on the workspace.
//
//   count(a)          CAST(sum(partial count) AS int8)
//   sum(a)            sum of sums, in the type PostgreSQL gives; a must be an integer or numeric
//   column avg(a)            sum of sums / sum of counts: numeric division of the very numbers that
//                     PostgreSQL divides
//   min max bool_and bool_or every bit_and bit_or: themselves
#include <map>
#include <set>

#include "plan/planner.h"
#include "plan/texts.h"
#include "plan/views.h"
#include "route/functions.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/visit.h"

namespace shoal::plan {

using route::ColumnId;
using route::Property;

namespace {

constexpr std::uint32_t kInt8 = 20, kInt2 = 21, kInt4 = 23, kNumeric = 1700;

bool is_name_or_position(const sql::Expr& e) {
  if (const auto* c = std::get_if<sql::ColumnRef>(&e.node))
    return !c->star && c->fields.size() == 1;
  const auto* c = std::get_if<sql::Const>(&e.node);
  return c != nullptr && c->kind == sql::Const::Kind::kInteger;
}

class Pusher {
 public:
  Pusher(const catalog::Snapshot& snapshot, const route::SessionFacts& session, sql::Select& tree,
         const route::Analysis& f)
      : snapshot_(snapshot), session_(session), tree_(tree), f_(f), b_(f.block(f.root)) {}

  // Splits the tree into what the shards run (returned) and what the workspace finishes (the tree).
  sql::SelectPtr split(const std::string& temp) {
    if (!subqueries_stay_below()) return nullptr;
    inner_ = std::make_unique<sql::Select>();
    partial_ = decomposable();
    if (b_.grouped) take_keys();
    rewrite_block();
    if (failed_) return nullptr;
    if (inner_->targets.empty()) add_inner(make_integer(1));
    if (partial_) {
      for (int i = 1; i <= keys_; ++i) inner_->group_by.push_back(make_integer(i));
    }
    inner_->with = std::move(tree_.with);
    inner_->from = std::move(tree_.from);
    inner_->where = std::move(tree_.where);
    tree_.with = {};
    tree_.from.clear();
    auto item = std::make_unique<sql::FromItem>();
    sql::RangeVar rv;
    rv.name = temp;
    item->node = std::move(rv);
    tree_.from.push_back(std::move(item));
    return std::move(inner_);
  }

 private:
  // Subqueries of FROM and WHERE go with them; one in another clause would need what is left
  // behind.
  bool subqueries_stay_below() {
    std::set<const sql::Expr*> below;
    const auto note = [&](const auto& part) {
      sql::walk(part, [&](const auto& node) {
        if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) below.insert(&node);
        return true;
      });
    };
    for (const auto& item : std::as_const(tree_).from) note(std::as_const(*item));
    if (tree_.where) note(std::as_const(*tree_.where));
    return std::all_of(b_.sublinks.begin(), b_.sublinks.end(),
                       [&](const auto& s) { return below.count(s.expr) != 0; });
  }

  std::optional<std::uint32_t> column_type(const sql::Call& c) const {
    const auto id = c.args.size() == 1 ? f_.find_column(c.args[0].get()) : std::nullopt;
    return id ? std::optional(f_.column(*id).type.value) : std::nullopt;
  }

  bool decomposable(const sql::Call& c) const {
    if (c.distinct || c.within_group || c.variadic || !c.order_by.empty() || c.over) return false;
    for (const catalog::Function* f : snapshot_.resolve_functions(session_.search_path, c.name)) {
      if (!f->builtin()) return false;
    }
    const std::string& name = c.name.back();
    if (name == "count" || name == "bool_and" || name == "bool_or" || name == "every") return true;
    const auto type = column_type(c);
    if (!type) return false;
    if (name == "sum" || name == "avg")
      return *type == kInt2 || *type == kInt4 || *type == kInt8 || *type == kNumeric;
    return name == "min" || name == "max" ||
           ((name == "bit_and" || name == "bit_or") && *type == kInt4);
  }

  bool decomposable() const {
    if (!b_.aggregated() && !b_.grouped) return false;
    if (b_.grouped && b_.grouping_sets.size() != 1) return false;
    for (const auto& use : b_.aggregates) {
      if (!use.window && !decomposable(std::get<sql::Call>(use.call->node))) return false;
    }
    return true;
  }

  // The same expression is one column, however often it stands there: DISTINCT and DISTINCT ON
  // compare what they select with what they sort by.
  std::string add_inner(sql::ExprPtr e) {
    for (const sql::Target& known : inner_->targets) {
      if (sql::same(*known.expr, *e)) return known.name;
    }
    sql::Target target;
    target.expr = std::move(e);
    target.name = "shoal_c" + std::to_string(inner_->targets.size() + 1);
    const std::string name = target.name;
    inner_->targets.push_back(std::move(target));
    return name;
  }

  // The keys of GROUP BY become the first columns; positions and output names lose their meaning
  // there, so they are written out.
  void take_keys() {
    if (!partial_) {
      // Columns that depend on a primary key in GROUP BY would lose it.
      if (!every_column_is_a_key()) failed_ = true;
      return;
    }
    for (const route::Key& k : b_.grouping_sets[0]) {
      sql::ExprPtr e = k.expr != nullptr ? sql::clone(*k.expr)
                       : k.column        ? written(*k.column)
                                         : nullptr;
      if (!e) {
        failed_ = true;
        return;
      }
      key_texts_.push_back(k.expr != nullptr ? sql::deparse(*k.expr) : "");
      key_names_.push_back(add_inner(std::move(e)));
    }
    keys_ = static_cast<int>(inner_->targets.size());
  }

  sql::ExprPtr written(ColumnId id) const {
    const route::Relation& r = f_.relation(id.relation);
    return make_column(r.name, r.columns[static_cast<std::size_t>(id.column)].name);
  }

  bool every_column_is_a_key() const {
    if (b_.grouping_sets.empty()) return false;
    bool good = true;
    const auto in_keys = [&](ColumnId id) {
      for (const auto& set : b_.grouping_sets) {
        for (const auto& k : set) {
          if (k.column == id) return true;
        }
      }
      return false;
    };
    const auto look = [&](const sql::Expr& e) {
      sql::walk_expressions(e, [&](const sql::Expr& part) {
        const auto use = f_.aggregate_of.find(&part);
        if (use != f_.aggregate_of.end() && !std::get<sql::Call>(part.node).over) return false;
        const bool key = std::any_of(
            b_.grouping_sets[0].begin(), b_.grouping_sets[0].end(),
            [&](const auto& k) { return k.expr != nullptr && sql::same(*k.expr, part); });
        if (key) return false;
        if (const auto id = f_.find_column(&part)) good = good && in_keys(*id);
        return true;
      });
    };
    for (const auto& o : b_.outputs) {
      if (o.expr != nullptr)
        look(*o.expr);
      else
        good = good && o.column && in_keys(*o.column);
    }
    if (tree_.having) look(*tree_.having);
    for (const auto& by : tree_.order_by) look(*by.expr);
    return good;
  }

  void rewrite_block() {
    std::vector<sql::Target> targets;
    for (const route::Output& o : b_.outputs) {
      sql::Target target;
      if (o.expr != nullptr) {
        target.expr = sql::ExprPtr(&own_node(o.expr));
        own_.push_back(target.expr.get());
      } else {
        target.expr = o.column ? column(*o.column, nullptr) : nullptr;
      }
      if (!target.expr) failed_ = true;
      if (!o.name.empty() && o.name != "?column?") target.name = o.name;
      targets.push_back(std::move(target));
    }
    // The old list gives up the expressions that the new one owns now.
    for (auto& t : tree_.targets) {
      if (std::find(own_.begin(), own_.end(), t.expr.get()) != own_.end()) (void)t.expr.release();
    }
    tree_.targets = std::move(targets);
    for (std::size_t i = 0; i < tree_.targets.size(); ++i) {
      if (b_.outputs[i].expr != nullptr && tree_.targets[i].expr) rewrite(tree_.targets[i].expr);
    }
    if (tree_.having) rewrite(tree_.having);
    for (auto& w : tree_.windows) rewrite_window(w);
    for (std::size_t i = 0; i < tree_.order_by.size(); ++i) {
      sql::SortBy& by = tree_.order_by[i];
      if (b_.order[i].output >= 0 && is_name_or_position(*by.expr) &&
          !f_.find_column(by.expr.get()))
        continue;
      rewrite(by.expr);
    }
    for (std::size_t i = 0; i < tree_.distinct_on.size(); ++i) {
      if (is_name_or_position(*tree_.distinct_on[i]) && !f_.find_column(tree_.distinct_on[i].get()))
        continue;
      rewrite(tree_.distinct_on[i]);
    }
    if (!b_.grouped) return;
    if (partial_) {
      tree_.group_by.clear();
      for (const std::string& name : key_names_) tree_.group_by.push_back(make_column("", name));
      // GROUP BY () or only constants: still one group per ... no group without rows.
      if (key_names_.empty()) failed_ = true;
    } else {
      for (auto& e : tree_.group_by) {
        if (is_name_or_position(*e) && !f_.find_column(e.get())) continue;
        rewrite(e);
      }
    }
  }

  void rewrite_window(sql::WindowDef& w) {
    for (auto& e : w.partition_by) rewrite(e);
    for (auto& o : w.order_by) rewrite(o.expr);
    if (w.start_offset) rewrite(w.start_offset);
    if (w.end_offset) rewrite(w.end_offset);
  }

  sql::ExprPtr column(ColumnId id, const sql::Expr* as_written) {
    for (std::size_t i = 0; i < key_names_.size(); ++i) {
      if (b_.grouping_sets[0][i].column == id) return make_column("", key_names_[i]);
    }
    if (partial_) {
      failed_ = true;
      return nullptr;
    }
    const auto known = names_.find(id);
    if (known != names_.end()) return make_column("", known->second);
    const std::string name =
        add_inner(as_written != nullptr ? sql::clone(*as_written) : written(id));
    names_[id] = name;
    return make_column("", name);
  }

  // What was replaced stays alive: name resolution knows it by its address.
  void replace(sql::ExprPtr& e, sql::ExprPtr by) {
    replaced_.push_back(std::move(e));
    e = std::move(by);
  }

  // Replaces one expression of the finishing part by its meaning over the temporary table.
  void rewrite(sql::ExprPtr& e) {
    if (failed_ || !e) return;
    if (const auto id = f_.find_column(e.get())) {
      if (f_.relation(id->relation).owner != b_.id)
        failed_ = true;
      else
        replace(e, column(*id, e.get()));
      return;
    }
    for (std::size_t i = 0; i < key_names_.size(); ++i) {
      if (key_texts_[i] == sql::deparse(*e)) {
        replace(e, make_column("", key_names_[i]));
        return;
      }
    }
    const auto use = f_.aggregate_of.find(e.get());
    auto* call = std::get_if<sql::Call>(&e->node);
    if (use != f_.aggregate_of.end() && call != nullptr && !call->over && partial_) {
      if (use->second != b_.id)
        failed_ = true;
      else
        e = combined(std::move(e));
      return;
    }
    if (std::holds_alternative<sql::ColumnRef>(e->node) ||
        std::holds_alternative<sql::SubLink>(e->node) ||
        std::holds_alternative<sql::Grouping>(e->node)) {
      failed_ = true;  // a whole row, an unknown name
      return;
    }
    rewrite_children(*e);
  }

  void rewrite_children(sql::Expr& e) {
    std::visit(
        [&](auto& n) {
          using T = std::decay_t<decltype(n)>;
          if constexpr (std::is_same_v<T, sql::Call>) {
            for (auto& a : n.args) rewrite(a);
            for (auto& o : n.order_by) rewrite(o.expr);
            if (n.filter) rewrite(n.filter);
            if (n.over) rewrite_window(*n.over);
          } else if constexpr (std::is_same_v<T, sql::Operator>) {
            rewrite(n.left);
            rewrite(n.right);
          } else if constexpr (std::is_same_v<T, sql::BoolExpr> ||
                               std::is_same_v<T, sql::Coalesce> || std::is_same_v<T, sql::MinMax> ||
                               std::is_same_v<T, sql::RowExpr>) {
            for (auto& a : n.args) rewrite(a);
          } else if constexpr (std::is_same_v<T, sql::NullTest> ||
                               std::is_same_v<T, sql::BooleanTest> ||
                               std::is_same_v<T, sql::Cast> || std::is_same_v<T, sql::Collate> ||
                               std::is_same_v<T, sql::NamedArg>) {
            rewrite(n.arg);
          } else if constexpr (std::is_same_v<T, sql::Case>) {
            rewrite(n.arg);
            for (auto& w : n.whens) {
              rewrite(w.when);
              rewrite(w.then);
            }
            rewrite(n.otherwise);
          } else if constexpr (std::is_same_v<T, sql::ArrayExpr>) {
            for (auto& a : n.elements) rewrite(a);
          } else if constexpr (std::is_same_v<T, sql::List>) {
            for (auto& a : n.items) rewrite(a);
          } else if constexpr (std::is_same_v<T, sql::GroupingSet>) {
            for (auto& a : n.content) {
              if (!is_name_or_position(*a) || f_.find_column(a.get())) rewrite(a);
            }
          } else if constexpr (std::is_same_v<T, sql::Const> || std::is_same_v<T, sql::Param> ||
                               std::is_same_v<T, sql::SqlValue>) {
          } else {
            failed_ = true;
          }
        },
        e.node);
  }

  const catalog::Type& type(std::uint32_t oid) { return *snapshot_.type(Oid{oid}); }

  // One aggregate: its partial form goes below, what combines them stays.
  sql::ExprPtr combined(sql::ExprPtr e) {
    const auto& call = std::get<sql::Call>(e->node);
    const std::string name = call.name.back();
    if (snapshot_.type(Oid{kInt8}) == nullptr) {
      failed_ = true;
      return e;
    }
    if (name == "avg") {
      auto sum = sql::clone(*e), count = sql::clone(*e);
      std::get<sql::Call>(sum->node).name = {"pg_catalog", "sum"};
      std::get<sql::Call>(count->node).name = {"pg_catalog", "count"};
      sql::Operator divide;
      divide.name = {"pg_catalog", "/"};
      divide.left = make_call("sum", make_column("", add_inner(std::move(sum))));
      auto zero = std::make_unique<sql::Expr>();
      sql::Operator nullif;
      nullif.form = sql::Operator::Form::kNullIf;
      nullif.name = {"="};
      nullif.left = make_call("sum", make_column("", add_inner(std::move(count))));
      nullif.right = make_integer(0);
      zero->node = std::move(nullif);
      divide.right = std::move(zero);
      auto out = std::make_unique<sql::Expr>();
      out->node = std::move(divide);
      return out;
    }
    const auto argument = column_type(call);
    const bool to_int8 =
        name == "count" || (name == "sum" && (*argument == kInt2 || *argument == kInt4));
    const std::string outer = name == "count" ? "sum" : name;
    auto out = make_call(outer, make_column("", add_inner(std::move(e))));
    return to_int8 ? make_cast(std::move(out), type(kInt8)) : std::move(out);
  }

  const catalog::Snapshot& snapshot_;
  const route::SessionFacts& session_;
  sql::Select& tree_;
  const route::Analysis& f_;
  const route::Block& b_;
  sql::SelectPtr inner_;
  bool partial_ = false, failed_ = false;
  int keys_ = 0;
  std::vector<std::string> key_names_, key_texts_;
  std::vector<const sql::Expr*> own_;
  std::map<ColumnId, std::string> names_;
  std::vector<sql::ExprPtr> replaced_;
};

// Types for a temporary table when the shards' text has parameters: the stored columns themselves.
std::optional<std::string> shape_of_columns(const sql::Select& inner, const route::Analysis& f) {
  std::string columns, tables;
  std::map<int, std::string> names;
  for (const auto& t : inner.targets) {
    const auto id = f.find_column(t.expr.get());
    const route::Relation* r = id ? &f.relation(id->relation) : nullptr;
    if (r == nullptr || r->kind != route::RelationKind::kTable || r->table == nullptr)
      return std::nullopt;
    if (names.count(id->relation) == 0) {
      names[id->relation] = "r" + std::to_string(names.size() + 1);
      tables += (tables.empty() ? "" : ", ") + qualified(*r->table) + " AS " + names[id->relation];
    }
    const auto& column = r->table->columns[static_cast<std::size_t>(id->column)];
    columns += (columns.empty() ? "" : ", ") + names[id->relation] + "." +
               sql::quote_identifier(column.name) + " AS " + sql::quote_identifier(t.name);
  }
  return "SELECT " + columns + " FROM " + tables;
}

}  // namespace

std::optional<Plan> Planner::pull_rows(const sql::Select& s, const route::Analysis& a,
                                       std::string reason) {
  const route::Block& whole = a.block(a.root);
  if (whole.left >= 0 || !s.values.empty() || a.effects.row_volatile || a.effects.moment ||
      a.effects.home || a.single || a.catalog || a.temporary || a.unknown || a.system_columns ||
      a.sampled || a.user_code) {
    return std::nullopt;
  }
  sql::SelectPtr tree = sql::clone(s);
  const route::Analysis f = route::bind_query(*tree, snapshot_, in_.session);
  if (f.error || f.refusal || f.opaque) return std::nullopt;
  route::Deriver d(f, reader_);
  const Property rows = d.rows(f.block(f.root));
  if (!rows.partitioned() || rows.shards.size() < 2) return std::nullopt;
  PullStep step;
  step.temp_table = "shoal_pull_" + std::to_string(in_.unique) + "_1";
  const sql::SelectPtr inner = Pusher(snapshot_, in_.session, *tree, f).split(step.temp_table);
  if (!inner) return std::nullopt;
  step.shards = rows.shards;
  const bool parameters = !sql::params(std::as_const(*inner)).empty();
  if (parameters) {
    sql::SelectPtr copy = sql::clone(*inner);
    sql::Select bare;
    bare.targets = std::move(copy->targets);
    bare.from = std::move(copy->from);
    bare.with = std::move(copy->with);
    if (!copy->group_by.empty()) return std::nullopt;
    const route::Analysis again = route::bind_query(bare, snapshot_, in_.session);
    auto shape = shape_of_columns(bare, again);
    if (!shape) return std::nullopt;
    step.like_sql = std::move(*shape);
  }
  auto text = text_of(*inner);
  auto finish = text_of(*tree);
  if (!text || !finish) return std::nullopt;
  step.text = std::move(*text);
  if (!parameters) step.like_sql = step.text.sql;
  Pull out;
  out.steps.push_back(std::move(step));
  out.finish = std::move(*finish);
  Plan plan;
  plan.node = std::move(out);
  plan.reason = std::move(reason);
  trace_ = d.trace();
  shape_all(plan);
  plan.depends_on_params = in_.statement.max_param > 0;
  return plan;
}

}  // namespace shoal::plan
