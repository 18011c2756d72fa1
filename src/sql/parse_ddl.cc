// The other schema changes: the parser's tree -> Ddl. Names of relations become `names`, all other
// objects' names `other_names`; the table that an object hangs on is `relation`.
#include "sql/convert.h"
#include "sql/ddl_names.h"

namespace shoal::sql {
namespace {

using ObjectType = PgQuery__ObjectType;

constexpr const char* kObjects[] = {"",
                                    "ACCESS METHOD",
                                    "AGGREGATE",
                                    "OPERATOR CLASS",
                                    "OPERATOR CLASS",
                                    "ATTRIBUTE",
                                    "CAST",
                                    "COLUMN",
                                    "COLLATION",
                                    "CONVERSION",
                                    "DATABASE",
                                    "DEFAULT",
                                    "DEFAULT PRIVILEGES",
                                    "DOMAIN",
                                    "CONSTRAINT",
                                    "EVENT TRIGGER",
                                    "EXTENSION",
                                    "FOREIGN DATA WRAPPER",
                                    "SERVER",
                                    "FOREIGN TABLE",
                                    "FUNCTION",
                                    "INDEX",
                                    "LANGUAGE",
                                    "LARGE OBJECT",
                                    "MATERIALIZED VIEW",
                                    "OPERATOR CLASS",
                                    "OPERATOR",
                                    "OPERATOR FAMILY",
                                    "PARAMETER",
                                    "POLICY",
                                    "PROCEDURE",
                                    "PUBLICATION",
                                    "PUBLICATION",
                                    "PUBLICATION",
                                    "ROLE",
                                    "ROUTINE",
                                    "RULE",
                                    "SCHEMA",
                                    "SEQUENCE",
                                    "SUBSCRIPTION",
                                    "STATISTICS",
                                    "CONSTRAINT",
                                    "TABLE",
                                    "TABLESPACE",
                                    "TRANSFORM",
                                    "TRIGGER",
                                    "TEXT SEARCH CONFIGURATION",
                                    "TEXT SEARCH DICTIONARY",
                                    "TEXT SEARCH PARSER",
                                    "TEXT SEARCH TEMPLATE",
                                    "TYPE",
                                    "USER MAPPING",
                                    "VIEW"};

const char* object_word(int type) {
  const auto i = static_cast<std::size_t>(type);
  return i < std::size(kObjects) ? kObjects[i] : "";
}

bool is_relation(int type) {
  switch (type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX:
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
    case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
      return true;
    default:
      return false;
  }
}

// Kinds whose name is [schema.]table.name.
bool hangs_on_table(int type) {
  switch (type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN:
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT:
    case PG_QUERY__OBJECT_TYPE__OBJECT_TRIGGER:
    case PG_QUERY__OBJECT_TYPE__OBJECT_POLICY:
    case PG_QUERY__OBJECT_TYPE__OBJECT_RULE:
      return true;
    default:
      return false;
  }
}

RangeVar relation_of(std::vector<std::string> parts) {
  RangeVar out;
  if (!parts.empty()) out.name = std::move(parts.back());
  if (parts.size() >= 2) out.schema = std::move(parts[parts.size() - 2]);
  if (parts.size() >= 3) out.database = std::move(parts[parts.size() - 3]);
  return out;
}

}  // namespace

void Converter::object_name(int type, const Node* object, Ddl& d) {
  d.object = object_word(type);
  std::vector<std::string> parts = name_parts(object);
  if (parts.empty()) return;
  if (is_relation(type)) {
    d.names.push_back(relation_of(std::move(parts)));
  } else if (hangs_on_table(type) && parts.size() > 1) {
    d.other_names.push_back({std::move(parts.back())});
    parts.pop_back();
    d.relation = relation_of(std::move(parts));
  } else {
    d.other_names.push_back(std::move(parts));
  }
}

void Converter::drop(const PgQuery__DropStmt& s, Ddl& d) {
  d.verb = "DROP";
  for (const Node* n : nodes(s.objects, s.n_objects)) object_name(s.remove_type, n, d);
  d.object = object_word(s.remove_type);
  d.cascade = s.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  d.missing_ok = s.missing_ok;
  d.concurrently = s.concurrent;
}

void Converter::rename(const PgQuery__RenameStmt& s, Ddl& d) {
  d.verb = "RENAME";
  object_name(s.rename_type, s.object, d);
  d.old_name = text_of(s.subname);
  d.new_name = text_of(s.newname);
  d.missing_ok = s.missing_ok;
  d.cascade = s.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  if (s.relation == nullptr) return;
  if (is_relation(s.rename_type))
    d.names.push_back(range_var(s.relation));
  else
    d.relation = range_var(s.relation);
}

void Converter::grant(const PgQuery__GrantStmt& s, Ddl& d) {
  d.verb = s.is_grant ? "GRANT" : "REVOKE";
  d.object = object_word(s.objtype);
  d.cascade = s.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  for (const Node* n : nodes(s.objects, s.n_objects)) {
    if (is(n, PG_QUERY__NODE__NODE_RANGE_VAR)) {
      d.names.push_back(range_var(n->range_var));
    } else {
      auto parts = name_parts(n);
      if (!parts.empty()) d.other_names.push_back(std::move(parts));
    }
  }
  if (s.targtype == PG_QUERY__GRANT_TARGET_TYPE__ACL_TARGET_ALL_IN_SCHEMA) {
    d.alter_actions.emplace_back("ALL IN SCHEMA");
    d.altered_columns.emplace_back();
  }
  if (d.names.size() == 1) d.relation = d.names[0];
}

bool Converter::ddl_statement(const Node* n, Ddl& d) {
  return table_ddl(n, d) || relation_ddl(n, d) || named_ddl(n, d) || extension_ddl(n, d) ||
         role_ddl(n, d) || foreign_ddl(n, d);
}

// Changes that name an object of any kind, and what hangs on a table.
bool Converter::relation_ddl(const Node* n, Ddl& d) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_DROP_STMT:
      drop(*n->drop_stmt, d);
      return true;
    case PG_QUERY__NODE__NODE_RENAME_STMT:
      rename(*n->rename_stmt, d);
      return true;
    case PG_QUERY__NODE__NODE_GRANT_STMT:
      grant(*n->grant_stmt, d);
      return true;
    case PG_QUERY__NODE__NODE_COMMENT_STMT:
      d.verb = "COMMENT";
      object_name(n->comment_stmt->objtype, n->comment_stmt->object, d);
      return true;
    case PG_QUERY__NODE__NODE_SEC_LABEL_STMT:
      d.verb = "SECURITY LABEL";
      object_name(n->sec_label_stmt->objtype, n->sec_label_stmt->object, d);
      return true;
    case PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT: {
      const auto& s = *n->alter_object_schema_stmt;
      d.verb = "ALTER";
      object_name(s.object_type, s.object, d);
      if (s.relation != nullptr) d.names.push_back(range_var(s.relation));
      d.new_name = text_of(s.newschema);
      d.alter_actions = {"SET SCHEMA"};
      d.altered_columns = {""};
      return true;
    }
    case PG_QUERY__NODE__NODE_ALTER_OWNER_STMT: {
      const auto& s = *n->alter_owner_stmt;
      d.verb = "ALTER";
      object_name(s.object_type, s.object, d);
      if (s.relation != nullptr) d.names.push_back(range_var(s.relation));
      d.alter_actions = {"OWNER TO"};
      d.altered_columns = {""};
      return true;
    }
    case PG_QUERY__NODE__NODE_ALTER_OBJECT_DEPENDS_STMT: {
      const auto& s = *n->alter_object_depends_stmt;
      d.verb = "ALTER";
      object_name(s.object_type, s.object, d);
      if (s.relation != nullptr) d.relation = range_var(s.relation);
      d.alter_actions = {"DEPENDS ON EXTENSION"};
      d.altered_columns = {""};
      return true;
    }
    case PG_QUERY__NODE__NODE_ALTER_TABLE_MOVE_ALL_STMT:
      d.verb = "ALTER";
      d.object = object_word(n->alter_table_move_all_stmt->objtype);
      d.alter_actions = {"SET TABLESPACE"};
      d.altered_columns = {""};
      return true;
    case PG_QUERY__NODE__NODE_CREATE_TRIG_STMT:
      name_ddl(d, "CREATE", "TRIGGER", text_of(n->create_trig_stmt->trigname));
      d.relation = range_var(n->create_trig_stmt->relation);
      d.other_names.push_back(
          strings_of(nodes(n->create_trig_stmt->funcname, n->create_trig_stmt->n_funcname)));
      return true;
    case PG_QUERY__NODE__NODE_RULE_STMT:
      name_ddl(d, "CREATE", "RULE", text_of(n->rule_stmt->rulename));
      d.relation = range_var(n->rule_stmt->relation);
      return true;
    case PG_QUERY__NODE__NODE_CREATE_POLICY_STMT:
      name_ddl(d, "CREATE", "POLICY", text_of(n->create_policy_stmt->policy_name));
      d.relation = range_var(n->create_policy_stmt->table);
      return true;
    case PG_QUERY__NODE__NODE_ALTER_POLICY_STMT:
      name_ddl(d, "ALTER", "POLICY", text_of(n->alter_policy_stmt->policy_name));
      d.relation = range_var(n->alter_policy_stmt->table);
      return true;
    case PG_QUERY__NODE__NODE_CREATE_STATS_STMT: {
      const auto& s = *n->create_stats_stmt;
      list_ddl(d, "CREATE", "STATISTICS", nodes(s.defnames, s.n_defnames));
      const auto tables = range_vars(nodes(s.relations, s.n_relations));
      if (!tables.empty()) d.relation = tables[0];
      return true;
    }
    default:
      return false;
  }
}

