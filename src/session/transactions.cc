// BEGIN, COMMIT, ROLLBACK, savepoints: the client's transaction over the shards it touched.
#include "session/outputs.h"
#include "session/session.h"
#include "sql/deparse.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

void warn(std::string& out, std::string_view sqlstate, std::string_view message) {
  wire::append_notice(out, "WARNING", sqlstate, message);
}

}  // namespace

void Session::note_isolation(const std::string& isolation) {
  if (!isolation.empty()) isolation_ = isolation;
}

void Session::on_transaction_end(bool committed) {
  if (!committed) {
    settings_ = settings_at_begin_;
    facts_ = facts_at_begin_;
    facts_changed();
  } else if (local_facts_) {
    facts_ = *local_facts_;
    facts_changed();
  }
  local_facts_.reset();
  end_cursors(committed);
  savepoints_.clear();
  sets_.clear();
  portals_.clear();
  ddl_in_transaction_ = false;
  derived_.reset();
  isolation_.clear();
  if (!committed) temporary_changed_ = false;
  ++context_.counters.transactions;
}

io::Task<Result<>> Session::run_transaction(const sql::Transaction& t, std::string_view text) {
  using Kind = sql::Transaction::Kind;
  using State = exec::Transaction::State;
  switch (t.kind) {
    case Kind::kBegin:
    case Kind::kStart: {
      const char* tag = t.kind == Kind::kBegin ? "BEGIN" : "START TRANSACTION";
      if (txn_.state() == State::kFailed && !txn_.implicit()) co_return aborted_error();
      if (!txn_.idle() && !txn_.implicit()) {
        warn(client_.out(), "25001", "there is already a transaction in progress");
      } else if (txn_.implicit()) {
        txn_.make_explicit();
      } else {
        txn_.begin(begin_text(t));
        settings_at_begin_ = settings_;
        facts_at_begin_ = facts_;
      }
      note_isolation(t.isolation);
      mind_isolation();
      complete(tag);
      co_return Result<>();
    }
    case Kind::kCommit:
      co_return co_await run_commit(t);
    case Kind::kRollback:
      co_return co_await run_rollback(t);
    case Kind::kSavepoint:
    case Kind::kRelease:
    case Kind::kRollbackTo:
      co_return co_await run_savepoint(t);
    default:
      if (snapshot()->active_shards().size() == 1)
        co_return co_await pass_text(home_or_enlisted(), text, true);
      co_return refuse(Refusal::kNotPreparable,
                       "PREPARE TRANSACTION and its kind belong to the router",
                       "COMMIT: the router prepares the shards by itself");
  }
}

// The options in one canonical text: it travels to shards without the client's comments.
std::string Session::begin_text(const sql::Transaction& t) const {
  std::string text = "BEGIN";
  if (!t.isolation.empty()) text += " ISOLATION LEVEL " + t.isolation;
  if (t.read_only) text += *t.read_only ? " READ ONLY" : " READ WRITE";
  if (t.deferrable) text += *t.deferrable ? " DEFERRABLE" : " NOT DEFERRABLE";
  return text;
}

// AND CHAIN: the new transaction has the characteristics of the one before.
void Session::begin_again(std::string text, const std::string& level) {
  if (!level.empty() && text.find("ISOLATION LEVEL") == std::string::npos)
    text += " ISOLATION LEVEL " + level;
  txn_.begin(std::move(text));
  settings_at_begin_ = settings_;
  facts_at_begin_ = facts_;
  note_isolation(level);
  mind_isolation();
}

// What PREPARE TRANSACTION does not take: such a shard decides, or, if there are two, nobody can.
void Session::mark_unpreparable() {
  if (!facts_.temp_tables.empty() || temporary_changed_) txn_.mark_temp(snapshot()->home);
  for (const auto& [name, cursor] : cursors_)
    if (cursor.hold && !cursor.committed) txn_.mark_temp(cursor.shard);
}

io::Task<Result<>> Session::run_commit(const sql::Transaction& t) {
  if (txn_.idle() || (txn_.implicit() && txn_.participants().empty())) {
    if (t.chain)
      co_return make_error("25P01", "COMMIT AND CHAIN can only be used in transaction blocks");
    warn(client_.out(), "25P01", "there is no transaction in progress");
    if (txn_.implicit()) co_await txn_.rollback();
    complete("COMMIT");
    co_return Result<>();
  }
  bool was_failed = txn_.state() == exec::Transaction::State::kFailed;
  std::string again = txn_.begin_text();
  const std::string level = isolation_;
  if (services_.commands && services_.commands->changed() && !was_failed) {
    RunnerAdapter runner(*this);
    Result<> ready = co_await services_.commands->before_commit(runner, snapshot());
    if (!ready) {
      co_await txn_.rollback();
      co_await services_.commands->finish(false);
      on_transaction_end(false);
      co_return ready.error();
    }
  }
  std::size_t begun = 0;
  for (const auto& p : txn_.participants()) begun += p.begun ? 1 : 0;
  // A block that failed in the router only is whole on the server: it must be rolled back there.
  if (!was_failed && begun == 1 && txn_.participants().size() == 1 && !t.chain) {
    // The one server's own words: notices, deferred constraints, ROLLBACK of a failed transaction.
    backend::Connection& c = *txn_.participants().front().connection;
    bool wrote = txn_.participants().front().wrote;
    wire::append_query(c.out(), "COMMIT");
    c.unnamed.clear();
    c.pending().sent('Q', {.tag = ++tag_});
    server_error_ = false;
    Result<> relayed = co_await relay(c);
    bool committed = relayed && !server_error_;
    on_transaction_end(committed);
    txn_.ended();
    co_await end_temporary(committed);
    if (services_.commands && services_.commands->changed())
      co_await services_.commands->finish(committed);
    if (!relayed && wrote && c_lost(relayed.error()))
      co_return make_error("08007", "the connection was lost during COMMIT",
                           "the transaction may have been committed", "check before repeating it");
    if (!relayed) co_return relayed.error();
    co_return Result<>();
  }
  mark_unpreparable();
  Result<std::string> tag = co_await txn_.commit();
  bool committed = tag && *tag == "COMMIT";
  on_transaction_end(committed);
  co_await end_temporary(committed);
  if (services_.commands && services_.commands->changed())
    co_await services_.commands->finish(committed);
  if (!tag) co_return tag.error();
  complete(*tag);
  if (t.chain) {
    begin_again(std::move(again), level);
  }
  co_return Result<>();
}

