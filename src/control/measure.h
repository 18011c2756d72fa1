// shoal.measure(): how many rows and bytes of each placed table lie on each shard.
// Thread rule: one core; coroutines whose Work outlives them.
#pragma once
#include "control/work.h"

namespace shoal::control {

// Asks every active shard and writes shoal.table_size. Rows are the planner's estimate (reltuples),
// bytes are exact and include indexes and TOAST.
io::Task<Result<>> measure(Work& work);

}  // namespace shoal::control
