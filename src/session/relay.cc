// Passing a server's answer on to the client, frame by frame and undecoded.
#include "session/session.h"
#include "sql/deparse.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

constexpr std::size_t kStreamAbove = 256u << 10;  // longer rows pass in pieces
constexpr std::size_t kCopyBatch = 64u << 10;
constexpr std::size_t kCopyUnsent = 1u << 20;
// How often a server that reads a slow client's COPY data is looked at: it may have raised an
// error.
constexpr io::Milliseconds kCopyLook{50};

}  // namespace

void Session::emit_locals(std::uint32_t before_tag) {
  while (!locals_.empty() && locals_.front().first < before_tag) {
    client_.out() += locals_.front().second;
    locals_.pop_front();
  }
}

void Session::on_server_error(const wire::Frame& frame) {
  failed_ = true;
  server_error_ = true;
  txn_.fail();
  Result<wire::ErrorFields> fields = wire::decode_error_fields(frame.body);
  if (fields && fields->get('C').empty()) {
    // A hostile or broken server: the client still gets a well-formed error.
    wire::append_error(client_.out(), wire::error_from(*fields));
    return;
  }
  client_.out() += frame.bytes;
  if (fields && fields->ends_session()) ended_by_server_ = true;
}

void Session::undo_sets(backend::Connection& c) {
  if (!before_sets_) return;
  settings_ = before_sets_->settings;
  facts_ = before_sets_->facts;
  facts_changed();
  c.settings = settings_;
  before_sets_.reset();
}

void Session::change_name(const std::string& name, StatementPtr statement) {
  Named& at = statements_[name];
  name_changes_.push_back({tag_, name, std::move(at)});
  at = Named{std::move(statement), nullptr, {}};
  if (!at.statement) statements_.erase(name);
}

void Session::undo_names(std::uint32_t tag) {
  while (!name_changes_.empty() && name_changes_.back().tag >= tag) {
    NameChange& change = name_changes_.back();
    // A Parse of the unnamed statement that fails has destroyed the old one all the same.
    if (change.before.statement && !(change.tag == tag && change.name.empty()))
      statements_[change.name] = std::move(change.before);
    else
      statements_.erase(change.name);
    name_changes_.pop_back();
  }
}

void Session::forget_unparsed(backend::Connection& c, std::uint32_t tag) {
  for (const std::string& key : unconfirmed_) {
    if (key.empty())
      c.unnamed.clear();
    else
      c.prepared.erase(key);
  }
  unconfirmed_.clear();
  shapes_due_.clear();
  undo_names(tag);
}

// Until nothing is due on `c`. Z is not passed on: the caller sends its own. An Error means that
// the connection is lost or was destroyed; the client has been told nothing of it yet.
io::Task<Result<>> Session::relay(backend::Connection& c) {
  c.send();
  while (c.pending().due() > 0) {
    Result<std::optional<backend::Piece>> next = c.try_next(kStreamAbove);
    if (!next) co_return next.error();
    if (!*next) {
      if (client_.out().size() >= ClientChannel::kFlowBytes) SHOAL_CO_TRY(co_await client_.flush());
      SHOAL_CO_TRY(co_await c.fill());
      continue;
    }
    const wire::Frame frame = (*next)->frame;
    std::size_t remaining = (*next)->remaining;
    // The connection itself may have put a Describe in (OidTranslator), whose answer is not ours.
    const bool shape = !shapes_due_.empty() && c.pending().note() == 0;
    wire::PendingResponses::Verdict verdict = c.pending().on(frame.type);
    if (verdict.action == wire::PendingResponses::Action::kViolation) {
      c.close();
      Error e = make_error("08P01", "the server broke the protocol");
      e.shard = c.endpoint().name;
      co_return e;
    }
    if (verdict.injected && frame.type == 'E') {
      // BEGIN or a setting of ours failed: what follows must not run. The connection goes.
      Result<wire::ErrorFields> fields = wire::decode_error_fields(frame.body);
      Error e = fields ? wire::error_from(*fields, c.endpoint().name) : fields.error();
      e.original = frame.body;
      c.close();
      co_return e;
    }
    if (frame.type == 'Z') continue;
    if (frame.type == '1' && !unconfirmed_.empty()) unconfirmed_.pop_front();
    if (verdict.action == wire::PendingResponses::Action::kSwallow && frame.type != 'E') {
      if (shape) on_shape(frame);
      continue;
    }
    if (!verdict.async) emit_locals(verdict.tag);
    switch (frame.type) {
      case 'E':
        on_server_error(frame);
        undo_sets(c);
        forget_unparsed(c, verdict.tag);
        while (!locals_.empty()) locals_.pop_back();
        if (ended_by_server_) co_return Result<>();  // nothing more will come
        continue;
      case 'S':
        continue;  // reported at the end if it is news
      case 'C':
        client_.out() += frame.bytes;
        on_complete(verdict.tag, c);
        break;
      case 'T':
        if (!hide_row_description_) append_row_description(frame, c);
        break;
      default:
        client_.out() += frame.bytes;
    }
    while (remaining > 0) {
      SHOAL_CO_TRY(co_await client_.flush());
      Result<std::string_view> more = co_await c.read_raw(std::min(remaining, kStreamAbove));
      if (!more) co_return more.error();
      client_.out() += *more;
      remaining -= more->size();
    }
    if (frame.type == 'G') SHOAL_CO_TRY(co_await relay_copy_in(c));
    if (client_.out().size() >= ClientChannel::kFlowBytes) SHOAL_CO_TRY(co_await client_.flush());
  }
  co_return Result<>();
}

