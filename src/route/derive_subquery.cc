// Rules of subqueries in expressions: EXISTS, IN, scalar ones, wherever they stand.
#include "route/property.h"

namespace shoal::route {
namespace {

using Kind = Property::Kind;

void conjuncts(const sql::Expr* e, std::set<const sql::Expr*>& out) {
  if (e == nullptr) return;
  const auto* b = std::get_if<sql::BoolExpr>(&e->node);
  if (b != nullptr && b->op == sql::BoolExpr::Op::kAnd) {
    for (const auto& arg : b->args) conjuncts(arg.get(), out);
  } else {
    out.insert(e);
  }
}

}  // namespace

Property Deriver::sublinks(Property p, const Block& b, Classes& classes) {
  std::set<const sql::Expr*> top;
  conjuncts(b.where, top);
  Inner tree;
  for (const auto& n : b.from) flatten(*n, tree);
  for (const sql::Expr* e : tree.conditions) conjuncts(e, top);
  for (const SubLinkUse& use : b.sublinks) {
    if (p.gathered()) return p;
    p = sublink(std::move(p), b, use, top.count(use.expr) != 0, classes);
  }
  // A conjunct of IN proved its columns non-null.
  close(p, classes, b, true);
  return p;
}

// Each outer match column is a constant whose shard is "here", and the inner block is derived by
// the same rules. Everywhere or OneShard(here): the whole is as before. `k IN (SELECT k2 ...)` as a
// conjunct: k and k2 in match is enough; elsewhere both must be part.
Property Deriver::sublink(Property p, const Block& b, const SubLinkUse& use, bool conjunct,
                          const Classes& classes) {
  frames_.push_back({b.id, p.anywhere() ? std::vector<Match>{} : p.match});
  const Property q = block(use.block);
  frames_.pop_back();
  if (q.gathered()) return q;
  if (q.kind == Kind::kEverywhere) return p;
  if (q.kind == Kind::kAnyOne) {
    if (p.kind == Kind::kEverywhere) p.kind = Kind::kAnyOne;
    if (p.anywhere()) return p;
    if (!p.singular()) return gathered("a subquery may come out differently on each shard");
    p.kind = Kind::kOneShard;
    return p;
  }
  if (q.singular()) {
    if (q.shards[0] == here(b.id)) return p;
    if (p.anywhere() || (p.singular() && p.shards == q.shards)) return require(std::move(p), q);
  }
  const auto& link = std::get<sql::SubLink>(use.expr->node);
  const bool equality = link.op.empty() || builtin_operator(link.op) == "=";
  if (p.partitioned() && q.partitioned() && link.kind == sql::SubLink::Kind::kAny && equality &&
      in_matches(p, q, link, use.block, classes, !conjunct)) {
    // As a conjunct only rows whose value the inner block has survive.
    if (conjunct) intersect(p.shards, q.shards);
    return p;
  }
  return gathered("a subquery reads a sharded table without the outer row's shard key");
}

bool Deriver::in_matches(const Property& outer, const Property& inner, const sql::SubLink& link,
                         int inner_block, const Classes& classes, bool parts) const {
  if (!link.test) return false;
  std::vector<std::optional<ColumnId>> tests;
  if (const auto* row = std::get_if<sql::RowExpr>(&link.test->node)) {
    for (const auto& arg : row->args) tests.push_back(a_.find_column(arg.get()));
  } else {
    tests.push_back(a_.find_column(link.test.get()));
  }
  const Block& b = a_.block(inner_block);
  const auto comparable_position = [&](ColumnId test, int position) {
    const Output& o = b.outputs[static_cast<std::size_t>(position)];
    const auto tx = keys::key_type_of_oid(a_.column(test).type.value);
    const auto ty = keys::key_type_of_oid(o.type.value);
    if (!tx || !ty || keys::family_of(*tx) != keys::family_of(*ty)) return false;
    if (!deterministic(a_, test)) return false;
    if (o.column) return deterministic(a_, *o.column);
    return keys::family_of(*ty) == keys::family_of(keys::KeyType::kInt8);
  };
  for (const Match& x : outer.match) {
    for (const Match& y : inner.match) {
      if (!x.link || !y.link || x.keyspace != y.keyspace || x.columns.size() != y.columns.size()) {
        continue;
      }
      if (parts && !(x.part && y.part)) continue;
      bool all = true;
      for (std::size_t i = 0; i < x.columns.size() && all; ++i) {
        const auto position = static_cast<std::size_t>(y.columns[i].column);
        all = position < tests.size() && tests[position] &&
              (*tests[position] == x.columns[i] ||
               (!parts && classes.same(*tests[position], x.columns[i]))) &&
              comparable_position(*tests[position], static_cast<int>(position));
      }
      if (all) return true;
    }
  }
  return false;
}

}  // namespace shoal::route
