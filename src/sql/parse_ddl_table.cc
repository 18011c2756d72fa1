// Schema changes of tables, indexes and views: the parser's tree -> Ddl.
#include "sql/convert.h"

namespace shoal::sql {
namespace {

constexpr const char* kAlterActions[] = {"",
                                         "ADD COLUMN",
                                         "ADD COLUMN",
                                         "ADD COLUMN",
                                         "ALTER COLUMN DEFAULT",
                                         "ALTER COLUMN DEFAULT",
                                         "DROP NOT NULL",
                                         "SET NOT NULL",
                                         "DROP EXPRESSION",
                                         "CHECK NOT NULL",
                                         "SET STATISTICS",
                                         "SET OPTIONS",
                                         "RESET OPTIONS",
                                         "SET STORAGE",
                                         "SET COMPRESSION",
                                         "DROP COLUMN",
                                         "DROP COLUMN",
                                         "ADD INDEX",
                                         "ADD INDEX",
                                         "ADD CONSTRAINT",
                                         "ADD CONSTRAINT",
                                         "ADD CONSTRAINT",
                                         "ADD CONSTRAINT",
                                         "ALTER CONSTRAINT",
                                         "VALIDATE CONSTRAINT",
                                         "VALIDATE CONSTRAINT",
                                         "ADD CONSTRAINT",
                                         "DROP CONSTRAINT",
                                         "DROP CONSTRAINT",
                                         "COMMENT",
                                         "ALTER COLUMN TYPE",
                                         "ALTER COLUMN OPTIONS",
                                         "OWNER TO",
                                         "CLUSTER ON",
                                         "SET WITHOUT CLUSTER",
                                         "SET LOGGED",
                                         "SET UNLOGGED",
                                         "SET WITHOUT OIDS",
                                         "SET ACCESS METHOD",
                                         "SET TABLESPACE",
                                         "SET",
                                         "RESET",
                                         "SET",
                                         "ENABLE TRIGGER",
                                         "ENABLE ALWAYS TRIGGER",
                                         "ENABLE REPLICA TRIGGER",
                                         "DISABLE TRIGGER",
                                         "ENABLE TRIGGER ALL",
                                         "DISABLE TRIGGER ALL",
                                         "ENABLE TRIGGER USER",
                                         "DISABLE TRIGGER USER",
                                         "ENABLE RULE",
                                         "ENABLE ALWAYS RULE",
                                         "ENABLE REPLICA RULE",
                                         "DISABLE RULE",
                                         "INHERIT",
                                         "NO INHERIT",
                                         "OF",
                                         "NOT OF",
                                         "REPLICA IDENTITY",
                                         "ENABLE ROW LEVEL SECURITY",
                                         "DISABLE ROW LEVEL SECURITY",
                                         "FORCE ROW LEVEL SECURITY",
                                         "NO FORCE ROW LEVEL SECURITY",
                                         "OPTIONS",
                                         "ATTACH PARTITION",
                                         "DETACH PARTITION",
                                         "DETACH PARTITION FINALIZE",
                                         "ADD IDENTITY",
                                         "SET IDENTITY",
                                         "DROP IDENTITY",
                                         "STATISTICS"};

bool is_serial(const TypeName& type) {
  static constexpr std::string_view kNames[] = {"serial",  "serial2",   "serial4",
                                                "serial8", "bigserial", "smallserial"};
  if (type.names.size() != 1) return false;
  return std::find(std::begin(kNames), std::end(kNames), type.names[0]) != std::end(kNames);
}

// The name of an index column; expressions have none.
std::vector<std::string> index_columns(Nodes items) {
  std::vector<std::string> out;
  for (const Node* n : items) {
    if (is(n, PG_QUERY__NODE__NODE_INDEX_ELEM)) out.push_back(text_of(n->index_elem->name));
  }
  return out;
}

}  // namespace

DdlConstraint Converter::ddl_constraint(const PgQuery__Constraint& c) {
  using K = DdlConstraint::Kind;
  DdlConstraint out;
  out.name = text_of(c.conname);
  out.columns = strings_of(nodes(c.keys, c.n_keys));
  out.using_index = text_of(c.indexname);
  switch (c.contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
      out.kind = K::kPrimary;
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
      out.kind = K::kUnique;
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
      out.kind = K::kCheck;
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
      out.kind = K::kNotNull;
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
      out.kind = K::kIdentity;
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
      out.kind = K::kGenerated;
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
      out.kind = K::kDefault;
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION:
      out.kind = K::kExclusion;
      for (const Node* n : nodes(c.exclusions, c.n_exclusions)) {
        if (!is(n, PG_QUERY__NODE__NODE_LIST) || n->list->n_items == 0) continue;
        for (auto& name : index_columns(nodes(n->list->items, 1))) {
          out.columns.push_back(std::move(name));
        }
      }
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
      out.kind = K::kForeign;
      out.columns = strings_of(nodes(c.fk_attrs, c.n_fk_attrs));
      out.references = range_var(c.pktable);
      out.referenced_columns = strings_of(nodes(c.pk_attrs, c.n_pk_attrs));
      break;
    default:
      out.kind = K::kOther;
  }
  return out;
}

DdlColumn Converter::ddl_column(const PgQuery__ColumnDef& c) {
  DdlColumn out;
  out.name = text_of(c.colname);
  out.type = type_name(c.type_name);
  out.serial = is_serial(out.type);
  for (const Node* n : nodes(c.constraints, c.n_constraints)) {
    if (!is(n, PG_QUERY__NODE__NODE_CONSTRAINT)) continue;
    DdlConstraint constraint = ddl_constraint(*n->constraint);
    if (constraint.columns.empty()) constraint.columns = {out.name};
    out.constraints.push_back(std::move(constraint));
  }
  return out;
}

void Converter::create_table(const PgQuery__CreateStmt& s, Ddl& d) {
  d.verb = "CREATE";
  d.object = "TABLE";
  d.names.push_back(range_var(s.relation));
  d.temporary = d.names[0].persistence == 't';
  d.if_not_exists = s.if_not_exists;
  d.partitioned = s.partspec != nullptr;
  d.partition_of = s.partbound != nullptr;
  d.parents = range_vars(nodes(s.inh_relations, s.n_inh_relations));
  for (const Nodes list :
       {nodes(s.table_elts, s.n_table_elts), nodes(s.constraints, s.n_constraints)}) {
    for (const Node* n : list) {
      if (is(n, PG_QUERY__NODE__NODE_COLUMN_DEF)) d.columns.push_back(ddl_column(*n->column_def));
      if (is(n, PG_QUERY__NODE__NODE_CONSTRAINT)) {
        d.constraints.push_back(ddl_constraint(*n->constraint));
      }
      if (is(n, PG_QUERY__NODE__NODE_TABLE_LIKE_CLAUSE)) d.like = true;
    }
  }
}

void Converter::create_table_as(const PgQuery__CreateTableAsStmt& s, Ddl& d) {
  d.verb = "CREATE";
  d.object = s.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW ? "MATERIALIZED VIEW" : "TABLE";
  d.if_not_exists = s.if_not_exists;
  if (s.into != nullptr) {
    d.names.push_back(range_var(s.into->rel));
    d.temporary = d.names[0].persistence == 't';
  }
  if (is(s.query, PG_QUERY__NODE__NODE_SELECT_STMT))
    d.query = select(s.query);
  else
    has_opaque_ = true;  // CREATE TABLE ... AS EXECUTE
}

void Converter::alter_table(const PgQuery__AlterTableStmt& s, Ddl& d) {
  d.verb = "ALTER";
  object_name(s.objtype, nullptr, d);
  d.names.push_back(range_var(s.relation));
  d.only = d.names[0].only;
  d.missing_ok = s.missing_ok;
  for (const Node* n : nodes(s.cmds, s.n_cmds)) {
    if (!is(n, PG_QUERY__NODE__NODE_ALTER_TABLE_CMD)) continue;
    const auto& c = *n->alter_table_cmd;
    const auto action = static_cast<std::size_t>(c.subtype);
    d.alter_actions.emplace_back(action < std::size(kAlterActions) ? kAlterActions[action] : "");
    d.altered_columns.push_back(text_of(c.name));
    if (c.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE) d.cascade = true;
    if (c.missing_ok) d.if_not_exists = true;
    if (is(c.def, PG_QUERY__NODE__NODE_COLUMN_DEF)) {
      DdlColumn column = ddl_column(*c.def->column_def);
      if (column.name.empty()) column.name = text_of(c.name);  // ALTER COLUMN TYPE
      d.altered_columns.back() = column.name;
      d.columns.push_back(std::move(column));
    } else if (is(c.def, PG_QUERY__NODE__NODE_CONSTRAINT)) {
      d.constraints.push_back(ddl_constraint(*c.def->constraint));
    } else if (is(c.def, PG_QUERY__NODE__NODE_PARTITION_CMD)) {
      d.names.push_back(range_var(c.def->partition_cmd->name));
      if (c.def->partition_cmd->concurrent) d.concurrently = true;
    } else if (is(c.def, PG_QUERY__NODE__NODE_RANGE_VAR)) {
      d.parents.push_back(range_var(c.def->range_var));
    }
  }
}

void Converter::create_index(const PgQuery__IndexStmt& s, Ddl& d) {
  d.verb = "CREATE";
  d.object = "INDEX";
  d.relation = range_var(s.relation);
  if (text_of(s.idxname) != "") {
    RangeVar index;
    index.schema = d.relation->schema;  // an index lies in its table's schema
    index.name = text_of(s.idxname);
    d.names.push_back(std::move(index));
  }
  d.unique = s.unique;
  d.concurrently = s.concurrent;
  d.if_not_exists = s.if_not_exists;
  d.index_columns = index_columns(nodes(s.index_params, s.n_index_params));
}

bool Converter::table_ddl(const Node* n, Ddl& d) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_CREATE_STMT:
      create_table(*n->create_stmt, d);
      return true;
    case PG_QUERY__NODE__NODE_CREATE_FOREIGN_TABLE_STMT:
      if (n->create_foreign_table_stmt->base_stmt != nullptr) {
        create_table(*n->create_foreign_table_stmt->base_stmt, d);
      }
      d.object = "FOREIGN TABLE";
      return true;
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
      create_table_as(*n->create_table_as_stmt, d);
      return true;
    case PG_QUERY__NODE__NODE_ALTER_TABLE_STMT:
      alter_table(*n->alter_table_stmt, d);
      return true;
    case PG_QUERY__NODE__NODE_INDEX_STMT:
      create_index(*n->index_stmt, d);
      return true;
    case PG_QUERY__NODE__NODE_VIEW_STMT: {
      const auto& s = *n->view_stmt;
      d.verb = "CREATE";
      d.object = "VIEW";
      d.names.push_back(range_var(s.view));
      d.temporary = d.names[0].persistence == 't';
      d.query = select(s.query);
      return true;
    }
    case PG_QUERY__NODE__NODE_CREATE_SEQ_STMT:
    case PG_QUERY__NODE__NODE_ALTER_SEQ_STMT: {
      const bool create = is(n, PG_QUERY__NODE__NODE_CREATE_SEQ_STMT);
      d.verb = create ? "CREATE" : "ALTER";
      d.object = "SEQUENCE";
      d.names.push_back(
          range_var(create ? n->create_seq_stmt->sequence : n->alter_seq_stmt->sequence));
      d.temporary = d.names[0].persistence == 't';
      d.if_not_exists = create && n->create_seq_stmt->if_not_exists;
      d.missing_ok = !create && n->alter_seq_stmt->missing_ok;
      const Nodes options = create
                                ? nodes(n->create_seq_stmt->options, n->create_seq_stmt->n_options)
                                : nodes(n->alter_seq_stmt->options, n->alter_seq_stmt->n_options);
      for (const Node* o : options) {
        if (!is(o, PG_QUERY__NODE__NODE_DEF_ELEM)) continue;
        if (text_of(o->def_elem->defname) != "owned_by") continue;
        const Node* arg = o->def_elem->arg;
        if (!is(arg, PG_QUERY__NODE__NODE_LIST)) continue;
        for (const auto& part : strings_of(nodes(arg->list->items, arg->list->n_items))) {
          d.owner_sequence += (d.owner_sequence.empty() ? "" : ".") + part;
        }
      }
      return true;
    }
    default:
      return false;
  }
}

}  // namespace shoal::sql
