// One text as it goes to one shard: the text, its parameters, and the messages that run it.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/connection.h"
#include "exec/run.h"
#include "plan/plan.h"
#include "wire/values.h"

namespace shoal::exec {

// Views point into the plan and into the caller's Bound.
struct ShardStatement {
  std::string_view sql;
  std::vector<std::uint32_t> types;   // per parameter, 0 = the server infers it
  std::vector<wire::Format> formats;  // per parameter
  std::vector<wire::Value> values;
};

// The text's own parameters out of the client's, in home's oids: the connection maps them.
ShardStatement make_statement(const plan::ShardText& text, const Bound& bound);

// The same parameters and one more, which a text knows as number 0: the moment of the transaction,
// a timestamptz in its eight bytes.
Bound with_moment(const Bound& bound, std::string_view moment);

struct ExecuteOptions {
  std::vector<wire::Format> results;  // as Bind takes them
  std::uint32_t tag = 0;              // of all its answers, see wire::PendingResponses
  bool describe = false;              // ask for the RowDescription as well
};
// Appends Parse, Bind, (Describe,) Execute with the unnamed statement and portal. The caller
// appends a Sync and sends.
void append_execution(backend::Connection& c, const ShardStatement& statement,
                      const ExecuteOptions& options);
void append_sync(backend::Connection& c);
// A simple query whose answers are the router's own business.
void append_simple(backend::Connection& c, std::string_view sql, std::uint32_t tag = 0);

// The server's ErrorResponse as an Error that goes to the client as it came, but for the fields
// whose codes are in `drop` ("P": the position in a text that the client never saw; "W": a line
// number of the shard's own part). FATAL becomes ERROR: the client's session goes on.
Error error_of_frame(const backend::Connection& c, const wire::Frame& frame,
                     std::string_view drop = {});
Error violation_of(const backend::Connection& c);

}  // namespace shoal::exec
