// CREATE TABLE and ALTER TABLE: where, and what may not be.
#include <set>

#include "control/ddl_planner.h"
#include "control/pq.h"

namespace shoal::control {
namespace {

using catalog::Table;
using catalog::TableKind;
using Kind = sql::DdlConstraint::Kind;

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// LIKE of a table's name, % and _ only.
bool like(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '%') {
    return like(text, pattern.substr(1)) || (!text.empty() && like(text.substr(1), pattern));
  }
  return !text.empty() && (pattern[0] == '_' || pattern[0] == text[0]) &&
         like(text.substr(1), pattern.substr(1));
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

// All constraints of a statement, those inside columns too.
template <class Visit>
Result<> for_each_constraint(const sql::Ddl& d, const Visit& visit) {
  for (const sql::DdlColumn& column : d.columns) {
    for (const sql::DdlConstraint& c : column.constraints) SHOAL_TRY(visit(c));
  }
  for (const sql::DdlConstraint& c : d.constraints) SHOAL_TRY(visit(c));
  return {};
}

// The columns of the new table that a foreign key pairs with `key`; empty unless it holds all.
std::vector<std::string> paired(const sql::DdlConstraint& c,
                                const std::vector<std::string>& referenced,
                                const std::vector<std::string>& key) {
  std::vector<std::string> out;
  for (const std::string& k : key) {
    const auto at = std::find(referenced.begin(), referenced.end(), k);
    const auto i = static_cast<std::size_t>(at - referenced.begin());
    if (at == referenced.end() || i >= c.columns.size()) return {};
    out.push_back(c.columns[i]);
  }
  return out;
}

}  // namespace

std::vector<std::string> DdlPlanner::key_of(const Table& table) const {
  std::vector<std::string> out;
  for (const std::int16_t attnum : table.key_attnums) {
    if (const catalog::Column* c = table.column(attnum)) out.push_back(c->name);
  }
  return out;
}

std::vector<std::string> DdlPlanner::referenced_columns(const sql::DdlConstraint& c,
                                                        const Table& table) const {
  if (!c.referenced_columns.empty()) return c.referenced_columns;
  std::vector<std::string> out;
  for (const catalog::Index& i : table.indexes) {
    if (!i.primary) continue;
    for (const std::int16_t attnum : i.attnums) {
      if (const catalog::Column* column = table.column(attnum)) out.push_back(column->name);
    }
  }
  return out;
}

// Where CREATE puts a table: quoted, with its schema.
std::string DdlPlanner::new_table_name(const sql::RangeVar& name) const {
  if (!name.schema.empty()) return written(name);
  for (const std::string& schema : path_) {
    if (schema == "pg_temp" || !snapshot_.has_schema(schema)) continue;
    return quote_ident(schema) + "." + quote_ident(name.name);
  }
  return quote_ident(name.name);
}

Result<> DdlPlanner::judge_foreign_key(const sql::DdlConstraint& c, const Table& table) const {
  const Table* other = c.references ? find(*c.references) : nullptr;
  if (!other) return {};  // the server says what is wrong
  const std::string what = fmt::format("{} references {}", table.name, other->name);
  const bool reference = table.kind == TableKind::kReference;
  if (other->kind == TableKind::kReference) return {};
  if (other->kind == TableKind::kSingle) {
    return refuse(
        Refusal::kForeignKey, what + ", which is on the home shard only",
        fmt::format("first SELECT create_reference_table('{}'), or shard it", other->name));
  }
  if (reference) return refuse(Refusal::kForeignKey, what + ", whose rows are spread over shards");
  if (other->keyspace != table.keyspace) {
    return refuse(Refusal::kForeignKey, what + ", which is in another keyspace");
  }
  const auto mine = paired(c, referenced_columns(c, *other), key_of(*other));
  if (mine == key_of(table)) return {};
  return refuse(Refusal::kForeignKey, fmt::format("{} without pairing the keys ({}) and ({})", what,
                                                  joined(key_of(table)), joined(key_of(*other))));
}

// A new constraint on a table that is on several shards.
Result<> DdlPlanner::judge_constraint(const sql::DdlConstraint& c, const Table& table) const {
  if (c.kind == Kind::kForeign) return judge_foreign_key(c, table);
  if (c.kind != Kind::kPrimary && c.kind != Kind::kUnique && c.kind != Kind::kExclusion) return {};
  if (table.kind != TableKind::kSharded || !c.using_index.empty()) return {};
  for (const std::string& key : key_of(table)) {
    if (contains(c.columns, key)) continue;
    return refuse(Refusal::kUniqueWithoutKey,
                  fmt::format("{} on {} ({}) does not contain {}",
                              c.name.empty() ? "a unique constraint" : c.name, table.name,
                              joined(c.columns), key));
  }
  return {};
}

Result<> DdlPlanner::judge_new_columns(const sql::Ddl& d, const Table& table) const {
  for (const sql::DdlColumn& column : d.columns) {
    bool filled = column.serial;
    for (const sql::DdlConstraint& c : column.constraints) filled |= c.kind == Kind::kIdentity;
    if (filled && table.column(column.name) == nullptr) {
      return refuse(Refusal::kDdlUnsupported,
                    fmt::format("each shard would number the rows of {} by itself", table.name),
                    "make the table single, add the column, and shard it again");
    }
  }
  return for_each_constraint(
      d, [&](const sql::DdlConstraint& c) { return judge_constraint(c, table); });
}

Result<> DdlPlanner::judge_alter_action(const std::string& action, const std::string& column,
                                        const Table& table) const {
  if (action == "INHERIT" || action == "NO INHERIT" || action == "OF") {
    return refuse(Refusal::kDdlUnsupported, fmt::format("{} of {}", action, table.name));
  }
  if (!contains(key_of(table), column)) return {};
  if (action == "DROP COLUMN" || action == "ALTER COLUMN TYPE" || action == "DROP NOT NULL") {
    return refuse(Refusal::kDdlUnsupported,
                  fmt::format("{}: {} is the shard key of {}", action, column, table.name),
                  fmt::format("first SELECT shoal.single_table('{}')", table.name));
  }
  return {};
}

Result<> DdlPlanner::plan_alter_table(const sql::Ddl& d) {
  const Table* t = d.names.empty() ? nullptr : find(d.names[0]);
  if (d.concurrently) plan_.transactional = false;
  if (!t || !everywhere(*t)) {
    // A single table may come to reference what is not whole on home.
    SHOAL_TRY(for_each_constraint(d, [&](const sql::DdlConstraint& c) -> Result<> {
      const Table* other = c.kind == Kind::kForeign && c.references ? find(*c.references) : nullptr;
      if (!t || !other || other->kind != TableKind::kSharded) return {};
      return refuse(Refusal::kForeignKey,
                    fmt::format("{} is a single table, {} is sharded", t->name, other->name),
                    fmt::format("first shard {}", t->name));
    }));
    for (std::size_t i = 0; i < d.alter_actions.size(); ++i) {
      if (d.alter_actions[i] != "ATTACH PARTITION" || d.names.size() < 2) continue;
      if (!everywhere(d.names[1])) continue;
      return refuse(Refusal::kDdlUnsupported, "a sharded partition of a single table");
    }
    at_home();
    return {};
  }
  for (std::size_t i = 0; i < d.alter_actions.size(); ++i) {
    SHOAL_TRY(judge_alter_action(d.alter_actions[i],
                                 i < d.altered_columns.size() ? d.altered_columns[i] : "", *t));
    if (d.alter_actions[i] == "ATTACH PARTITION" && d.names.size() > 1) {
      const Table* part = find(d.names[1]);
      if (part && part->kind == t->kind && part->keyspace == t->keyspace &&
          key_of(*part) == key_of(*t)) {
        continue;
      }
      return refuse(Refusal::kDdlUnsupported,
                    fmt::format("the partition is not placed like {}", t->name),
                    "CREATE TABLE .. PARTITION OF, then INSERT the rows");
    }
  }
  SHOAL_TRY(judge_new_columns(d, *t));
  on_all();
  return {};
}

// A partition is what its parent is.
Result<> DdlPlanner::plan_partition(const sql::Ddl& d) {
  const Table* parent = find(d.parents[0]);
  if (!parent || !everywhere(*parent)) {
    at_home();
    return {};
  }
  SHOAL_TRY(for_each_constraint(
      d, [&](const sql::DdlConstraint& c) { return judge_constraint(c, *parent); }));
  on_all();
  plan_.catalog_sql.push_back(fmt::format(
      "INSERT INTO shoal.placed_table (relation, kind, keyspace, key_columns, local_constraints)"
      " SELECT {}::pg_catalog.regclass, kind, keyspace, key_columns, local_constraints"
      " FROM shoal.placed_table WHERE relation = {}::pg_catalog.oid ON CONFLICT DO NOTHING",
      quote_literal(new_table_name(d.names.at(0))), parent->oid.value));
  return {};
}

// A new table that references a sharded one by its whole key follows it: as a single table it could
// not, because home does not have all rows.
void DdlPlanner::follow_reference(const sql::Ddl& d, const sql::DdlConstraint& c) {
  if (c.kind != Kind::kForeign || !c.references || !plan_.follow.empty()) return;
  const Table* other = find(*c.references);
  if (!other || other->kind != TableKind::kSharded) return;
  std::vector<std::string> key = paired(c, referenced_columns(c, *other), key_of(*other));
  if (key.empty()) return;
  std::string columns = "{";
  for (const std::string& k : key) columns += (columns.size() > 1 ? "," : "") + quote_ident(k);
  const catalog::Keyspace* keyspace = snapshot_.keyspace(other->keyspace);
  plan_.follow.push_back(
      {"shard_table",
       {new_table_name(d.names.at(0)), columns + "}", keyspace ? keyspace->name : std::string()}});
}

void DdlPlanner::apply_rules(const sql::Ddl& d) {
  if (!plan_.follow.empty()) return;
  const sql::RangeVar& name = d.names.at(0);
  const std::string full = new_table_name(name);
  for (const catalog::TableRule& rule : snapshot_.table_rules) {
    const bool has_column =
        rule.column.empty() || std::any_of(d.columns.begin(), d.columns.end(),
                                           [&](const auto& c) { return c.name == rule.column; });
    const bool in_schema = rule.schema.empty() || full.starts_with(quote_ident(rule.schema) + ".");
    if (!has_column || !in_schema || !like(name.name, rule.pattern)) continue;
    if (rule.kind == TableKind::kReference) {
      plan_.follow.push_back({"reference_table", {full}});
    } else if (rule.kind == TableKind::kSharded) {
      DdlPlan::Follow follow{"shard_table", {full, rule.column}};
      if (!rule.keyspace.empty()) follow.arguments.push_back(rule.keyspace);
      plan_.follow.push_back(std::move(follow));
    }
    return;
  }
}

Result<> DdlPlanner::plan_create_table(const sql::Ddl& d) {
  if (d.names.empty()) {
    return refuse(Refusal::kDdlUnsupported, "the name of the table could not be read");
  }
  if (statement_.has_opaque && snapshot_.any_sharded()) {
    return refuse(Refusal::kDdlUnsupported, "CREATE TABLE AS EXECUTE");
  }
  if (d.partition_of && !d.parents.empty()) return plan_partition(d);
  for (const sql::RangeVar& parent : d.parents) {
    if (!everywhere(parent)) continue;
    return refuse(Refusal::kDdlUnsupported,
                  fmt::format("{} would inherit from {}, which is not on home alone",
                              d.names[0].name, parent.name),
                  "use partitions, or a table of its own");
  }
  at_home();
  if (d.if_not_exists && find(d.names[0])) return {};
  // Names of tables that are not there yet are the server's to judge; self-references are fine.
  SHOAL_TRY(for_each_constraint(d, [&](const sql::DdlConstraint& c) -> Result<> {
    const Table* other = c.kind == Kind::kForeign && c.references ? find(*c.references) : nullptr;
    if (!other || other->kind != TableKind::kSharded) return {};
    follow_reference(d, c);
    if (!plan_.follow.empty()) return {};
    return refuse(Refusal::kForeignKey,
                  fmt::format("{} references the sharded table {} without its key ({})",
                              d.names[0].name, other->name, joined(key_of(*other))),
                  "add the key to the foreign key");
  }));
  apply_rules(d);
  return {};
}

}  // namespace shoal::control
