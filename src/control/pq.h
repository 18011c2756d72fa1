// One blocking libpq connection for the control plane: never used on a core's thread.
// Thread rule: one thread at a time.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/runner.h"
#include "base/result.h"

namespace shoal::control {

using backend::TextRows;

// A DSN (URI or keyword form) taken apart.
struct Dsn {
  std::string host, port, dbname, user, password, options;  // options: the other keywords
  // Keyword form; empty user and password are taken from `fallback`.
  std::string text(const Dsn& fallback) const;
};
Result<Dsn> parse_dsn(std::string_view dsn);  // SH0503 with libpq's reason

class Pq {
 public:
  Pq() = default;
  // Gives up after `timeout`; keepalives end a call on a dead network within half a minute.
  static Result<Pq> connect(const std::string& dsn, std::chrono::milliseconds timeout,
                            std::string_view application_name = "shoal control");

  // Simple protocol; several statements allowed; the rows of the last one that gave any. The error
  // of the server as it came.
  Result<TextRows> query(const std::string& sql);
  // Extended protocol, text parameters.
  Result<TextRows> query(const std::string& sql,
                         const std::vector<std::optional<std::string>>& params);
  // Sends `copy_sql` (COPY .. FROM STDIN, text format) and all of `data`.
  Result<> copy_in(const std::string& copy_sql, std::string_view data);
  // Result of COPY .. TO STDOUT, whole.
  Result<std::string> copy_out(const std::string& copy_sql);

  bool connected() const;
  int socket() const;
  // Reads what has arrived; returns the channels notified since.
  std::vector<std::string> notifications();
  void close() { connection_.reset(); }

 private:
  std::shared_ptr<void> connection_;  // PGconn
};

// 'text' with quotes doubled (E'' when it holds a backslash), and "identifier".
std::string quote_literal(std::string_view text);
std::string quote_ident(std::string_view name);                      // always quoted
std::string quote_nullable(const std::optional<std::string>& text);  // NULL without a value

}  // namespace shoal::control
