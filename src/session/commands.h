// What a session asks of the control plane. app/ connects it with control/; the two rooms never see
// each other. One object for each session: it remembers what the current transaction has changed.
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
  std::string schema, function;                  // schema "" for the names known from Citus
  std::vector<std::optional<std::string>> args;  // by position
  std::vector<std::pair<std::string, std::optional<std::string>>> named_args;  // name => value
  std::string user;
  bool in_transaction = false;  // the client's own BEGIN
};

// Where a DDL statement must run, in order. An empty sql is the client's own text; the client's
// answer is that of its own text on home.
struct DdlPlan {
  struct Step {
    std::vector<ShardId> shards;
    std::string sql;
  };
  std::vector<Step> steps;
  std::vector<std::string> catalog_sql;  // for write_catalog after the steps
  std::vector<CommandCall> follow;       // to be called after the steps
  bool changes_schema = true;
  bool transactional = true;  // false: CONCURRENTLY and its like
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
  virtual Result<DdlPlan> plan_ddl(const sql::Statement& statement,
                                   const catalog::Snapshot& snapshot,
                                   const std::vector<std::string>& search_path) = 0;
  virtual io::Task<Result<>> write_catalog(backend::ShardRunner& runner,
                                           catalog::SnapshotPtr snapshot, std::string sql) = 0;
  // The client's DDL changed what snapshots hold.
  virtual void schema_changed() = 0;
  // Something was changed since the last finish(): before_commit and finish are due.
  virtual bool changed() const = 0;
  virtual io::Task<Result<>> before_commit(backend::ShardRunner& runner,
                                           catalog::SnapshotPtr snapshot) = 0;
  // The transaction has ended; after a commit it returns when this router knows the new epoch.
  virtual io::Task<> finish(bool committed) = 0;
  // The snapshot as the transaction itself sees it.
  virtual io::Task<Result<catalog::SnapshotPtr>> derive(backend::ShardRunner& runner,
                                                        catalog::SnapshotPtr base) = 0;
};

}  // namespace shoal::session
