// Classifying statements; the cache of texts.
#include "session/statements.h"

#include "session/commands.h"

namespace shoal::session {

bool mentions(std::string_view text, std::string_view word) {
  auto equal = [](char in_text, char in_word) {
    return (in_text >= 'A' && in_text <= 'Z' ? in_text - 'A' + 'a' : in_text) == in_word;
  };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), equal) != text.end();
}

bool takes_session_locks(std::string_view text) {
  // Session-level functions only: the ..._xact_... ones end with the transaction.
  return mentions(text, "advisory_lock") || mentions(text, "advisory_unlock");
}

bool reads_sequences(std::string_view text) {
  return mentions(text, "currval") || mentions(text, "lastval");
}

bool touches_session(std::string_view text) {
  return mentions(text, "set_config") || mentions(text, "advisory_") ||
         mentions(text, "pg_cursors") || reads_sequences(text);
}

namespace {

// Either one `*` or plain names of columns.
bool are_columns(const std::vector<sql::Target>& targets) {
  for (const sql::Target& target : targets) {
    const auto* column = target.expr ? std::get_if<sql::ColumnRef>(&target.expr->node) : nullptr;
    if (!column) return false;
    if (column->star && (targets.size() > 1 || !column->fields.empty())) return false;
    if (!column->star && column->fields.size() != 1) return false;
  }
  return !targets.empty();
}

}  // namespace

const sql::Call* sole_call(const sql::Statement& statement) {
  const auto* select = std::get_if<sql::SelectPtr>(&statement.node);
  if (!select || !*select) return nullptr;
  const sql::Select& s = **select;
  if (s.op != sql::Select::SetOp::kNone || !s.values.empty() || s.where || !s.group_by.empty() ||
      s.having || !s.order_by.empty() || s.limit || s.offset || !s.with.ctes.empty() || s.into)
    return nullptr;
  if (s.from.empty() && s.targets.size() == 1 && s.targets[0].expr)
    return std::get_if<sql::Call>(&s.targets[0].expr->node);
  // SELECT * FROM f(...), SELECT a, b FROM f(...)
  if (s.from.size() != 1 || !are_columns(s.targets)) return nullptr;
  const auto* function = std::get_if<sql::FromFunction>(&s.from[0]->node);
  if (function && !function->ordinality && function->items.size() == 1 && function->items[0].call &&
      (!function->alias || function->alias->columns.empty()))
    return std::get_if<sql::Call>(&function->items[0].call->node);
  return nullptr;
}

Handling handling_of(const sql::Statement& statement, const Commands* commands) {
  if (commands) {
    if (const sql::Call* call = sole_call(statement)) {
      std::string schema = call->name.size() > 1 ? call->name[call->name.size() - 2] : "";
      if (commands->knows(schema, call->name.back())) return Handling::kCommand;
    }
  }
  struct Visitor {
    Handling operator()(const sql::SelectPtr& s) const {
      return s && s->into ? Handling::kDdl : Handling::kPlan;
    }
    Handling operator()(const std::unique_ptr<sql::Insert>&) const { return Handling::kPlan; }
    Handling operator()(const std::unique_ptr<sql::Update>&) const { return Handling::kPlan; }
    Handling operator()(const std::unique_ptr<sql::Delete>&) const { return Handling::kPlan; }
    Handling operator()(const std::unique_ptr<sql::Merge>&) const { return Handling::kPlan; }
    Handling operator()(const sql::Copy&) const { return Handling::kPlan; }
    Handling operator()(const sql::LockTable&) const { return Handling::kPlan; }
    Handling operator()(const sql::Truncate&) const { return Handling::kPlan; }
    Handling operator()(const sql::CallProcedure&) const { return Handling::kPlan; }
    Handling operator()(const sql::DoBlock&) const { return Handling::kPlan; }
    Handling operator()(const sql::Maintenance&) const { return Handling::kPlan; }
    Handling operator()(const sql::UnknownStatement&) const { return Handling::kPlan; }
    Handling operator()(const sql::Ddl&) const { return Handling::kDdl; }
    Handling operator()(const sql::Transaction&) const { return Handling::kSession; }
    Handling operator()(const sql::SetVariable&) const { return Handling::kSession; }
    Handling operator()(const sql::ShowVariable& s) const {
      return s.name.starts_with("shoal.") ? Handling::kSession : Handling::kPlan;
    }
    Handling operator()(const sql::Prepare&) const { return Handling::kSession; }
    Handling operator()(const sql::Execute&) const { return Handling::kSession; }
    Handling operator()(const sql::Deallocate&) const { return Handling::kSession; }
    Handling operator()(const sql::Explain&) const { return Handling::kSession; }
    Handling operator()(const sql::DeclareCursor&) const { return Handling::kPlan; }
    Handling operator()(const sql::Fetch&) const { return Handling::kPlan; }
    Handling operator()(const sql::ClosePortal& c) const {
      return c.all ? Handling::kSession : Handling::kPlan;
    }
    Handling operator()(const sql::Discard&) const { return Handling::kSession; }
    Handling operator()(const sql::Listen& l) const {
      return l.kind == sql::Listen::Kind::kNotify ? Handling::kPlan : Handling::kSession;
    }
    Handling operator()(const sql::SetConstraints&) const { return Handling::kSession; }
  };
  return std::visit(Visitor{}, statement.node);
}

