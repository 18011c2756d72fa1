// The runners of the plan's nodes, one file each; run.cc chooses. Not for other rooms.
// Each returns the command tag and leaves every connection answered or broken.
// Thread rule: one core.
#pragma once
#include <string>
#include <vector>

#include "exec/run.h"

namespace shoal::exec {

// What every runner works with; outlives the run.
struct Run {
  Transaction& transaction;
  const RunRequest& request;
  Output& output;

  CoreContext& context() const { return transaction.context(); }
  const Limits& limits() const { return transaction.context().limits; }
};

using Answer = io::Task<Result<std::string>>;

Answer run_scatter(Run run, const plan::Scatter& scatter);
Answer run_write(Run run, const plan::Write& write);
Answer run_reference_write(Run run, const plan::ReferenceWrite& write);
// Its form with apply_rows; home's lock is held.
Answer run_applied_write(Run run, const plan::ReferenceWrite& write);
Answer run_broadcast(Run run, const plan::Broadcast& broadcast);
Answer run_copy_out(Run run, const plan::CopyOut& copy);
Answer run_pull(Run run, const plan::Pull& pull);
Answer run_routed_insert(Run run, const plan::RoutedInsert& insert);

// Takes part in the transaction with this shard and notes what the plan does there.
io::Task<Result<backend::Connection*>> enter(Run run, ShardId shard, bool writes);
// The same with several, one after the other in their order. After an error nothing is left unsent.
io::Task<Result<std::vector<backend::Connection*>>> enter_all(Run run, std::vector<ShardId> shards,
                                                              bool writes);

// Holds a lock on home to the end of the transaction that makes writes to a reference table follow
// one another.
io::Task<Result<>> lock_reference(Run run, Oid table);

}  // namespace shoal::exec
