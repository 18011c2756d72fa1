// Taking and giving back.
#include "exec/borrow.h"

namespace shoal::exec {
namespace {

io::Task<Result<>> prepare(backend::Connection& c, const backend::Settings& wanted) {
  if (c.user_code) {
    Result<backend::TextRows> reset = co_await c.query("DISCARD ALL");
    if (!reset) co_return reset.error();
    c.settings.clear();
    c.prepared.clear();
    c.unnamed.clear();
    c.user_code = false;
  }
  if (c.settings == wanted) co_return Result<>();
  Result<backend::TextRows> done = co_await c.query(settings_difference(c.settings, wanted));
  if (!done) {
    c.mark_broken();  // some of them may be in force
    co_return done.error();
  }
  c.settings = wanted;
  co_return Result<>();
}

}  // namespace

Borrowed::~Borrowed() {
  if (connection_) context_->pool.release(std::move(connection_));
}

io::Task<Result<Borrowed>> Borrowed::take(Transaction& transaction, ShardId shard) {
  CoreContext& context = transaction.context();
  const catalog::SnapshotPtr& snapshot =
      transaction.snapshot() ? transaction.snapshot() : context.snapshot;
  Result<std::unique_ptr<backend::Connection>> c = co_await context.pool.acquire(
      context.endpoint(*snapshot, shard), transaction.login(), backend::Pool::Use::kBeside);
  if (!c) co_return c.error();
  Borrowed borrowed(context, std::move(*c));
  borrowed->client = "workspace";
  SHOAL_CO_TRY(co_await prepare(*borrowed, transaction.settings()));
  co_return std::move(borrowed);
}

}  // namespace shoal::exec
