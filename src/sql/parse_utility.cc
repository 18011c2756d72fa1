// Statements of sessions, transactions and maintenance: the parser's tree -> ours.
#include "sql/convert.h"

namespace shoal::sql {
namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// An option's argument as one string; lists join with \x1f.
std::string argument_text(const Node* n) {
  if (n == nullptr) return {};
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_STRING:
      return text_of(n->string->sval);
    case PG_QUERY__NODE__NODE_INTEGER:
      return std::to_string(n->integer->ival);
    case PG_QUERY__NODE__NODE_FLOAT:
      return text_of(n->float_->fval);
    case PG_QUERY__NODE__NODE_BOOLEAN:
      return n->boolean->boolval ? "true" : "false";
    case PG_QUERY__NODE__NODE_A_STAR:
      return "*";
    case PG_QUERY__NODE__NODE_A_CONST: {
      const auto& c = *n->a_const;
      if (c.val_case == PG_QUERY__A__CONST__VAL_IVAL) return std::to_string(c.ival->ival);
      if (c.val_case == PG_QUERY__A__CONST__VAL_FVAL) return text_of(c.fval->fval);
      if (c.val_case == PG_QUERY__A__CONST__VAL_SVAL) return text_of(c.sval->sval);
      if (c.val_case == PG_QUERY__A__CONST__VAL_BOOLVAL) {
        return c.boolval->boolval ? "true" : "false";
      }
      return {};
    }
    case PG_QUERY__NODE__NODE_LIST: {
      std::string out;
      for (const Node* item : nodes(n->list->items, n->list->n_items)) {
        if (!out.empty()) out += '\x1f';
        out += argument_text(item);
      }
      return out;
    }
    case PG_QUERY__NODE__NODE_TYPE_NAME:
      return string_of(n->type_name->n_names > 0 ? n->type_name->names[n->type_name->n_names - 1]
                                                 : nullptr);
    default:
      return {};
  }
}

// The modes of BEGIN and SET TRANSACTION, the same in both.
template <class T>
void transaction_modes(Nodes options, T& out) {
  for (const Node* n : options) {
    if (!is(n, PG_QUERY__NODE__NODE_DEF_ELEM)) continue;
    const std::string name = text_of(n->def_elem->defname);
    const std::string value = argument_text(n->def_elem->arg);
    if (name == "transaction_isolation") out.isolation = lower(value);
    if (name == "transaction_read_only") out.read_only = value != "0" && value != "false";
    if (name == "transaction_deferrable") out.deferrable = value != "0" && value != "false";
  }
}

bool is_false(const std::string& value) {
  const std::string v = lower(value);
  return v == "false" || v == "off" || v == "0";
}

}  // namespace

Statement Converter::statement(const Node* n) {
  Statement out;
  if (n == nullptr) {
    out.node = UnknownStatement{"empty statement"};
    return out;
  }
  if (data_statement(n, out) || session_statement(n, out)) return out;
  Ddl d;
  if (ddl_statement(n, d)) {
    out.node = std::move(d);
    return out;
  }
  if (is(n, PG_QUERY__NODE__NODE_LOAD_STMT))
    out.node = UnknownStatement{"LOAD"};
  else
    out.node = UnknownStatement{"statement kind " + std::to_string(n->node_case)};
  return out;
}

bool Converter::data_statement(const Node* n, Statement& out) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
      out.node = select(n);
      return true;
    case PG_QUERY__NODE__NODE_INSERT_STMT:
      out.node = insert(*n->insert_stmt);
      return true;
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
      out.node = update(*n->update_stmt);
      return true;
    case PG_QUERY__NODE__NODE_DELETE_STMT:
      out.node = remove(*n->delete_stmt);
      return true;
    case PG_QUERY__NODE__NODE_MERGE_STMT:
      out.node = merge(*n->merge_stmt);
      return true;
    case PG_QUERY__NODE__NODE_COPY_STMT:
      out.node = copy(*n->copy_stmt);
      return true;
    case PG_QUERY__NODE__NODE_TRUNCATE_STMT: {
      const auto& s = *n->truncate_stmt;
      out.node = Truncate{range_vars(nodes(s.relations, s.n_relations)), s.restart_seqs != 0,
                          s.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE};
      return true;
    }
    case PG_QUERY__NODE__NODE_LOCK_STMT:
      out.node = LockTable{range_vars(nodes(n->lock_stmt->relations, n->lock_stmt->n_relations))};
      return true;
    case PG_QUERY__NODE__NODE_CALL_STMT:
      out.node = CallProcedure{n->call_stmt->funccall ? call(*n->call_stmt->funccall) : nullptr};
      return true;
    case PG_QUERY__NODE__NODE_DO_STMT:
      out.node = DoBlock{};
      return true;
    case PG_QUERY__NODE__NODE_EXPLAIN_STMT:
      out.node = explain(*n->explain_stmt);
      out.inner = inner(n->explain_stmt->query);
      return true;
    case PG_QUERY__NODE__NODE_VACUUM_STMT:
    case PG_QUERY__NODE__NODE_REINDEX_STMT:
    case PG_QUERY__NODE__NODE_CLUSTER_STMT:
    case PG_QUERY__NODE__NODE_CHECK_POINT_STMT:
    case PG_QUERY__NODE__NODE_REFRESH_MAT_VIEW_STMT:
      out.node = maintenance(n);
      return true;
    default:
      return false;
  }
}

