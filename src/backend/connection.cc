// Sending, receiving and start-up of a server connection.
#include "backend/connection.h"

#include <random>

#include "wire/frontend.h"

namespace shoal::backend {
namespace {

constexpr std::size_t kMaxFrame = (1u << 30) + 64;

Error protocol_violation(const Endpoint& endpoint) {
  Error e = make_error("08P01", "server sent a message that is not allowed now");
  e.shard = endpoint.name;
  e.fatal = true;
  return e;
}

std::string random_nonce() {
  std::random_device device;
  std::string raw;
  for (int i = 0; i < 18; ++i) raw.push_back(static_cast<char>(device()));
  return wire::base64_encode(raw);
}

}  // namespace

Connection::~Connection() {
  if (writer_) *writer_ = nullptr;
  if (stream_ && !broken_ && pending_.all_answered() && unsent_.empty()) {
    std::string bye;
    wire::append_terminate(bye);
    (void)stream_->try_write(bye);
  }
}

void Connection::close() {
  broken_ = true;
  if (stream_) stream_->close();
}

std::string Connection::next_statement_name() {
  return fmt::format("shoal_{}", ++statement_counter_);
}

void Connection::set_oids(std::shared_ptr<const wire::OidMap> map, std::size_t longest_row) {
  longest_row_ = longest_row;
  oids_ = map ? std::make_unique<OidTranslator>(std::move(map)) : nullptr;
}

void Connection::send() {
  if (out_.empty() || broken_) return;
  if (oids_ && !oids_->outgoing(out_, pending_)) close();
  send_out();
}

// What waited for an answer that is here now goes before what was appended since.
void Connection::release_held() {
  std::string behind = std::move(out_);
  out_.clear();
  if (!oids_->release(out_, behind, pending_)) close();
  send_out();
  out_ = std::move(behind);
}

// The buffer is this connection's own: views into it are rewritten where they are.
Result<> Connection::to_home(const wire::Frame& frame) {
  const wire::Bytes body(const_cast<char*>(frame.body.data()), frame.body.size());
  if (oids_->incoming(frame.type, body, pending_)) return {};
  close();
  return protocol_violation(endpoint_);
}

void Connection::send_out() {
  if (out_.empty() || broken_) return;
  if (writer_) {
    unsent_ += out_;
    out_.clear();
    return;
  }
  Result<std::size_t> n = stream_->try_write(out_);
  if (!n) {
    broken_ = true;
    out_.clear();
    return;
  }
  if (*n == out_.size()) {
    out_.clear();
    return;
  }
  unsent_.assign(out_, *n);
  out_.clear();
  writer_ = std::make_shared<Connection*>(this);
  io::this_core().spawn(write_rest(writer_));
}

// Owns the stream's write side until all is sent. The connection may be destroyed meanwhile, which
// closes the stream and ends the write with an error.
io::Task<> Connection::write_rest(std::shared_ptr<Connection*> self) {
  while (*self && !(*self)->unsent_.empty()) {
    std::string chunk = std::move((*self)->unsent_);
    (*self)->unsent_.clear();
    Result<> done = co_await (*self)->stream_->write(chunk, {});
    if (!*self) co_return;
    if (!done) {
      (*self)->close();
      break;
    }
  }
  if (!*self) co_return;
  (*self)->writer_.reset();
  (*self)->sent_.set();
}

io::Task<Result<>> Connection::wait_sent() {
  while (writer_ && !broken_) co_await sent_.wait({});
  if (broken_) co_return make_error("08006", "server connection lost", endpoint_.name);
  co_return Result<>();
}

Result<std::optional<Piece>> Connection::try_next(std::size_t stream_above) {
  in_.consume(std::exchange(consumed_, 0));
  if (oids_ && oids_->holding()) release_held();
  std::size_t size = 0;
  wire::FrameStep step = wire::decode_partial_frame(in_.data(), kMaxFrame, &size);
  if (std::get_if<wire::BadFrame>(&step)) {
    close();
    return protocol_violation(endpoint_);
  }
  const auto* frame = std::get_if<wire::Frame>(&step);
  if (!frame) return std::optional<Piece>();
  std::size_t here = std::min(in_.data().size(), size);
  Piece piece{*frame, size - here};
  if (piece.remaining > 0) {
    bool streams = (frame->type == 'D' || frame->type == 'd') && size > stream_above;
    if (oids_ && frame->type == 'D' && oids_->rows_hold_oids()) {
      if (size > longest_row_) {
        close();
        return refuse(Refusal::kPortalBuffer, "a row whose types are named otherwise on its shard");
      }
      streams = false;
    }
    if (!streams) return std::optional<Piece>();
  }
  piece.frame.bytes = in_.data().substr(0, here);
  piece.frame.body = piece.frame.bytes.substr(wire::kHeaderBytes);
  consumed_ = here;
  if (oids_) SHOAL_TRY(to_home(piece.frame));
  observe(piece.frame);
  return std::optional<Piece>(piece);
}

io::Task<Result<>> Connection::fill(io::Deadline deadline) {
  in_.consume(std::exchange(consumed_, 0));
  if (broken_) co_return make_error("08006", "server connection lost", endpoint_.name);
  std::size_t want = in_.data().size() > io::Buffer::kChunk / 2 ? in_.data().size() : 8192;
  char* where = in_.prepare(want);
  Result<std::size_t> n = co_await stream_->read_some(where, in_.room(), deadline);
  if (!n || *n == 0) {
    broken_ = true;
    Error e = n ? make_error("08006", "server closed the connection unexpectedly") : n.error();
    e.shard = endpoint_.name;
    e.fatal = true;
    co_return e;
  }
  in_.commit(*n);
  co_return Result<>();
}

io::Task<Result<std::string_view>> Connection::read_raw(std::size_t max) {
  in_.consume(std::exchange(consumed_, 0));
  if (in_.empty()) {
    Result<> filled = co_await fill();
    if (!filled) co_return filled.error();
  }
  std::string_view view = in_.data().substr(0, max);
  consumed_ = view.size();
  co_return view;
}

io::Task<Result<wire::Frame>> Connection::next(io::Deadline deadline) {
  for (;;) {
    Result<std::optional<Piece>> piece = try_next();
    if (!piece) co_return piece.error();
    if (*piece) co_return (*piece)->frame;
    Result<> filled = co_await fill(deadline);
    if (!filled) co_return filled.error();
  }
}

void Connection::set_parameter(std::string_view name, std::string_view value) {
  parameters_[std::string(name)] = value;
  parameters_hash_ = 0;
  for (const auto& [known, text] : parameters_) {
    parameters_hash_ = parameters_hash_ * 31 + std::hash<std::string>()(known);
    parameters_hash_ = parameters_hash_ * 31 + std::hash<std::string>()(text);
  }
}

void Connection::observe(const wire::Frame& frame) {
  if (frame.type == 'Z') {
    if (Result<wire::ReadyForQuery> ready = wire::decode_ready(frame.body)) status_ = ready->status;
  } else if (frame.type == 'S') {
    if (Result<wire::ParameterStatus> p = wire::decode_parameter_status(frame.body))
      set_parameter(p->name, p->value);
  } else if (frame.type == 'E') {
    if (Result<wire::ErrorFields> e = wire::decode_error_fields(frame.body); e && e->ends_session())
      broken_ = true;
  }
}

io::Task<Result<TextRows>> Connection::query(std::string sql, io::Deadline deadline) {
  wire::append_query(out_, sql);
  unnamed.clear();  // a Query destroys the unnamed statement
  pending_.sent('Q');
  send();
  TextRows result;
  std::optional<Error> failure;
  while (!pending_.all_answered()) {
    Result<wire::Frame> frame = co_await next(deadline);
    if (!frame) {
      close();
      if (failure) co_return *failure;
      co_return frame.error();
    }
    if (pending_.on(frame->type).action == wire::PendingResponses::Action::kViolation) {
      close();
      co_return protocol_violation(endpoint_);
    }
    if (frame->type == 'T') {
      result.columns.clear();
      result.rows.clear();
      Result<wire::RowDescription> row = wire::decode_row_description(frame->body);
      if (!row) co_return row.error();
      for (const wire::Column& c : row->columns) result.columns.emplace_back(c.name);
    } else if (frame->type == 'D') {
      Result<wire::DataRow> row = wire::decode_data_row(frame->body);
      if (!row) co_return row.error();
      auto& values = result.rows.emplace_back();
      for (wire::Value v : row->values) {
        if (v)
          values.emplace_back(std::string(*v));
        else
          values.emplace_back(std::nullopt);
      }
    } else if (frame->type == 'C') {
      if (Result<wire::CommandComplete> done = wire::decode_command_complete(frame->body))
        result.tag = done->tag;
    } else if (frame->type == 'E') {
      Result<wire::ErrorFields> fields = wire::decode_error_fields(frame->body);
      failure = fields ? wire::error_from(*fields, endpoint_.name) : fields.error();
      failure->original = frame->body;
    } else if (frame->type == 'N') {
      result.notices += frame->bytes;
    } else if (frame->type == 'G') {
      wire::append_copy_fail(out_, "not expected");
      pending_.sent('f');
      send();
    }
  }
  if (failure) co_return *failure;
  co_return std::move(result);
}

bool Connection::poll() {
  in_.consume(std::exchange(consumed_, 0));
  if (!in_.empty()) return true;
  char* where = in_.prepare(8192);
  Result<std::size_t> n = stream_->try_read(where, in_.room());
  if (!n) {
    broken_ = true;
    return true;
  }
  in_.commit(*n);
  return *n > 0;
}

io::Task<bool> Connection::drain(io::Deadline deadline) {
  while (!pending_.all_answered()) {
    Result<wire::Frame> frame = co_await next(deadline);
    if (!frame || pending_.on(frame->type).action == wire::PendingResponses::Action::kViolation) {
      close();
      co_return false;
    }
  }
  co_return pending_.proved();
}

io::Task<Result<std::unique_ptr<Connection>>> Connection::open(Endpoint endpoint, Login login,
                                                               std::string setup_sql,
                                                               io::Deadline deadline) {
  std::string shard = endpoint.name;
  Result<io::StreamPtr> stream = co_await io::connect(endpoint.host, endpoint.port, deadline);
  if (!stream) {
    Error e = stream.error();
    e.message = fmt::format("shard {} cannot be reached: {}", shard, e.message);
    e.sqlstate = "08001";
    e.shard = shard;
    co_return e;
  }
  if (endpoint.tls) {
    std::string request;
    wire::append_ssl_request(request);
    Result<> sent = co_await (*stream)->write(request, deadline);
    if (!sent) co_return sent.error();
    char answer = 0;
    Result<std::size_t> n = co_await (*stream)->read_some(&answer, 1, deadline);
    if (!n) co_return n.error();
    if (answer == 'S') {
      stream =
          co_await io::start_tls_client(std::move(*stream), endpoint.tls, endpoint.host, deadline);
      if (!stream) co_return stream.error();
    } else if (endpoint.tls_required) {
      co_return make_error("08001", fmt::format("shard {} does not offer TLS", shard));
    }
  }
  std::unique_ptr<Connection> c(new Connection(std::move(endpoint), std::move(*stream)));
  c->opened_at = c->idle_since = io::Clock::now();
  Result<> ready = co_await c->authenticate(std::move(login), deadline);
  if (!ready) {
    c->close();
    co_return ready.error();
  }
  if (!setup_sql.empty()) {
    Result<TextRows> done = co_await c->query(std::move(setup_sql), deadline);
    if (!done) {
      c->close();
      co_return done.error();
    }
  }
  co_return std::move(c);
}

io::Task<Result<>> Connection::authenticate(Login login, io::Deadline deadline) {
  std::pair<std::string_view, std::string_view> params[] = {
      {"user", login.user}, {"database", endpoint_.dbname}, {"application_name", "shoal"}};
  user_ = login.user;
  wire::append_startup(out_, params);
  send();
  std::optional<wire::ScramClient> scram;
  for (;;) {
    Result<wire::Frame> frame = co_await next(deadline);
    if (!frame) co_return frame.error();
    if (frame->type == 'E') {
      Result<wire::ErrorFields> fields = wire::decode_error_fields(frame->body);
      if (!fields) co_return fields.error();
      co_return wire::error_from(*fields, endpoint_.name);
    }
    if (frame->type == 'K') {
      if (Result<wire::BackendKeyData> key = wire::decode_backend_key_data(frame->body)) {
        pid_ = key->pid;
        secret_ = key->secret;
      }
      continue;
    }
    if (frame->type == 'Z') co_return Result<>();
    if (frame->type != 'R') continue;  // S, N
    Result<wire::Authentication> auth = wire::decode_authentication(frame->body);
    if (!auth) co_return auth.error();
    switch (auth->kind) {
      case wire::Authentication::kOk:
        break;
      case wire::Authentication::kCleartext:
        wire::append_password(out_, login.password);
        break;
      case wire::Authentication::kMd5:
        wire::append_password(out_, wire::md5_response(login.user, login.password, auth->data));
        break;
      case wire::Authentication::kSasl:
        if (login.keys)
          scram.emplace(*login.keys, random_nonce());
        else
          scram.emplace(login.password, random_nonce());
        wire::append_sasl_initial(out_, wire::kScramSha256, scram->first());
        break;
      case wire::Authentication::kSaslContinue: {
        if (!scram) co_return protocol_violation(endpoint_);
        Result<std::string> answer = scram->on_continue(auth->data);
        if (!answer) co_return answer.error();
        wire::append_sasl_response(out_, *answer);
        break;
      }
      case wire::Authentication::kSaslFinal: {
        if (!scram) co_return protocol_violation(endpoint_);
        Result<void> proved = scram->on_final(auth->data);
        if (!proved) co_return proved.error();
        break;
      }
      default:
        co_return make_error("28000", fmt::format("shard {} asks for an authentication method {} "
                                                  "that is not supported",
                                                  endpoint_.name, auth->kind));
    }
    send();
  }
}

io::Task<> send_cancel(Endpoint endpoint, std::int32_t pid, std::string secret) {
  io::Deadline deadline = io::Deadline::in(io::Milliseconds(5000));
  Result<io::StreamPtr> stream = co_await io::connect(endpoint.host, endpoint.port, deadline);
  if (!stream) co_return;
  std::string packet;
  wire::append_cancel(packet, pid, secret);
  Result<> sent = co_await (*stream)->write(packet, deadline);
  if (!sent) co_return;
  char c;
  (void)co_await (*stream)->read_some(&c, 1, deadline);  // the server closes when it is done
}

}  // namespace shoal::backend