io::Task<Result<>> Session::run_rollback(const sql::Transaction& t) {
  if (txn_.idle()) {
    if (t.chain)
      co_return make_error("25P01", "ROLLBACK AND CHAIN can only be used in transaction blocks");
    warn(client_.out(), "25P01", "there is no transaction in progress");
    complete("ROLLBACK");
    co_return Result<>();
  }
  std::string again = txn_.begin_text();
  const std::string level = isolation_;
  if (txn_.implicit()) warn(client_.out(), "25P01", "there is no transaction in progress");
  co_await txn_.rollback();
  on_transaction_end(false);
  if (services_.commands && services_.commands->changed())
    co_await services_.commands->finish(false);
  complete("ROLLBACK");
  if (t.chain) {
    begin_again(std::move(again), level);
  }
  co_return Result<>();
}

io::Task<Result<>> Session::run_savepoint(const sql::Transaction& t) {
  using Kind = sql::Transaction::Kind;
  const char* word = t.kind == Kind::kSavepoint ? "SAVEPOINT"
                     : t.kind == Kind::kRelease ? "RELEASE SAVEPOINT"
                                                : "ROLLBACK TO SAVEPOINT";
  if (txn_.idle() || txn_.implicit())
    co_return make_error("25P01", fmt::format("{} can only be used in transaction blocks", word));
  bool was_failed = txn_.state() == exec::Transaction::State::kFailed;
  if (was_failed && t.kind != Kind::kRollbackTo) co_return aborted_error();
  auto found = std::find_if(savepoints_.rbegin(), savepoints_.rend(),
                            [&](const Savepoint& s) { return s.name == t.name; });
  if (t.kind != Kind::kSavepoint && found == savepoints_.rend())
    co_return make_error("3B001", fmt::format("savepoint \"{}\" does not exist", t.name));
  std::string text = fmt::format("{} {}", word, sql::quote_identifier(t.name));
  SHOAL_CO_TRY(co_await txn_.run_everywhere(text));
  txn_.replay(text);
  if (t.kind == Kind::kSavepoint) {
    savepoints_.push_back({t.name, settings_, facts_, local_facts_, sets_.size(), next_cursor_});
  } else {
    auto keep = static_cast<std::size_t>(savepoints_.rend() - found);
    if (t.kind == Kind::kRollbackTo) {
      settings_ = found->settings;
      sets_.resize(found->sets);
      undo_cursors(found->cursors);
      facts_ = found->facts;
      local_facts_ = found->local_facts;
      facts_changed();
      savepoints_.resize(keep);
      txn_.recover();
      // What was changed since is as it was.
      if (ddl_in_transaction_) SHOAL_CO_TRY(co_await refresh_derived_snapshot());
    } else {
      savepoints_.resize(keep - 1);
    }
  }
  complete(t.kind == Kind::kSavepoint ? "SAVEPOINT"
           : t.kind == Kind::kRelease ? "RELEASE"
                                      : "ROLLBACK");
  co_return Result<>();
}

// The end of a statement's own transaction.
io::Task<Result<>> Session::finish_implicit() {
  bool failed = txn_.state() == exec::Transaction::State::kFailed;
  if (failed) {
    co_await txn_.rollback();
    on_transaction_end(false);
    if (services_.commands && services_.commands->changed())
      co_await services_.commands->finish(false);
    co_return Result<>();
  }
  if (services_.commands && services_.commands->changed()) {
    RunnerAdapter runner(*this);
    Result<> ready = co_await services_.commands->before_commit(runner, snapshot());
    if (!ready) {
      co_await txn_.rollback();
      on_transaction_end(false);
      co_await services_.commands->finish(false);
      co_return ready.error();
    }
  }
  mark_unpreparable();
  Result<std::string> tag = co_await txn_.commit();
  on_transaction_end(tag.has_value());
  co_await end_temporary(tag.has_value());
  if (services_.commands && services_.commands->changed())
    co_await services_.commands->finish(tag.has_value());
  if (!tag) co_return tag.error();
  co_return Result<>();
}

}  // namespace shoal::session
