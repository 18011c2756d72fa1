// Building and sending the statements.
#include "exec/row_inserter.h"

#include "exec/fan.h"
#include "exec/statement.h"
#include "sql/deparse.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

constexpr std::size_t kMostParameters = 32'000;  // Bind can carry 65535
constexpr std::size_t kMostRows = 500;

}  // namespace

std::size_t RowInserter::rows_per_statement() const {
  if (shape_.one_by_one) return 1;
  const std::size_t columns = std::max<std::size_t>(1, shape_.columns.size());
  return std::clamp<std::size_t>(kMostParameters / columns, 1, kMostRows);
}

std::string RowInserter::text(std::size_t rows) const {
  std::string columns;
  for (const std::string& name : shape_.columns)
    columns += (columns.empty() ? "" : ", ") + sql::quote_identifier(name);
  const std::string table = fmt::format("{}.{}", sql::quote_identifier(shape_.schema),
                                        sql::quote_identifier(shape_.table));
  std::string sql = shape_.deletes ? fmt::format("DELETE FROM {} WHERE ({}) IN (", table, columns)
                                   : fmt::format("INSERT INTO {} ({}) {} VALUES ", table, columns,
                                                 shape_.overriding);
  std::size_t parameter = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    sql += r == 0 ? "(" : ", (";
    for (std::size_t i = 0; i < shape_.columns.size(); ++i)
      sql += fmt::format("{}${}", i == 0 ? "" : ", ", ++parameter);
    sql += ')';
  }
  if (shape_.deletes) sql += ')';
  if (!shape_.conflict.empty()) sql += ' ' + shape_.conflict;
  if (!shape_.returning.empty()) sql += " RETURNING " + shape_.returning;
  return sql;
}

void RowInserter::append_batch(backend::Connection& c, std::span<const std::uint32_t> rows,
                               bool parse) {
  order_.emplace_back(rows.begin(), rows.end());
  const wire::PendingResponses::Options tagged{.swallow = false,
                                               .tag = static_cast<std::uint32_t>(order_.size())};
  if (parse) {
    std::vector<std::uint32_t> types;
    for (std::size_t r = 0; r < rows.size(); ++r)
      types.insert(types.end(), rows_.types().begin(), rows_.types().end());
    c.unnamed.clear();
    wire::append_parse(c.out(), "", text(rows.size()), types);
    c.pending().sent('P', tagged);
  }
  std::vector<wire::Value> values;
  for (std::uint32_t row : rows) {
    const std::vector<wire::Value> own = rows_.values(row);
    values.insert(values.end(), own.begin(), own.end());
  }
  const wire::Format binary = wire::Format::kBinary;
  wire::append_bind(c.out(), "", "", std::span(&binary, 1), values,
                    run_.request.bound.result_formats);
  c.pending().sent('B', tagged);
  wire::append_execute(c.out(), "");
  c.pending().sent('E', tagged);
}

// Batches of one size share one Parse of the unnamed statement.
void RowInserter::send(backend::Connection& c, const std::vector<std::uint32_t>& rows) {
  const std::size_t size = rows_per_statement();
  std::size_t parsed = 0;
  for (std::size_t at = 0; at < rows.size(); at += size) {
    const std::size_t n = std::min(size, rows.size() - at);
    append_batch(c, std::span(rows).subspan(at, n), n != parsed);
    parsed = n;
  }
  append_sync(c);
  c.send();
}

RowsOfShard all_rows(std::size_t rows, const std::vector<ShardId>& shards) {
  RowsOfShard placed;
  std::vector<std::uint32_t> numbers(rows);
  for (std::size_t i = 0; i < rows; ++i) numbers[i] = static_cast<std::uint32_t>(i);
  for (ShardId shard : shards) placed[shard] = numbers;
  return placed;
}

io::Task<Result<TagSum>> send_rows(Run run, InsertShape shape, const GatheredRows& rows,
                                   RowsOfShard placed, bool with_rows) {
  std::vector<ShardId> shards;
  for (const auto& [shard, own] : placed) shards.push_back(shard);
  Result<std::vector<backend::Connection*>> all = co_await enter_all(run, shards, true);
  if (!all) co_return all.error();
  RowInserter inserter(run, std::move(shape), rows);
  for (backend::Connection* c : *all) inserter.send(*c, placed[c->shard()]);
  if (!with_rows) {
    PassingRows nothing(run);
    nothing.drop_rows();
    Fan fan(run.transaction, nothing, run.output);
    fan.drop_error_fields("P");
    for (backend::Connection* c : *all) fan.add(c);
    SHOAL_CO_TRY(co_await fan.run());
    co_return nothing.tag();
  }
  ReturnedRows returned(run, inserter.order());
  Fan fan(run.transaction, returned, run.output);
  fan.drop_error_fields("P");
  for (backend::Connection* c : *all) fan.add(c);
  SHOAL_CO_TRY(co_await fan.run());
  SHOAL_CO_TRY(co_await returned.send_rows());
  co_return returned.tag();
}

}  // namespace shoal::exec
