// Changing what a table is: sharded, reference or single, with all its rows, inside the client's
// transaction. Nothing is changed before everything that stands in the way has been looked for.
// Thread rule: one core; coroutines whose Work outlives them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "control/work.h"

namespace shoal::control {

struct ShardingRequest {
  Oid table;
  std::vector<std::string> columns;
  std::optional<std::string> keyspace;         // none: the default one of the key's types
  std::optional<std::uint32_t> default_slots;  // another default keyspace, of that many slots
  std::vector<std::string> local_constraints;
};

// `text` as regclass reads it, in the client's session. Errors as PostgreSQL's.
io::Task<Result<Oid>> resolve_relation(Work& work, std::string text);

io::Task<Result<>> shard_table(Work& work, ShardingRequest request);
io::Task<Result<>> reference_table(Work& work, Oid table);
io::Task<Result<>> single_table(Work& work, Oid table);

}  // namespace shoal::control
