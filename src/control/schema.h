// The schema `shoal` as SQL: what `shoal init` creates on home (the catalog) and what every shard
// gets (decisions of two-phase commits, the epoch fence). Idempotent and versioned: running it
// again upgrades. All objects belong to the role that runs it; clients may read, never write.
//
// Writing from inside a client's transaction, with the client's own rights, goes through
// shoal.apply and shoal.decide: SECURITY DEFINER functions that ask for a *ticket*, a keyed hash of
// what is to be done, which only routers can make (ticket.h). apply's ticket is bound to the
// transaction, decide's to the key, so that neither can be replayed to another effect.
// Thread rule: constants.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace shoal::control {

inline constexpr int kSchemaVersion = 1;

// Every shard, home included: run first.
std::string_view shard_schema_sql();
// Home only, after shard_schema_sql(): tables, views and the callable functions.
std::string home_schema_sql();

// The functions that users call. The router intercepts a top-level call; the SQL function of the
// same signature exists so that a prepared call can be described, and raises SH0505 elsewhere.
struct Parameter {
  std::string_view name, type, default_sql;  // default_sql empty: required
};
struct Signature {
  std::string_view schema, name;
  std::span<const Parameter> parameters;
  std::string_view returns;
};
std::span<const Signature> signatures();
// nullptr: no such function. An unqualified `schema` is given as "public".
const Signature* find_signature(std::string_view schema, std::string_view name);

}  // namespace shoal::control