bool Converter::session_statement(const Node* n, Statement& out) {
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
      out.node = transaction(*n->transaction_stmt);
      return true;
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
      out.node = set_variable(*n->variable_set_stmt);
      return true;
    case PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT:
      out.node = ShowVariable{lower(text_of(n->variable_show_stmt->name))};
      return true;
    case PG_QUERY__NODE__NODE_PREPARE_STMT: {
      const auto& s = *n->prepare_stmt;
      Prepare p{text_of(s.name), {}};
      for (const Node* t : nodes(s.argtypes, s.n_argtypes)) {
        p.types.push_back(
            type_name(is(t, PG_QUERY__NODE__NODE_TYPE_NAME) ? t->type_name : nullptr));
      }
      out.node = std::move(p);
      out.inner = inner(s.query);
      return true;
    }
    case PG_QUERY__NODE__NODE_EXECUTE_STMT: {
      const auto& s = *n->execute_stmt;
      out.node = Execute{text_of(s.name), exprs(nodes(s.params, s.n_params))};
      return true;
    }
    case PG_QUERY__NODE__NODE_DEALLOCATE_STMT: {
      const std::string name = text_of(n->deallocate_stmt->name);
      out.node = Deallocate{name, name.empty()};
      return true;
    }
    case PG_QUERY__NODE__NODE_DECLARE_CURSOR_STMT: {
      constexpr int kHold = 0x0020;  // CURSOR_OPT_HOLD
      const auto& s = *n->declare_cursor_stmt;
      out.node = DeclareCursor{text_of(s.portalname), (s.options & kHold) != 0, s.options,
                               select(s.query)};
      return true;
    }
    case PG_QUERY__NODE__NODE_FETCH_STMT:
      out.node = Fetch{text_of(n->fetch_stmt->portalname), n->fetch_stmt->ismove != 0};
      return true;
    case PG_QUERY__NODE__NODE_CLOSE_PORTAL_STMT: {
      const std::string name = text_of(n->close_portal_stmt->portalname);
      out.node = ClosePortal{name, name.empty()};
      return true;
    }
    case PG_QUERY__NODE__NODE_DISCARD_STMT:
      out.node = Discard{static_cast<Discard::What>(static_cast<int>(n->discard_stmt->target) -
                                                    PG_QUERY__DISCARD_MODE__DISCARD_ALL)};
      return true;
    case PG_QUERY__NODE__NODE_LISTEN_STMT:
      out.node = Listen{text_of(n->listen_stmt->conditionname), Listen::Kind::kListen};
      return true;
    case PG_QUERY__NODE__NODE_UNLISTEN_STMT:
      out.node = Listen{text_of(n->unlisten_stmt->conditionname), Listen::Kind::kUnlisten};
      return true;
    case PG_QUERY__NODE__NODE_NOTIFY_STMT:
      out.node = Listen{text_of(n->notify_stmt->conditionname), Listen::Kind::kNotify};
      return true;
    case PG_QUERY__NODE__NODE_CONSTRAINTS_SET_STMT:
      out.node = SetConstraints{};
      return true;
    default:
      return false;
  }
}

