// A write to a reference table whose effect could differ from copy to copy: it runs on home alone,
// gives the rows that it made there, and these are applied to the other copies by primary key.
//   text of the client, RETURNING <the client's list>, <all columns of the table>
// Home's rows decide; whatever the write read or computed is computed once.
#include "exec/fan.h"
#include "exec/gathered_rows.h"
#include "exec/nodes.h"
#include "exec/row_inserter.h"
#include "exec/rows.h"
#include "exec/statement.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "wire/backend.h"

namespace shoal::exec {
namespace {

// The write with its longer RETURNING list.
struct Widened {
  std::string sql;
  bool deletes = false;
  std::vector<const catalog::Column*> columns;  // the hidden ones, in order
};

void append_columns(std::vector<sql::Target>& returning, const sql::RangeVar& table,
                    const std::vector<const catalog::Column*>& columns) {
  for (const catalog::Column* column : columns) {
    sql::ColumnRef ref;
    ref.fields = {table.alias ? table.alias->name : table.name, column->name};
    sql::Target target;
    target.expr = std::make_unique<sql::Expr>();
    target.expr->node = std::move(ref);
    returning.push_back(std::move(target));
  }
}

template <class T>
Result<std::string> widen(T& tree, const std::vector<const catalog::Column*>& columns) {
  append_columns(tree.returning, tree.table, columns);
  return sql::deparse_checked(tree);
}

std::vector<const catalog::Column*> hidden_columns(const catalog::Table& table, bool only_key) {
  std::vector<const catalog::Column*> columns;
  for (const catalog::Index& index : table.indexes) {
    if (!index.primary || !only_key) continue;
    for (std::int16_t attnum : index.attnums) columns.push_back(table.column(attnum));
  }
  for (const catalog::Column& column : table.columns)
    if (!only_key && !column.generated) columns.push_back(&column);
  return columns;
}

Result<Widened> widened(const catalog::Table& table, std::string_view text) {
  auto parsed = sql::parse(text, sql::ParseLimits{});
  if (!parsed) return parsed.error();
  if (parsed->size() != 1) return refuse(Refusal::kReferenceWrite, "several statements at once");
  auto& node = parsed->front().node;
  Widened out;
  out.deletes = std::holds_alternative<std::unique_ptr<sql::Delete>>(node);
  out.columns = hidden_columns(table, out.deletes);
  Result<std::string> sql = refuse(Refusal::kReferenceWrite, "this kind of statement");
  if (auto* insert = std::get_if<std::unique_ptr<sql::Insert>>(&node))
    sql = widen(**insert, out.columns);
  else if (auto* update = std::get_if<std::unique_ptr<sql::Update>>(&node))
    sql = widen(**update, out.columns);
  else if (auto* removal = std::get_if<std::unique_ptr<sql::Delete>>(&node))
    sql = widen(**removal, out.columns);
  if (!sql) return sql.error();
  out.sql = *std::move(sql);
  return out;
}

// Cuts home's rows in two: what the client asked for, and what the other copies need.
class SplitRows : public Fan::Handler {
 public:
  SplitRows(Run run, std::size_t visible, GatheredRows& hidden)
      : run_(run), heading_(run), visible_(visible), hidden_(hidden) {}

  Result<> on_frame(std::size_t, const wire::Frame& frame, std::uint32_t) override {
    if (frame.type == 'C') {
      heading_.send();
      Result<wire::CommandComplete> done = wire::decode_command_complete(frame.body);
      if (done) tag_.add(done->tag);
    }
    if (frame.type != 'D') return {};
    Result<wire::DataRow> row = wire::decode_data_row(frame.body);
    if (!row) return row.error();
    const std::vector<wire::Value> values = row->values.to_vector();
    if (values.size() < visible_) return make_error("08P01", "a row lacks columns");
    const std::span<const wire::Value> all(values);
    hidden_.row(body_of(all.subspan(visible_)));
    if (!run_.request.description || !run_.request.description->returns_rows) return {};
    heading_.send();
    run_.output.row(body_of(all.first(visible_)));
    return {};
  }
  io::Task<Result<>> batch(std::size_t) override {
    SHOAL_CO_TRY(co_await hidden_.flow());
    co_return co_await run_.output.flow();
  }
  const TagSum& tag() const { return tag_; }

 private:
  static std::string body_of(std::span<const wire::Value> values) {
    std::string body;
    wire::append_u16(body, static_cast<std::uint16_t>(values.size()));
    wire::append_values(body, values);
    return body;
  }

  Run run_;
  Heading heading_;
  std::size_t visible_;
  GatheredRows& hidden_;
  TagSum tag_;
};

InsertShape shape_for(const catalog::Table& table, const Widened& write,
                      const std::string& apply_key) {
  InsertShape shape;
  shape.schema = table.schema;
  shape.table = table.name;
  shape.deletes = write.deletes;
  std::string set;
  for (const catalog::Column* column : write.columns) {
    shape.columns.push_back(column->name);
    if (column->identity) {
      shape.overriding = "OVERRIDING SYSTEM VALUE";
      continue;  // cannot be assigned, and cannot have changed
    }
    const std::string name = sql::quote_identifier(column->name);
    set += fmt::format("{}{} = excluded.{}", set.empty() ? "" : ", ", name, name);
  }
  if (write.deletes)
    shape.overriding.clear();
  else if (set.empty())
    shape.conflict = fmt::format("ON CONFLICT ({}) DO NOTHING", apply_key);
  else
    shape.conflict = fmt::format("ON CONFLICT ({}) DO UPDATE SET {}", apply_key, set);
  return shape;
}

}  // namespace

Answer run_applied_write(Run run, const plan::ReferenceWrite& write) {
  const catalog::Table* table = run.request.snapshot.table(write.table);
  if (!table) co_return make_error("XX000", "the target of a write is not known");
  ShardStatement statement = make_statement(write.text, run.request.bound);
  Result<Widened> wide = widened(*table, statement.sql);
  if (!wide) co_return wide.error();
  statement.sql = wide->sql;
  const std::size_t visible =
      run.request.description ? run.request.description->column_types.size() : 0;
  ExecuteOptions options;
  options.results = column_formats(run.request.bound.result_formats, visible);
  options.results.resize(visible + wide->columns.size(), wire::Format::kBinary);
  GatheredRows hidden(run.output, run.limits().portal_bytes);
  std::vector<std::uint32_t> types;
  for (const catalog::Column* column : wide->columns) types.push_back(column->type.value);
  hidden.set_types(std::move(types));

  Result<backend::Connection*> home = co_await enter(run, write.home, true);
  if (!home) co_return home.error();
  append_execution(**home, statement, options);
  append_sync(**home);
  (*home)->send();
  SplitRows rows(run, visible, hidden);
  Fan fan(run.transaction, rows, run.output);
  fan.drop_error_fields("P");
  fan.add(*home);
  SHOAL_CO_TRY(co_await fan.run());
  if (hidden.size() == 0 || write.others.empty()) co_return rows.tag().text();
  Result<TagSum> applied = co_await send_rows(run, shape_for(*table, *wide, write.apply_key),
                                              hidden, all_rows(hidden.size(), write.others), false);
  if (!applied) co_return applied.error();
  if (applied->rows() != hidden.size() * write.others.size())
    co_return refuse(Refusal::kReferenceWrite, "the copies were different before");
  co_return rows.tag().text();
}

}  // namespace shoal::exec
