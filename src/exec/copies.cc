// What runs on home first and then on the others: writes to all copies of a reference table, and
// statements without rows (TRUNCATE, LOCK TABLE, DDL).
#include "exec/fan.h"
#include "exec/nodes.h"
#include "exec/rows.h"
#include "exec/statement.h"

namespace shoal::exec {
namespace {

// First half of the two-part advisory lock keys that this router uses for tables.
constexpr std::int32_t kLockClass = 0x53484F41;  // "SHOA"

void send_text(Run run, const plan::ShardText& text, backend::Connection& c, bool with_rows) {
  ExecuteOptions options;
  if (with_rows) options.results = run.request.bound.result_formats;
  options.describe = with_rows && !run.request.description;
  append_execution(c, make_statement(text, run.request.bound), options);
  append_sync(c);
  c.send();
}

// Runs the text on these shards at once; their rows go to the client or nowhere.
io::Task<Result<TagSum>> run_on(Run run, const plan::ShardText& text, std::vector<ShardId> shards,
                                bool with_rows) {
  Result<std::vector<backend::Connection*>> all =
      co_await enter_all(run, std::move(shards), run.request.plan.writes);
  if (!all) co_return all.error();
  PassingRows rows(run);
  if (!with_rows) rows.drop_rows();
  Fan fan(run.transaction, rows, run.output);
  if (!text.sql.empty()) fan.drop_error_fields("P");
  for (backend::Connection* c : *all) {
    send_text(run, text, *c, with_rows);
    fan.add(c);
  }
  SHOAL_CO_TRY(co_await fan.run());
  co_return rows.tag();
}

}  // namespace

io::Task<Result<>> lock_reference(Run run, Oid table) {
  Result<backend::Connection*> home =
      co_await enter(run, run.request.snapshot.home, run.request.plan.writes);
  if (!home) co_return home.error();
  Result<backend::TextRows> locked =
      co_await (*home)->query(fmt::format("SELECT pg_catalog.pg_advisory_xact_lock({}, {})",
                                          kLockClass, static_cast<std::int32_t>(table.value)));
  if (!locked) co_return locked.error();
  co_return Result<>();
}

Answer run_reference_write(Run run, const plan::ReferenceWrite& write) {
  SHOAL_CO_TRY(co_await lock_reference(run, write.table));
  if (write.apply_rows) co_return co_await run_applied_write(run, write);
  std::vector<ShardId> at_home(1, write.home);
  Result<TagSum> home = co_await run_on(run, write.text, std::move(at_home), true);
  if (!home) co_return home.error();
  if (write.others.empty()) co_return home->text();
  // The lock on home keeps other writers of this table away, so the rest may run at once.
  Result<TagSum> others = co_await run_on(run, write.text, write.others, false);
  if (!others) co_return others.error();
  if (others->rows() != home->rows() * write.others.size()) {
    co_return refuse(
        Refusal::kReferenceWrite,
        fmt::format("home changed {} rows, the {} other copies {} together; nothing was "
                    "written",
                    home->rows(), write.others.size(), others->rows()));
  }
  co_return home->text();
}

// One shard after the other: locks are taken in one order by everybody.
Answer run_broadcast(Run run, const plan::Broadcast& broadcast) {
  std::string tag;
  for (ShardId shard : broadcast.shards) {
    std::vector<ShardId> one(1, shard);
    Result<TagSum> done = co_await run_on(run, broadcast.text, std::move(one), false);
    if (!done) co_return done.error();
    if (tag.empty()) tag = done->text();
  }
  co_return tag;
}

}  // namespace shoal::exec
