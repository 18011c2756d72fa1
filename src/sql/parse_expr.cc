// Expressions: the parser's tree -> Expr.
#include "sql/convert.h"
#include "sql/lexer.h"

namespace shoal::sql {

std::string string_of(const Node* n) {
  return is(n, PG_QUERY__NODE__NODE_STRING) ? text_of(n->string->sval) : std::string();
}

std::vector<std::string> strings_of(Nodes items) {
  std::vector<std::string> out;
  out.reserve(items.size());
  for (const Node* n : items) out.push_back(string_of(n));
  return out;
}

ExprPtr Converter::opaque(std::string what) {
  has_opaque_ = true;
  return make_expr(Opaque{std::move(what)});
}

ExprList Converter::exprs(Nodes items) {
  ExprList out;
  out.reserve(items.size());
  for (const Node* n : items) out.push_back(expr(n));
  return out;
}

ExprPtr Converter::expr(const Node* n) {
  if (n == nullptr) return nullptr;
  Level level(*this);
  if (!level.ok()) return make_expr(Opaque{"too deep"});
  return expr_node(n);
}

ExprPtr Converter::expr_node(const Node* n) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_A_CONST:
      return constant(*n->a_const);
    case PG_QUERY__NODE__NODE_PARAM_REF:
      return param(*n->param_ref);
    case PG_QUERY__NODE__NODE_COLUMN_REF:
      return column_ref(*n->column_ref);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
      return call(*n->func_call);
    case PG_QUERY__NODE__NODE_A_EXPR:
      return operation(*n->a_expr);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
      return bool_expr(*n->bool_expr);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
      return case_expr(*n->case_expr);
    case PG_QUERY__NODE__NODE_SUB_LINK:
      return sublink(*n->sub_link);
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
      return indirection(*n->a_indirection);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
      return sql_value(*n->sqlvalue_function);
    case PG_QUERY__NODE__NODE_ROW_EXPR:
      return row(*n->row_expr);
    case PG_QUERY__NODE__NODE_GROUPING_SET:
      return grouping_set(*n->grouping_set);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR: {
      const auto& c = *n->coalesce_expr;
      return make_expr(Coalesce{exprs(nodes(c.args, c.n_args))}, c.location);
    }
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR: {
      const auto& m = *n->min_max_expr;
      const bool greatest = m.op == PG_QUERY__MIN_MAX_OP__IS_GREATEST;
      return make_expr(MinMax{greatest, exprs(nodes(m.args, m.n_args))}, m.location);
    }
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR: {
      const auto& a = *n->a_array_expr;
      return make_expr(ArrayExpr{exprs(nodes(a.elements, a.n_elements))}, a.location);
    }
    case PG_QUERY__NODE__NODE_LIST:
      return make_expr(List{exprs(nodes(n->list->items, n->list->n_items))});
    case PG_QUERY__NODE__NODE_SET_TO_DEFAULT:
      return make_expr(DefaultExpr{}, n->set_to_default->location);
    case PG_QUERY__NODE__NODE_GROUPING_FUNC: {
      const auto& g = *n->grouping_func;
      return make_expr(Grouping{exprs(nodes(g.args, g.n_args))}, g.location);
    }
    case PG_QUERY__NODE__NODE_CURRENT_OF_EXPR:
      return make_expr(CurrentOf{text_of(n->current_of_expr->cursor_name)});
    default:
      return wrapped(n);
  }
}

