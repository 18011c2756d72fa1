// Describe, of statements and of portals.
#include "session/session.h"
#include "sql/deparse.h"

namespace shoal::session {

using wire::Target;

io::Task<Result<>> Session::on_describe(wire::Frame frame) {
  Result<wire::Describe> d = wire::decode_describe(frame.body);
  if (!d) co_return d.error();
  StatementPtr statement;
  Portal* portal = nullptr;
  if (d->target == Target::kStatement) {
    auto found = statements_.find(name_key(d->name));
    if (found == statements_.end())
      co_return make_error("26000",
                           d->name.empty()
                               ? "unnamed prepared statement does not exist"
                               : fmt::format("prepared statement \"{}\" does not exist", d->name));
    statement = found->second.statement;
  } else {
    auto found = portals_.find(name_key(d->name));
    if (found == portals_.end()) {
      auto cursor = cursors_.find(name_key(d->name));  // DECLARE makes a portal, too
      if (cursor == cursors_.end())
        co_return make_error("34000", fmt::format("portal \"{}\" does not exist", d->name));
      Result<backend::Connection*> c = co_await link_to(cursor->second.shard);
      if (!c) co_return c.error();
      (*c)->out() += frame.bytes;
      (*c)->pending().sent_describe(Target::kPortal, {.tag = tag_});
      co_return Result<>();
    }
    portal = &found->second;
    statement = portal->statement;
  }
  if (portal && portal->on_server) {
    backend::Connection* c = link_at_once(portal->link);
    if (!c) {
      Result<backend::Connection*> linked = co_await link_to(portal->link);
      if (!linked) co_return linked.error();
      c = *linked;
    }
    c->out() += frame.bytes;
    c->pending().sent_describe(Target::kPortal, {.tag = tag_});
    co_return Result<>();
  }
  bool own = statement->handling == Handling::kSession || statement->handling == Handling::kDdl ||
             statement->handling == Handling::kEmpty;
  if (own && !describable(*statement)) {
    std::string answer;
    if (!portal) wire::append_parameter_description(answer, {});
    wire::append_no_data(answer);
    local(answer);
    co_return Result<>();
  }
  if (!portal && !own && statement->handling != Handling::kCommand) {
    if (std::optional<ShardId> shard = cursor_shard(*statement)) {
      Result<backend::Connection*> c = co_await link_to(*shard);
      if (!c) co_return c.error();
    }
    if (link_) {
      send_deferred(*link_);
      bool unnamed = d->name.empty();
      ensure_prepared(*link_, statement, name_key(d->name));
      wire::append_describe_renamed(link_->out(), frame,
                                    unnamed ? "" : link_->prepared[server_key(*statement)]);
      link_->pending().sent_describe(Target::kStatement, {.tag = tag_});
    } else {
      deferred_.push_back({'D', std::string(frame.bytes), statement, tag_});
    }
    co_return Result<>();
  }
  // Home describes what several shards (or the router) will answer.
  if (link_ || !deferred_.empty()) SHOAL_CO_TRY(co_await settle_link());
  if (failed_) co_return Result<>();
  std::string text = describe_text(*statement);
  Result<exec::DescriptionPtr> description = co_await describe(text, statement->types);
  if (!description) co_return description.error();
  std::string answer;
  if (!portal) wire::append_parameter_description(answer, (*description)->param_types);
  if ((*description)->returns_rows) {
    answer += portal ? exec::row_description_with(**description, portal->bound.result_formats)
                     : (*description)->row_description;
  } else {
    wire::append_no_data(answer);
  }
  local(answer);
  co_return Result<>();
}

bool Session::describable(const StatementInfo& statement) const {
  const auto& node = statement.statement().node;
  return std::get_if<sql::ShowVariable>(&node) || std::get_if<sql::Explain>(&node) ||
         std::get_if<sql::Execute>(&node);
}

std::string Session::describe_text(const StatementInfo& statement) const {
  const auto& node = statement.statement().node;
  if (const auto* show = std::get_if<sql::ShowVariable>(&node))
    return fmt::format("SELECT ''::text AS {}", sql::quote_identifier(show->name));
  if (std::get_if<sql::Explain>(&node)) return "SELECT ''::text AS \"QUERY PLAN\"";
  if (const auto* execute = std::get_if<sql::Execute>(&node)) {
    auto found = statements_.find(execute->name);
    if (found != statements_.end()) return found->second.statement->text;
  }
  return statement.text;
}

io::Task<Result<exec::DescriptionPtr>> Session::describe(std::string_view text,
                                                         const std::vector<std::uint32_t>& types) {
  std::string path;
  for (const std::string& s : facts_.search_path) path += s + ",";
  bool inside = ddl_in_transaction_ || !facts_.temp_tables.empty();
  bool idle = txn_.idle();
  Result<exec::DescriptionPtr> description =
      co_await exec::describe(txn_, text, types, path, inside);
  if (idle && !link_) txn_.release();
  co_return std::move(description);
}

}  // namespace shoal::session
