// Expressions -> text.
#include "sql/deparse.h"
#include "sql/writer.h"

namespace shoal::sql {
namespace {

bool is_number(const Expr& e) {
  const Const* c = std::get_if<Const>(&e.node);
  return c != nullptr && (c->kind == Const::Kind::kInteger || c->kind == Const::Kind::kFloat);
}

// The words of IS [NOT] TRUE and its kind.
constexpr std::string_view kTests[] = {" IS TRUE)",      " IS NOT TRUE)", " IS FALSE)",
                                       " IS NOT FALSE)", " IS UNKNOWN)",  " IS NOT UNKNOWN)"};

}  // namespace

void Writer::name(std::string_view identifier) {
  out_ += '"';
  for (const char c : identifier) {
    if (c == '"') out_ += '"';
    out_ += c;
  }
  out_ += '"';
}

void Writer::names(const std::vector<std::string>& list, std::string_view separator) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) put(separator);
    name(list[i]);
  }
}

void Writer::no_text(std::string_view what) {
  opaque_ = true;
  put("/* ");
  put(what);
  put(" */");
}

void Writer::expr(const Expr& e) {
  std::visit([this](const auto& n) { node(n); }, e.node);
}

void Writer::exprs(const ExprList& items) {
  list(items, [this](const ExprPtr& e) { expr(*e); });
}

void Writer::type(const TypeName& t) {
  if (t.setof) put("SETOF ");
  names(t.names, ".");
  if (t.pct_type) put("%TYPE");
  if (!t.typmods.empty()) {
    put("(");
    exprs(t.typmods);
    put(")");
  }
  for (const int bound : t.array_bounds) {
    put("[");
    if (bound >= 0) put(std::to_string(bound));
    put("]");
  }
}

void Writer::node(const Const& c) {
  switch (c.kind) {
    case Const::Kind::kNull:
      put("NULL");
      break;
    case Const::Kind::kBool:
      put(c.text == "t" ? "TRUE" : "FALSE");
      break;
    case Const::Kind::kString:
      put(quote_literal(c.text));
      break;
    case Const::Kind::kInteger:
    case Const::Kind::kFloat:
      if (!c.text.empty() && c.text[0] == '-')
        put("(" + c.text + ")");
      else
        put(c.text);
      break;
    case Const::Kind::kBit:  // the grammar takes any bytes but quotes, and no escapes
      put(c.text.substr(0, 1));
      put("'");
      put(c.text.empty() ? std::string_view() : std::string_view(c.text).substr(1));
      put("'");
      break;
  }
}

void Writer::node(const Param& p) {
  put("$" + std::to_string(p.number));
}

void Writer::node(const ColumnRef& c) {
  names(c.fields, ".");
  if (c.star) put(c.fields.empty() ? "*" : ".*");
}

void Writer::call_arguments(const Call& c) {
  if (c.distinct) put("DISTINCT ");
  for (std::size_t i = 0; i < c.args.size(); ++i) {
    if (i > 0) put(", ");
    if (c.variadic && i + 1 == c.args.size()) put("VARIADIC ");
    expr(*c.args[i]);
  }
  if (c.star) put("*");
}

void Writer::node(const Call& c) {
  names(c.name, ".");
  put("(");
  call_arguments(c);
  if (!c.order_by.empty() && !c.within_group) {
    put(" ORDER BY ");
    sort_list(c.order_by);
  }
  put(")");
  if (c.within_group) {
    put(" WITHIN GROUP (ORDER BY ");
    sort_list(c.order_by);
    put(")");
  }
  if (c.filter) {
    put(" FILTER (WHERE ");
    expr(*c.filter);
    put(")");
  }
  if (c.over) {
    put(" OVER ");
    if (c.over->by_name_only)
      name(c.over->name);
    else
      window(*c.over);
  }
}

void Writer::operator_name(const std::vector<std::string>& op) {
  if (op.size() == 1) {
    put(op[0]);
    return;
  }
  put("OPERATOR(");
  for (std::size_t i = 0; i + 1 < op.size(); ++i) {
    name(op[i]);
    put(".");
  }
  if (!op.empty()) put(op.back());
  put(")");
}