// The client's COPY data to one server. Returns when the client ended the copy or the server broke
// it off (its error is still to be relayed; what the client sends on is ignored by the main loop).
io::Task<Result<>> Session::relay_copy_in(backend::Connection& c) {
  for (;;) {
    Result<std::optional<wire::Frame>> here = client_.try_next();
    if (!here) co_return here.error();
    if (!*here) {
      c.send();
      if (c.poll()) co_return Result<>();
    }
    // No conditional expression here: GCC 12 destroys both arms' temporaries around co_await.
    Result<wire::Frame> frame = make_error("XX000", "");
    if (*here)
      frame = **here;
    else
      frame = co_await client_.next(io::Deadline::in(kCopyLook));
    if (!frame && frame.error().sqlstate == "57014") continue;
    if (!frame) {
      c.close();
      co_return frame.error();
    }
    switch (frame->type) {
      case 'd':
        c.out() += frame->bytes;
        if (c.out().size() < kCopyBatch) break;
        c.send();
        if (c.unsent() > kCopyUnsent) SHOAL_CO_TRY(co_await c.wait_sent());
        if (c.poll()) co_return Result<>();
        break;
      case 'c':
      case 'f':
        c.out() += frame->bytes;
        c.pending().sent(frame->type);
        wire::append_flush(c.out());  // or the answer waits in the server for a Sync
        c.send();
        co_return Result<>();
      case 'H':
      case 'S':
        break;  // PostgreSQL ignores them during COPY
      default: {
        // Any other message ends the session; the server says so itself, twice.
        c.out() += frame->bytes;
        c.send();
        for (;;) {
          Result<wire::Frame> said = co_await c.next();
          if (!said) break;
          if (said->type == 'E') client_.out() += said->bytes;
        }
        c.close();
        (void)co_await client_.flush();
        Error e = make_error("08006", "protocol synchronization was lost");
        e.fatal = true;
        co_return e;
      }
    }
  }
}

// Tells the client of parameters that its connection now has and it does not know yet.
void Session::report_parameters(const backend::Connection& c) {
  static const char* const kReported[] = {"application_name",
                                          "client_encoding",
                                          "DateStyle",
                                          "default_transaction_read_only",
                                          "in_hot_standby",
                                          "integer_datetimes",
                                          "IntervalStyle",
                                          "is_superuser",
                                          "server_encoding",
                                          "server_version",
                                          "session_authorization",
                                          "standard_conforming_strings",
                                          "TimeZone"};
  // A client that gave no name has none, whatever the router calls itself on servers.
  const bool nameless = !settings_.contains("application_name");
  if (reported_hash_ == c.parameters_hash() && reported_nameless_ == nameless) return;
  reported_hash_ = c.parameters_hash();
  reported_nameless_ = nameless;
  for (const char* name : kReported) {
    auto now = c.parameters().find(name);
    if (now == c.parameters().end()) continue;
    const bool hidden = nameless && std::string_view(name) == "application_name";
    const std::string value = hidden ? std::string() : now->second;
    auto known = reported_.find(name);
    if (known != reported_.end() && known->second == value) continue;
    reported_[name] = value;
    wire::append_parameter_status(reports_, name, value);
  }
}

void Session::on_complete(std::uint32_t tag, backend::Connection& c) {
  for (auto it = pending_sets_.begin(); it != pending_sets_.end();) {
    if (it->tag != tag) {
      ++it;
      continue;
    }
    std::string sql =
        fmt::format("SELECT pg_catalog.set_config({}, {}, {})", sql::quote_literal(it->name),
                    sql::quote_literal(it->value), it->local ? "true" : "false");
    if (it->local) {
      txn_.replay(sql);
      sets_.push_back(sql);
      change_facts(true, [&] { apply_setting_to_facts(it->name, {it->value}); });
    } else {
      if (txn_.idle() && !before_sets_)
        before_sets_ = Savepoint{"", settings_, facts_, local_facts_};
      settings_[it->name] = sql;
      c.settings[it->name] = sql;
      if (!txn_.idle()) {
        txn_.replay(sql);
        sets_.push_back(sql);
      }
      change_facts(false, [&] { apply_setting_to_facts(it->name, {it->value}); });
    }
    it = pending_sets_.erase(it);
  }
}

}  // namespace shoal::session