ExprPtr Converter::wrapped(const Node* n) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_TYPE_CAST: {
      const auto& c = *n->type_cast;
      ExprPtr arg = expr(c.arg);
      return make_expr(Cast{std::move(arg), type_name(c.type_name)}, c.location);
    }
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE: {
      const auto& c = *n->collate_clause;
      ExprPtr arg = expr(c.arg);
      return make_expr(Collate{std::move(arg), strings_of(nodes(c.collname, c.n_collname))},
                       c.location);
    }
    case PG_QUERY__NODE__NODE_NULL_TEST: {
      const auto& t = *n->null_test;
      const bool is_null = t.nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NULL;
      return make_expr(NullTest{expr(t.arg), is_null}, t.location);
    }
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST: {
      const auto& t = *n->boolean_test;
      const auto kind = static_cast<BooleanTest::Kind>(static_cast<int>(t.booltesttype) -
                                                       PG_QUERY__BOOL_TEST_TYPE__IS_TRUE);
      return make_expr(BooleanTest{kind, expr(t.arg)}, t.location);
    }
    case PG_QUERY__NODE__NODE_NAMED_ARG_EXPR: {
      const auto& a = *n->named_arg_expr;
      return make_expr(NamedArg{text_of(a.name), expr(a.arg)}, a.location);
    }
    case PG_QUERY__NODE__NODE_MULTI_ASSIGN_REF: {
      const auto& m = *n->multi_assign_ref;
      return make_expr(MultiAssign{expr(m.source), m.colno, m.ncolumns});
    }
    case PG_QUERY__NODE__NODE_XML_EXPR:
    case PG_QUERY__NODE__NODE_XML_SERIALIZE:
      return opaque("XML expression");
    default:
      return opaque("expression kind " + std::to_string(static_cast<int>(n->node_case)));
  }
}

// The parser gives a constant behind a sign the place of the sign; ours is the constant's own.
int Converter::constant_location(int location) const {
  if (location < 0) return location;
  std::size_t i = static_cast<std::size_t>(location);
  if (i >= text_.size() || (text_[i] != '-' && text_[i] != '+')) return location;
  while (i < text_.size()) {
    const char c = text_[i];
    const char next = i + 1 < text_.size() ? text_[i + 1] : '\0';
    if (c == '-' && next == '-') {
      while (i < text_.size() && text_[i] != '\n' && text_[i] != '\r') ++i;
    } else if (c == '/' && next == '*') {
      i = skip_comment(text_, i);
    } else if (c == '-' || c == '+' || c == '(' || c == ' ' || (c >= '\t' && c <= '\r')) {
      ++i;
    } else {
      return static_cast<int>(i);
    }
  }
  return location;
}

ExprPtr Converter::constant(const PgQuery__AConst& c) {
  Const out;
  const int location = constant_location(c.location);
  if (c.isnull) return make_expr(std::move(out), location);
  switch (c.val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
      out.kind = Const::Kind::kInteger;
      out.text = std::to_string(c.ival->ival);
      break;
    case PG_QUERY__A__CONST__VAL_FVAL:
      out.kind = Const::Kind::kFloat;
      out.text = text_of(c.fval->fval);
      break;
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
      out.kind = Const::Kind::kBool;
      out.text = c.boolval->boolval ? "t" : "f";
      break;
    case PG_QUERY__A__CONST__VAL_SVAL:
      out.kind = Const::Kind::kString;
      out.text = text_of(c.sval->sval);
      break;
    case PG_QUERY__A__CONST__VAL_BSVAL:
      out.kind = Const::Kind::kBit;
      out.text = text_of(c.bsval->bsval);
      break;
    default:
      break;
  }
  return make_expr(std::move(out), location);
}

// The parser reads the number with atol() into an int, so that $4294967297 would become $1: the
// digits decide.
ExprPtr Converter::param(const PgQuery__ParamRef& p) {
  constexpr std::size_t kDigits = 5;  // Bind counts parameters in 16 bits
  std::size_t at = p.location < 0 ? text_.size() : static_cast<std::size_t>(p.location) + 1;
  std::size_t digits = 0;
  while (at + digits < text_.size() && text_[at + digits] >= '0' && text_[at + digits] <= '9') {
    ++digits;
  }
  if (digits > kDigits || p.number < 1 || p.number > 65535) bad_param_ = std::max(p.location, 0);
  max_param_ = std::max(max_param_, p.number);
  return make_expr(Param{p.number}, p.location);
}

ExprPtr Converter::column_ref(const PgQuery__ColumnRef& c) {
  ColumnRef out;
  for (const Node* n : nodes(c.fields, c.n_fields)) {
    if (is(n, PG_QUERY__NODE__NODE_A_STAR))
      out.star = true;
    else
      out.fields.push_back(string_of(n));
  }
  return make_expr(std::move(out), c.location);
}

