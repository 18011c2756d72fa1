// What a statement or a view reads, and on which shards relations are.
#include <set>

#include "control/ddl_planner.h"
#include "sql/parse.h"

namespace shoal::control {
namespace {

constexpr int kMaxViewDepth = 32;

// Calls visit for every relation that a query names in FROM, at any depth, but not names of its
// CTEs.
struct Relations {
  std::set<std::string> ctes;
  std::function<void(const sql::RangeVar&)> visit;

  void select(const sql::Select& s);
  void from(const sql::FromItem& f);
  void expr(const sql::ExprPtr& e);
  void exprs(const sql::ExprList& list) {
    for (const sql::ExprPtr& e : list) expr(e);
  }
  void sorts(const std::vector<sql::SortBy>& list) {
    for (const sql::SortBy& s : list) expr(s.expr);
  }
};

void Relations::select(const sql::Select& s) {
  for (const sql::Cte& c : s.with.ctes) ctes.insert(c.name);
  for (const sql::Cte& c : s.with.ctes) {
    if (const auto* q = std::get_if<sql::SelectPtr>(&c.query); q && *q) select(**q);
  }
  if (s.left) select(*s.left);
  if (s.right) select(*s.right);
  for (const sql::ExprList& row : s.values) exprs(row);
  exprs(s.distinct_on);
  for (const sql::Target& t : s.targets) expr(t.expr);
  for (const sql::FromPtr& f : s.from) {
    if (f) from(*f);
  }
  expr(s.where);
  exprs(s.group_by);
  expr(s.having);
  sorts(s.order_by);
  expr(s.limit);
  expr(s.offset);
}

void Relations::from(const sql::FromItem& f) {
  if (const auto* t = std::get_if<sql::RangeVar>(&f.node)) {
    if (!t->schema.empty() || !ctes.contains(t->name)) visit(*t);
  } else if (const auto* s = std::get_if<sql::FromSelect>(&f.node)) {
    if (s->query) select(*s->query);
  } else if (const auto* j = std::get_if<sql::Join>(&f.node)) {
    if (j->left) from(*j->left);
    if (j->right) from(*j->right);
    expr(j->on);
  } else if (const auto* sample = std::get_if<sql::TableSample>(&f.node)) {
    visit(sample->table);
  } else if (const auto* function = std::get_if<sql::FromFunction>(&f.node)) {
    for (const auto& item : function->items) expr(item.call);
  }
}

void Relations::expr(const sql::ExprPtr& e) {
  if (!e) return;
  std::visit(
      [this](const auto& n) {
        using T = std::decay_t<decltype(n)>;
        if constexpr (std::is_same_v<T, sql::SubLink>) {
          expr(n.test);
          if (n.query) select(*n.query);
        } else if constexpr (std::is_same_v<T, sql::Call>) {
          exprs(n.args);
          sorts(n.order_by);
          expr(n.filter);
        } else if constexpr (std::is_same_v<T, sql::Operator>) {
          expr(n.left);
          expr(n.right);
        } else if constexpr (std::is_same_v<T, sql::Case>) {
          expr(n.arg);
          for (const sql::CaseWhen& w : n.whens) expr(w.when), expr(w.then);
          expr(n.otherwise);
        } else if constexpr (std::is_same_v<T, sql::BoolExpr> || std::is_same_v<T, sql::Coalesce> ||
                             std::is_same_v<T, sql::MinMax> || std::is_same_v<T, sql::RowExpr>) {
          exprs(n.args);
        } else if constexpr (std::is_same_v<T, sql::NullTest> ||
                             std::is_same_v<T, sql::BooleanTest> || std::is_same_v<T, sql::Cast> ||
                             std::is_same_v<T, sql::Collate> ||
                             std::is_same_v<T, sql::Indirection> ||
                             std::is_same_v<T, sql::NamedArg>) {
          expr(n.arg);
        } else if constexpr (std::is_same_v<T, sql::ArrayExpr>) {
          exprs(n.elements);
        } else if constexpr (std::is_same_v<T, sql::List>) {
          exprs(n.items);
        }
      },
      e->node);
}

}  // namespace

const catalog::Table* DdlPlanner::find(const sql::RangeVar& name) const {
  return snapshot_.resolve_table(path_, name.schema, name.name);
}

DdlPlanner::Reads DdlPlanner::reads(const sql::Select& query, int depth) const {
  Reads out;
  Relations relations;
  relations.visit = [&](const sql::RangeVar& name) {
    const Table* t = find(name);
    if (!t) return;
    if (t->kind == catalog::TableKind::kCatalog) {
      out.catalog = true;
    } else if (t->relkind == 'v' && depth < kMaxViewDepth) {
      auto parsed = sql::parse(t->view_definition, sql::ParseLimits{});
      const auto* s =
          parsed && !parsed->empty() ? std::get_if<sql::SelectPtr>(&parsed->front().node) : nullptr;
      if (!s || !*s) {
        out.single = true;
        return;
      }
      const Reads below = reads(**s, depth + 1);
      out.single |= below.single;
      out.placed |= below.placed;
      out.sharded |= below.sharded;
      out.catalog |= below.catalog;
    } else if (t->kind == catalog::TableKind::kSingle) {
      out.single = true;
    } else {
      out.placed = true;
      out.sharded |= t->kind == catalog::TableKind::kSharded;
    }
  };
  relations.select(query);
  return out;
}

bool DdlPlanner::everywhere(const Table& table, int depth) const {
  if (table.relkind != 'v') {
    return table.kind == catalog::TableKind::kSharded ||
           table.kind == catalog::TableKind::kReference;
  }
  auto parsed = sql::parse(table.view_definition, sql::ParseLimits{});
  if (!parsed || parsed->empty()) return false;
  const auto* s = std::get_if<sql::SelectPtr>(&parsed->front().node);
  if (!s || !*s) return false;
  const Reads below = reads(**s, depth + 1);
  return !below.single && !below.catalog;
}

bool DdlPlanner::everywhere(const sql::RangeVar& name) const {
  const Table* t = find(name);
  return t && everywhere(*t);
}

const catalog::Table* DdlPlanner::owner_of_index(const sql::RangeVar& index) const {
  std::vector<std::string> schemas = path_;
  if (!index.schema.empty()) schemas = {index.schema};
  for (const std::string& schema : schemas) {
    for (const auto& [oid, t] : snapshot_.tables_by_oid) {
      if (t.schema != schema) continue;
      for (const catalog::Index& i : t.indexes) {
        if (i.name == index.name) return &t;
      }
    }
  }
  return nullptr;
}

bool DdlPlanner::sequence_has_copies(const sql::RangeVar& sequence) const {
  const Table* s = find(sequence);
  if (!s) return false;
  for (const auto& [oid, t] : snapshot_.tables_by_oid) {
    if (t.kind != catalog::TableKind::kSharded && t.kind != catalog::TableKind::kReference)
      continue;
    for (const catalog::Column& c : t.columns) {
      if (c.sequence == s->oid) return true;
    }
  }
  return false;
}

}  // namespace shoal::control
