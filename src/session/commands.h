// What a session asks of the control plane. app/ connects it with control/; the two rooms never see
// each other.
// Thread rule: called on the session's core.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/runner.h"
#include "catalog/snapshot.h"
#include "sql/ast.h"

namespace shoal::session {

// A call such as SELECT shoal.shard_table('t', 'k').
struct CommandCall {
  std::string schema, function;  // "shoal" or "" for the names of Citus
  std::vector<std::optional<std::string>> args;                                // by position
  std::vector<std::pair<std::string, std::optional<std::string>>> named_args;  // name => value
  std::string user;
  std::vector<std::string> search_path;
  bool in_transaction = false;  // the client's own BEGIN
};

// Where a DDL statement must run.
struct DdlPlan {
  std::vector<ShardId> shards;       // home first
  std::optional<std::string> text;   // another text than the client's, if set
  std::vector<std::string> before, after;  // further texts on the same shards, same transaction
  // Calls to be made after the text worked, in the same transaction (rules of the catalog).
  std::vector<CommandCall> then;
  bool outside_transaction = false;  // CONCURRENTLY and its kind: shard after shard, checked
  bool no_epoch = false;             // changes nothing that routing knows
};

class Commands {
 public:
  virtual ~Commands() = default;
  // True for functions that the router answers itself.
  virtual bool knows(const std::string& schema, const std::string& function) const = 0;
  virtual io::Task<Result<backend::TextRows>> call(backend::ShardRunner& runner,
                                                   catalog::SnapshotPtr snapshot,
                                                   CommandCall call) = 0;
  // A refusal names what stands in the way; nothing was changed.
  virtual Result<DdlPlan> plan_ddl(const sql::Ddl& ddl, const sql::Statement& statement,
                                   const catalog::Snapshot& snapshot,
                                   const std::vector<std::string>& search_path) = 0;
  // The queries and the reader that rebuild a snapshot inside a transaction with DDL are in
  // catalog/builder.h. `finished` is told when a transaction with calls or DDL has ended; after a
  // commit it returns when this router has the new epoch.
  virtual io::Task<> finished(bool committed) = 0;
  // The text that makes the change known to all routers, to be run on home in the transaction.
  virtual std::string epoch_sql() const = 0;
};

}  // namespace shoal::session