ExprPtr Converter::call(const PgQuery__FuncCall& f) {
  Call out;
  out.name = strings_of(nodes(f.funcname, f.n_funcname));
  out.args = exprs(nodes(f.args, f.n_args));
  out.order_by = sort_list(nodes(f.agg_order, f.n_agg_order));
  out.filter = expr(f.agg_filter);
  if (f.over != nullptr) out.over = std::make_unique<WindowDef>(window(*f.over, true));
  out.star = f.agg_star;
  out.distinct = f.agg_distinct;
  out.variadic = f.func_variadic;
  out.within_group = f.agg_within_group;
  out.sql_syntax = f.funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX;
  if (out.sql_syntax && !out.name.empty() && out.name.back() == "xmlexists") {
    return opaque("XMLEXISTS");
  }
  return make_expr(std::move(out), f.location);
}

namespace {

Operator::Form form_of(const PgQuery__AExpr& e) {
  using F = Operator::Form;
  const std::string name = e.n_name > 0 ? string_of(e.name[e.n_name - 1]) : std::string();
  const bool negated = !name.empty() && name[0] == '!';
  switch (e.kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
      return F::kAny;
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
      return F::kAll;
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
      return F::kDistinct;
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
      return F::kNotDistinct;
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
      return F::kNullIf;
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
      return name == "<>" ? F::kNotIn : F::kIn;
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
      return negated ? F::kNotLike : F::kLike;
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
      return negated ? F::kNotILike : F::kILike;
    case PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR:
      return negated ? F::kNotSimilar : F::kSimilar;
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
      return F::kBetween;
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
      return F::kNotBetween;
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
      return F::kBetweenSym;
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
      return F::kNotBetweenSym;
    default:
      return F::kPlain;
  }
}

}  // namespace

ExprPtr Converter::operation(const PgQuery__AExpr& e) {
  Operator out;
  out.form = form_of(e);
  out.name = strings_of(nodes(e.name, e.n_name));
  out.left = expr(e.lexpr);
  out.right = expr(e.rexpr);
  return make_expr(std::move(out), e.location);
}

ExprPtr Converter::bool_expr(const PgQuery__BoolExpr& e) {
  BoolExpr out;
  if (e.boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR) out.op = BoolExpr::Op::kOr;
  if (e.boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR) out.op = BoolExpr::Op::kNot;
  out.args = exprs(nodes(e.args, e.n_args));
  return make_expr(std::move(out), e.location);
}

ExprPtr Converter::case_expr(const PgQuery__CaseExpr& e) {
  Case out;
  out.arg = expr(e.arg);
  for (const Node* n : nodes(e.args, e.n_args)) {
    if (!is(n, PG_QUERY__NODE__NODE_CASE_WHEN)) return opaque("CASE");
    ExprPtr when = expr(n->case_when->expr);
    out.whens.push_back({std::move(when), expr(n->case_when->result)});
  }
  out.otherwise = expr(e.defresult);
  return make_expr(std::move(out), e.location);
}

ExprPtr Converter::sublink(const PgQuery__SubLink& s) {
  SubLink out;
  switch (s.sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
      out.kind = SubLink::Kind::kExists;
      break;
    case PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK:
      out.kind = SubLink::Kind::kAll;
      break;
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK:
      out.kind = SubLink::Kind::kAny;
      break;
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
      out.kind = SubLink::Kind::kExpr;
      break;
    case PG_QUERY__SUB_LINK_TYPE__MULTIEXPR_SUBLINK:
      out.kind = SubLink::Kind::kMulti;
      break;
    case PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK:
      out.kind = SubLink::Kind::kArray;
      break;
    default:
      return opaque("subquery kind");
  }
  out.test = expr(s.testexpr);
  out.op = strings_of(nodes(s.oper_name, s.n_oper_name));
  out.query = select(s.subselect);
  return make_expr(std::move(out), s.location);
}

