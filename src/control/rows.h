// Moving the rows of one table between shards inside the client's transaction. Settings are those
// of QuietSettings; user triggers do not fire, forced row security is off meanwhile. Thread rule:
// one core; coroutines whose Work outlives them.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "control/work.h"

namespace shoal::control {

std::string full_name(const catalog::Table& table);  // quoted, with its schema

// Where a row belongs, from the texts of its key columns.
using PlaceKey = std::function<Result<ShardId>(const std::vector<std::optional<std::string>>&)>;
// The function of a placement for the key columns of `types`.
PlaceKey place_by(std::shared_ptr<const keys::Placement> placement,
                  std::vector<keys::KeyType> types);

// Copies rows of `from` (those that `where` selects, all when empty) to `targets`: to every one
// when `place` is empty, otherwise to the one that it names (rows that stay on `from` are left
// out).
io::Task<Result<std::uint64_t>> copy_rows(Work& work, const catalog::Table& table,
                                          std::vector<std::string> key_columns, ShardId from,
                                          std::vector<ShardId> targets, std::string where,
                                          PlaceKey place);
// Deletes on `from` the rows that `place` puts elsewhere; gives their number.
io::Task<Result<std::uint64_t>> delete_moved(Work& work, const catalog::Table& table,
                                             std::vector<std::string> key_columns, ShardId from,
                                             PlaceKey place);

// Statements that keep user triggers and forced row security of the tables out, and those that let
// them in again as they were.
struct Silence {
  std::string off, on;
};
io::Task<Result<Silence>> make_silence(Work& work, std::vector<Oid> tables);

}  // namespace shoal::control
