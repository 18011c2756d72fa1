// Writes whose text differs per shard: rows of one INSERT grouped by their owners. RETURNING comes
// back in the order of the input rows.
#include "exec/fan.h"
#include "exec/nodes.h"
#include "exec/rows.h"
#include "exec/statement.h"

namespace shoal::exec {
namespace {

std::vector<ShardId> shards_of(const plan::Write& write) {
  std::vector<ShardId> shards;
  for (const plan::WritePart& part : write.parts)
    if (std::find(shards.begin(), shards.end(), part.shard) == shards.end())
      shards.push_back(part.shard);
  std::sort(shards.begin(), shards.end());  // one order for everybody: no deadlock between two
  return shards;
}

// All parts of one shard travel as one pipeline with one Sync: all of them or none.
void send_parts(Run run, const plan::Write& write, backend::Connection& c) {
  for (std::size_t i = 0; i < write.parts.size(); ++i) {
    const plan::WritePart& part = write.parts[i];
    if (part.shard != c.shard()) continue;
    ExecuteOptions options;
    options.results = run.request.bound.result_formats;
    options.tag = static_cast<std::uint32_t>(i + 1);
    options.describe = write.returning && !run.request.description && i == 0;
    append_execution(c, make_statement(part.text, run.request.bound), options);
  }
  append_sync(c);
  c.send();
}

}  // namespace

Answer run_write(Run run, const plan::Write& write) {
  Result<std::vector<backend::Connection*>> all = co_await enter_all(run, shards_of(write), true);
  if (!all) co_return all.error();
  for (backend::Connection* c : *all) send_parts(run, write, *c);
  if (!write.returning) {
    PassingRows rows(run);
    Fan fan(run.transaction, rows, run.output);
    fan.drop_error_fields("P");
    for (backend::Connection* c : *all) fan.add(c);
    SHOAL_CO_TRY(co_await fan.run());
    co_return rows.tag().text();
  }
  std::vector<std::vector<std::uint32_t>> order;
  for (const plan::WritePart& part : write.parts) order.push_back(part.input_rows);
  ReturnedRows rows(run, std::move(order));
  Fan fan(run.transaction, rows, run.output);
  fan.drop_error_fields("P");
  for (backend::Connection* c : *all) fan.add(c);
  SHOAL_CO_TRY(co_await fan.run());
  SHOAL_CO_TRY(co_await rows.send_rows());
  co_return rows.tag().text();
}

}  // namespace shoal::exec
