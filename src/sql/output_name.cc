// The column name of a target without AS, after FigureColname of PostgreSQL's parse_target.c.
#include "sql/deparse.h"

namespace shoal::sql {
namespace {

// `strength` as in PostgreSQL: 0 none, 1 a fallback (a type's name, CASE), 2 a good name. `known`
// becomes false where only the catalog could tell.
struct Name {
  std::string text;
  int strength = 0;
  bool known = true;
};

Name figure(const Expr& e);

Name figure_query(const Select* s) {
  while (s != nullptr && s->op != Select::SetOp::kNone) s = s->left.get();
  if (s == nullptr) return {};
  if (!s->values.empty()) return {"column1", 2, true};
  if (s->targets.empty()) return {};
  const Target& first = s->targets[0];
  if (!first.name.empty()) return {first.name, 2, true};
  if (const auto* c = std::get_if<ColumnRef>(&first.expr->node); c != nullptr && c->star) {
    return {{}, 2, false};
  }
  Name name = figure(*first.expr);
  if (name.strength == 0) name.text = "?column?";
  name.strength = 2;
  return name;
}

Name figure(const ColumnRef& c) {
  if (c.star) return {{}, 2, false};
  return c.fields.empty() ? Name{} : Name{c.fields.back(), 2, true};
}

Name figure(const Indirection& i) {
  for (auto step = i.steps.rbegin(); step != i.steps.rend(); ++step) {
    if (step->star) return {{}, 2, false};
    if (!step->subscript) return {step->field, 2, true};
  }
  return figure(*i.arg);
}

Name figure(const Call& c) {
  return c.name.empty() ? Name{} : Name{c.name.back(), 2, true};
}

Name figure(const Operator& o) {
  return o.form == Operator::Form::kNullIf ? Name{"nullif", 2, true} : Name{};
}

Name figure(const Cast& c) {
  Name name = figure(*c.arg);
  if (name.strength <= 1 && !c.type.names.empty()) return {c.type.names.back(), 1, true};
  return name;
}

Name figure(const SubLink& s) {
  switch (s.kind) {
    case SubLink::Kind::kExists:
      return {"exists", 2, true};
    case SubLink::Kind::kArray:
      return {"array", 2, true};
    case SubLink::Kind::kExpr:
      return figure_query(s.query.get());
    default:
      return {};
  }
}

Name figure(const Case& c) {
  Name name = c.otherwise ? figure(*c.otherwise) : Name{};
  if (name.strength <= 1) return {"case", 1, true};
  return name;
}

Name figure(const SqlValue& v) {
  std::string lower = v.name;
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return {std::move(lower), 2, true};
}

Name figure(const Collate& c) {
  return figure(*c.arg);
}
Name figure(const Grouping&) {
  return {"grouping", 2, true};
}
Name figure(const ArrayExpr&) {
  return {"array", 2, true};
}
Name figure(const RowExpr&) {
  return {"row", 2, true};
}
Name figure(const Coalesce&) {
  return {"coalesce", 2, true};
}
Name figure(const MinMax& m) {
  return {m.greatest ? "greatest" : "least", 2, true};
}
Name figure(const Opaque&) {
  return {{}, 2, false};
}
Name figure(const Const&) {
  return {};
}
Name figure(const Param&) {
  return {};
}
Name figure(const BoolExpr&) {
  return {};
}
Name figure(const NullTest&) {
  return {};
}
Name figure(const BooleanTest&) {
  return {};
}
Name figure(const List&) {
  return {};
}
Name figure(const DefaultExpr&) {
  return {};
}
Name figure(const GroupingSet&) {
  return {};
}
Name figure(const NamedArg&) {
  return {};
}
Name figure(const CurrentOf&) {
  return {};
}
Name figure(const MultiAssign&) {
  return {};
}

Name figure(const Expr& e) {
  return std::visit([](const auto& n) { return figure(n); }, e.node);
}

}  // namespace

std::string output_name(const Target& target) {
  if (!target.name.empty()) return target.name;
  Name name = figure(*target.expr);
  if (!name.known) return {};
  return name.strength == 0 ? "?column?" : std::move(name.text);
}

}  // namespace shoal::sql
