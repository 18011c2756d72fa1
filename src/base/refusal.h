// The numbered refusals: what Shoal will not do, why, and the way out. One table (refusal.cc) feeds
// the errors that clients get and the page docs/refusals.md (`shoal refusals --markdown`).
// To add one: append a line to SHOAL_REFUSALS with the next free number of its block. Numbers are
// never reused. Blocks: 00xx statement and planner, 01xx writes, 02xx DDL, 03xx sessions,
// 04xx transactions, 05xx catalog and placement, 06xx limits, 07xx keys, 08xx admin.
#pragma once
#include <span>
#include <string_view>

namespace shoal {

// X(enumerator, number, sqlstate, message, hint)
#define SHOAL_REFUSALS(X)                                                                         \
  X(kNotProvable, 1, "0A000", "this statement cannot be proved right over several shards",        \
    "restrict it to one shard key value, or gather the rows first in a CTE")                      \
  X(kUnknownGrammar, 2, "0A000", "this statement's grammar is not known to the router",           \
    "run it on one shard with SET shoal.shard = 'name'")                                          \
  X(kUserFunction, 3, "0A000", "a function that may read tables cannot run over shards undeclared", \
    "declare it with SELECT shoal.declare_function('name(args)', 'local')")                       \
  X(kSystemColumn, 4, "0A000", "system columns have no meaning over several shards",              \
    "restrict the statement to one shard key value")                                              \
  X(kRowLocks, 5, "0A000", "row locks with LIMIT or SKIP LOCKED cannot span shards",              \
    "restrict the statement to one shard key value")                                              \
  X(kFanoutDenied, 6, "0A000", "shoal.fanout = deny forbids statements over several shards",      \
    "add the shard key, or SET shoal.fanout = allow")                                             \
  X(kVolatileInPull, 7, "0A000", "a volatile function cannot be evaluated once over shards",      \
    "compute the value first and pass it as a parameter")                                         \
  X(kShardLocalCatalog, 8, "0A000", "this function describes one server only",                    \
    "ask one shard with SET shoal.shard = 'name'")                                                \
  X(kUpdateKey, 101, "0A000", "the shard key of a row cannot be changed",                         \
    "DELETE the row and INSERT it with the new key in one transaction")                           \
  X(kConflictArbiter, 102, "0A000", "ON CONFLICT needs a unique index that contains the shard key", \
    "use a constraint that includes the shard key")                                               \
  X(kInsertSource, 103, "0A000", "the rows of this INSERT cannot be routed",                      \
    "give the shard key as a value, or load with COPY")                                           \
  X(kNullKey, 104, "23502", "the shard key of a row must not be NULL", "give every row a shard key") \
  X(kWriteNotProvable, 105, "0A000", "this write cannot be proved right over several shards",     \
    "restrict it to one shard key value")                                                         \
  X(kMergeStatement, 106, "0A000", "this MERGE cannot run over several shards",                   \
    "restrict source and target to one shard key value")                                          \
  X(kReferenceWrite, 107, "0A000", "this write would leave different copies of a reference table", \
    "write the rows by primary key with constants")                                               \
  X(kUniqueWithoutKey, 201, "0A000", "a unique constraint without the shard key cannot hold over shards", \
    "add the shard key to it, or name it in local_constraints")                                   \
  X(kForeignKey, 202, "0A000", "this foreign key cannot be enforced over shards",                 \
    "reference a co-located table with the key in both sides, or a reference table")              \
  X(kDdlUnsupported, 203, "0A000", "this DDL cannot be run on all shards atomically",             \
    "run it outside a transaction, or shard by shard with SET shoal.shard")                       \
  X(kShardDownDdl, 204, "55000", "a shard that must take part cannot be reached",                 \
    "repeat the statement when SELECT * FROM shoal.shards shows it up")                           \
  X(kTriggerNotLocal, 205, "0A000", "a trigger, rule or policy that may reach other tables",      \
    "declare its function with shoal.declare_function(..., 'local')")                             \
  X(kPinned, 301, "0A000", "this session state cannot follow a pooled connection",                \
    "use a direct connection to the shard")                                                       \
  X(kListen, 302, "0A000", "LISTEN cannot be kept over pooled connections",                       \
    "LISTEN on a direct connection to the shard")                                                 \
  X(kSetNotTracked, 303, "0A000", "this way of setting a parameter cannot be followed",           \
    "use SET, or set_config with constant arguments as a statement of its own")                   \
  X(kCursorOverShards, 304, "0A000", "a cursor over several shards cannot do this",                \
    "restrict the query to one shard key value")                                                  \
  X(kTempTable, 305, "0A000", "temporary tables cannot be joined with sharded tables",            \
    "restrict the query to tables of the home shard")                                             \
  X(kProtocol, 306, "0A000", "this protocol feature is not supported", "use protocol version 3.0") \
  X(kScope, 307, "42501", "the statement leaves the session's scope",                             \
    "RESET shoal.key in a session that may")                                                      \
  X(kSnapshotMode, 401, "0A000", "this snapshot guarantee is not built yet",                      \
    "SET shoal.snapshot = 'shard'")                                                               \
  X(kIsolationOverShards, 402, "0A000", "REPEATABLE READ and SERIALIZABLE hold on one shard only", \
    "use READ COMMITTED for transactions over several shards")                                    \
  X(kNotPreparable, 403, "0A000", "two participants of this transaction cannot be prepared",      \
    "keep temporary objects and NOTIFY on one shard")                                             \
  X(kPlacementChanged, 404, "40001", "a table's placement changed during this transaction",       \
    "repeat the transaction")                                                                     \
  X(kDdlThenPull, 405, "0A000", "uncommitted DDL cannot be combined with a gathered query",       \
    "commit the DDL first")                                                                       \
  X(kSettledByRecovery, 406, "40001", "recovery settled this transaction before it could commit",  \
    "repeat the transaction")                                                                     \
  X(kUnknownShard, 501, "42704", "there is no shard of that name", "SELECT name FROM shoal.shards") \
  X(kUnknownKeyspace, 502, "42704", "there is no keyspace of that name",                          \
    "SELECT name FROM shoal.keyspaces")                                                           \
  X(kBadShard, 503, "55000", "the shard lacks what Shoal needs", "see the DETAIL")                \
  X(kBadPlacement, 504, "22023", "the placement is not possible", "see the DETAIL")               \
  X(kCatalogCall, 505, "0A000", "shoal functions are statements of their own",                    \
    "call it as SELECT shoal.function(constants) at top level")                                   \
  X(kStaleRouter, 506, "57P03", "this router's map is out of date and it was fenced",             \
    "reconnect; the router refreshes itself")                                                     \
  X(kTooLong, 601, "54000", "the statement is longer than the router analyses",                   \
    "raise limits.statement_bytes, or use COPY")                                                  \
  X(kTooComplex, 602, "54001", "the statement is nested too deeply",                              \
    "simplify the statement; use = ANY(array) for long lists")                                    \
  X(kPullBytes, 603, "54000", "the query gathers more bytes than allowed",                        \
    "add conditions, or raise shoal.pull_bytes")                                                  \
  X(kPullRows, 604, "54000", "the query gathers more rows than allowed",                          \
    "add conditions, or raise shoal.pull_rows")                                                   \
  X(kPullTime, 605, "57014", "gathering rows took longer than allowed",                           \
    "add conditions, or raise shoal.pull_time")                                                   \
  X(kPortalBuffer, 606, "54000", "a row-limited portal over shards would hold too many bytes",    \
    "fetch all rows, or restrict the query to one shard key value")                               \
  X(kTooManyClients, 607, "53300", "too many clients", "raise limits.clients")                    \
  X(kPoolWait, 608, "53300", "no server connection became free in time",                          \
    "raise limits.server_connections or limits.pool_wait")                                        \
  X(kPipeline, 609, "54000", "too many bytes between Sync messages", "send Sync more often")      \
  X(kStatements, 610, "54000", "too many prepared statements in one session",                     \
    "DEALLOCATE what is no longer used")                                                          \
  X(kGroups, 611, "54000", "the query has more groups than the router combines",                 \
    "add conditions, or raise limits.group_bytes")                                                \
  X(kKeyType, 701, "0A000", "this type cannot be a shard key", "use an integer, text, uuid, date, timestamptz or numeric column") \
  X(kKeyFunction, 702, "22023", "the key function cannot be computed", "see the DETAIL")          \
  X(kKeyValue, 703, "22P02", "the value is not a valid shard key", "see the DETAIL")              \
  X(kCollation, 704, "0A000", "a key with a nondeterministic collation cannot be placed",         \
    "use a deterministic collation")                                                              \
  X(kKeyNeedsServer, 705, "0A000", "this spelling of a key value can only be read by a server",     \
    "write dates and times in ISO form with a numeric time zone")                                 \
  X(kAdmin, 801, "42601", "the admin console does not know this command", "SHOW HELP")

enum class Refusal : int {
#define SHOAL_REFUSAL_ENUM(name, number, sqlstate, message, hint) name = number,
  SHOAL_REFUSALS(SHOAL_REFUSAL_ENUM)
#undef SHOAL_REFUSAL_ENUM
};

struct RefusalEntry {
  Refusal number;
  std::string_view sqlstate, message, hint;
};

// All refusals in the order of their numbers; static storage.
std::span<const RefusalEntry> refusal_table();

}  // namespace shoal
