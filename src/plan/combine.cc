// Finishing natively where it is exact and simple (planner.md, how several shards become one
// answer): count, sum over integers, min, max, bool_and and bool_or, with or without groups; and
// DISTINCT. The shards compute partial aggregates with the statement's own FROM and WHERE, which
// must be partitioned.
#include "plan/planner.h"
#include "plan/texts.h"
#include "route/functions.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace shoal::plan {
namespace {

using route::Property;

constexpr std::uint32_t kBool = 16, kInt8 = 20, kInt2 = 21, kInt4 = 23, kNumeric = 1700;

bool settings_change_text(std::uint32_t type) {
  switch (type) {
    case 17:
    case 700:
    case 701:
    case 1082:
    case 1083:
    case 1114:
    case 1184:
      return true;
    default:
      return false;
  }
}

sql::ExprPtr output_expr(const route::Analysis& a, const route::Output& o) {
  if (o.expr != nullptr) return sql::clone(*o.expr);
  const auto& relation = a.relation(o.column->relation);
  return make_column(relation.name,
                     relation.columns[static_cast<std::size_t>(o.column->column)].name);
}

}  // namespace

std::optional<Plan> Planner::combine(const sql::Select& s, const route::Analysis& a,
                                     route::Deriver& d) {
  const route::Block& b = a.block(a.root);
  if (b.left >= 0 || !s.values.empty() || b.windowed() || !b.distinct_on.empty() || s.with_ties ||
      s.having || !s.with.ctes.empty() || a.effects.row_volatile || a.effects.home) {
    return std::nullopt;
  }
  route::Deriver again(a, reader_);
  const Property rows = again.rows(b);
  (void)d;
  if (!rows.partitioned()) return std::nullopt;
  if (b.aggregated() || b.grouped) {
    return s.distinct ? std::nullopt : aggregates(s, a, rows);
  }
  return s.distinct ? distinct_rows(s, a, rows) : std::nullopt;
}

// The exact partial form of one aggregate; nullopt when there is none that is simple.
std::optional<Combine> Planner::partial(const route::Analysis& a, const Property& rows,
                                        const sql::Call& c, int position) const {
  if (c.over || c.within_group || c.variadic || !c.order_by.empty() || c.name.empty())
    return std::nullopt;
  // The name must be PostgreSQL's own aggregate, not one of a schema in the path.
  for (const catalog::Function* f : snapshot_.resolve_functions(in_.session.search_path, c.name)) {
    if (!f->builtin()) return std::nullopt;
  }
  const std::string& name = c.name.back();
  Combine out;
  const auto column = c.args.size() == 1 ? a.find_column(c.args[0].get()) : std::nullopt;
  if (c.distinct) {
    // Values of a part column are on one shard each, so that distinct counts add up.
    const bool part =
        column && std::any_of(rows.match.begin(), rows.match.end(), [&](const auto& m) {
          return m.link && m.columns.size() == 1 && m.columns[0] == *column;
        });
    if (name != "count" || !part) return std::nullopt;
  }
  if (name == "count") {
    out.kind = Combine::Kind::kCount;
    out.type = kInt8;
    return out;
  }
  if (name == "bool_and" || name == "every" || name == "bool_or") {
    out.kind = name == "bool_or" ? Combine::Kind::kBoolOr : Combine::Kind::kBoolAnd;
    out.type = kBool;
    return out;
  }
  if (!column) return std::nullopt;
  const std::uint32_t type = a.column(*column).type.value;
  if (name == "sum") {
    if (type != kInt2 && type != kInt4 && type != kInt8) return std::nullopt;
    out.kind = Combine::Kind::kSum;
    out.type = type == kInt8 ? kNumeric : kInt8;
    return out;
  }
  if (name != "min" && name != "max") return std::nullopt;
  const auto key = sort_key(a, *column, position, nullptr);
  if (!key || settings_change_text(type) || !route::equal_is_identical(Oid{type}))
    return std::nullopt;
  out.kind = name == "min" ? Combine::Kind::kMin : Combine::Kind::kMax;
  out.type = type;
  out.order = *key;
  return out;
}