std::vector<Indirection::Step> Converter::steps(Nodes items) {
  std::vector<Indirection::Step> out;
  for (const Node* n : items) {
    Indirection::Step step;
    if (is(n, PG_QUERY__NODE__NODE_A_STAR)) {
      step.star = true;
    } else if (is(n, PG_QUERY__NODE__NODE_A_INDICES)) {
      Subscript s;
      s.slice = n->a_indices->is_slice;
      s.lower = expr(n->a_indices->lidx);
      s.upper = expr(n->a_indices->uidx);
      step.subscript = std::move(s);
    } else {
      step.field = string_of(n);
    }
    out.push_back(std::move(step));
  }
  return out;
}

ExprPtr Converter::indirection(const PgQuery__AIndirection& i) {
  Indirection out;
  out.arg = expr(i.arg);
  out.steps = steps(nodes(i.indirection, i.n_indirection));
  const int location = out.arg ? out.arg->location : -1;
  return make_expr(std::move(out), location);
}

ExprPtr Converter::sql_value(const PgQuery__SQLValueFunction& f) {
  static constexpr const char* kNames[] = {
      "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIME",   "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP",
      "LOCALTIME",    "LOCALTIME",    "LOCALTIMESTAMP", "LOCALTIMESTAMP",    "CURRENT_ROLE",
      "CURRENT_USER", "USER",         "SESSION_USER",   "CURRENT_CATALOG",   "CURRENT_SCHEMA"};
  const int index = static_cast<int>(f.op) - 1;
  if (index < 0 || index >= static_cast<int>(std::size(kNames))) return opaque("SQL value");
  return make_expr(SqlValue{kNames[index], f.typmod}, f.location);
}

ExprPtr Converter::row(const PgQuery__RowExpr& r) {
  const bool explicit_row = r.row_format == PG_QUERY__COERCION_FORM__COERCE_EXPLICIT_CALL;
  return make_expr(RowExpr{exprs(nodes(r.args, r.n_args)), explicit_row}, r.location);
}

ExprPtr Converter::grouping_set(const PgQuery__GroupingSet& g) {
  const auto kind = static_cast<GroupingSet::Kind>(static_cast<int>(g.kind) -
                                                   PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_EMPTY);
  return make_expr(GroupingSet{kind, exprs(nodes(g.content, g.n_content))}, g.location);
}

TypeName Converter::type_name(const PgQuery__TypeName* t) {
  TypeName out;
  if (t == nullptr) return out;
  out.names = strings_of(nodes(t->names, t->n_names));
  out.typmods = exprs(nodes(t->typmods, t->n_typmods));
  for (const Node* n : nodes(t->array_bounds, t->n_array_bounds)) {
    out.array_bounds.push_back(is(n, PG_QUERY__NODE__NODE_INTEGER) ? n->integer->ival : -1);
  }
  out.setof = t->setof;
  out.pct_type = t->pct_type;
  return out;
}

std::vector<SortBy> Converter::sort_list(Nodes items) {
  std::vector<SortBy> out;
  out.reserve(items.size());
  for (const Node* n : items) {
    SortBy by;
    if (!is(n, PG_QUERY__NODE__NODE_SORT_BY)) {  // WITHIN GROUP may hold plain expressions
      by.expr = expr(n);
      out.push_back(std::move(by));
      continue;
    }
    const auto& s = *n->sort_by;
    by.expr = expr(s.node);
    by.order = static_cast<SortBy::Order>(static_cast<int>(s.sortby_dir) - 1);
    by.nulls = static_cast<SortBy::Nulls>(static_cast<int>(s.sortby_nulls) - 1);
    by.using_op = strings_of(nodes(s.use_op, s.n_use_op));
    out.push_back(std::move(by));
  }
  return out;
}

WindowDef Converter::window(const PgQuery__WindowDef& w, bool over) {
  WindowDef out;
  out.name = text_of(w.name);
  out.ref_name = text_of(w.refname);
  out.partition_by = exprs(nodes(w.partition_clause, w.n_partition_clause));
  out.order_by = sort_list(nodes(w.order_clause, w.n_order_clause));
  out.frame_options = w.frame_options;
  out.start_offset = expr(w.start_offset);
  out.end_offset = expr(w.end_offset);
  out.by_name_only = over && !out.name.empty();
  return out;
}

}  // namespace shoal::sql
