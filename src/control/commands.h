// The functions of the schema shoal, run for a client: in its transaction, over all shards, with
// its rights. Order of calls for a session that finds a top-level `SELECT f(constants)`:
//   1. Commands::find(schema, name) says that the call is one of ours (schema empty: unqualified).
//   2. BEGIN (if the client has not), then call(...), with runner = the session's enlisted shards.
//      Its TextRows answer the client. An error aborts the transaction like any other.
//   3. When `change.schema_changed`: derive_snapshot (loader.h) and plan the rest of the
//   transaction
//      with it. DDL that the client runs itself sets change.schema_changed, too (ddl.h).
//   4. At COMMIT, before PREPARE or COMMIT: before_commit(...): raises the epoch.
//   5. After the end, however it came: finish(change, committed), before the client is told.
// Existing rows move in the same transaction; other routers and sessions are kept out by holds
// (store.h). The session that calls must exempt its own transaction from the hold.
// Thread rule: one core; a Commands may be shared by cores (it has no state of its own).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/runner.h"
#include "catalog/snapshot.h"
#include "control/catalog_store.h"
#include "control/schema.h"

namespace shoal::control {

// What one client's transaction has changed in the cluster; owned by the session.
struct Change {
  bool schema_changed = false;              // the epoch must be raised before COMMIT
  std::vector<CatalogStore::HoldId> holds;  // released by finish()
  std::vector<Oid> placed;                  // tables whose kind this transaction has changed
};

struct CallContext {
  int router = 0;
  std::string user;             // the session's current role, for messages
  bool in_transaction = false;  // the client's own BEGIN is open
};

struct CallArguments {
  std::string schema, name;  // as find() knows it
  std::vector<std::optional<std::string>> by_position;
  std::vector<std::pair<std::string, std::optional<std::string>>> by_name;
};

class Commands {
 public:
  explicit Commands(CatalogStore& store) : store_(store) {}

  // The signature, or nullptr. An unqualified name means one of the names known from Citus.
  static const Signature* find(std::string_view schema, std::string_view name);

  // `snapshot`: the one that the transaction is pinned to (the derived one if there is).
  // The result has one column named like the function ("" for void), or where's five columns.
  io::Task<Result<backend::TextRows>> call(backend::ShardRunner& runner,
                                           catalog::SnapshotPtr snapshot, Change& change,
                                           CallContext context, CallArguments arguments);
  io::Task<Result<>> before_commit(backend::ShardRunner& runner, catalog::SnapshotPtr snapshot,
                                   Change& change);
  io::Task<> finish(Change& change, bool committed);

  // Writes to the catalog inside the client's transaction (through shoal.apply on home), for what
  // ddl.h asks for.
  io::Task<Result<>> write_catalog(backend::ShardRunner& runner, catalog::SnapshotPtr snapshot,
                                   std::string sql);

 private:
  CatalogStore& store_;
};

}  // namespace shoal::control