Copy Converter::copy(const PgQuery__CopyStmt& s) {
  Copy out;
  out.table = range_var(s.relation);
  if (is(s.query, PG_QUERY__NODE__NODE_SELECT_STMT))
    out.query = select(s.query);
  else if (s.query != nullptr)
    out.opaque_query = true;
  out.columns = strings_of(nodes(s.attlist, s.n_attlist));
  out.from = s.is_from;
  out.program = s.is_program;
  out.file = text_of(s.filename);
  for (const Node* n : nodes(s.options, s.n_options)) {
    if (!is(n, PG_QUERY__NODE__NODE_DEF_ELEM)) continue;
    const auto& d = *n->def_elem;
    out.options.push_back({lower(text_of(d.defname)), argument_text(d.arg), d.arg != nullptr});
  }
  out.where = expr(s.where_clause);
  return out;
}

Transaction Converter::transaction(const PgQuery__TransactionStmt& s) {
  Transaction out;
  out.kind = static_cast<Transaction::Kind>(static_cast<int>(s.kind) -
                                            PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN);
  out.name = text_of(s.savepoint_name);
  if (out.name.empty()) out.name = text_of(s.gid);
  out.chain = s.chain;
  transaction_modes(nodes(s.options, s.n_options), out);
  return out;
}

SetVariable Converter::set_variable(const PgQuery__VariableSetStmt& s) {
  using K = SetVariable::Kind;
  SetVariable out;
  out.name = lower(text_of(s.name));
  out.local = s.is_local;
  const Nodes args = nodes(s.args, s.n_args);
  switch (s.kind) {
    case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT:
      out.kind = K::kDefault;
      break;
    case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_CURRENT:
      out.kind = K::kFromCurrent;
      break;
    case PG_QUERY__VARIABLE_SET_KIND__VAR_RESET:
      out.kind = K::kReset;
      break;
    case PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL:
      out.kind = K::kResetAll;
      break;
    case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_MULTI:
      out.kind = K::kMulti;
      break;
    default:
      out.kind = K::kSet;
  }
  if (out.kind == K::kMulti && out.name != "transaction snapshot")
    transaction_modes(args, out);
  else
    out.values = exprs(args);
  return out;
}

Explain Converter::explain(const PgQuery__ExplainStmt& s) {
  Explain out;
  for (const Node* n : nodes(s.options, s.n_options)) {
    if (!is(n, PG_QUERY__NODE__NODE_DEF_ELEM)) continue;
    Explain::Option option{lower(text_of(n->def_elem->defname)), argument_text(n->def_elem->arg)};
    if (option.name == "route") out.route = !is_false(option.value);
    if (option.name == "analyze") out.analyze = !is_false(option.value);
    out.options.push_back(std::move(option));
  }
  return out;
}

std::unique_ptr<Statement> Converter::inner(const Node* n) {
  auto out = std::make_unique<Statement>();
  const bool outer_opaque = has_opaque_;
  const int outer_param = max_param_;
  has_opaque_ = false;
  max_param_ = 0;
  *out = statement(n);
  out->has_opaque = has_opaque_;
  out->max_param = max_param_;
  has_opaque_ = has_opaque_ || outer_opaque;
  max_param_ = std::max(max_param_, outer_param);
  return out;
}

Maintenance Converter::maintenance(const Node* n) {
  Maintenance out;
  switch (n->node_case) {
    case PG_QUERY__NODE__NODE_VACUUM_STMT: {
      const auto& s = *n->vacuum_stmt;
      out.command = s.is_vacuumcmd ? "VACUUM" : "ANALYZE";
      for (const Node* r : nodes(s.rels, s.n_rels)) {
        if (is(r, PG_QUERY__NODE__NODE_VACUUM_RELATION)) {
          out.tables.push_back(range_var(r->vacuum_relation->relation));
        }
      }
      return out;
    }
    case PG_QUERY__NODE__NODE_REINDEX_STMT:
      out.command = "REINDEX";
      if (n->reindex_stmt->relation) out.tables.push_back(range_var(n->reindex_stmt->relation));
      return out;
    case PG_QUERY__NODE__NODE_CLUSTER_STMT:
      out.command = "CLUSTER";
      if (n->cluster_stmt->relation) out.tables.push_back(range_var(n->cluster_stmt->relation));
      return out;
    case PG_QUERY__NODE__NODE_REFRESH_MAT_VIEW_STMT:
      out.command = "REFRESH MATERIALIZED VIEW";
      out.tables.push_back(range_var(n->refresh_mat_view_stmt->relation));
      return out;
    default:
      out.command = "CHECKPOINT";
      return out;
  }
}

}  // namespace shoal::sql
