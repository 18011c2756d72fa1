// Schema changes beyond one schema: roles, databases, foreign data, replication -> Ddl.
#include "sql/convert.h"
#include "sql/ddl_names.h"

namespace shoal::sql {
namespace {

// A password that is not a verifier already is clear text.
bool clear_text_password(Nodes options) {
  for (const Node* n : options) {
    if (!is(n, PG_QUERY__NODE__NODE_DEF_ELEM) || n->def_elem->arg == nullptr) continue;
    if (text_of(n->def_elem->defname) != "password") continue;
    const std::string value = string_of(n->def_elem->arg);
    const bool md5 = value.size() == 35 && value.rfind("md5", 0) == 0 &&
                     value.find_first_not_of("0123456789abcdef", 3) == std::string::npos;
    return !md5 && value.rfind("SCRAM-SHA-256$", 0) != 0;
  }
  return false;
}

}  // namespace

// What belongs to a whole cluster: roles, databases, tablespaces, system settings.
bool Converter::role_ddl(const Node* n, Ddl& d) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_CREATE_ROLE_STMT: {
      const auto& s = *n->create_role_stmt;
      name_ddl(d, "CREATE", "ROLE", text_of(s.role));
      d.login_role_password = clear_text_password(nodes(s.options, s.n_options));
      return true;
    }
    case PG_QUERY__NODE__NODE_ALTER_ROLE_STMT: {
      const auto& s = *n->alter_role_stmt;
      name_ddl(d, "ALTER", "ROLE", s.role ? text_of(s.role->rolename) : std::string());
      d.login_role_password = clear_text_password(nodes(s.options, s.n_options));
      return true;
    }
    case PG_QUERY__NODE__NODE_ALTER_ROLE_SET_STMT:
      name_ddl(d, "ALTER", "ROLE",
               n->alter_role_set_stmt->role ? text_of(n->alter_role_set_stmt->role->rolename)
                                            : std::string());
      return true;
    case PG_QUERY__NODE__NODE_DROP_ROLE_STMT:
      d.verb = "DROP";
      d.object = "ROLE";
      for (const Node* r : nodes(n->drop_role_stmt->roles, n->drop_role_stmt->n_roles)) {
        d.other_names.push_back(name_parts(r));
      }
      d.missing_ok = n->drop_role_stmt->missing_ok;
      return true;
    case PG_QUERY__NODE__NODE_GRANT_ROLE_STMT:
      d.verb = n->grant_role_stmt->is_grant ? "GRANT" : "REVOKE";
      d.object = "ROLE";
      return true;
    case PG_QUERY__NODE__NODE_ALTER_DEFAULT_PRIVILEGES_STMT:
      d.verb = "ALTER";
      d.object = "DEFAULT PRIVILEGES";
      return true;
    case PG_QUERY__NODE__NODE_DROP_OWNED_STMT:
      d.verb = "DROP", d.object = "OWNED";
      return true;
    case PG_QUERY__NODE__NODE_REASSIGN_OWNED_STMT:
      d.verb = "REASSIGN";
      d.object = "OWNED";
      return true;
    case PG_QUERY__NODE__NODE_CREATEDB_STMT:
      name_ddl(d, "CREATE", "DATABASE", text_of(n->createdb_stmt->dbname));
      return true;
    case PG_QUERY__NODE__NODE_DROPDB_STMT:
      name_ddl(d, "DROP", "DATABASE", text_of(n->dropdb_stmt->dbname));
      d.missing_ok = n->dropdb_stmt->missing_ok;
      return true;
    case PG_QUERY__NODE__NODE_ALTER_DATABASE_STMT:
      name_ddl(d, "ALTER", "DATABASE", text_of(n->alter_database_stmt->dbname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_DATABASE_SET_STMT:
      name_ddl(d, "ALTER", "DATABASE", text_of(n->alter_database_set_stmt->dbname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_DATABASE_REFRESH_COLL_STMT:
      name_ddl(d, "ALTER", "DATABASE", text_of(n->alter_database_refresh_coll_stmt->dbname));
      return true;
    case PG_QUERY__NODE__NODE_CREATE_TABLE_SPACE_STMT:
      name_ddl(d, "CREATE", "TABLESPACE", text_of(n->create_table_space_stmt->tablespacename));
      return true;
    case PG_QUERY__NODE__NODE_DROP_TABLE_SPACE_STMT:
      name_ddl(d, "DROP", "TABLESPACE", text_of(n->drop_table_space_stmt->tablespacename));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_TABLE_SPACE_OPTIONS_STMT:
      name_ddl(d, "ALTER", "TABLESPACE",
               text_of(n->alter_table_space_options_stmt->tablespacename));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_SYSTEM_STMT:
      d.verb = "ALTER";
      d.object = "SYSTEM";
      return true;
    default:
      return false;
  }
}

// Foreign data and replication.
bool Converter::foreign_ddl(const Node* n, Ddl& d) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_CREATE_FDW_STMT:
      name_ddl(d, "CREATE", "FOREIGN DATA WRAPPER", text_of(n->create_fdw_stmt->fdwname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_FDW_STMT:
      name_ddl(d, "ALTER", "FOREIGN DATA WRAPPER", text_of(n->alter_fdw_stmt->fdwname));
      return true;
    case PG_QUERY__NODE__NODE_CREATE_FOREIGN_SERVER_STMT:
      name_ddl(d, "CREATE", "SERVER", text_of(n->create_foreign_server_stmt->servername));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_FOREIGN_SERVER_STMT:
      name_ddl(d, "ALTER", "SERVER", text_of(n->alter_foreign_server_stmt->servername));
      return true;
    case PG_QUERY__NODE__NODE_CREATE_USER_MAPPING_STMT:
      name_ddl(d, "CREATE", "USER MAPPING", text_of(n->create_user_mapping_stmt->servername));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_USER_MAPPING_STMT:
      name_ddl(d, "ALTER", "USER MAPPING", text_of(n->alter_user_mapping_stmt->servername));
      return true;
    case PG_QUERY__NODE__NODE_DROP_USER_MAPPING_STMT:
      name_ddl(d, "DROP", "USER MAPPING", text_of(n->drop_user_mapping_stmt->servername));
      return true;
    case PG_QUERY__NODE__NODE_IMPORT_FOREIGN_SCHEMA_STMT:
      name_ddl(d, "IMPORT", "FOREIGN SCHEMA",
               text_of(n->import_foreign_schema_stmt->remote_schema));
      return true;
    case PG_QUERY__NODE__NODE_CREATE_PUBLICATION_STMT:
      name_ddl(d, "CREATE", "PUBLICATION", text_of(n->create_publication_stmt->pubname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_PUBLICATION_STMT:
      name_ddl(d, "ALTER", "PUBLICATION", text_of(n->alter_publication_stmt->pubname));
      return true;
    case PG_QUERY__NODE__NODE_CREATE_SUBSCRIPTION_STMT:
      name_ddl(d, "CREATE", "SUBSCRIPTION", text_of(n->create_subscription_stmt->subname));
      return true;
    case PG_QUERY__NODE__NODE_ALTER_SUBSCRIPTION_STMT:
      name_ddl(d, "ALTER", "SUBSCRIPTION", text_of(n->alter_subscription_stmt->subname));
      return true;
    case PG_QUERY__NODE__NODE_DROP_SUBSCRIPTION_STMT:
      name_ddl(d, "DROP", "SUBSCRIPTION", text_of(n->drop_subscription_stmt->subname));
      return true;
    default:
      return false;
  }
}

}  // namespace shoal::sql
