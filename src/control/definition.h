// A table's whole definition, read from home's pg_catalog as DDL that makes the same table on
// another shard: columns, defaults, identity, constraints, indexes, partitions, policies, triggers,
// comments, grants, owner, statistics. PostgreSQL writes the texts itself (pg_get_constraintdef and
// its like); the queries need an empty search_path, so that every name comes qualified.
//
// A sequence's copy on a shard is never the authority: nextval of clients is home's. Triggers and
// functions there may reach it all the same, so a bigint copy runs through a range of the shard's
// own above 2^62, and a smaller one is exhausted from the start (2200H). Thread rule: pure
// functions.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "backend/runner.h"
#include "base/ids.h"
#include "base/result.h"

namespace shoal::control {

// Statements of a phase may run only when those of earlier phases have run for all tables of a
// call.
enum class DefinitionPhase { kTables = 1, kIndexes = 2, kRows = 3, kForeignKeys = 4, kRest = 5 };

// Rows: phase, order, kind, sql or name, type.
std::string definition_query(std::span<const Oid> tables);

struct Definition {
  struct Piece {
    DefinitionPhase phase;
    enum class Kind { kSql, kSequence, kOwnSequence } kind;
    std::string sql;   // kSql: the statement; otherwise the sequence's qualified name
    std::string type;  // of a sequence: bigint, integer, smallint
  };
  std::vector<Piece> pieces;  // in the order in which to run
};
Result<Definition> read_definition(const backend::TextRows& rows);

// The text of one phase for one shard, statements separated by semicolons; empty: nothing to do.
std::string definition_sql(const Definition& definition, DefinitionPhase phase, ShardId shard);

// Everything else that every shard has: extensions, schemas, types, functions. Rows: order, sql;
// each may exist already on the shard or depend on what is on home only.
std::string schema_objects_query();
// Roles of home with their password verifiers and memberships (needs a superuser). Rows: role name
// ("" for memberships), sql.
std::string roles_query();

}  // namespace shoal::control