std::string server_key(std::string_view text, const std::vector<std::uint32_t>& types) {
  std::string key(text);
  key.push_back('\0');
  for (std::uint32_t t : types) {
    key += std::to_string(t);
    key.push_back(',');
  }
  return key;
}

StatementPtr make_statement(std::string_view text, std::vector<std::uint32_t> types,
                            const sql::ParseLimits& limits, bool standard_strings,
                            const Commands* commands) {
  auto info = std::make_shared<StatementInfo>();
  info->text = text;
  info->server_key = server_key(text, types);
  info->types = std::move(types);
  if (auto hint = sql::find_hint(text, standard_strings)) {
    info->hint = std::move(*hint);
  } else {
    info->syntax_error = hint.error();
    info->handling = Handling::kUnparsed;
    return info;
  }
  Result<std::vector<sql::Statement>> parsed = sql::parse(text, limits, standard_strings);
  if (!parsed) {
    info->syntax_error = parsed.error();
    info->handling = Handling::kUnparsed;
    return info;
  }
  if (parsed->size() > 1) {
    info->syntax_error =
        make_error("42601", "cannot insert multiple commands into a prepared statement");
    info->handling = Handling::kUnparsed;
    return info;
  }
  info->parsed = std::make_shared<const std::vector<sql::Statement>>(std::move(*parsed));
  if (info->parsed->empty()) {
    info->handling = Handling::kEmpty;
    return info;
  }
  info->handling = handling_of(info->statement(), commands);
  info->advisory_lock = takes_session_locks(text);
  info->uses_set_config = mentions(text, "set_config");
  info->reads_sequences = reads_sequences(text);
  return info;
}

StatementPtr StatementCache::find(std::string_view text,
                                  const std::vector<std::uint32_t>& types) const {
  auto found = entries_.find(server_key(text, types));
  return found == entries_.end() ? nullptr : found->second;
}

void StatementCache::insert(StatementPtr statement) {
  if (entries_.size() >= limit_) entries_.clear();
  entries_[statement->server_key] = std::move(statement);
}

std::string name_key(std::string_view name) {
  return std::string(name.substr(0, 63));
}

bool leaves_transaction(const StatementInfo& statement) {
  if (statement.handling == Handling::kEmpty) return true;
  if (statement.handling != Handling::kSession) return false;
  const auto* t = std::get_if<sql::Transaction>(&statement.statement().node);
  using Kind = sql::Transaction::Kind;
  return t && (t->kind == Kind::kCommit || t->kind == Kind::kRollback ||
               t->kind == Kind::kRollbackTo || t->kind == Kind::kPrepare);
}

bool answered_here(const StatementInfo& statement) {
  return statement.handling != Handling::kPlan && statement.handling != Handling::kUnparsed;
}

}  // namespace shoal::session
