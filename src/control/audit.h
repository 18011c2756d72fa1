// Audit: is every row where its key says? Computes the place of every row on every shard, past the
// routers, and lists what lies elsewhere; rows on servers that an application used before are asked
// for too. Repair moves them in two-phase transactions.
//
// Work is cut into parts (a stretch of pages of one table on one shard); a part's findings and the
// part itself are recorded in one transaction, so that an audit goes on where it was stopped. A row
// that is updated meanwhile and moves to a page that was read already can be missed: such a row was
// written by somebody who is using it, and the next audit sees it.
//
// Thread rule: blocks; run() starts a thread for each server. on_progress is called by any of them,
// one at a time.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/snapshot.h"
#include "control/pq.h"
#include "control/scan.h"

namespace shoal::control {

struct AuditOptions {
  std::string catalog_dsn;          // as the service role
  std::vector<std::string> tables;  // empty: all sharded tables
  std::vector<std::string> also;    // "NAME=DSN" or a DSN: servers whose rows belong on shards
  std::uint64_t rate = 0;           // rows a second on each server; 0: no limit
  bool resume = false;              // go on with the last audit that was not finished
  bool repair = false;
  std::size_t shown = 100;  // findings that the report holds
  const std::atomic<bool>* stop = nullptr;
};

struct AuditCount {
  std::uint64_t rows = 0, misplaced = 0, duplicates = 0, conflicts = 0, without_key = 0,
                without_place = 0;
  AuditCount& operator+=(const AuditCount& o);
};

struct AuditFinding {
  std::string table, shard, key;  // found on `shard`
  std::string belongs;            // a shard; empty: no shard owns the key
  AuditCount count;               // rows of this key there
  std::string state;              // "", "moved", or why not
};

struct AuditReport {
  std::int64_t job = 0;
  std::map<std::pair<std::string, std::string>, AuditCount> counts;  // by table, server
  std::vector<AuditFinding> findings;                                // some of them
  std::uint64_t keys = 0;                                            // findings in all
  std::vector<std::string> copies_differ;                            // reference tables, in words
  std::uint64_t moved = 0, removed = 0, left = 0;                    // rows: by repair
  bool finished = true;                                              // false: stopped

  AuditCount total() const;
};

using AuditProgress =
    std::function<void(const std::string& what, std::uint64_t done, std::uint64_t total)>;

Result<AuditReport> run_audit(const AuditOptions& options, const AuditProgress& on_progress);

// ---- between the files of the audit -------------------------------------------------------------

struct AuditServer {
  std::string name, dsn;
  ShardId id;            // of a shard
  bool is_shard = true;  // false: one of `also`
};

// A sharded table as home defines it.
struct AuditTable {
  Oid oid;
  std::string name, quoted;  // without and with quotes
  KeyspaceId keyspace;
  std::vector<std::string> key;      // columns
  std::vector<keys::KeyType> types;  // of the keyspace
  std::vector<std::string> primary;  // columns of the primary key, empty without one
  std::vector<std::string> primary_types;
  std::vector<std::string> columns;  // all that are not generated
};

struct AuditWorld {
  catalog::SnapshotPtr snapshot;
  std::string cluster;
  std::vector<AuditServer> servers;
  std::vector<AuditTable> tables;      // asked for, children after parents
  std::vector<AuditTable> all_tables;  // every sharded one, children after parents
  // Tables that foreign keys connect, by index into all_tables: the number of their group.
  std::vector<std::size_t> groups;

  const AuditServer* server(ShardId id) const;
  const AuditServer* server(const std::string& name) const;
};
Result<AuditWorld> read_audit_world(Pq& catalog, const AuditOptions& options);

// Rows of one key of one table on one server, as texts that can be compared.
struct KeyRows {
  struct Row {
    std::string relation, ctid;  // where it lies on its server
    std::vector<std::string> primary;
    std::string whole;
  };
  std::vector<Row> rows;
};
std::string key_condition(const AuditTable& table, const std::vector<std::string>& key);
Result<KeyRows> read_key_rows(Pq& server, const AuditTable& table,
                              const std::vector<std::string>& key, bool lock, std::size_t limit);
// Which of `rows` are on `target` too: the same row, or another one under its primary key.
Result<AuditCount> compare_rows(Pq& target, const AuditTable& table, const KeyRows& rows,
                                std::vector<bool>* same, std::vector<bool>* conflicting);
// The parts of an array key in a finding's text.
std::string pack_key(const std::vector<std::string>& key);
std::vector<std::string> unpack_key(const std::string& text);

// Moves what the job found. Adds to moved, removed, left, and sets the findings' state.
Result<> repair_findings(const AuditOptions& options, const AuditWorld& world, Pq& catalog,
                         AuditReport& report, const AuditProgress& on_progress);
// Ends what a killed repair left prepared on servers that are no shards.
Result<> settle_others(const AuditWorld& world);

}  // namespace shoal::control
