// CREATE TABLE AS and SELECT INTO whose query reads sharded tables: the table is made on home from
// the query's shape and then filled with the gathered rows, in one transaction.
// Thread rule: plain function.
#pragma once
#include <string>

#include "catalog/snapshot.h"
#include "route/session_facts.h"
#include "sql/ast.h"

namespace shoal::session {

struct TableToFill {
  std::string create_text;  // WITH NO DATA; empty: the statement runs as it came
  std::string insert_text;  // INSERT INTO .. the query
};

// Refuses what would see one shard's share out of sight.
Result<TableToFill> table_to_fill(const sql::Statement& statement,
                                  const catalog::Snapshot& snapshot,
                                  const route::SessionFacts& facts);

}  // namespace shoal::session
