// Views over placed tables: a view is on every shard as soon as everything below it is.
// Thread rule: one core; coroutines whose Work outlives them.
#pragma once
#include <vector>

#include "control/work.h"

namespace shoal::control {

// Rows: sql that makes each view (with owner and grants) that reads one of the tables, directly or
// through views, and reads nothing that is on home only; then its name. In order of creation.
std::string views_query(const std::vector<Oid>& tables);

// After the tables became sharded or reference tables: makes those views elsewhere.
io::Task<Result<>> create_views(Work& work, std::vector<Oid> tables);
// Before the tables become single: drops those views elsewhere.
io::Task<Result<>> drop_views(Work& work, std::vector<Oid> tables);

}  // namespace shoal::control
