// Finding the conditions that may be applied below a pull.
#include "plan/pull_conditions.h"

#include "sql/parse.h"
#include "sql/visit.h"

namespace shoal::plan {
namespace {

using Conditions = std::vector<const sql::Expr*>;

void split(const sql::Expr* e, Conditions& out) {
  if (e == nullptr) return;
  const auto* b = std::get_if<sql::BoolExpr>(&e->node);
  if (b != nullptr && b->op == sql::BoolExpr::Op::kAnd) {
    for (const auto& arg : b->args) split(arg.get(), out);
  } else {
    out.push_back(e);
  }
}

// The conditions that hold for every row of the leaf which matters: those of WHERE and inner ONs
// for all, a left join's ON for its right side alone, nothing inside a full join.
bool find_leaf(const route::FromNode& n, int relation, const Conditions& above, Conditions& out) {
  using K = sql::Join::Kind;
  if (!n.join) {
    if (n.relation != relation) return false;
    out = above;
    return true;
  }
  Conditions on;
  split(n.on, on);
  Conditions both = above;
  both.insert(both.end(), on.begin(), on.end());
  const Conditions none;
  const Conditions& left = n.kind == K::kInner   ? both
                           : n.kind == K::kLeft  ? above
                           : n.kind == K::kRight ? on
                                                 : none;
  const Conditions& right = n.kind == K::kInner   ? both
                            : n.kind == K::kLeft  ? on
                            : n.kind == K::kRight ? above
                                                  : none;
  return find_leaf(*n.left, relation, left, out) || find_leaf(*n.right, relation, right, out);
}

}  // namespace

bool immutable(const sql::Expr& e, const catalog::Snapshot& snapshot,
               const route::SessionFacts& session) {
  bool good = true;
  sql::walk(e, [&](const auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
      if (const auto* call = std::get_if<sql::Call>(&node.node)) {
        const auto overloads = snapshot.resolve_functions(session.search_path, call->name);
        good = good && !overloads.empty() && !call->over;
        for (const catalog::Function* f : overloads) {
          good = good && f->builtin() && f->volatility == catalog::Volatility::kImmutable &&
                 f->prokind == 'f' && !f->returns_set;
        }
      } else if (const auto* cast = std::get_if<sql::Cast>(&node.node)) {
        const catalog::Type* t = snapshot.resolve_type(session.search_path, cast->type.names);
        good = good && t != nullptr && t->builtin() && t->name.compare(0, 3, "reg") != 0;
      } else if (const auto* o = std::get_if<sql::Operator>(&node.node)) {
        good = good && (o->name.size() == 1 || o->name.front() == "pg_catalog" || o->name.empty());
      } else {
        good = good && !std::holds_alternative<sql::SubLink>(node.node) &&
               !std::holds_alternative<sql::SqlValue>(node.node) &&
               !std::holds_alternative<sql::Opaque>(node.node) &&
               !std::holds_alternative<sql::Grouping>(node.node) &&
               !std::holds_alternative<sql::Indirection>(node.node) &&
               !std::holds_alternative<sql::CurrentOf>(node.node);
      }
    }
    return good;
  });
  return good;
}

sql::ExprPtr pull_conditions(const route::Analysis& a, int relation,
                             const catalog::Snapshot& snapshot,
                             const route::SessionFacts& session) {
  const int owner = a.relation(relation).owner;
  if (owner < 0) return nullptr;
  const route::Block& b = a.block(owner);
  Conditions where, found;
  split(b.where, where);
  bool reached = false;
  for (const auto& n : b.from) reached = reached || find_leaf(*n, relation, where, found);
  if (!reached) return nullptr;
  auto all = std::make_unique<sql::Expr>();
  sql::BoolExpr conjunction;
  for (const sql::Expr* e : found) {
    if (!immutable(*e, snapshot, session)) continue;
    bool own = true, any = false;
    sql::walk_expressions(*e, [&](const sql::Expr& part) {
      if (std::holds_alternative<sql::ColumnRef>(part.node)) {
        const auto c = a.find_column(&part);
        any = true;
        own = own && c && c->relation == relation;
      }
      return own;
    });
    if (!own || !any) continue;
    auto copy = sql::clone(*e);
    const std::string name = a.relation(relation).name;
    sql::walk_expressions(*copy, [&](sql::Expr& part) {
      if (auto* c = std::get_if<sql::ColumnRef>(&part.node)) c->fields = {name, c->fields.back()};
      return true;
    });
    conjunction.args.push_back(std::move(copy));
  }
  if (conjunction.args.empty()) return nullptr;
  if (conjunction.args.size() == 1) return std::move(conjunction.args[0]);
  all->node = std::move(conjunction);
  return all;
}

}  // namespace shoal::plan
