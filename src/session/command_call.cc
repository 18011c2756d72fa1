// Calls of the control plane's functions: SELECT shoal.f(...), SELECT a, b FROM shoal.f(...), in
// the client's transaction. What is written out or bound is read here, so that shoal.where costs no
// server; other constant expressions are home's to evaluate.
// Thread rule: the session's core.
#include "exec/run.h"
#include "session/outputs.h"
#include "session/session.h"
#include "sql/deparse.h"
#include "wire/format.h"

namespace shoal::session {
namespace {

// One argument of the call: a value known here, or an expression for home.
struct Argument {
  std::string name;  // of name => value, otherwise empty
  std::optional<std::string> value;
  std::string expression;  // empty: `value` is it
};

Result<std::optional<std::string>> bound_value(const exec::Bound* bound,
                                               const exec::DescriptionPtr& description,
                                               int number) {
  const auto i = static_cast<std::size_t>(number - 1);
  if (!bound || i >= bound->values.size())
    return make_error("42P02", fmt::format("there is no parameter ${}", number));
  if (!bound->values[i]) return std::optional<std::string>();
  if (bound->formats[i] == wire::Format::kText)
    return std::optional(std::string(*bound->values[i]));
  if (!description || i >= description->param_types.size())
    return refuse(Refusal::kCatalogCall, "the type of a binary parameter is not known here");
  Result<std::string> text = wire::text_from_binary(description->param_types[i], *bound->values[i]);
  if (!text) return text.error();
  return std::optional(std::move(*text));
}

Result<Argument> read_argument(const sql::Expr& given, const exec::Bound* bound,
                               const exec::DescriptionPtr& description) {
  Argument out;
  const sql::Expr* e = &given;
  if (const auto* named = std::get_if<sql::NamedArg>(&e->node)) {
    out.name = named->name;
    e = named->arg.get();
  }
  if (const auto* p = std::get_if<sql::Param>(&e->node)) {
    Result<std::optional<std::string>> value = bound_value(bound, description, p->number);
    if (!value) return value.error();
    out.value = std::move(*value);
    return out;
  }
  const auto* c = std::get_if<sql::Const>(&e->node);
  if (c && (c->kind == sql::Const::Kind::kString || c->kind == sql::Const::Kind::kInteger))
    out.value = c->text;
  else
    out.expression = sql::deparse(*e);
  return out;
}

// The columns that the statement names, in its order; all of them for `*` and SELECT f().
Result<> choose_columns(const sql::Statement& statement, backend::TextRows& rows) {
  const sql::Select& s = **std::get_if<sql::SelectPtr>(&statement.node);
  if (s.from.empty()) return Result<>();
  std::vector<std::size_t> chosen;
  for (const sql::Target& target : s.targets) {
    const auto& column = std::get<sql::ColumnRef>(target.expr->node);
    if (column.star) return Result<>();
    const auto found = std::find(rows.columns.begin(), rows.columns.end(), column.fields.back());
    if (found == rows.columns.end())
      return make_error("42703", fmt::format("column \"{}\" does not exist", column.fields.back()));
    chosen.push_back(static_cast<std::size_t>(found - rows.columns.begin()));
  }
  backend::TextRows out;
  for (std::size_t i = 0; i < chosen.size(); ++i)
    out.columns.push_back(s.targets[i].name.empty() ? rows.columns[chosen[i]] : s.targets[i].name);
  for (const auto& row : rows.rows) {
    out.rows.emplace_back();
    for (const std::size_t i : chosen) out.rows.back().push_back(row.at(i));
  }
  rows = std::move(out);
  return Result<>();
}

// In the formats that the client asked for.
Result<> encode_rows(backend::TextRows& rows, const exec::Description& description,
                     std::span<const wire::Format> asked) {
  const std::vector<wire::Format> formats = exec::column_formats(asked, rows.columns.size());
  for (auto& row : rows.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      constexpr std::uint32_t kVoid = 2278;  // its binary form is empty, as its text
      const std::uint32_t type = description.column_types.at(i);
      if (formats[i] == wire::Format::kText || !row[i] || type == kVoid) continue;
      Result<std::string> binary = wire::binary_from_text(type, *row[i]);
      if (!binary) return binary.error();
      row[i] = std::move(*binary);
    }
  }
  return Result<>();
}

}  // namespace

io::Task<Result<>> Session::run_command(const sql::Statement& statement, const exec::Bound* bound,
                                        bool simple) {
  const sql::Call* call = sole_call(statement);
  CommandCall command;
  command.schema = call->name.size() > 1 ? call->name[call->name.size() - 2] : "";
  command.function = call->name.back();
  command.user = facts_.user;
  command.in_transaction = !txn_.idle() && !txn_.implicit();
  // The real functions on home fix the names and types of arguments and answer.
  std::string_view text = statement.text;
  std::vector<std::uint32_t> types;
  if (bound) {
    text = bound->text;
    types = bound->types;
  }
  Result<exec::DescriptionPtr> described = co_await describe(text, types);
  if (!described) co_return described.error();
  exec::DescriptionPtr description = *described;
  if (txn_.idle()) begin_implicit();
  std::vector<Argument> arguments;
  std::string select;
  for (const sql::ExprPtr& given : call->args) {
    Result<Argument> argument = read_argument(*given, bound, description);
    if (!argument) co_return argument.error();
    if (!argument->expression.empty())
      select +=
          fmt::format("{}({})::text", select.empty() ? "SELECT " : ", ", argument->expression);
    arguments.push_back(std::move(*argument));
  }
  backend::TextRows evaluated;
  if (!select.empty()) {
    Result<backend::Connection*> c = co_await txn_.use(snapshot()->home);
    if (!c) co_return c.error();
    Result<backend::TextRows> values = co_await (*c)->query(select);
    if (!values) co_return values.error();
    evaluated = std::move(*values);
  }
  std::size_t next = 0;
  for (Argument& a : arguments) {
    if (!a.expression.empty()) a.value = std::move(evaluated.rows.at(0).at(next++));
    if (a.name.empty())
      command.args.push_back(std::move(a.value));
    else
      command.named_args.emplace_back(a.name, std::move(a.value));
  }
  // Its own hold must not wait for what this transaction has touched before.
  release_touched();
  RunnerAdapter runner(*this);
  bool changed_before = services_.commands->changed();
  Result<backend::TextRows> rows =
      co_await services_.commands->call(runner, snapshot(), std::move(command));
  if (!rows) co_return rows.error();
  if (services_.commands->changed() && !changed_before) ddl_in_transaction_ = true;
  if (services_.commands->changed()) SHOAL_CO_TRY(co_await refresh_derived_snapshot());
  SHOAL_CO_TRY(choose_columns(statement, *rows));
  const bool as_described = description->column_types.size() == rows->columns.size();
  if (!as_described && !simple)
    co_return refuse(Refusal::kCatalogCall, "a row as one value",
                     "call it as SELECT * FROM shoal." + call->name.back() + "(...)");
  if (simple && as_described) client_.out() += description->row_description;
  if (bound) SHOAL_CO_TRY(encode_rows(*rows, *description, bound->result_formats));
  rows_of_text(rows->columns, rows->rows, simple && !as_described);
  complete(fmt::format("SELECT {}", rows->rows.size()));
  co_return Result<>();
}

}  // namespace shoal::session
