// Dispatch by kind of object, and the objects that are no tables.
#include "control/ddl.h"

#include <set>

#include "control/ddl_planner.h"
#include "control/pq.h"

namespace shoal::control {
namespace {

bool one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_function(std::string_view object) {
  return one_of(object, {"FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"});
}

bool is_server_object(std::string_view object) {
  return one_of(object, {"ROLE", "DATABASE", "TABLESPACE", "SYSTEM", "PARAMETER"});
}

}  // namespace

std::string DdlPlanner::written(const sql::RangeVar& name) const {
  return name.schema.empty() ? quote_ident(name.name)
                             : quote_ident(name.schema) + "." + quote_ident(name.name);
}

void DdlPlanner::at_home() {
  plan_.steps.push_back({{snapshot_.home}, ""});
}

void DdlPlanner::on_all() {
  std::vector<ShardId> shards = snapshot_.active_shards();
  std::erase(shards, snapshot_.home);
  shards.insert(shards.begin(), snapshot_.home);
  plan_.steps.push_back({std::move(shards), ""});
}

void DdlPlanner::others(std::string sql) {
  at_home();
  std::vector<ShardId> shards = snapshot_.active_shards();
  std::erase(shards, snapshot_.home);
  if (!shards.empty()) plan_.steps.push_back({std::move(shards), std::move(sql)});
}

// A function over the row type of a single table is on home only, and so is all that names it. What
// is missing on a shard raises there when it is used, never a wrong answer.
void DdlPlanner::others_if_possible(bool without_function_bodies) {
  const std::string body = fmt::format(
      "BEGIN\n{0}EXECUTE {1};\n{2}EXCEPTION WHEN undefined_object OR undefined_table OR "
      "undefined_function OR invalid_schema_name THEN NULL;\nEND",
      without_function_bodies
          ? "PERFORM pg_catalog.set_config('check_function_bodies', 'off', true);\n"
          : "",
      quote_literal(statement_.text),
      without_function_bodies
          ? "PERFORM pg_catalog.set_config('check_function_bodies', 'on', true);\n"
          : "");
  others("DO " + quote_literal(body));
}

void DdlPlanner::once_per_server() {
  std::vector<ShardId> shards{snapshot_.home};
  std::set<std::string> servers;
  const auto server_of = [](const catalog::Shard& s) {
    return s.server.empty() ? s.host + ":" + s.port : s.server;
  };
  servers.insert(server_of(*snapshot_.shard(snapshot_.home)));
  for (const ShardId id : snapshot_.active_shards()) {
    if (servers.insert(server_of(*snapshot_.shard(id))).second) shards.push_back(id);
  }
  plan_.steps.push_back({std::move(shards), ""});
}

void DdlPlanner::forget_dropped() {
  plan_.catalog_sql.push_back(
      "DELETE FROM shoal.placed_table p WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c"
      " WHERE c.oid = p.relation)");
  plan_.catalog_sql.push_back(
      "DELETE FROM shoal.declared_function WHERE pg_catalog.to_regprocedure(function) IS NULL");
}

Result<> DdlPlanner::refuse_reading_shards(const sql::Select& query, const char* what) const {
  if (!reads(query).sharded) return {};
  return refuse(Refusal::kDdlUnsupported,
                fmt::format("{} reads a sharded table, whose rows are not in one place", what),
                "CREATE TABLE first, then INSERT INTO .. SELECT");
}

// A query that reads sharded tables was made CREATE TABLE AS .. WITH NO DATA by the session, which
// fills the table afterwards.
Result<> DdlPlanner::plan_select_into() {
  at_home();
  return {};
}

Result<> DdlPlanner::plan_view(const sql::Ddl& d) {
  if (d.object == "MATERIALIZED VIEW") {
    if (d.verb == "CREATE" && d.query) {
      SHOAL_TRY(refuse_reading_shards(*d.query, "the materialized view"));
    }
    at_home();
    return {};
  }
  if (d.verb == "CREATE") {
    if (!d.query) {
      return refuse(Refusal::kDdlUnsupported, "the query of the view could not be read");
    }
    const Reads r = reads(*d.query);
    if (!r.single && !r.catalog && !r.placed) {
      others_if_possible(false);  // it may name sequences or functions of home
    } else if (!r.single && !r.catalog) {
      on_all();
    } else if (!d.names.empty() && everywhere(d.names[0])) {
      // Replaced by one that cannot be on the others.
      others("DROP VIEW IF EXISTS " + written(d.names[0]));
    } else {
      at_home();
    }
    return {};
  }
  on_all(!d.names.empty() && everywhere(d.names[0]));
  return {};
}

Result<> DdlPlanner::plan_sequence(const sql::Ddl& d) {
  const bool copies = !d.names.empty() && sequence_has_copies(d.names[0]);
  // Values and limits are home's; names and owners are everybody's.
  const bool names_only = d.verb == "RENAME" || !d.alter_actions.empty();
  on_all(copies && names_only);
  return {};
}

Result<> DdlPlanner::plan_index(const sql::Ddl& d) {
  if (d.concurrently) plan_.transactional = false;
  if (d.verb != "CREATE") {
    const Table* owner = d.names.empty() ? nullptr : owner_of_index(d.names[0]);
    on_all(owner && everywhere(*owner));
    if (owner && d.verb == "RENAME") {
      plan_.catalog_sql.push_back(
          fmt::format("UPDATE shoal.placed_table SET local_constraints = pg_catalog.array_replace("
                      "local_constraints, {}, {}) WHERE relation = {}::pg_catalog.oid",
                      quote_literal(d.names[0].name), quote_literal(d.new_name), owner->oid.value));
    }
    return {};
  }
  const Table* t = d.relation ? find(*d.relation) : nullptr;
  if (!t || !everywhere(*t)) {
    at_home();
    return {};
  }
  if (d.unique) {
    sql::DdlConstraint c;
    c.kind = sql::DdlConstraint::Kind::kUnique;
    c.name = d.names.empty() ? "the index" : d.names[0].name;
    c.columns = d.index_columns;
    SHOAL_TRY(judge_constraint(c, *t));
  }
  on_all();
  return {};
}

Result<> DdlPlanner::plan_hanging(const sql::Ddl& d) {
  const Table* t = d.relation ? find(*d.relation) : nullptr;
  if (!t || !everywhere(*t)) {
    at_home();
    return {};
  }
  if (d.verb == "CREATE" && d.object == "TRIGGER" && t->relkind != 'v') {
    const std::vector<std::string> none;
    const auto& function = d.other_names.size() > 1 ? d.other_names[1] : none;
    const auto found = snapshot_.resolve_functions(path_, function);
    const bool local = !found.empty() && std::all_of(found.begin(), found.end(), [](const auto* f) {
      return !f->declared.empty() || f->builtin();
    });
    if (!local) {
      return refuse(
          Refusal::kTriggerNotLocal,
          fmt::format("the function of the trigger on {} is not declared local", t->name));
    }
  }
  if (d.object == "RULE" && d.verb == "CREATE") {
    return refuse(Refusal::kTriggerNotLocal, fmt::format("a rule on {}", t->name),
                  "write a trigger whose function is declared local");
  }
  if (d.object == "POLICY" && d.verb != "DROP" && d.verb != "RENAME") {
    std::string upper = statement_.text;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const std::size_t using_clause = std::min(upper.find("USING"), upper.find("WITH CHECK"));
    if (using_clause != std::string::npos &&
        upper.find("SELECT", using_clause) != std::string::npos) {
      return refuse(Refusal::kTriggerNotLocal,
                    fmt::format("the policy on {} reads other tables", t->name),
                    "write the policy without subqueries");
    }
  }
  on_all();
  return {};
}

Result<> DdlPlanner::plan_grant(const sql::Ddl& d) {
  if (d.object == "SEQUENCE") {
    bool copies = false;
    for (const sql::RangeVar& n : d.names) copies |= sequence_has_copies(n);
    if (copies && d.names.size() == 1)
      on_all();
    else if (copies)
      others_if_possible(false);
    else
      at_home();
    return {};
  }
  if (d.object == "TABLE" && !d.names.empty()) {
    std::size_t all = 0;
    for (const sql::RangeVar& n : d.names) all += everywhere(n) ? 1 : 0;
    if (all != 0 && all != d.names.size()) {
      return refuse(Refusal::kDdlUnsupported,
                    fmt::format("{} names tables of home only beside others", d.verb),
                    "write one statement for the single tables and one for the others");
    }
    on_all(all != 0);
    return {};
  }
  if (is_function(d.object)) {
    others_if_possible(false);
    return {};
  }
  if (is_server_object(d.object)) return plan_server_object(d);
  if (one_of(d.object, {"FOREIGN DATA WRAPPER", "SERVER", "LARGE OBJECT", "FOREIGN TABLE"}))
    at_home();
  else
    on_all();
  return {};
}

Result<> DdlPlanner::plan_server_object(const sql::Ddl& d) {
  if (d.object == "ROLE") {
    once_per_server();
    if (d.login_role_password && plan_.steps.back().shards.size() > 1) {
      return refuse(Refusal::kDdlUnsupported,
                    "each server would make another verifier of the clear-text password",
                    "give the password as a SCRAM-SHA-256 verifier");
    }
    plan_.changes_schema = false;
    return {};
  }
  plan_.changes_schema = false;
  if (d.object == "DATABASE" && one_of(d.verb, {"CREATE", "DROP"})) {
    plan_.transactional = false;
    at_home();
    return {};
  }
  const std::string& home = snapshot_.shard(snapshot_.home)->dbname;
  const bool same_name = std::all_of(snapshot_.shards.begin(), snapshot_.shards.end(),
                                     [&](const catalog::Shard& s) { return s.dbname == home; });
  if (d.object == "DATABASE" && same_name) {
    once_per_server();
    return {};
  }
  if (snapshot_.active_shards().size() == 1) {
    plan_.transactional = false;
    at_home();
    return {};
  }
  return refuse(Refusal::kDdlUnsupported,
                fmt::format("{} {} concerns one server", d.verb, d.object),
                "run it shard by shard with SET shoal.shard");
}

// RENAME of a column, a constraint, a trigger, ...
Result<> DdlPlanner::plan_rename_of_part(const sql::Ddl& d) {
  const Table* t = d.relation ? find(*d.relation) : nullptr;
  if (!t || !everywhere(*t)) {
    at_home();
    return {};
  }
  on_all();
  const char* list = d.object == "COLUMN"       ? "key_columns"
                     : d.object == "CONSTRAINT" ? "local_constraints"
                                                : nullptr;
  if (!list) return {};
  plan_.catalog_sql.push_back(fmt::format(
      "WITH RECURSIVE tree(oid) AS (SELECT {0}::pg_catalog.oid UNION SELECT i.inhrelid FROM tree"
      " JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)"
      " UPDATE shoal.placed_table SET {1} = pg_catalog.array_replace({1}, {2}, {3})"
      " WHERE relation IN (SELECT oid FROM tree)",
      t->oid.value, list, quote_literal(d.old_name), quote_literal(d.new_name)));
  return {};
}

Result<> DdlPlanner::plan_drop(const sql::Ddl& d) {
  forget_dropped();
  if (d.concurrently) plan_.transactional = false;
  std::string elsewhere;
  std::size_t count = 0;
  for (const sql::RangeVar& n : d.names) {
    const Table* t = d.object == "INDEX" ? owner_of_index(n) : find(n);
    const bool all = d.object == "SEQUENCE" ? sequence_has_copies(n) : t && everywhere(*t);
    if (!all) continue;
    ++count;
    elsewhere += (elsewhere.empty() ? "" : ", ") + written(n);
  }
  if (count == 0) {
    at_home();
  } else if (count == d.names.size()) {
    on_all();
  } else {
    others(fmt::format("DROP {} {}IF EXISTS {}{}", d.object, d.concurrently ? "CONCURRENTLY " : "",
                       elsewhere, d.cascade ? " CASCADE" : ""));
  }
  return {};
}

Result<> DdlPlanner::plan_ddl(const sql::Ddl& d) {
  const std::string_view object = d.object;
  if (object == "SCHEMA" && statement_.has_opaque) {
    return refuse(Refusal::kDdlUnsupported, "CREATE SCHEMA with elements",
                  "write the elements as statements of their own");
  }
  const bool relation =
      one_of(object, {"TABLE", "INDEX", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "FOREIGN TABLE"});
  if (d.verb == "GRANT" || d.verb == "REVOKE") return plan_grant(d);
  if (d.verb == "DROP" && relation) return plan_drop(d);
  if (d.verb == "DROP" && one_of(object, {"SCHEMA", "EXTENSION", "TYPE", "OWNED"}))
    forget_dropped();
  if (d.verb == "RENAME" && d.relation) return plan_rename_of_part(d);
  if (object == "FOREIGN TABLE") {
    at_home();
    return {};
  }
  if (object == "TABLE") {
    if (d.verb == "CREATE") return plan_create_table(d);
    return plan_alter_table(d);
  }
  if (object == "INDEX") return plan_index(d);
  if (object == "VIEW" || object == "MATERIALIZED VIEW") return plan_view(d);
  if (object == "SEQUENCE") return plan_sequence(d);
  if (d.relation) return plan_hanging(d);
  if (is_function(object)) {
    if (d.verb != "CREATE") forget_dropped();  // what was declared is not the next of its name
    others_if_possible(d.verb == "CREATE");
    return {};
  }
  if (is_server_object(object)) return plan_server_object(d);
  if (one_of(object, {"PUBLICATION", "SUBSCRIPTION"})) {
    if (!snapshot_.any_sharded()) {
      plan_.transactional = object != "SUBSCRIPTION";
      at_home();
      return {};
    }
    return refuse(Refusal::kDdlUnsupported,
                  fmt::format("a {} concerns the rows of one shard", object),
                  "run it shard by shard with SET shoal.shard");
  }
  if (one_of(object, {"FOREIGN DATA WRAPPER", "SERVER", "USER MAPPING", "FOREIGN SCHEMA",
                      "LARGE OBJECT"})) {
    at_home();
    return {};
  }
  if (object == "STATISTICS" || one_of(object, {"CONSTRAINT", "RULE", "TRIGGER", "POLICY"})) {
    others_if_possible(false);
    return {};
  }
  on_all();
  return {};
}

Result<DdlPlan> DdlPlanner::plan() {
  if (const auto* d = std::get_if<sql::Ddl>(&statement_.node)) {
    SHOAL_TRY(plan_ddl(*d));
  } else if (const auto* s = std::get_if<sql::SelectPtr>(&statement_.node); s && *s && (*s)->into) {
    SHOAL_TRY(plan_select_into());
  } else if (snapshot_.active_shards().size() > 1) {
    return refuse(Refusal::kDdlUnsupported, "it is not known on which shards this must run");
  } else {
    at_home();
  }
  return std::move(plan_);
}

Result<DdlPlan> plan_ddl(const sql::Statement& statement, const catalog::Snapshot& snapshot,
                         const std::vector<std::string>& search_path) {
  return DdlPlanner(statement, snapshot, search_path).plan();
}

}  // namespace shoal::control
