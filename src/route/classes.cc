// Equality classes over the columns of an inner-join tree.
#include "route/classes.h"

#include "keys/value.h"

namespace shoal::route {
namespace {

const sql::Expr* arg_of(const sql::ExprPtr& e) {
  return e.get();
}

}  // namespace

std::string builtin_operator(const std::vector<std::string>& name) {
  if (name.size() == 1) return name[0];
  return name.size() == 2 && name[0] == "pg_catalog" ? name[1] : std::string();
}

bool deterministic(const Analysis& a, ColumnId id) {
  const RelationColumn& c = a.column(id);
  const auto type = keys::key_type_of_oid(c.type.value);
  if (!type) return false;
  switch (keys::family_of(*type)) {
    case keys::KeyType::kText:
    case keys::KeyType::kVarchar:
    case keys::KeyType::kName:
    case keys::KeyType::kBpchar:
      break;
    default:
      return true;  // not collatable
  }
  if (!c.plain) return false;
  constexpr std::uint32_t kDefault = 100, kC = 950, kPosix = 951;
  const Oid oid = c.collation;
  if (oid.value == 0 || oid.value == kDefault || oid.value == kC || oid.value == kPosix)
    return true;
  const catalog::Collation* collation = a.snapshot->collation(oid);
  return collation != nullptr && collation->deterministic;
}

bool comparable(const Analysis& a, ColumnId x, ColumnId y) {
  const auto tx = keys::key_type_of_oid(a.column(x).type.value);
  const auto ty = keys::key_type_of_oid(a.column(y).type.value);
  if (!tx || !ty || keys::family_of(*tx) != keys::family_of(*ty)) return false;
  return deterministic(a, x) && deterministic(a, y);
}

int Classes::root(ColumnId c) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i] != c) continue;
    int r = static_cast<int>(i);
    while (parent_[static_cast<std::size_t>(r)] != r) r = parent_[static_cast<std::size_t>(r)];
    return r;
  }
  return -1;
}

void Classes::add_equal(ColumnId a, ColumnId b) {
  if (a == b) return;
  for (const ColumnId c : {a, b}) {
    if (root(c) >= 0) continue;
    columns_.push_back(c);
    parent_.push_back(static_cast<int>(parent_.size()));
  }
  parent_[static_cast<std::size_t>(root(a))] = root(b);
}

bool Classes::same(ColumnId a, ColumnId b) const {
  if (a == b) return true;
  const int r = root(a);
  return r >= 0 && r == root(b);
}

std::vector<ColumnId> Classes::members(ColumnId c) const {
  std::vector<ColumnId> out{c};
  const int r = root(c);
  if (r < 0) return out;
  for (const ColumnId other : columns_) {
    if (other != c && root(other) == r) out.push_back(other);
  }
  return out;
}

bool Classes::not_null(ColumnId c) const {
  for (const ColumnId m : members(c)) {
    if (not_null_.count(m) != 0) return true;
  }
  return false;
}

std::vector<Constraint> Classes::constraints(ColumnId c) const {
  std::vector<Constraint> out;
  for (const Constraint& k : constraints_) {
    if (same(k.column, c)) out.push_back(k);
  }
  return out;
}

// One comparison of two expressions by a strict built-in operator.
void Classes::pair(const sql::Expr& left, const sql::Expr& right, const std::string& op) {
  const auto l = a_->find_column(&left), r = a_->find_column(&right);
  if (l) not_null_.insert(*l);
  if (r) not_null_.insert(*r);
  if (op == "=") {
    if (l && r) {
      if (comparable(*a_, *l, *r)) add_equal(*l, *r);
    } else if (l) {
      constraints_.push_back({Constraint::Kind::kEqual, *l, &right, -1});
    } else if (r) {
      constraints_.push_back({Constraint::Kind::kEqual, *r, &left, -1});
    }
    return;
  }
  const bool less = op == "<" || op == "<=", greater = op == ">" || op == ">=";
  if (!less && !greater) return;
  if (l && !r) {
    constraints_.push_back(
        {less ? Constraint::Kind::kHigh : Constraint::Kind::kLow, *l, &right, -1});
  } else if (r && !l) {
    constraints_.push_back(
        {less ? Constraint::Kind::kLow : Constraint::Kind::kHigh, *r, &left, -1});
  }
}