// Schemas, functions, types.
bool Converter::named_ddl(const Node* n, Ddl& d) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_CREATE_SCHEMA_STMT: {
      const auto& s = *n->create_schema_stmt;
      std::string name = text_of(s.schemaname);
      if (name.empty() && s.authrole != nullptr) name = text_of(s.authrole->rolename);
      name_ddl(d, "CREATE", "SCHEMA", name);
      d.if_not_exists = s.if_not_exists;
      if (s.n_schema_elts > 0) has_opaque_ = true;  // CREATE SCHEMA s CREATE TABLE ...
      return true;
    }
    case PG_QUERY__NODE__NODE_CREATE_FUNCTION_STMT: {
      const auto& s = *n->create_function_stmt;
      list_ddl(d, "CREATE", s.is_procedure ? "PROCEDURE" : "FUNCTION",
               nodes(s.funcname, s.n_funcname));
      return true;
    }
    case PG_QUERY__NODE__NODE_ALTER_FUNCTION_STMT: {
      const auto& s = *n->alter_function_stmt;
      d.verb = "ALTER";
      d.object = object_word(s.objtype);
      if (s.func) d.other_names.push_back(strings_of(nodes(s.func->objname, s.func->n_objname)));
      return true;
    }
    case PG_QUERY__NODE__NODE_DEFINE_STMT: {
      const auto& s = *n->define_stmt;
      list_ddl(d, "CREATE", object_word(s.kind), nodes(s.defnames, s.n_defnames));
      d.if_not_exists = s.if_not_exists;
      return true;
    }
    case PG_QUERY__NODE__NODE_COMPOSITE_TYPE_STMT: {
      const RangeVar name = range_var(n->composite_type_stmt->typevar);
      d.verb = "CREATE";
      d.object = "TYPE";
      d.other_names.emplace_back();
      if (!name.schema.empty()) d.other_names[0].push_back(name.schema);
      d.other_names[0].push_back(name.name);
      return true;
    }
    case PG_QUERY__NODE__NODE_CREATE_ENUM_STMT:
      list_ddl(d, "CREATE", "TYPE",
               nodes(n->create_enum_stmt->type_name, n->create_enum_stmt->n_type_name));
      return true;
    case PG_QUERY__NODE__NODE_CREATE_RANGE_STMT:
      list_ddl(d, "CREATE", "TYPE",
               nodes(n->create_range_stmt->type_name, n->create_range_stmt->n_type_name));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_ENUM_STMT:
      list_ddl(d, "ALTER", "TYPE",
               nodes(n->alter_enum_stmt->type_name, n->alter_enum_stmt->n_type_name));
      d.alter_actions = {text_of(n->alter_enum_stmt->old_val).empty() ? "ADD VALUE"
                                                                      : "RENAME VALUE"};
      d.altered_columns = {""};
      return true;
    case PG_QUERY__NODE__NODE_ALTER_TYPE_STMT:
      list_ddl(d, "ALTER", "TYPE",
               nodes(n->alter_type_stmt->type_name, n->alter_type_stmt->n_type_name));
      return true;
    case PG_QUERY__NODE__NODE_CREATE_DOMAIN_STMT:
      list_ddl(d, "CREATE", "DOMAIN",
               nodes(n->create_domain_stmt->domainname, n->create_domain_stmt->n_domainname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_DOMAIN_STMT:
      list_ddl(d, "ALTER", "DOMAIN",
               nodes(n->alter_domain_stmt->type_name, n->alter_domain_stmt->n_type_name));
      return true;
    default:
      return false;
  }
}