std::optional<Plan> Planner::aggregates(const sql::Select& s, const route::Analysis& a,
                                        const Property& rows) {
  const route::Block& b = a.block(a.root);
  if (b.grouped && b.grouping_sets.size() != 1) return std::nullopt;
  const std::vector<route::Key> keys = b.grouped ? b.grouping_sets[0] : std::vector<route::Key>{};
  Scatter out;
  out.shards = rows.shards;
  out.merge.ungrouped = !b.grouped;
  sql::SelectPtr text = sql::clone(s);
  bool changed = false;

  const auto column_of = [&](const sql::Expr* e, std::optional<route::ColumnId> column,
                             int position) -> std::optional<Combine> {
    if (column) {
      const bool grouped =
          std::any_of(keys.begin(), keys.end(), [&](const auto& k) { return k.column == column; });
      const Oid type = a.column(*column).type;
      const auto key = sort_key(a, *column, position, nullptr);
      if (!grouped || !key || settings_change_text(type.value) ||
          !route::equal_is_identical(type)) {
        return std::nullopt;
      }
      Combine group;
      group.type = type.value;
      group.order = *key;
      return group;
    }
    const auto* call = e == nullptr ? nullptr : std::get_if<sql::Call>(&e->node);
    if (call == nullptr || a.aggregate_of.count(e) == 0 || a.aggregate_of.at(e) != b.id)
      return std::nullopt;
    return partial(a, rows, *call, position);
  };
  for (std::size_t i = 0; i < b.outputs.size(); ++i) {
    auto c = column_of(b.outputs[i].expr, b.outputs[i].column, static_cast<int>(i));
    if (!c) return std::nullopt;
    out.merge.combine.push_back(std::move(*c));
  }
  const auto hide = [&](sql::ExprPtr e, Combine c) {
    const int position = static_cast<int>(out.merge.combine.size());
    c.order.column = position;
    sql::Target target;
    target.expr = std::move(e);
    target.name = "shoal_group_" + std::to_string(++out.merge.hidden_columns);
    text->targets.push_back(std::move(target));
    out.merge.combine.push_back(std::move(c));
    changed = true;
    return position;
  };
  // Every key takes part in telling groups apart, seen by the client or not.
  for (const route::Key& k : keys) {
    const bool shown = std::any_of(b.outputs.begin(), b.outputs.end(),
                                   [&](const auto& o) { return k.column && o.column == k.column; });
    if (shown) continue;
    auto c = column_of(k.expr, k.column, 0);
    if (!c || c->kind != Combine::Kind::kGroup || k.expr == nullptr) return std::nullopt;
    hide(sql::clone(*k.expr), std::move(*c));
  }
  for (const route::SortItem& item : b.order) {
    const sql::Expr* e = item.by->expr.get();
    std::optional<route::ColumnId> column = item.column;
    int position = item.output;
    if (position >= 0) {
      e = b.outputs[static_cast<std::size_t>(position)].expr;
      column = b.outputs[static_cast<std::size_t>(position)].column;
    }
    auto key = sort_key(a, e, column, position, item.by);
    if (!key) return std::nullopt;
    if (position < 0) {
      auto c = column_of(e, column, 0);
      if (!c) return std::nullopt;
      key->column = hide(sql::clone(*e), std::move(*c));
    }
    out.merge.order.push_back(std::move(*key));
    changed = true;
  }
  text->order_by.clear();
  if (s.limit || s.offset) {
    if (!take_limit(*text, out.merge)) return std::nullopt;
    text->limit.reset();  // groups are whole only after all shards' parts came together
    changed = true;
  }
  Plan plan;
  if (changed) {
    auto made = text_of(*text);
    if (!made) return std::nullopt;
    out.text = std::move(*made);
    shape_all(plan);
  }
  plan.node = std::move(out);
  plan.reason = b.grouped ? "partial groups of each shard" : "partial aggregates of each shard";
  return plan;
}

// DISTINCT: the shards sort their distinct rows by all columns, the merge drops equal neighbours.
std::optional<Plan> Planner::distinct_rows(const sql::Select& s, const route::Analysis& a,
                                           const Property& rows) {
  const route::Block& b = a.block(a.root);
  Scatter out;
  out.shards = rows.shards;
  out.merge.distinct = true;
  sql::SelectPtr text = sql::clone(s);
  text->order_by.clear();
  const auto sort_by = [&](std::size_t i, const sql::SortBy* by) {
    const route::Output& o = b.outputs[i];
    auto key = o.column ? sort_key(a, *o.column, static_cast<int>(i), by) : std::nullopt;
    if (!key || !route::equal_is_identical(a.column(*o.column).type)) return false;
    sql::SortBy copy;
    copy.expr = make_integer(static_cast<std::int64_t>(i) + 1);
    if (by != nullptr) {
      copy.order = by->order;
      copy.nulls = by->nulls;
    }
    if (settings_change_text(key->type)) {
      key->column = static_cast<int>(b.outputs.size()) + out.merge.hidden_columns++;
      sql::Target hidden;
      hidden.expr = output_expr(a, o);
      hidden.name = "shoal_sort_" + std::to_string(out.merge.hidden_columns);
      text->targets.push_back(std::move(hidden));
    }
    text->order_by.push_back(std::move(copy));
    out.merge.order.push_back(std::move(*key));
    return true;
  };
  std::vector<bool> sorted(b.outputs.size());
  for (const route::SortItem& item : b.order) {
    if (item.output < 0) return std::nullopt;
    const auto i = static_cast<std::size_t>(item.output);
    if (sorted[i]) continue;
    sorted[i] = true;
    if (!sort_by(i, item.by)) return std::nullopt;
  }
  for (std::size_t i = 0; i < b.outputs.size(); ++i) {
    if (!sorted[i] && !sort_by(i, nullptr)) return std::nullopt;
  }
  if (b.outputs.empty() || !take_limit(*text, out.merge)) return std::nullopt;
  auto made = text_of(*text);
  if (!made) return std::nullopt;
  out.text = std::move(*made);
  Plan plan;
  shape_all(plan);
  plan.node = std::move(out);
  plan.reason = "distinct rows of each shard";
  return plan;
}

}  // namespace shoal::plan
