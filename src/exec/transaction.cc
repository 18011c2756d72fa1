// Enlisting, settings, and the end of transactions.
#include "exec/transaction.h"

#include "wire/frontend.h"

namespace shoal::exec {

using backend::Connection;

namespace {

// Whatever the client's transaction is, rows can be kept there.
constexpr std::string_view kBeginWorkspace = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

ShardId server_of(const catalog::Snapshot& snapshot, ShardId shard) {
  return shard == kWorkspace ? snapshot.home : shard;
}

}  // namespace

backend::Endpoint CoreContext::endpoint(const catalog::Snapshot& snapshot, ShardId id) const {
  const catalog::Shard* shard = snapshot.shard(id);
  backend::Endpoint e;
  if (!shard) return e;
  e.shard = id;
  e.name = shard->name;
  e.host = shard->host.empty() ? "127.0.0.1" : shard->host;
  e.port = shard->port.empty() ? "5432" : shard->port;
  e.dbname = shard->dbname;
  e.tls = server_tls;
  e.tls_required = server_tls_required;
  return e;
}

std::string settings_difference(const backend::Settings& from, const backend::Settings& to) {
  std::string sql, last;
  for (const auto& [name, text] : from) {
    if (!to.contains(name)) sql += fmt::format("RESET {};", name);
  }
  for (const auto& [name, text] : to) {
    auto old = from.find(name);
    if (old != from.end() && old->second == text) continue;
    // The role comes last: what was set before it may need the login role's rights.
    (name == "role" || name == "session_authorization" ? last : sql) += text + ";";
  }
  return sql + last;
}

Transaction::~Transaction() = default;

void Transaction::begin(std::string text) {
  state_ = State::kOpen;
  implicit_ = false;
  begin_text_ = std::move(text);
  replay_.clear();
  settings_at_begin_ = *settings_;
}

void Transaction::begin_implicit() {
  begin("BEGIN");
  implicit_ = true;
}

io::Task<Result<>> Transaction::apply_settings(Connection& c) {
  if (c.user_code) {
    Result<backend::TextRows> reset = co_await c.query("DISCARD ALL");
    if (!reset) co_return reset.error();
    c.settings.clear();
    c.prepared.clear();
    c.unnamed.clear();
    c.user_code = false;
  }
  co_return co_await refresh_settings(c);
}

// Waits for the answer: a statement must never run under settings that were refused.
io::Task<Result<>> Transaction::refresh_settings(Connection& c) {
  const backend::Settings& wanted = wanted_settings();
  if (c.settings == wanted) co_return Result<>();
  Result<backend::TextRows> done = co_await c.query(settings_difference(c.settings, wanted));
  if (!done) {
    c.mark_broken();  // some of them may be in force: nobody shall use it
    co_return done.error();
  }
  c.settings = wanted;
  co_return Result<>();
}

void Transaction::schema_changed(catalog::SnapshotPtr derived) {
  static constexpr std::uint64_t kDerived = 1ull << 63;  // no epoch is so high
  derived_ = std::move(derived);
  derived_version_ = kDerived | context_.next_transaction++;
}

std::uint64_t Transaction::types_version() const {
  if (derived_) return derived_version_;
  const catalog::Snapshot& snapshot = snapshot_ ? *snapshot_ : *context_.snapshot;
  return static_cast<std::uint64_t>(snapshot.epoch.value);
}

bool Transaction::knows_types(const Connection& c) const {
  return c.oids_version == types_version() && !(c.oids() && c.oids()->missed());
}

io::Task<Result<>> Transaction::learn_types(Connection& c) {
  const std::uint64_t version = types_version();
  const std::size_t longest_row = context_.limits.portal_bytes;
  Result<> done;
  if (derived_) {
    done = co_await context_.type_maps.teach_alone(c, derived_, longest_row);
  } else {
    catalog::SnapshotPtr snapshot = snapshot_;
    if (!snapshot) snapshot = context_.snapshot;
    done = co_await context_.type_maps.teach(c, std::move(snapshot), longest_row);
  }
  if (done) c.oids_version = version;
  co_return done;
}

// BEGIN travels in front of the next message.
void Transaction::append_begin(Participant& p) {
  const bool own = p.shard == kWorkspace;
  wire::append_query(p.connection->out(), own ? kBeginWorkspace : std::string_view(begin_text_));
  p.connection->unnamed.clear();  // a Query destroys the unnamed statement
  p.connection->pending().sent('Q', {.swallow = true});
  p.begun = true;
}

io::Task<Result<>> Transaction::enlist(Participant& p) {
  append_begin(p);
  std::string sql;
  for (const Replayed& r : replay_)
    if (!r.characteristics || p.shard != kWorkspace) sql += r.text + ";";
  if (sql.empty()) co_return Result<>();
  Result<backend::TextRows> done = co_await p.connection->query(std::move(sql));
  if (!done) {
    fail();
    co_return done.error();
  }
  co_return Result<>();
}

Connection* Transaction::enlisted(ShardId shard) {
  Participant* p = participant(shard);
  return p ? p->connection.get() : nullptr;
}

// An idle connection of the pool, found without building names.
std::unique_ptr<Connection> Transaction::take_idle(const catalog::Snapshot& snapshot,
                                                   ShardId shard) {
  if (buckets_epoch_ != snapshot.epoch) {
    buckets_.clear();
    buckets_epoch_ = snapshot.epoch;
  }
  for (const auto& [known, bucket] : buckets_)
    if (known == shard) return context_.pool.try_take(bucket);
  backend::Pool::Bucket* bucket =
      context_.pool.bucket(context_.endpoint(snapshot, server_of(snapshot, shard)), login_);
  buckets_.emplace_back(shard, bucket);
  return context_.pool.try_take(bucket);
}

io::Task<Result<Connection*>> Transaction::use(ShardId shard) {
  if (isolation_.empty() || state_ == State::kIdle || shard == kWorkspace) return enter(shard);
  return use_strictly(shard);
}

io::Task<Result<Connection*>> Transaction::use_strictly(ShardId shard) {
  for (Participant& p : participants_) {
    if (p.read && p.shard != shard) co_return refuse(Refusal::kIsolationOverShards, isolation_);
  }
  Result<Connection*> c = co_await enter(shard);
  if (!c) co_return c.error();
  for (Participant& p : participants_) p.read |= p.shard == shard;
  co_return *c;
}

Transaction::Participant* Transaction::participant(ShardId shard) {
  for (Participant& p : participants_)
    if (p.shard == shard) return &p;
  return nullptr;
}

Transaction::Participant& Transaction::add(std::unique_ptr<Connection> connection, ShardId shard) {
  Participant& p = participants_.emplace_back();
  p.connection = std::move(connection);
  p.connection->client = client_;
  p.shard = shard;
  return p;
}

// Nothing is to be said to the connection before its next statement.
bool Transaction::is_settled(const Connection& c) const {
  const catalog::SnapshotPtr& snapshot = snapshot_ ? snapshot_ : context_.snapshot;
  return !c.user_code && c.prepared_epoch == snapshot->epoch && knows_types(c) &&
         c.settings == wanted_settings();
}

io::Task<Result<>> Transaction::settle(Connection& c) {
  const catalog::SnapshotPtr& snapshot = snapshot_ ? snapshot_ : context_.snapshot;
  // A statement parsed before a schema change keeps the old types: the client's own Parse would
  // not.
  if (c.prepared_epoch != snapshot->epoch) {
    if (!c.prepared.empty()) {
      wire::append_query(c.out(), "DEALLOCATE ALL");
      c.pending().sent('Q', {.swallow = true});
      c.prepared.clear();
    }
    c.unnamed.clear();
    c.prepared_epoch = snapshot->epoch;
  }
  SHOAL_CO_TRY(co_await apply_settings(c));
  if (!derived_ && !knows_types(c)) SHOAL_CO_TRY(co_await learn_types(c));
  co_return Result<>();
}

Result<> Transaction::check_cancel() const {
  if (!cancelled_) return {};
  return make_error("57014", "canceling statement due to user request");
}

Connection* Transaction::use_at_once(ShardId shard) {
  if (shard == kWorkspace) return nullptr;
  if (cancelled_) return nullptr;
  if (state_ != State::kIdle && (!isolation_.empty() || !replay_.empty())) return nullptr;
  Participant* p = participant(shard);
  if (!p) {
    const catalog::SnapshotPtr& snapshot = snapshot_ ? snapshot_ : context_.snapshot;
    std::unique_ptr<Connection> taken = take_idle(*snapshot, shard);
    if (!taken) return nullptr;
    p = &add(std::move(taken), shard);
  }
  if (!p->settled) p->settled = !p->kept && is_settled(*p->connection);
  if (!p->settled || p->connection->broken() || !knows_types(*p->connection)) return nullptr;
  if (state_ != State::kIdle && !p->begun) append_begin(*p);
  return p->connection.get();
}

io::Task<Result<Connection*>> Transaction::enter(ShardId shard) {
  SHOAL_CO_TRY(check_cancel());
  Participant* p = participant(shard);
  if (p && p->connection->broken()) {
    fail();
    co_return make_error("08006", fmt::format("the connection to shard {} was lost",
                                              p->connection->endpoint().name));
  }
  if (!p) {
    const catalog::SnapshotPtr& snapshot = snapshot_ ? snapshot_ : context_.snapshot;
    std::unique_ptr<Connection> taken = take_idle(*snapshot, shard);
    if (!taken) {
      Result<std::unique_ptr<Connection>> c = co_await context_.pool.acquire(
          context_.endpoint(*snapshot, server_of(*snapshot, shard)), login_);
      if (!c) co_return c.error();
      taken = std::move(*c);
    }
    p = &add(std::move(taken), shard);
    SHOAL_CO_TRY(check_cancel());
  }
  Connection* connection = p->connection.get();
  if (!p->settled && p->kept) {
    // Its statements, cursors and temporary tables are the session's own; settings may have changed
    // on another connection.
    SHOAL_CO_TRY(co_await refresh_settings(*connection));
    p = participant(shard);
    p->settled = true;
  } else if (!p->settled) {
    Result<> settled = co_await settle(*connection);
    p = participant(shard);
    if (!settled) {
      context_.pool.release(std::move(p->connection));
      participants_.erase(participants_.begin() + (p - participants_.data()));
      co_return settled.error();
    }
    p->settled = true;
  }
  if (state_ != State::kIdle && !p->begun) SHOAL_CO_TRY(co_await enlist(*p));
  if (!knows_types(*connection) && connection->pending().all_answered() &&
      connection->status() != 'E')
    SHOAL_CO_TRY(co_await learn_types(*connection));
  co_return connection;
}

void Transaction::late_begin() {
  begin_implicit();
  for (Participant& p : participants_) {
    if (!p.begun) append_begin(p);
    p.read = true;
  }
}

void Transaction::mark_wrote(ShardId shard) {
  for (Participant& p : participants_)
    if (p.shard == shard) p.wrote = true;
}
void Transaction::mark_temp(ShardId shard) {
  for (Participant& p : participants_)
    if (p.shard == shard) p.temp = true;
}

std::size_t Transaction::writers() const {
  return static_cast<std::size_t>(std::count_if(participants_.begin(), participants_.end(),
                                                [](const Participant& p) { return p.wrote; }));
}

io::Task<Result<>> Transaction::run_everywhere(std::string sql) {
  std::vector<Participant*> begun;
  for (Participant& p : participants_)
    if (p.begun) begun.push_back(&p);
  co_return co_await run_on(std::move(begun), std::move(sql));
}

io::Task<Result<>> Transaction::set_characteristics(std::string sql) {
  std::vector<Participant*> begun;
  for (Participant& p : participants_)
    if (p.begun && p.shard != kWorkspace) begun.push_back(&p);
  replay_.push_back({sql, true});
  Result<> done = co_await run_on(std::move(begun), std::move(sql));
  if (!done) replay_.pop_back();
  co_return done;
}

io::Task<Result<>> Transaction::run_on(std::vector<Participant*> begun, std::string sql) {
  for (Participant* p : begun) {
    wire::append_query(p->connection->out(), sql);
    p->connection->unnamed.clear();
    p->connection->pending().sent('Q', {});
    p->connection->send();
  }
  Result<> outcome;
  for (Participant* p : begun) {
    while (!p->connection->pending().all_answered()) {
      Result<wire::Frame> frame = co_await p->connection->next();
      if (!frame) {
        if (outcome) outcome = frame.error();
        break;
      }
      auto verdict = p->connection->pending().on(frame->type);
      if (verdict.action == wire::PendingResponses::Action::kViolation) {
        p->connection->close();
        if (outcome) outcome = make_error("08P01", "server sent an unexpected message");
        break;
      }
      if (frame->type == 'E' && outcome) {
        Result<wire::ErrorFields> fields = wire::decode_error_fields(frame->body);
        Error e =
            fields ? wire::error_from(*fields, p->connection->endpoint().name) : fields.error();
        // Of one server only: its own words are the answer.
        if (begun.size() == 1) e.original = frame->body;
        outcome = std::move(e);
      }
    }
  }
  co_return outcome;
}

void Transaction::clear() {
  state_ = State::kIdle;
  implicit_ = false;
  begin_text_.clear();
  isolation_.clear();
  replay_.clear();
  snapshot_.reset();
  derived_.reset();
}

void Transaction::ended() {
  for (Participant& p : participants_) {
    // What was parsed or learned of a schema that may be undone is forgotten.
    if (derived_) {
      p.connection->prepared_epoch = Epoch();
      p.connection->oids_version = 0;
    }
    if (p.begun) p.connection->settings = *settings_;
    p.begun = p.wrote = p.temp = p.read = false;
  }
  if (on_end_ && !participants_.empty() && !participants_.front().connection->broken())
    on_end_(*participants_.front().connection);
  clear();
  release();
}

void Transaction::release() {
  if (state_ != State::kIdle) return;
  std::vector<Participant> rest;
  for (Participant& p : participants_) {
    p.begun = p.wrote = p.temp = p.read = false;
    const bool pinned = is_pinned(p.shard) || (holds_workspace_ && p.shard == kWorkspace);
    const bool broken = p.connection->broken();
    lost_pinned_ |= pinned && broken && p.shard != kWorkspace;
    if (pinned && !broken) {
      p.kept = true;
      p.settled = false;
      rest.push_back(std::move(p));
    } else {
      context_.pool.release(std::move(p.connection));
    }
  }
  participants_ = std::move(rest);
  snapshot_.reset();
}

io::Task<Result<std::string>> Transaction::commit() {
  if (state_ == State::kFailed) {
    co_await rollback();
    co_return "ROLLBACK";
  }
  if (writers() > 1) co_return co_await commit_two_phase();
  // At most one wrote: its COMMIT decides; the others only read.
  Result<> outcome;
  std::string tag = "COMMIT";
  std::stable_sort(participants_.begin(), participants_.end(),
                   [](const Participant& a, const Participant& b) { return a.wrote > b.wrote; });
  for (Participant& p : participants_) {
    if (!p.begun) continue;
    // Not as an argument: GCC 12 destroys a conditional's temporaries twice around co_await.
    std::string sql = outcome ? "COMMIT" : "ROLLBACK";
    Result<backend::TextRows> done = co_await p.connection->query(std::move(sql));
    if (p.shard == kWorkspace) continue;  // without it only its cursors are lost
    if (outcome && !done) {
      outcome = done.error();
      if (p.connection->broken() && p.wrote) {
        outcome =
            make_error("08007", "the connection was lost during COMMIT",
                       "the transaction may have been committed", "check before repeating it");
      }
    }
    if (outcome && done && done->tag == "ROLLBACK") tag = "ROLLBACK";
  }
  ended();
  if (!outcome) co_return outcome.error();
  co_return tag;
}

io::Task<> Transaction::rollback() {
  for (Participant& p : participants_) {
    if (!p.begun || p.connection->broken()) continue;
    if (!p.connection->pending().all_answered()) {
      (void)co_await p.connection->drain(io::Deadline::in(io::Milliseconds(5000)));
      if (p.connection->broken()) continue;
    }
    wire::append_query(p.connection->out(), "ROLLBACK");
    p.connection->unnamed.clear();
    p.connection->pending().sent('Q', {});
    p.connection->send();
  }
  for (Participant& p : participants_)
    if (!p.connection->broken())
      (void)co_await p.connection->drain(io::Deadline::in(io::Milliseconds(30000)));
  for (Participant& p : participants_)
    if (p.begun) p.connection->settings = settings_at_begin_;
  for (Participant& p : participants_) p.begun = false;
  ended();
}

io::Task<> Transaction::abandon() {
  pinned_.clear();
  if (backend::Connection* c = enlisted(kWorkspace); c && holds_workspace_) c->tainted = true;
  holds_workspace_ = false;
  for (Participant& p : participants_)
    if (!p.connection->pending().all_answered()) p.connection->close();
  if (state_ != State::kIdle) {
    co_await rollback();
  } else {
    for (Participant& p : participants_)
      if (p.connection->status() != 'I') p.connection->close();
    release();
  }
}

void Transaction::hold_workspace(bool hold) {
  holds_workspace_ = hold;
  // What its next client must not find.
  if (Connection* c = enlisted(kWorkspace); c && hold) c->user_code = true;
}

bool Transaction::is_pinned(ShardId shard) const {
  return std::find(pinned_.begin(), pinned_.end(), shard) != pinned_.end();
}

void Transaction::pin(ShardId shard) {
  if (!is_pinned(shard)) pinned_.push_back(shard);
  for (Participant& p : participants_)
    if (p.shard == shard) p.connection->tainted = true;
}

}  // namespace shoal::exec
