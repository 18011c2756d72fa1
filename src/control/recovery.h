// Settles transactions over several shards whose router is gone: gathers the facts in the order
// that txn/recovery.h asks for, and does what it says. Any router may do it, at any time, also
// several at once: it is safe beside transactions that are still under way. A transaction of a live
// router is left alone until it has been prepared for longer than `patience`. Thread rule: blocks;
// a control thread.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/pq.h"

namespace shoal::control {

struct RecoveryReport {
  int committed = 0, aborted = 0;        // proved by reading pg_prepared_xacts again
  int left = 0;                          // prepared still: their router is alive, or see below
  int forgotten = 0;                     // decision rows that nobody needs any more
  std::vector<std::string> unreachable;  // shards that could not be asked
  std::vector<std::string> errors;
};

struct RecoveryOptions {
  std::string catalog_dsn;
  std::chrono::seconds patience{60};
  std::chrono::milliseconds connect_timeout{3'000};
  std::chrono::milliseconds lock_timeout{3'000};  // how long a last agent at work is waited for
};

// Errors: the catalog cannot be read. Everything else is in the report.
Result<RecoveryReport> recover(const RecoveryOptions& options);

}  // namespace shoal::control