// Extensions, operators, casts, text search, languages.
bool Converter::extension_ddl(const Node* n, Ddl& d) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_CREATE_EXTENSION_STMT:
      name_ddl(d, "CREATE", "EXTENSION", text_of(n->create_extension_stmt->extname));
      d.if_not_exists = n->create_extension_stmt->if_not_exists;
      return true;
    case PG_QUERY__NODE__NODE_ALTER_EXTENSION_STMT:
      name_ddl(d, "ALTER", "EXTENSION", text_of(n->alter_extension_stmt->extname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_EXTENSION_CONTENTS_STMT:
      name_ddl(d, "ALTER", "EXTENSION", text_of(n->alter_extension_contents_stmt->extname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_STATS_STMT:
      list_ddl(d, "ALTER", "STATISTICS",
               nodes(n->alter_stats_stmt->defnames, n->alter_stats_stmt->n_defnames));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_COLLATION_STMT:
      list_ddl(d, "ALTER", "COLLATION",
               nodes(n->alter_collation_stmt->collname, n->alter_collation_stmt->n_collname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_OPERATOR_STMT:
      name_ddl(d, "ALTER", "OPERATOR");
      return true;
    case PG_QUERY__NODE__NODE_CREATE_OP_CLASS_STMT:
      name_ddl(d, "CREATE", "OPERATOR CLASS");
      return true;
    case PG_QUERY__NODE__NODE_CREATE_OP_FAMILY_STMT:
      name_ddl(d, "CREATE", "OPERATOR FAMILY");
      return true;
    case PG_QUERY__NODE__NODE_ALTER_OP_FAMILY_STMT:
      name_ddl(d, "ALTER", "OPERATOR FAMILY");
      return true;
    case PG_QUERY__NODE__NODE_CREATE_CAST_STMT:
      name_ddl(d, "CREATE", "CAST");
      return true;
    case PG_QUERY__NODE__NODE_CREATE_CONVERSION_STMT:
      name_ddl(d, "CREATE", "CONVERSION");
      return true;
    case PG_QUERY__NODE__NODE_CREATE_TRANSFORM_STMT:
      name_ddl(d, "CREATE", "TRANSFORM");
      return true;
    case PG_QUERY__NODE__NODE_CREATE_AM_STMT:
      name_ddl(d, "CREATE", "ACCESS METHOD", text_of(n->create_am_stmt->amname));
      return true;
    case PG_QUERY__NODE__NODE_CREATE_PLANG_STMT:
      name_ddl(d, "CREATE", "LANGUAGE", text_of(n->create_plang_stmt->plname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_TSDICTIONARY_STMT:
      name_ddl(d, "ALTER", "TEXT SEARCH DICTIONARY");
      return true;
    case PG_QUERY__NODE__NODE_ALTER_TSCONFIGURATION_STMT:
      name_ddl(d, "ALTER", "TEXT SEARCH CONFIGURATION");
      return true;
    case PG_QUERY__NODE__NODE_CREATE_EVENT_TRIG_STMT:
      name_ddl(d, "CREATE", "EVENT TRIGGER", text_of(n->create_event_trig_stmt->trigname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_EVENT_TRIG_STMT:
      name_ddl(d, "ALTER", "EVENT TRIGGER", text_of(n->alter_event_trig_stmt->trigname));
      return true;
    default:
      return false;
  }
}

}  // namespace shoal::sql
