// What is known by name about PostgreSQL's own functions, beyond their volatility in pg_proc.
// Thread rule: pure functions over static tables.
#pragma once
#include <string_view>

#include "route/analysis.h"
#include "route/session_facts.h"

namespace shoal::route {

// What a call of a built-in function of this name and (worst visible) volatility can do.
Effects effects_of_builtin(std::string_view name, catalog::Volatility volatility);

// Whether what runs out of the router's sight could see other rows than it should: home holds only
// a share of some table (with one shard it has everything), or the session is kept to one key.
bool hides_rows(const catalog::Snapshot& snapshot, const SessionFacts& session);

// Functions whose answer is about one server (sizes, statistics, signals): over a sharded cluster
// they must be refused, because one server's answer would look like the whole.
bool describes_one_server(std::string_view name);

// Views of pg_catalog that count one server's work (pg_stat_user_tables, pg_locks, ...).
bool counts_one_server(std::string_view catalog_relation);

// Aggregates whose value never depends on the order of their input rows.
bool order_insensitive_aggregate(std::string_view name);

// Types whose equal values are identical, so that it can't matter which of them represents a group.
bool equal_is_identical(Oid type);

bool is_integer_type(Oid type);

// The type of a UNION's or USING's column where it is certain (manual section 10.5), otherwise 0.
Oid common_type(Oid a, Oid b);

bool is_system_column(std::string_view name);

}  // namespace shoal::route
