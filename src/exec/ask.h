// Asking a server for the values of one row: what only PostgreSQL can compute.
// Thread rule: one core.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "backend/connection.h"
#include "exec/statement.h"

namespace shoal::exec {

using OwnedValues = std::vector<std::optional<std::string>>;

// Runs the statement and gives the values of its first row in binary format; empty without rows.
// Views must live until the task ends. Nothing but injected messages may be pending.
io::Task<Result<OwnedValues>> ask_row(backend::Connection& c, const ShardStatement& statement);

}  // namespace shoal::exec
