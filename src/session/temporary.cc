// Temporary tables, views and sequences: they are on the home shard, on a connection that the
// client keeps. Their names shadow those of other relations, so they must be known exactly: home
// itself is asked for them after whatever may have changed them, and ROLLBACK restores them with
// the facts.
#include "route/bind.h"
#include "session/session.h"
#include "sql/deparse.h"

namespace shoal::session {
namespace {

// Whether CREATE makes the relation in the temporary schema.
bool is_created_temporary(const sql::RangeVar& name, const catalog::Snapshot& snapshot,
                          const route::SessionFacts& facts) {
  if (name.persistence == 't' || name.schema == "pg_temp") return true;
  if (!name.schema.empty()) return false;
  for (const std::string& schema : facts.search_path) {
    if (schema == "pg_temp") return true;
    if (snapshot.has_schema(schema)) return false;
  }
  return false;
}

bool makes_relation(const sql::Ddl& d) {
  return d.verb == "CREATE" &&
         (d.object == "TABLE" || d.object == "VIEW" || d.object == "SEQUENCE");
}

}  // namespace

const std::string& Session::server_key(const StatementInfo& statement) {
  if (facts_.temp_tables.empty()) return statement.server_key;
  key_beside_temporary_ = statement.server_key;
  for (const std::string& name : facts_.temp_tables) key_beside_temporary_ += '\0' + name;
  return key_beside_temporary_;
}

Result<bool> Session::is_about_temporary(const sql::Statement& statement) {
  const catalog::Snapshot& snapshot = *this->snapshot();
  if (const auto* select = std::get_if<sql::SelectPtr>(&statement.node); select && (*select)->into)
    return is_created_temporary(*(*select)->into, snapshot, facts_);
  const auto* ddl = std::get_if<sql::Ddl>(&statement.node);
  if (!ddl) return false;
  const auto own = [&](const sql::RangeVar& name) {
    return route::is_own_temporary(name, snapshot, facts_);
  };
  if (ddl->temporary || (ddl->relation && own(*ddl->relation)) ||
      std::any_of(ddl->parents.begin(), ddl->parents.end(), own))
    return true;
  if (makes_relation(*ddl)) {
    if (!ddl->names.empty() && is_created_temporary(ddl->names[0], snapshot, facts_)) return true;
    // A view of what is temporary is temporary itself.
    return ddl->object == "VIEW" && ddl->query && !facts_.temp_tables.empty() &&
           route::bind_query(*ddl->query, snapshot, facts_).temporary;
  }
  if (ddl->verb == "CREATE") return false;
  const auto count = std::count_if(ddl->names.begin(), ddl->names.end(), own);
  if (count != 0 && count != static_cast<std::ptrdiff_t>(ddl->names.size())) {
    return refuse(Refusal::kTempTable,
                  fmt::format("{} names temporary relations beside others", ddl->verb),
                  "write one statement for the temporary ones and one for the others");
  }
  return count != 0;
}

io::Task<Result<>> Session::run_temporary_ddl(const sql::Statement& statement,
                                              std::string_view text) {
  SHOAL_CO_TRY(check_temporary(statement));
  const ShardId home = snapshot()->home;
  const auto* ddl = std::get_if<sql::Ddl>(&statement.node);
  if (txn_.idle() && !(ddl && ddl->concurrently)) begin_implicit();
  Result<> done = co_await pass_text(home, text, true);
  if (!done || server_error_) co_return done;
  txn_.mark_temp(home);
  txn_.pin(home);
  temporary_changed_ = true;
  co_return co_await read_temporary_names();
}

io::Task<Result<>> Session::read_temporary_names() {
  Result<backend::Connection*> c = co_await txn_.use_for_words(snapshot()->home);
  if (!c) co_return c.error();
  Result<backend::TextRows> rows = co_await (*c)->query(
      "SELECT relname FROM pg_catalog.pg_class"
      " WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() ORDER BY 1");
  if (!rows) co_return rows.error();
  std::vector<std::string> names;
  for (const auto& row : rows->rows)
    if (row[0]) names.push_back(*row[0]);
  change_facts(false, [&] { facts_.temp_tables = names; });
  facts_changed();
  co_return Result<>();
}

// ON COMMIT DROP has dropped tables, and what hung on them. Without knowing which, the session
// cannot go on: it ends with its pinned connection.
io::Task<> Session::end_temporary(bool committed) {
  if (!std::exchange(temporary_changed_, false) || !committed) co_return;
  txn_.forget_cancel();  // too late
  Result<> read = co_await read_temporary_names();
  if (read) co_return;
  if (backend::Connection* c = txn_.enlisted(snapshot()->home)) c->close();
}

// A temporary table or view is on home: its query must be answered there, as it stands.
Result<> Session::check_temporary(const sql::Statement& statement) {
  sql::SelectPtr query;
  if (const auto* ddl = std::get_if<sql::Ddl>(&statement.node); ddl != nullptr && ddl->query)
    query = sql::clone(*ddl->query);
  if (const auto* select = std::get_if<sql::SelectPtr>(&statement.node)) {
    query = sql::clone(**select);
    query->into.reset();
  }
  if (!query) return {};
  sql::Statement inner;
  inner.text = sql::deparse(*query);
  inner.max_param = statement.max_param;
  inner.has_opaque = statement.has_opaque;
  inner.node = std::move(query);
  const plan::PlanPtr plan = make_plan(inner, {});
  if (const auto* refused = std::get_if<Error>(&plan->node)) return *refused;
  const auto* forward = std::get_if<plan::Forward>(&plan->node);
  if (forward && forward->shard == snapshot()->home && forward->text.sql.empty()) return {};
  return refuse(Refusal::kTempTable, "its query reads tables that are not on the home shard",
                "CREATE it empty, and INSERT the rows that a SELECT gives");
}

}  // namespace shoal::session