// The parser wraps the pattern of SIMILAR TO in similar_to_escape(); written back it must not be
// wrapped twice.
void Writer::similar_pattern(const Operator& o) {
  const Call* c = std::get_if<Call>(&o.right->node);
  if (c == nullptr || c->args.empty() || c->args.size() > 2) return no_text("SIMILAR TO");
  expr(*c->args[0]);
  if (c->args.size() == 2) {
    put(" ESCAPE ");
    expr(*c->args[1]);
  }
}

void Writer::node(const Operator& o) {
  using F = Operator::Form;
  const auto between = [&](std::string_view words) {
    const List* bounds = std::get_if<List>(&o.right->node);
    if (bounds == nullptr || bounds->items.size() != 2) return no_text("BETWEEN");
    put(words);
    expr(*bounds->items[0]);
    put(" AND ");
    expr(*bounds->items[1]);
  };
  const auto infix = [&](std::string_view words) {
    put(words);
    expr(*o.right);
  };
  if (o.form == F::kNullIf) {
    put("NULLIF(");
    expr(*o.left);
    put(", ");
    expr(*o.right);
    put(")");
    return;
  }
  put("(");
  if (o.left) expr(*o.left);
  switch (o.form) {
    case F::kPlain:
      if (o.left) put(" ");
      // -5 would become one constant.
      if (!o.left && o.name.size() == 1 && o.name[0] == "-" && is_number(*o.right)) {
        put("OPERATOR(-)");
      } else {
        operator_name(o.name);
      }
      put(" ");
      expr(*o.right);
      break;
    case F::kAny:
    case F::kAll:
      put(" ");
      operator_name(o.name);
      put(o.form == F::kAny ? " ANY (" : " ALL (");
      expr(*o.right);
      put(")");
      break;
    case F::kDistinct:
      infix(" IS DISTINCT FROM ");
      break;
    case F::kNotDistinct:
      infix(" IS NOT DISTINCT FROM ");
      break;
    case F::kIn:
      infix(" IN ");
      break;
    case F::kNotIn:
      infix(" NOT IN ");
      break;
    case F::kLike:
      infix(" LIKE ");
      break;
    case F::kNotLike:
      infix(" NOT LIKE ");
      break;
    case F::kILike:
      infix(" ILIKE ");
      break;
    case F::kNotILike:
      infix(" NOT ILIKE ");
      break;
    case F::kSimilar:
    case F::kNotSimilar:
      put(o.form == F::kSimilar ? " SIMILAR TO " : " NOT SIMILAR TO ");
      similar_pattern(o);
      break;
    case F::kBetween:
      between(" BETWEEN ");
      break;
    case F::kNotBetween:
      between(" NOT BETWEEN ");
      break;
    case F::kBetweenSym:
      between(" BETWEEN SYMMETRIC ");
      break;
    case F::kNotBetweenSym:
      between(" NOT BETWEEN SYMMETRIC ");
      break;
    case F::kNullIf:
      break;
  }
  put(")");
}

void Writer::node(const BoolExpr& b) {
  put("(");
  if (b.op == BoolExpr::Op::kNot) put("NOT ");
  for (std::size_t i = 0; i < b.args.size(); ++i) {
    if (i > 0) put(b.op == BoolExpr::Op::kAnd ? " AND " : " OR ");
    expr(*b.args[i]);
  }
  put(")");
}

void Writer::node(const NullTest& t) {
  put("(");
  expr(*t.arg);
  put(t.is_null ? " IS NULL)" : " IS NOT NULL)");
}

void Writer::node(const BooleanTest& t) {
  put("(");
  expr(*t.arg);
  put(kTests[static_cast<std::size_t>(t.kind)]);
}

void Writer::node(const Cast& c) {
  put("CAST(");
  expr(*c.arg);
  put(" AS ");
  type(c.type);
  put(")");
}

