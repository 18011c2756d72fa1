// SET and RESET of shoal.key over libpq.
#include "client/scoped_key.h"

#include <libpq-fe.h>

#include <memory>
#include <string>

namespace shoal::client {
namespace {

Result<> run(PGconn* connection, const char* sql) {
  std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(connection, sql), PQclear);
  if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) return {};
  const char* sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  return make_error(sqlstate == nullptr ? "08006" : sqlstate, PQerrorMessage(connection));
}

}  // namespace

ScopedKey::~ScopedKey() {
  (void)end();
}

Result<> ScopedKey::end() {
  if (connection_ == nullptr) return {};
  PGconn* connection = connection_;
  connection_ = nullptr;
  return run(connection, "RESET shoal.key");
}

Result<ScopedKey> with_key(PGconn* connection, std::string_view key) {
  // SET takes no parameters, so the key becomes a literal, quoted by libpq.
  char* quoted = PQescapeLiteral(connection, key.data(), key.size());
  if (quoted == nullptr) return make_error("22021", PQerrorMessage(connection));
  std::string sql = std::string("SET shoal.key = ") + quoted;
  PQfreemem(quoted);
  SHOAL_TRY(run(connection, sql.c_str()));
  return ScopedKey(connection);
}

}  // namespace shoal::client
