// Describing texts on a connection that the caller holds.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "exec/run.h"
#include "plan/plan.h"

namespace shoal::exec {

// Parse and Describe of one text; nothing but injected messages may be pending. Views must live
// until the task ends.
io::Task<Result<Description>> describe_on(backend::Connection& c, std::string_view text,
                                          const std::vector<std::uint32_t>& types);

// The same through the core's cache of descriptions. `search_path` is part of its key.
io::Task<Result<DescriptionPtr>> describe_cached(CoreContext& context, backend::Connection& c,
                                                 std::string_view text,
                                                 const std::vector<std::uint32_t>& types,
                                                 std::string_view search_path);

// What the client sees of rows whose shards' description this is: the merge's output columns.
Result<Description> visible_part(const Description& shard, const plan::Merge& merge);

}  // namespace shoal::exec
