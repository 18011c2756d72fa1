// The outermost block is partitioned: the same text on each shard, then concatenation, or a k-way
// merge for ORDER BY, with LIMIT and OFFSET cut here.
#include "plan/planner.h"
#include "plan/texts.h"
#include "route/functions.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace shoal::plan {
namespace {

constexpr std::uint32_t kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kBpchar = 1042,
                        kVarchar = 1043, kNumeric = 1700;

bool bytewise_locale(const std::string& locale) {
  return locale == "C" || locale == "POSIX" || locale == "C.UTF-8" || locale == "C.utf8";
}

// The types whose order the router knows exactly (merge/compare.h orders them as PostgreSQL does).
bool known_order(std::uint32_t type) {
  switch (type) {
    case 16:
    case 17:
    case 18:
    case 19:
    case 20:
    case 21:
    case 23:
    case 25:
    case 26:
    case 700:
    case 701:
    case 1042:
    case 1043:
    case 1082:
    case 1083:
    case 1114:
    case 1184:
    case 1700:
    case 2950:
      return true;
    default:
      return false;
  }
}

// Text forms that depend on session settings: compared in binary, in a hidden column.
bool needs_binary(std::uint32_t type) {
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

}  // namespace

std::optional<SortKey> Planner::sort_key_of_type(Oid type, int position,
                                                 const sql::SortBy* by) const {
  if (!known_order(type.value)) return std::nullopt;
  SortKey key;
  key.column = position;
  key.type = type.value;
  if (by == nullptr) return key;
  using Order = sql::SortBy::Order;
  using Nulls = sql::SortBy::Nulls;
  if (by->order == Order::kUsing) return std::nullopt;
  key.descending = by->order == Order::kDesc;
  key.nulls_first = by->nulls == Nulls::kDefault ? key.descending : by->nulls == Nulls::kFirst;
  return key;
}

std::optional<SortKey> Planner::sort_key(const route::Analysis& a, const sql::Expr* e,
                                         std::optional<route::ColumnId> c, int position,
                                         const sql::SortBy* by) const {
  if (c) return sort_key(a, *c, position, by);
  if (e == nullptr) return std::nullopt;
  const auto* call = std::get_if<sql::Call>(&e->node);
  if (call == nullptr || call->over || a.aggregate_of.count(e) == 0) return std::nullopt;
  const std::string& name = call->name.back();
  if (name == "count") return sort_key_of_type(Oid{kInt8}, position, by);
  if (call->args.size() != 1) return std::nullopt;
  const auto column = a.find_column(call->args[0].get());
  if (!column) return std::nullopt;
  const std::uint32_t type = a.column(*column).type.value;
  if (name == "sum" && (type == kInt2 || type == kInt4))
    return sort_key_of_type(Oid{kInt8}, position, by);
  if (name == "sum" && type == kInt8) return sort_key_of_type(Oid{kNumeric}, position, by);
  const bool plain_type = type == kInt2 || type == kInt4 || type == kInt8 || type == kNumeric;
  if ((name == "min" || name == "max") && plain_type)
    return sort_key_of_type(Oid{type}, position, by);
  return std::nullopt;
}

// How the router orders a column; nullopt when it can't be certain to do it as the server does.
std::optional<SortKey> Planner::sort_key(const route::Analysis& a, route::ColumnId c, int position,
                                         const sql::SortBy* by) const {
  const route::RelationColumn& column = a.column(c);
  auto known = sort_key_of_type(column.type, position, by);
  if (!known) return std::nullopt;
  SortKey key = *known;
  if (key.type != kText && key.type != kVarchar && key.type != kBpchar) return key;
  // Text is ordered here only under collations that are bytewise by definition.
  if (!column.plain) return std::nullopt;
  constexpr std::uint32_t kDefault = 100, kC = 950, kPosix = 951;
  const bool utf8 = snapshot_.server_encoding == "UTF8";
  bool bytes = column.collation.value == kC || column.collation.value == kPosix;
  if (!bytes) {
    const catalog::Collation* collation = column.collation.value == kDefault
                                              ? &snapshot_.database_collation
                                              : snapshot_.collation(column.collation);
    if (collation == nullptr || collation->provider == 'i' || !collation->deterministic)
      return std::nullopt;
    const bool plain_c = collation->locale == "C" || collation->locale == "POSIX";
    bytes = plain_c || (utf8 && bytewise_locale(collation->locale));
  }
  if (!bytes) return std::nullopt;
  key.collation = column.collation.value;
  key.order = SortKey::Order::kBytes;
  return key;
}

// Moves LIMIT and OFFSET from the text into the merge; the shards get LIMIT + OFFSET. False when
// they are not plain counts.
bool Planner::take_limit(sql::Select& text, Merge& merge) {
  const auto count = [&](const sql::ExprPtr& e, std::optional<std::uint64_t>& out) {
    if (!e) return true;
    const route::Constant c = reader_.read_count(*e);
    if (c.kind == route::Constant::Kind::kNull) return true;
    if (c.kind != route::Constant::Kind::kValue || c.value->integer() < 0) return false;
    out = static_cast<std::uint64_t>(c.value->integer());
    return true;
  };
  std::optional<std::uint64_t> limit, offset;
  if (!count(text.limit, limit) || !count(text.offset, offset)) return false;
  merge.limit = limit;
  merge.offset = offset.value_or(0);
  text.offset.reset();
  text.limit.reset();
  constexpr std::uint64_t kMax = INT64_MAX;
  if (limit && *limit <= kMax - merge.offset) {
    text.limit = make_integer(static_cast<std::int64_t>(*limit + merge.offset));
  }
  return true;
}

std::optional<Plan> Planner::scatter(const sql::Select& s, const route::Analysis& a,
                                     const route::Property& p) {
  if (s.with_ties) return std::nullopt;
  const route::Block& b = a.block(a.root);
  Scatter out;
  out.shards = p.shards;
  Plan plan;
  plan.reason = p.rule;
  if (b.order.empty() && !s.limit && !s.offset) {
    plan.node = std::move(out);  // the client's own text
    return plan;
  }
  sql::SelectPtr text = sql::clone(s);
  for (const route::SortItem& item : b.order) {
    std::optional<route::ColumnId> column = item.column;
    const sql::Expr* source = item.by->expr.get();
    if (item.output >= 0) {
      column = b.outputs[static_cast<std::size_t>(item.output)].column;
      source = b.outputs[static_cast<std::size_t>(item.output)].expr;
    }
    auto key = sort_key(a, source, column, item.output, item.by);
    if (!key && b.left >= 0 && item.output >= 0) {
      const Oid type = b.outputs[static_cast<std::size_t>(item.output)].type;
      if (route::is_integer_type(type)) key = sort_key_of_type(type, item.output, item.by);
    }
    if (!key) return std::nullopt;
    if (item.output < 0 || needs_binary(key->type)) {
      // A hidden column is not possible where the outputs decide the rows.
      if (b.left >= 0 || !s.values.empty() || s.distinct) return std::nullopt;
      key->column = static_cast<int>(b.outputs.size()) + out.merge.hidden_columns++;
      sql::Target hidden;
      const sql::Expr* e = item.by->expr.get();
      if (item.output >= 0) {
        const route::Output& o = b.outputs[static_cast<std::size_t>(item.output)];
        if (o.expr == nullptr) {  // from a star: name the column
          const auto& relation = a.relation(o.column->relation);
          hidden.expr = make_column(
              relation.name, relation.columns[static_cast<std::size_t>(o.column->column)].name);
        } else {
          e = o.expr;
        }
      }
      if (!hidden.expr) hidden.expr = sql::clone(*e);
      text->targets.push_back(std::move(hidden));
    }
    out.merge.order.push_back(std::move(*key));
  }
  if (!take_limit(*text, out.merge)) return std::nullopt;
  if (out.merge.hidden_columns > 0) {
    // Positions and output names keep their meaning: the hidden columns stand at the end and a name
    // in ORDER BY finds an output of that name first only if there was one before.
    for (int i = 0; i < out.merge.hidden_columns; ++i) {
      auto& target = text->targets[text->targets.size() - static_cast<std::size_t>(i) - 1];
      target.name = "shoal_sort_" + std::to_string(i + 1);
    }
  }
  auto made = text_of(*text);
  if (!made) return std::nullopt;
  out.text = std::move(*made);
  plan.node = std::move(out);
  shape_all(plan);
  return plan;
}

}  // namespace shoal::plan