void Writer::node(const Case& c) {
  put("CASE");
  if (c.arg) {
    put(" ");
    expr(*c.arg);
  }
  for (const CaseWhen& w : c.whens) {
    put(" WHEN ");
    expr(*w.when);
    put(" THEN ");
    expr(*w.then);
  }
  if (c.otherwise) {
    put(" ELSE ");
    expr(*c.otherwise);
  }
  put(" END");
}

void Writer::node(const Coalesce& c) {
  put("COALESCE(");
  exprs(c.args);
  put(")");
}

void Writer::node(const MinMax& m) {
  put(m.greatest ? "GREATEST(" : "LEAST(");
  exprs(m.args);
  put(")");
}

void Writer::node(const RowExpr& r) {
  put(r.explicit_row ? "ROW(" : "(");
  exprs(r.args);
  put(")");
}

void Writer::node(const ArrayExpr& a) {
  put("ARRAY[");
  exprs(a.elements);
  put("]");
}

void Writer::node(const List& l) {
  put("(");
  exprs(l.items);
  put(")");
}

void Writer::subquery(const Select* s) {
  put("(");
  if (s != nullptr) select(*s);
  put(")");
}

void Writer::node(const SubLink& s) {
  switch (s.kind) {
    case SubLink::Kind::kExists:
      put("EXISTS ");
      return subquery(s.query.get());
    case SubLink::Kind::kArray:
      put("ARRAY");
      return subquery(s.query.get());
    case SubLink::Kind::kExpr:
    case SubLink::Kind::kMulti:
      return subquery(s.query.get());
    case SubLink::Kind::kAny:
    case SubLink::Kind::kAll:
      break;
  }
  put("(");
  if (s.test) expr(*s.test);
  put(" ");
  if (s.kind == SubLink::Kind::kAny && s.op.empty()) {
    put("IN ");
  } else {
    operator_name(s.op);
    put(s.kind == SubLink::Kind::kAny ? " ANY " : " ALL ");
  }
  subquery(s.query.get());
  put(")");
}

void Writer::node(const Collate& c) {
  put("(");
  expr(*c.arg);
  put(" COLLATE ");
  names(c.name, ".");
  put(")");
}

void Writer::steps(const std::vector<Indirection::Step>& steps) {
  for (const Indirection::Step& s : steps) {
    if (s.star) {
      put(".*");
    } else if (s.subscript) {
      put("[");
      if (s.subscript->lower) expr(*s.subscript->lower);
      if (s.subscript->slice) put(" : ");
      if (s.subscript->upper) expr(*s.subscript->upper);
      put("]");
    } else {
      put(".");
      name(s.field);
    }
  }
}

void Writer::node(const Indirection& i) {
  // A subquery brings its own parentheses; more of them would change nothing.
  put("(");
  expr(*i.arg);
  put(")");
  steps(i.steps);
}

void Writer::node(const SqlValue& v) {
  put(v.name);
  if (v.typmod >= 0) put("(" + std::to_string(v.typmod) + ")");
}

void Writer::node(const Grouping& g) {
  put("GROUPING(");
  exprs(g.args);
  put(")");
}

void Writer::node(const GroupingSet& g) {
  switch (g.kind) {
    case GroupingSet::Kind::kRollup:
      put("ROLLUP (");
      break;
    case GroupingSet::Kind::kCube:
      put("CUBE (");
      break;
    case GroupingSet::Kind::kSets:
      put("GROUPING SETS (");
      break;
    case GroupingSet::Kind::kEmpty:
    case GroupingSet::Kind::kSimple:
      put("(");
      break;
  }
  exprs(g.content);
  put(")");
}

void Writer::node(const NamedArg& a) {
  name(a.name);
  put(" => ");
  expr(*a.arg);
}

void Writer::node(const CurrentOf& c) {
  put("CURRENT OF ");
  name(c.cursor);
}

// Only assignments() knows how to write the columns; anywhere else there is no text.
void Writer::node(const MultiAssign&) {
  no_text("multiple assignment");
}

}  // namespace shoal::sql
