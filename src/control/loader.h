// Reads a Snapshot: over control's own connection, or through a client's transaction, whose own
// uncommitted DDL it then shows (a *derived* snapshot).
// Thread rule: load_snapshot blocks (control's threads); the coroutine belongs to a core.
#pragma once
#include "backend/runner.h"
#include "catalog/builder.h"
#include "control/pq.h"

namespace shoal::control {

// One REPEATABLE READ READ ONLY transaction. `previous` (may be null) saves reading built-ins.
Result<catalog::SnapshotPtr> load_snapshot(Pq& catalog, catalog::SnapshotPtr previous);

// Runs with the client's rights inside its transaction; `previous` must not be null.
io::Task<Result<catalog::SnapshotPtr>> derive_snapshot(backend::ShardRunner& runner,
                                                       catalog::SnapshotPtr previous);

}  // namespace shoal::control
