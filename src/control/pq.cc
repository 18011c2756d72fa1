// libpq behind control's own types.
#include "control/pq.h"

#include <libpq-fe.h>

namespace shoal::control {
namespace {

PGconn* raw(const std::shared_ptr<void>& c) {
  return static_cast<PGconn*>(c.get());
}

struct ResultClear {
  void operator()(PGresult* r) const { PQclear(r); }
};
using PqResult = std::unique_ptr<PGresult, ResultClear>;

std::string trimmed(const char* text) {
  std::string out(text ? text : "");
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

Error error_of(PGconn* connection, const PGresult* result) {
  const auto field = [&](int code) {
    const char* text = result ? PQresultErrorField(result, code) : nullptr;
    return std::string(text ? text : "");
  };
  Error e;
  e.sqlstate = field(PG_DIAG_SQLSTATE);
  e.message = field(PG_DIAG_MESSAGE_PRIMARY);
  e.detail = field(PG_DIAG_MESSAGE_DETAIL);
  e.hint = field(PG_DIAG_MESSAGE_HINT);
  if (e.sqlstate.empty()) e.sqlstate = "08006";
  if (e.message.empty()) e.message = trimmed(PQerrorMessage(connection));
  e.fatal = PQstatus(connection) != CONNECTION_OK;
  return e;
}

TextRows rows_of(const PGresult* r) {
  TextRows out;
  const int columns = PQnfields(r);
  for (int c = 0; c < columns; ++c) out.columns.emplace_back(PQfname(r, c));
  out.rows.reserve(static_cast<std::size_t>(PQntuples(r)));
  for (int i = 0; i < PQntuples(r); ++i) {
    std::vector<std::optional<std::string>> row(static_cast<std::size_t>(columns));
    for (int c = 0; c < columns; ++c) {
      if (PQgetisnull(r, i, c)) continue;
      row[static_cast<std::size_t>(c)].emplace(PQgetvalue(r, i, c),
                                               static_cast<std::size_t>(PQgetlength(r, i, c)));
    }
    out.rows.push_back(std::move(row));
  }
  return out;
}

// Reads all results of what was sent; the last rows win, the first error counts.
Result<TextRows> collect(PGconn* connection) {
  TextRows out;
  std::optional<Error> error;
  while (PqResult r{PQgetResult(connection)}) {
    const ExecStatusType status = PQresultStatus(r.get());
    if (status == PGRES_TUPLES_OK) {
      out = rows_of(r.get());
    } else if (status == PGRES_COPY_IN) {
      PQputCopyEnd(connection, "no data was meant to be sent");
      continue;
    } else if (status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
      if (!error) error = error_of(connection, r.get());
      if (status == PGRES_COPY_OUT || PQstatus(connection) != CONNECTION_OK) break;
    }
    const char* tag = PQcmdStatus(r.get());
    if (tag && *tag) out.tag = tag;
  }
  if (error) return std::move(*error);
  return out;
}

std::string keyword(std::string_view name, std::string_view value) {
  if (value.empty()) return {};
  std::string out = fmt::format("{}='", name);
  for (const char c : value) {
    if (c == '\'' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "' ";
}

}  // namespace

std::string Dsn::text(const Dsn& fallback) const {
  const bool own = !user.empty();
  std::string out = keyword("host", host) + keyword("port", port) + keyword("dbname", dbname) +
                    keyword("user", own ? user : fallback.user) +
                    keyword("password", own || !password.empty() ? password : fallback.password);
  out += options;
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Result<Dsn> parse_dsn(std::string_view dsn) {
  char* message = nullptr;
  PQconninfoOption* options = PQconninfoParse(std::string(dsn).c_str(), &message);
  if (!options) {
    Error e = refuse(Refusal::kBadShard, "the DSN cannot be read: " + trimmed(message));
    PQfreemem(message);
    return e;
  }
  Dsn out;
  for (const PQconninfoOption* o = options; o->keyword; ++o) {
    if (!o->val || !*o->val) continue;
    const std::string_view name = o->keyword;
    if (name == "host" || (name == "hostaddr" && out.host.empty()))
      out.host = o->val;
    else if (name == "port")
      out.port = o->val;
    else if (name == "dbname")
      out.dbname = o->val;
    else if (name == "user")
      out.user = o->val;
    else if (name == "password")
      out.password = o->val;
    else if (name != "hostaddr" && name != "application_name")
      out.options += keyword(name, o->val);
  }
  PQconninfoFree(options);
  if (!out.options.empty()) out.options.pop_back();
  if (out.host.empty()) out.host = "localhost";
  if (out.port.empty()) out.port = "5432";
  if (out.dbname.empty()) out.dbname = out.user;
  return out;
}

Result<Pq> Pq::connect(const std::string& dsn, std::chrono::milliseconds timeout,
                       std::string_view application_name) {
  const std::string name(application_name);
  const std::string seconds = std::to_string(std::max<std::int64_t>(2, timeout.count() / 1000));
  const char* keys[] = {"dbname",           "connect_timeout",     "fallback_application_name",
                        "keepalives_idle",  "keepalives_interval", "keepalives_count",
                        "tcp_user_timeout", "client_encoding",     nullptr};
  const char* values[] = {dsn.c_str(), seconds.c_str(), name.c_str(), "10",   "5",
                          "3",         "30000",         "UTF8",       nullptr};
  PGconn* c = PQconnectdbParams(keys, values, 1);
  Pq out;
  out.connection_ = std::shared_ptr<void>(c, [](void* p) { PQfinish(static_cast<PGconn*>(p)); });
  if (PQstatus(c) != CONNECTION_OK) {
    Error e = error_of(c, nullptr);
    e.sqlstate = "08001";
    return e;
  }
  PQsetNoticeProcessor(
      c, [](void*, const char*) {}, nullptr);
  return out;
}

Result<TextRows> Pq::query(const std::string& sql) {
  PGconn* c = raw(connection_);
  if (!c) return make_error("08003", "not connected");
  if (!PQsendQuery(c, sql.c_str())) return error_of(c, nullptr);
  return collect(c);
}

Result<TextRows> Pq::query(const std::string& sql,
                           const std::vector<std::optional<std::string>>& params) {
  PGconn* c = raw(connection_);
  if (!c) return make_error("08003", "not connected");
  std::vector<const char*> values;
  for (const auto& p : params) values.push_back(p ? p->c_str() : nullptr);
  if (!PQsendQueryParams(c, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                         nullptr, nullptr, 0)) {
    return error_of(c, nullptr);
  }
  return collect(c);
}

Result<> Pq::copy_in(const std::string& copy_sql, std::string_view data) {
  PGconn* c = raw(connection_);
  if (!c) return make_error("08003", "not connected");
  PqResult start{PQexec(c, copy_sql.c_str())};
  if (PQresultStatus(start.get()) != PGRES_COPY_IN) return error_of(c, start.get());
  while (!data.empty()) {
    const std::string_view chunk = data.substr(0, 1u << 16);
    if (PQputCopyData(c, chunk.data(), static_cast<int>(chunk.size())) != 1) {
      return error_of(c, nullptr);
    }
    data.remove_prefix(chunk.size());
  }
  if (PQputCopyEnd(c, nullptr) != 1) return error_of(c, nullptr);
  SHOAL_TRY(collect(c));
  return {};
}

Result<std::string> Pq::copy_out(const std::string& copy_sql) {
  PGconn* c = raw(connection_);
  if (!c) return make_error("08003", "not connected");
  PqResult start{PQexec(c, copy_sql.c_str())};
  if (PQresultStatus(start.get()) != PGRES_COPY_OUT) return error_of(c, start.get());
  std::string out;
  char* chunk = nullptr;
  int length = 0;
  while ((length = PQgetCopyData(c, &chunk, 0)) > 0) {
    out.append(chunk, static_cast<std::size_t>(length));
    PQfreemem(chunk);
  }
  SHOAL_TRY(collect(c));
  return out;
}

bool Pq::connected() const {
  return connection_ && PQstatus(raw(connection_)) == CONNECTION_OK;
}

int Pq::socket() const {
  return connection_ ? PQsocket(raw(connection_)) : -1;
}

std::vector<std::string> Pq::notifications() {
  std::vector<std::string> out;
  PGconn* c = raw(connection_);
  if (!c) return out;
  PQconsumeInput(c);
  while (PGnotify* n = PQnotifies(c)) {
    out.emplace_back(n->relname);
    PQfreemem(n);
  }
  return out;
}

std::string quote_literal(std::string_view text) {
  const bool escaped = text.find('\\') != std::string_view::npos;
  std::string out = escaped ? "E'" : "'";
  for (const char c : text) {
    if (c == '\'' || (escaped && c == '\\')) out.push_back(c);
    out.push_back(c);
  }
  return out + "'";
}

std::string quote_ident(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out.push_back(c);
    out.push_back(c);
  }
  return out + "\"";
}

std::string quote_nullable(const std::optional<std::string>& text) {
  return text ? quote_literal(*text) : "NULL";
}

}  // namespace shoal::control
