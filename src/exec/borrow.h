// A connection beside the transaction's own: for descriptions and as a workspace. Same role, same
// settings, but no participant: what happens on it is not part of the transaction.
// Invariant: it goes back to the pool when this ends, where it is kept only if it is clean.
// Thread rule: one core.
#pragma once
#include <memory>
#include <string>

#include "exec/transaction.h"

namespace shoal::exec {

class Borrowed {
 public:
  static io::Task<Result<Borrowed>> take(Transaction& transaction, ShardId shard);
  Borrowed(Borrowed&& other) noexcept = default;
  Borrowed& operator=(Borrowed&& other) noexcept = delete;
  ~Borrowed();

  backend::Connection& operator*() const { return *connection_; }
  backend::Connection* operator->() const { return connection_.get(); }

 private:
  Borrowed(CoreContext& context, std::unique_ptr<backend::Connection> connection)
      : context_(&context), connection_(std::move(connection)) {}
  CoreContext* context_;
  std::unique_ptr<backend::Connection> connection_;
};

}  // namespace shoal::exec
