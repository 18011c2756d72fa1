// The extended protocol: Parse, Describe, Execute, Close, Flush, Sync; Bind is in bind.cc.
//
// Messages go to the server as they come, as long as one shard serves them; its answers are read at
// Sync or Flush. Parse and Describe wait (deferred_) until a Bind says which shard that is, so that
// their answers are the server's own. Answers made here keep their place by tag (locals_). When a
// pipeline turns to another shard, what was sent is settled first inside an implicit transaction.
#include "session/session.h"
#include "sql/parse.h"
#include "wire/frontend.h"

namespace shoal::session {

using wire::Target;

namespace {

bool is_extended(char type) {
  return type == 'P' || type == 'B' || type == 'D' || type == 'E' || type == 'C' || type == 'H' ||
         type == 'S';
}

}  // namespace

void Session::local(std::string_view bytes) {
  if (!link_ && deferred_.empty()) {
    client_.out() += bytes;
    return;
  }
  locals_.emplace_back(tag_, std::string(bytes));
}

// Handles the messages that are here behind `frame`, too, up to Sync.
io::Task<Result<>> Session::on_extended(wire::Frame frame) {
  while (frame.type != 'S') {
    ++tag_;
    pipeline_bytes_ += frame.bytes.size();
    if (pipeline_bytes_ > context_.limits.pipeline_bytes) {
      Error e = refuse(Refusal::kPipeline);
      e.fatal = true;
      co_return e;
    }
    if (!skip_) {
      Result<> done;
      switch (frame.type) {
        case 'P':
          done = on_parse(frame);
          break;
        case 'B':
          done = co_await on_bind(frame);
          break;
        case 'D':
          done = co_await on_describe(frame);
          break;
        case 'E':
          done = co_await on_execute(frame);
          break;
        case 'C':
          done = co_await on_close(frame);
          break;
        default:
          if (frame.body.empty())
            done = co_await on_flush();
          else
            done = make_error("08P01", "invalid message format");
      }
      if (!done) SHOAL_CO_TRY(co_await extended_error(done.error()));
      if (failed_) skip_ = true;
    }
    if (ended_by_server_) co_return Result<>();
    Result<std::optional<wire::Frame>> behind = client_.try_next();
    if (!behind) co_return behind.error();
    if (!*behind) co_return Result<>();
    frame = **behind;
    if (!is_extended(frame.type)) {
      client_.put_back();
      co_return Result<>();
    }
  }
  if (!frame.body.empty()) {
    ++tag_;
    Error e = make_error("08P01", "invalid message format");
    if (!skip_) SHOAL_CO_TRY(co_await extended_error(std::move(e)));
  }
  co_return co_await on_sync();
}

// An error that the router raises: answers that are still due come first; what the pipeline did on
// a server outside a transaction block must not be committed by its Sync.
io::Task<Result<>> Session::extended_error(Error e) {
  if (e.fatal && e.shard.empty()) co_return e;
  if (!link_ && !deferred_.empty() && !failed_) {
    // What waits for a shard came before the error and is answered before it.
    Result<backend::Connection*> c = co_await link_for_words();
    if (!c) deferred_.clear();
  }
  if (link_ && !link_->broken() && !failed_) {
    send_deferred(*link_);
    if (link_->pending().due() > 0) {
      wire::append_flush(link_->out());
      Result<> relayed = co_await relay(*link_);
      if (!relayed && !link_->broken()) link_->close();
    }
    if (!link_->broken() && !failed_ && txn_.idle() && link_executed_) {
      wire::append_query(link_->out(), "ROLLBACK");
      link_->unnamed.clear();
      link_->pending().sent('Q', {.swallow = true, .tag = tag_});
      Result<> rolled_back = co_await relay(*link_);
      if (!rolled_back) link_->close();
    }
  }
  bool told = failed_;  // the server's own error came first
  undo_names(tag_);
  if (txn_.idle()) undo_scope();
  emit_locals(tag_);
  locals_.clear();
  deferred_.clear();
  skip_ = failed_ = true;
  txn_.fail();
  if (!told) wire::append_error(client_.out(), e);
  co_return Result<>();
}

Result<> Session::on_parse(const wire::Frame& frame) {
  Result<wire::Parse> parse = wire::decode_parse(frame.body);
  if (!parse) return parse.error();
  std::vector<std::uint32_t> types = parse->types.to_vector();
  StatementPtr statement = services_.statements.find(parse->sql, types);
  if (!statement) {
    sql::ParseLimits limits{context_.limits.statement_bytes, context_.limits.sql_depth};
    statement = make_statement(parse->sql, std::move(types), limits, facts_.standard_strings,
                               services_.commands);
    if (statement->syntax_error && statement->syntax_error->detail.starts_with("SH"))
      return *statement->syntax_error;
    services_.statements.insert(statement);
  }
  std::string name = name_key(parse->name);
  if (!name.empty()) {
    if (statements_.contains(name))
      return make_error("42P05",
                        fmt::format("prepared statement \"{}\" already exists", parse->name));
    if (statements_.size() >= context_.limits.statements_per_session)
      return refuse(Refusal::kStatements);
  }
  if (txn_.state() == exec::Transaction::State::kFailed && !leaves_transaction(*statement))
    return aborted_error();
  change_name(name, statement);
  if (answered_here(*statement)) {
    std::string answer;
    wire::append_parse_complete(answer);
    local(answer);
    return {};
  }
  deferred_.push_back({'P', std::string(frame.bytes), statement, tag_});
  return {};
}

// Puts Parse in front where the connection does not have the statement.
void Session::ensure_prepared(backend::Connection& c, const StatementPtr& statement,
                              const std::string& client_name) {
  const std::string& key = server_key(*statement);
  if (client_name.empty()) {
    if (c.unnamed == key) return;
    wire::append_parse(c.out(), "", statement->text, statement->types);
    c.pending().sent('P', {.swallow = true, .tag = tag_});
    c.unnamed = key;
    unconfirmed_.emplace_back();
    return;
  }
  std::string& name = c.prepared[key];
  if (!name.empty()) return;
  name = c.next_statement_name();
  wire::append_parse(c.out(), name, statement->text, statement->types);
  c.pending().sent('P', {.swallow = true, .tag = tag_});
  unconfirmed_.push_back(key);
  learn_shape(c, statement, client_name);
}

// Parse and Describe messages that waited for a shard.
void Session::send_deferred(backend::Connection& c) {
  for (Deferred& d : deferred_) {
    wire::Frame frame;
    frame.type = d.type;
    frame.bytes = d.frame;
    frame.body = frame.bytes.substr(wire::kHeaderBytes);
    if (d.type == 'P') {
      Result<wire::Parse> parse = wire::decode_parse(frame.body);
      if (parse->name.empty()) {
        c.out() += frame.bytes;
        c.unnamed = server_key(*d.statement);
        unconfirmed_.emplace_back();
        c.pending().sent('P', {.tag = d.tag});
        continue;
      }
      std::string& name = c.prepared[server_key(*d.statement)];
      if (!name.empty()) {
        std::string answer;
        wire::append_parse_complete(answer);
        // In its place: answers of messages that came behind it may wait here already.
        auto place =
            std::upper_bound(locals_.begin(), locals_.end(), d.tag,
                             [](std::uint32_t tag, const auto& l) { return tag < l.first; });
        locals_.emplace(place, d.tag, std::move(answer));
        learn_shape(c, d.statement, name_key(parse->name));
        continue;
      }
      name = c.next_statement_name();
      wire::append_parse_renamed(c.out(), frame, name);
      unconfirmed_.push_back(server_key(*d.statement));
      c.pending().sent('P', {.tag = d.tag});
      learn_shape(c, d.statement, name_key(parse->name));
    } else {
      Result<wire::Describe> describe = wire::decode_describe(frame.body);
      const bool unnamed = describe->name.empty();
      ensure_prepared(c, d.statement, name_key(describe->name));
      wire::append_describe_renamed(c.out(), frame,
                                    unnamed ? "" : c.prepared[server_key(*d.statement)]);
      c.pending().sent_describe(Target::kStatement, {.tag = d.tag});
    }
  }
  deferred_.clear();
}

// The connection that serves the next messages. Turning to another shard settles the present one.
backend::Connection* Session::link_at_once(ShardId shard) {
  if (failed_) return nullptr;
  if (!link_) {
    link_ = txn_.use_at_once(shard);
    if (!link_) return nullptr;
    link_shard_ = shard;
    link_is_for_words_ = false;
  }
  if (link_shard_ != shard || link_is_for_words_) return nullptr;
  send_deferred(*link_);
  return link_;
}

io::Task<Result<backend::Connection*>> Session::link_to(ShardId shard) {
  if (link_ && link_shard_ != shard) SHOAL_CO_TRY(co_await settle_link());
  if (failed_) co_return aborted_error();
  if (!link_ || link_is_for_words_) {
    Result<backend::Connection*> c = co_await txn_.use(shard);
    if (!c) co_return c.error();
    link_ = *c;
    link_shard_ = shard;
    link_is_for_words_ = false;
  }
  send_deferred(*link_);
  co_return link_;
}

// Parse and Describe read no rows: they bind a strict transaction to no shard.
io::Task<Result<backend::Connection*>> Session::link_for_words() {
  if (failed_) co_return aborted_error();
  if (!link_) {
    const ShardId shard = shard_that_knows();
    Result<backend::Connection*> c = co_await txn_.use_for_words(shard);
    if (!c) co_return c.error();
    link_ = *c;
    link_shard_ = shard;
    link_is_for_words_ = true;
  }
  send_deferred(*link_);
  co_return link_;
}

io::Task<Result<>> Session::settle_link() {
  if (!link_) {
    if (!deferred_.empty()) {
      Result<backend::Connection*> c = co_await link_for_words();
      if (!c) co_return c.error();
    } else {
      emit_locals(tag_ + 1);
      co_return Result<>();
    }
  }
  backend::Connection& c = *link_;
  send_deferred(c);
  if (txn_.idle() && link_executed_) {
    settings_at_begin_ = settings_;
    facts_at_begin_ = facts_;
    txn_.late_begin();
    mind_isolation();
  }
  wire::append_sync(c.out());
  c.pending().sent('S', {.swallow = true, .tag = tag_});
  link_ = nullptr;
  link_executed_ = false;
  Result<> relayed = co_await relay(c);
  if (!relayed) co_return relayed.error();
  if (!failed_) emit_locals(tag_ + 1);
  co_return Result<>();
}

io::Task<Result<>> Session::on_execute(wire::Frame frame) {
  Result<wire::Execute> execute = wire::decode_execute(frame.body);
  if (!execute) co_return execute.error();
  // Its own shard may not know that the transaction has failed on another.
  const bool failed_block = txn_.state() == exec::Transaction::State::kFailed;
  auto found = portals_.find(name_key(execute->portal));
  if (found == portals_.end()) {
    auto cursor = cursors_.find(name_key(execute->portal));
    if (cursor == cursors_.end())
      co_return make_error("34000", fmt::format("portal \"{}\" does not exist", execute->portal));
    if (failed_block) co_return aborted_error();
    SHOAL_CO_TRY(check_opened(cursor->second.key));
    Result<backend::Connection*> c = co_await link_to(cursor->second.shard);
    if (!c) co_return c.error();
    (*c)->out() += frame.bytes;
    (*c)->pending().sent('E', {.tag = tag_});
    link_executed_ = true;
    co_return Result<>();
  }
  Portal& portal = found->second;
  if (failed_block && !leaves_transaction(*portal.statement)) co_return aborted_error();
  HintEnd end{*this};
  if (portal.statement->hint) SHOAL_CO_TRY(begin_hint(*portal.statement->hint));
  if (portal.plan) SHOAL_CO_TRY(check_opened(portal.key));
  ++context_.counters.queries;
  if (portal.on_server) {
    backend::Connection* c = link_at_once(portal.link);
    if (!c) {
      Result<backend::Connection*> linked = co_await link_to(portal.link);
      if (!linked) co_return linked.error();
      c = *linked;
    }
    for (PendingSet& set : pending_sets_)
      if (set.tag == 0) set.tag = tag_;
    c->out() += frame.bytes;
    c->pending().sent('E', {.tag = tag_});
    link_executed_ = true;
    ++context_.counters.one_shard;
    if (portal.statement->advisory_lock) txn_.pin(portal.link);
    // COPY FROM needs the server's CopyInResponse before the client goes on.
    if (const auto* copy = portal.statement->parsed
                               ? std::get_if<sql::Copy>(&portal.statement->statement().node)
                               : nullptr;
        copy && copy->from) {
      wire::append_flush(c->out());
      SHOAL_CO_TRY(co_await relay(*c));
    }
    co_return Result<>();
  }
  if (link_ || !deferred_.empty()) SHOAL_CO_TRY(co_await settle_link());
  if (failed_) co_return Result<>();
  emit_locals(tag_);
  co_return co_await execute_portal(portal, execute->portal, execute->max_rows);
}

io::Task<Result<>> Session::on_close(wire::Frame frame) {
  Result<wire::Close> close = wire::decode_close(frame.body);
  if (!close) co_return close.error();
  std::string answer;
  wire::append_close_complete(answer);
  if (close->target == Target::kStatement) {
    if (statements_.contains(name_key(close->name))) change_name(name_key(close->name), nullptr);
  } else if (auto cursor = cursors_.find(name_key(close->name)); cursor != cursors_.end()) {
    Result<backend::Connection*> c = co_await link_to(cursor->second.shard);
    if (!c) co_return c.error();
    cursors_.erase(name_key(close->name));
    mind_held_cursors();
    (*c)->out() += frame.bytes;
    (*c)->pending().sent_frame(frame, {.tag = tag_});
    co_return Result<>();
  } else if (auto found = portals_.find(name_key(close->name)); found != portals_.end()) {
    bool on_server = found->second.on_server;
    ShardId shard = found->second.link;
    portals_.erase(found);
    if (on_server && (link_ || !txn_.idle())) {
      Result<backend::Connection*> c = co_await link_to(shard);
      if (!c) co_return c.error();
      (*c)->out() += frame.bytes;
      (*c)->pending().sent_frame(frame, {.tag = tag_});
      co_return Result<>();
    }
  }
  local(answer);
  co_return Result<>();
}

io::Task<Result<>> Session::on_flush() {
  if (!link_ && !deferred_.empty()) {
    Result<backend::Connection*> c = co_await link_for_words();
    if (!c) co_return c.error();
  }
  if (link_) {
    send_deferred(*link_);
    wire::append_flush(link_->out());
    SHOAL_CO_TRY(co_await relay(*link_));
  }
  if (!failed_) emit_locals(tag_ + 1);
  co_return co_await client_.flush();
}

io::Task<Result<bool>> Session::end_pipeline() {
  Result<> settled = co_await settle_link();
  if (!settled) {
    Result<> told = co_await extended_error(settled.error());
    if (!told) co_return told.error();
  }
  if (failed_) skip_ = true;
  co_return !failed_;
}

io::Task<Result<>> Session::on_sync() {
  ++tag_;
  pipeline_bytes_ = 0;
  std::optional<Error> late;
  if (!skip_ && !link_ && !deferred_.empty()) {
    Result<backend::Connection*> c = co_await link_for_words();
    if (!c) late = c.error();
  }
  if (link_ && !late) {
    backend::Connection& c = *link_;
    if (!c.broken()) {
      if (!skip_) send_deferred(c);
      wire::append_sync(c.out());
      c.pending().sent('S', {.swallow = true, .tag = tag_});
      Result<> relayed = co_await relay(c);
      if (!relayed) {
        if (relayed.error().fatal && relayed.error().shard.empty() && !c.broken())
          co_return relayed.error();
        late = relayed.error();
      } else {
        report_parameters(c);
      }
    }
  }
  if (late) {
    if (!failed_) {
      emit_locals(tag_ + 1);
      wire::append_error(client_.out(), *late);
    }
    failed_ = true;
    txn_.fail();
  }
  if (!failed_) emit_locals(tag_ + 1);
  locals_.clear();
  deferred_.clear();
  pending_sets_.clear();
  before_sets_.reset();
  if (failed_ && txn_.idle()) undo_scope();
  before_scope_.reset();
  name_changes_.clear();
  unconfirmed_.clear();
  shapes_due_.clear();
  link_ = nullptr;
  link_executed_ = false;
  if (txn_.implicit()) {
    Result<> ended = co_await finish_implicit();
    if (!ended && !failed_) wire::append_error(client_.out(), ended.error());
  }
  skip_ = failed_ = server_error_ = false;
  if (txn_.idle()) {
    portals_.clear();
    txn_.release();
    release_touched();
  }
  ready();
  co_return Result<>();
}

}  // namespace shoal::session
