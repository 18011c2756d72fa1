// GROUP BY, ORDER BY, DISTINCT ON and PARTITION BY: which columns and outputs their items mean.
// PostgreSQL's two orders of look-up (parser/parse_clause.c): GROUP BY takes an input column before
// an output name, ORDER BY and DISTINCT ON take the output name first; a whole number is a
// position.
#include "route/bind.h"
#include "route/binder.h"
#include "sql/deparse.h"

namespace shoal::route {
namespace {

const std::string* bare_name(const sql::Expr& e) {
  const auto* c = std::get_if<sql::ColumnRef>(&e.node);
  return c != nullptr && !c->star && c->fields.size() == 1 ? &c->fields[0] : nullptr;
}

std::optional<int> position(const sql::Expr& e) {
  const auto* c = std::get_if<sql::Const>(&e.node);
  if (c == nullptr || c->kind != sql::Const::Kind::kInteger || c->text.size() > 6) {
    return std::nullopt;
  }
  return std::atoi(c->text.c_str());
}

int named_output(const Block& b, const std::string& name) {
  for (std::size_t i = 0; i < b.outputs.size(); ++i) {
    if (b.outputs[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

constexpr std::size_t kMaxSets = 256;

}  // namespace

void Binder::group_key(const sql::Expr* e, Block& b, Scope& scope, std::vector<Key>& out) {
  if (const auto* row = std::get_if<sql::RowExpr>(&e->node); row != nullptr && !row->explicit_row) {
    for (const auto& item : row->args) group_key(item.get(), b, scope, out);
    return;
  }
  if (const std::string* name = bare_name(*e)) {
    bool ambiguous = false;
    if (!find(*name, scope, true, ambiguous)) {
      const int i = named_output(b, *name);
      if (i >= 0) {
        const Output& o = b.outputs[static_cast<std::size_t>(i)];
        out.push_back({o.expr, o.column});
        return;
      }
    }
  } else if (const auto p = position(*e)) {
    a_.shaping.push_back(e->location);
    if (*p >= 1 && *p <= static_cast<int>(b.outputs.size())) {
      const Output& o = b.outputs[static_cast<std::size_t>(*p - 1)];
      out.push_back({o.expr, o.column});
      return;
    }
    fail("42P10", "GROUP BY position " + std::to_string(*p) + " is not in select list",
         e->location);
    return;
  }
  expr(e, scope);
  out.push_back({e, a_.find_column(e)});
}

// The sets of one GROUP BY item. An empty result: too many to list.
std::vector<std::vector<Key>> Binder::group_sets(const sql::Expr* e, Block& b, Scope& scope) {
  using Sets = std::vector<std::vector<Key>>;
  const auto* g = std::get_if<sql::GroupingSet>(&e->node);
  if (g == nullptr) {
    std::vector<Key> keys;
    group_key(e, b, scope, keys);
    return {std::move(keys)};
  }
  if (g->kind == sql::GroupingSet::Kind::kEmpty) return {{}};
  std::vector<Sets> parts;
  for (const auto& item : g->content) parts.push_back(group_sets(item.get(), b, scope));
  Sets out;
  if (g->kind == sql::GroupingSet::Kind::kSets) {
    for (auto& p : parts) out.insert(out.end(), p.begin(), p.end());
    return out;
  }
  if (g->kind == sql::GroupingSet::Kind::kSimple) {
    std::vector<Key> all;
    for (auto& p : parts) {
      for (auto& set : p) all.insert(all.end(), set.begin(), set.end());
    }
    return {std::move(all)};
  }
  std::vector<std::vector<Key>> elements;  // each may be several columns: ROLLUP ((a, b), c)
  for (auto& p : parts) {
    if (!p.empty()) elements.push_back(p.front());
  }
  if (g->kind == sql::GroupingSet::Kind::kRollup) {
    for (std::size_t n = 0; n <= elements.size(); ++n) {
      std::vector<Key> set;
      for (std::size_t i = 0; i < n; ++i) {
        set.insert(set.end(), elements[i].begin(), elements[i].end());
      }
      out.push_back(std::move(set));
    }
    return out;
  }
  if (elements.size() > 8) return {};
  for (std::size_t mask = 0; mask < (std::size_t{1} << elements.size()); ++mask) {
    std::vector<Key> set;
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (((mask >> i) & 1) != 0) set.insert(set.end(), elements[i].begin(), elements[i].end());
    }
    out.push_back(std::move(set));
  }
  return out;
}

void Binder::group_by(const sql::Select& s, Block& b, Scope& scope) {
  if (s.group_by.empty()) return;
  b.grouped = true;
  std::vector<std::vector<Key>> sets{{}};
  for (const auto& item : s.group_by) {
    const auto own = group_sets(item.get(), b, scope);
    std::vector<std::vector<Key>> product;
    if (sets.size() * own.size() <= kMaxSets) {
      for (const auto& x : sets) {
        for (const auto& y : own) {
          product.push_back(x);
          product.back().insert(product.back().end(), y.begin(), y.end());
        }
      }
    }
    sets = std::move(product);
  }
  b.grouping_sets = std::move(sets);
}

Key Binder::sort_key(const sql::Expr* e, Block& b, Scope& scope, int& output) {
  if (const std::string* name = bare_name(*e)) {
    output = named_output(b, *name);
  } else if (const auto p = position(*e)) {
    a_.shaping.push_back(e->location);
    if (*p >= 1 && *p <= static_cast<int>(b.outputs.size()))
      output = *p - 1;
    else
      fail("42P10", "ORDER BY position " + std::to_string(*p) + " is not in select list",
           e->location);
  }
  if (output >= 0) {
    const Output& o = b.outputs[static_cast<std::size_t>(output)];
    return {o.expr, o.column};
  }
  expr(e, scope);
  const auto column = a_.find_column(e);
  for (std::size_t i = 0; i < b.outputs.size() && output < 0; ++i) {
    const Output& o = b.outputs[i];
    const bool same_column = column && o.column == column;
    if (same_column || (o.expr != nullptr && sql::same(*o.expr, *e))) output = static_cast<int>(i);
  }
  return {e, column};
}

void Binder::order_by(const sql::Select& s, Block& b, Scope& scope) {
  for (const auto& by : s.order_by) {
    SortItem item;
    item.by = &by;
    item.column = sort_key(by.expr.get(), b, scope, item.output).column;
    b.order.push_back(item);
  }
}

void Binder::partition(const sql::WindowDef& w, Block& b) {
  // OVER name and OVER (name ...) take the named window's PARTITION BY.
  const sql::WindowDef* def = &w;
  for (int hops = 0; hops < 64; ++hops) {
    const std::string& base =
        def->by_name_only ? def->name.empty() ? def->ref_name : def->name : def->ref_name;
    if (!def->partition_by.empty() || base.empty() || b.select == nullptr) break;
    const sql::WindowDef* next = nullptr;
    for (const auto& named : b.select->windows) {
      if (named.name == base && &named != def) next = &named;
    }
    if (next == nullptr) break;
    def = next;
  }
  std::vector<Key> keys;
  for (const auto& e : def->partition_by) keys.push_back({e.get(), a_.find_column(e.get())});
  b.partitions.push_back(std::move(keys));
}

}  // namespace shoal::route
