// Error and Result: how every room reports an expected failure. Bugs abort; expected failures are
// values; exceptions are caught where a library throws them.
// Thread rule: plain values, no shared state.
#pragma once
#include <boost/system/result.hpp>
#include <memory>
#include <string>
#include <utility>

#include "base/refusal.h"

namespace shoal {

// What an error is about, for programs (fields s, t, c and R of PostgreSQL's ErrorResponse); empty
// members are not sent.
struct ErrorObject {
  std::string schema, table, column;
  std::string routine;  // PostgreSQL's, where drivers tell errors apart by it
};

// One failure as a PostgreSQL client will see it.
struct Error {
  // Keeps Error from being an aggregate: C++20 would let it be made from a string in parentheses,
  // and a Result<std::string> could then not be returned from a string (GCC 12).
  Error() = default;

  std::string sqlstate = "XX000";  // five characters, PostgreSQL appendix A
  std::string message;             // primary message: lower case, no full stop
  std::string detail;              // a refusal's DETAIL starts with its number, "SH0042: ..."
  std::string hint;
  std::string shard;        // name of the shard that raised it, empty when the router did
  int position = 0;         // 1-based character offset into the statement's text, 0 = none
  bool fatal = false;       // true: the session (or server connection) can't go on
  std::shared_ptr<const ErrorObject> object;
  std::string original;     // body of the server's ErrorResponse: goes to the client as it came
};

// Lets boost::system::result<T, Error>::value() compile; reaching it is a bug.
[[noreturn]] void throw_exception_from_error(const Error& e, const boost::source_location& loc);

template <class T = void>
using Result = boost::system::result<T, Error>;

// Makes the Error of a numbered refusal: SQLSTATE, number and hint come from the table in
// refusal.cc; `why` is the concrete reason and becomes the DETAIL after the number.
Error refuse(Refusal number, std::string why = {});
// The same with a hint that fits this case better than the table's.
Error refuse(Refusal number, std::string why, std::string hint);

// An ordinary error with PostgreSQL's own SQLSTATE.
Error make_error(std::string sqlstate, std::string message, std::string detail = {},
                 std::string hint = {});

}  // namespace shoal

// Returns the error of a Result from the enclosing function; otherwise goes on.
#define SHOAL_TRY(expr)                                   \
  do {                                                    \
    if (auto shoal_try_ = (expr); !shoal_try_) return std::move(shoal_try_).error(); \
  } while (0)
#define SHOAL_CO_TRY(expr)                                \
  do {                                                    \
    if (auto shoal_try_ = (expr); !shoal_try_) co_return std::move(shoal_try_).error(); \
  } while (0)
