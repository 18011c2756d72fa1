// What a session knows of a statement's text: its tree and the kind of handling it needs. Shared
// between the sessions of a core; immutable.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/core_context.h"
#include "plan/plan.h"
#include "sql/ast.h"
#include "sql/normalize.h"
#include "sql/parse.h"

namespace shoal::session {

enum class Handling {
  kEmpty,    // no statement at all
  kPlan,     // the planner decides: SELECT, DML, COPY, TRUNCATE, ...
  kSession,  // transaction control, SET, SHOW, PREPARE, cursors, ...: session's own
  kCommand,  // SELECT shoal.f(...): the control plane
  kDdl,
  kUnparsed,  // the grammar does not know it
};

// The columns of a statement's rows: types, modifiers, names. Null: not known; empty: no rows.
using Shape = std::shared_ptr<const std::string>;
Shape shape_of(std::string_view row_description);  // the whole frame, or nothing

struct StatementInfo {
  std::string text;
  std::vector<std::uint32_t> types;  // of the parameters as the client gave them, 0 = unknown
  std::string server_key;            // names this text and these types on server connections
  std::shared_ptr<const std::vector<sql::Statement>> parsed;
  std::optional<Error> syntax_error;
  Handling handling = Handling::kPlan;
  bool advisory_lock = false;  // session-level advisory locks: pins the connection
  bool uses_set_config = false;
  bool reads_sequences = false;
  std::optional<sql::Hint> hint;
  const sql::Statement& statement() const { return parsed->front(); }

  // A plan that holds for other values of one parameter (plan::Plan::reuse); of this core.
  mutable plan::PlanPtr plan;
  mutable std::uint64_t plan_facts = 0;
  mutable Epoch plan_epoch;
  // As a server described it under the schema of that epoch.
  mutable Shape shape;
  mutable Epoch shape_epoch;
};
using StatementPtr = std::shared_ptr<const StatementInfo>;

// Classifies one parsed statement. `commands` may be null.
class Commands;
Handling handling_of(const sql::Statement& statement, const Commands* commands);

// Makes the info of one text for the extended protocol (one statement at most).
StatementPtr make_statement(std::string_view text, std::vector<std::uint32_t> types,
                            const sql::ParseLimits& limits, bool standard_strings,
                            const Commands* commands);

// The texts seen last on this core, so that a driver that sends Parse each time costs a look-up.
class StatementCache {
 public:
  explicit StatementCache(std::size_t entries) : limit_(entries) {}
  StatementPtr find(std::string_view text, const std::vector<std::uint32_t>& types) const;
  void insert(StatementPtr statement);

 private:
  std::size_t limit_;
  std::unordered_map<std::string, StatementPtr> entries_;
};

// Names of statements and portals are told apart by their first 63 bytes, as in PostgreSQL.
std::string name_key(std::string_view name);
// True for what a failed transaction block still takes.
bool leaves_transaction(const StatementInfo& statement);
// True for what the router answers itself, whatever the planner would say.
bool answered_here(const StatementInfo& statement);
// The call of `SELECT f(...)` or `SELECT columns FROM f(...)`, if the statement is exactly that.
const sql::Call* sole_call(const sql::Statement& statement);
// True for texts that may take advisory locks of the session (not of the transaction).
bool takes_session_locks(std::string_view text);
// `word`, in lower case, stands somewhere in the text, in any case.
bool mentions(std::string_view text, std::string_view word);
// True for texts that read what nextval left behind in a server's session.
bool reads_sequences(std::string_view text);
// True for texts that may change or read what outlives their transaction in a server's session.
bool touches_session(std::string_view text);
std::string server_key(std::string_view text, const std::vector<std::uint32_t>& types);

}  // namespace shoal::session
