// One part of an audit: a stretch of one table on one server, read, judged and recorded. Internal
// to the audit. Thread rule: one thread for each server.
#pragma once
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/audit.h"

namespace shoal::control {

struct AuditPart {
  std::size_t table = 0;  // of AuditWorld::tables
  std::string relation;   // the table itself or a partition, quoted, as its server calls it
  std::string name;       // "relation" or "relation/first page"
  std::string where;      // of the stretch
  double rows = 0;        // estimate
};

// Parts of all tables on one server; for a shard every table must be there.
Result<std::vector<AuditPart>> list_parts(Pq& server, const AuditServer& at,
                                          const AuditWorld& world);

// What a part's rows say.
struct PartResult {
  struct Key {
    std::uint64_t rows = 0;
    ShardId belongs{-1};  // -1: nowhere
  };
  AuditCount count;
  std::map<std::string, Key> misplaced;  // by packed key
  std::unordered_map<std::uint32_t, std::uint64_t> slots;
};
Result<PartResult> read_part(Pq& server, const AuditServer& at, const AuditWorld& world,
                             const AuditPart& part, const AuditOptions& options,
                             const std::function<void(std::uint64_t)>& on_rows);

// In one transaction of the catalog.
Result<> record_part(Pq& catalog, std::int64_t job, const AuditServer& at, const AuditWorld& world,
                     const AuditPart& part, const PartResult& result);

// Looks for the job's keys of this server on the shards where they belong, and records how many of
// their rows are there already.
Result<> compare_findings(Pq& catalog, std::int64_t job, Pq& server, const AuditServer& at,
                          const AuditWorld& world, const AuditOptions& options,
                          const std::function<void(std::uint64_t)>& on_keys);

}  // namespace shoal::control