void Classes::comparison(const sql::Operator& o) {
  using Form = sql::Operator::Form;
  const std::string op = builtin_operator(o.name);
  if (!o.left || !o.right) return;
  const auto* row = std::get_if<sql::RowExpr>(&o.left->node);
  switch (o.form) {
    case Form::kPlain: {
      const bool strict = op == "=" || op == "<" || op == ">" || op == "<=" || op == ">=" ||
                          op == "<>" || op == "!=";
      if (!strict) return;
      if (row == nullptr) {
        pair(*o.left, *o.right, op);
        return;
      }
      // (a, b) = (c, d) is a = c AND b = d; other row comparisons say nothing about one column.
      const auto* other = std::get_if<sql::RowExpr>(&o.right->node);
      if (op != "=" || other == nullptr || other->args.size() != row->args.size()) return;
      for (std::size_t i = 0; i < row->args.size(); ++i) {
        pair(*row->args[i], *other->args[i], op);
      }
      return;
    }
    case Form::kIn:
      if (row == nullptr) {
        if (const auto c = a_->find_column(arg_of(o.left))) {
          not_null_.insert(*c);
          constraints_.push_back({Constraint::Kind::kList, *c, o.right.get(), -1});
        }
        return;
      }
      for (std::size_t i = 0; i < row->args.size(); ++i) {
        const auto c = a_->find_column(row->args[i].get());
        if (!c) continue;
        not_null_.insert(*c);
        constraints_.push_back({Constraint::Kind::kList, *c, o.right.get(), static_cast<int>(i)});
      }
      return;
    case Form::kAny:
      if (const auto c = a_->find_column(arg_of(o.left)); c && op == "=") {
        not_null_.insert(*c);
        constraints_.push_back({Constraint::Kind::kList, *c, o.right.get(), -1});
      }
      return;
    case Form::kBetween:
      if (const auto* bounds = std::get_if<sql::List>(&o.right->node);
          bounds != nullptr && bounds->items.size() == 2) {
        pair(*o.left, *bounds->items[0], ">=");
        pair(*o.left, *bounds->items[1], "<=");
      }
      return;
    default:
      return;  // NOT IN, ALL, DISTINCT FROM, LIKE: nothing that placement could use
  }
}

void Classes::add(const sql::Expr* e) {
  if (e == nullptr) return;
  if (const auto* b = std::get_if<sql::BoolExpr>(&e->node)) {
    if (b->op == sql::BoolExpr::Op::kAnd) {
      for (const auto& arg : b->args) add(arg.get());
    } else if (b->op == sql::BoolExpr::Op::kOr) {
      ors_.push_back(b);
    }
    return;
  }
  if (const auto* o = std::get_if<sql::Operator>(&e->node)) {
    comparison(*o);
  } else if (const auto* t = std::get_if<sql::NullTest>(&e->node)) {
    if (t->is_null) return;
    if (const auto c = a_->find_column(t->arg.get())) not_null_.insert(*c);
  } else if (const auto* s = std::get_if<sql::SubLink>(&e->node)) {
    const bool equality = s->op.empty() || builtin_operator(s->op) == "=";
    if (s->kind != sql::SubLink::Kind::kAny || !equality || !s->test) return;
    if (const auto c = a_->find_column(s->test.get())) not_null_.insert(*c);
    if (const auto* row = std::get_if<sql::RowExpr>(&s->test->node)) {
      for (const auto& arg : row->args) {
        if (const auto c = a_->find_column(arg.get())) not_null_.insert(*c);
      }
    }
  }
}

}  // namespace shoal::route
