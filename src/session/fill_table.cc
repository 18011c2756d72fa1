// New tables from queries over shards.
#include "session/fill_table.h"

#include "route/bind.h"
#include "route/functions.h"
#include "session/outputs.h"
#include "session/session.h"
#include "sql/deparse.h"
#include "sql/words.h"

namespace shoal::session {
namespace {

// The new table with its schema: an unqualified name must not find a temporary table.
std::string written(const sql::RangeVar& name, const catalog::Snapshot& snapshot,
                    const route::SessionFacts& facts) {
  std::string schema = name.schema;
  for (const std::string& s : facts.search_path) {
    if (schema.empty() && snapshot.has_schema(s)) schema = s;
  }
  const std::string table = sql::quote_identifier(name.name);
  return schema.empty() ? table : sql::quote_identifier(schema) + "." + table;
}

// CREATE TABLE AS .. [WITH [NO] DATA] -> WITH NO DATA; empty when it said so itself.
std::string without_data(const std::string& text) {
  const auto words = sql::words_of(text);
  const auto last = [&](std::size_t n) {
    return words.size() >= n ? std::string_view(words[words.size() - n].text) : "";
  };
  if (last(1) == "data" && last(2) == "no" && last(3) == "with") return {};
  std::string out = text;
  if (last(1) == "data" && last(2) == "with") {
    std::string lower = text;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    out.resize(lower.rfind("with"));
  }
  return out + "\nWITH NO DATA";
}

}  // namespace

Result<TableToFill> table_to_fill(const sql::Statement& statement,
                                  const catalog::Snapshot& snapshot,
                                  const route::SessionFacts& facts) {
  TableToFill out;
  const auto* ddl = std::get_if<sql::Ddl>(&statement.node);
  const auto* select = std::get_if<sql::SelectPtr>(&statement.node);
  const bool temporary =
      (ddl && ddl->temporary) || (select && (*select)->into && (*select)->into->persistence == 't');
  const bool as = ddl && ddl->verb == "CREATE" && ddl->query && !ddl->names.empty() &&
                  (temporary || ddl->object == "TABLE" || ddl->object == "MATERIALIZED VIEW");
  const bool into = select && (*select)->into;
  if ((!as && !into) || !route::hides_rows(snapshot, facts)) return out;
  const sql::Select& query = as ? *ddl->query : **select;
  const sql::RangeVar& name = as ? ddl->names[0] : *(*select)->into;
  const bool exists = snapshot.resolve_table(facts.search_path, name.schema, name.name) != nullptr;
  if (as && ddl->if_not_exists && exists) return out;
  const route::Analysis a = route::bind_query(query, snapshot, facts);
  if (a.refusal) return *a.refusal;
  if (statement.has_opaque || a.opaque) {
    return refuse(Refusal::kUnknownGrammar, "a part of the query is not understood by the router");
  }
  if (!a.sharded) return out;
  if (temporary) {
    return refuse(Refusal::kTempTable, "a temporary table or view of a query over sharded tables",
                  "make an ordinary table");
  }
  if (as && ddl->object != "TABLE") return out;
  std::string body;
  if (as) {
    out.create_text = without_data(statement.text);
    if (out.create_text.empty()) return out;
    auto text = sql::deparse_checked(query);
    if (!text) return text.error();
    body = std::move(*text);
  } else {
    sql::SelectPtr plain = sql::clone(query);
    plain->into.reset();
    auto text = sql::deparse_checked(*plain);
    if (!text) return text.error();
    body = std::move(*text);
    out.create_text = fmt::format("CREATE {}TABLE {} AS {} WITH NO DATA",
                                  name.persistence == 'u' ? "UNLOGGED " : "",
                                  written(name, snapshot, facts), body);
  }
  out.insert_text = fmt::format("INSERT INTO {} {}", written(name, snapshot, facts), body);
  return out;
}

// `had_ddl`: the transaction had changed the schema before, which the gathering cannot see.
io::Task<Result<std::uint64_t>> Session::fill_table(std::string text, bool had_ddl) {
  sql::ParseLimits limits{context_.limits.statement_bytes, context_.limits.sql_depth};
  Result<std::vector<sql::Statement>> parsed = sql::parse(text, limits, true);
  if (!parsed) co_return parsed.error();
  plan::PlanPtr plan = make_plan(parsed->front(), {});
  if (const auto* refused = std::get_if<Error>(&plan->node)) co_return *refused;
  SHOAL_CO_TRY(co_await wait_for_holds(*plan));
  std::string tag;
  if (const auto* forward = std::get_if<plan::Forward>(&plan->node)) {
    Result<backend::Connection*> c = co_await txn_.use(forward->shard);
    if (!c) co_return c.error();
    Result<backend::TextRows> done = co_await (*c)->query(text);
    if (!done) co_return done.error();
    tag = done->tag;
  } else {
    exec::Bound bound;
    bound.text = text;
    std::string rows;
    std::vector<std::size_t> ends;
    BufferOutput output(rows, ends, client_.out(), context_.limits.pull_bytes);
    filling_ = !had_ddl;
    Result<std::string> done = co_await run_plan_to(*plan, bound, output);
    filling_ = false;
    if (!done) co_return done.error();
    tag = *done;
  }
  co_return wire::parse_tag(tag).rows.value_or(0);
}

}  // namespace shoal::session
