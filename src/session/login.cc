// Start-up packets, TLS, authentication.
#include "session/login.h"

#include <random>

#include "wire/backend.h"
#include "wire/frontend.h"
#include "wire/scram.h"

namespace shoal::session {
namespace {

constexpr std::uint32_t kNewestVersion = 3u << 16;  // 3.0

std::string nonce() {
  std::random_device device;
  std::string raw;
  for (int i = 0; i < 18; ++i) raw.push_back(static_cast<char>(device()));
  return wire::base64_encode(raw);
}

Error wrong_password(const std::string& user) {
  Error e =
      make_error("28P01", fmt::format("password authentication failed for user \"{}\"", user));
  e.fatal = true;
  return e;
}

io::Task<> refuse_client(ClientChannel& channel, Error e, io::Deadline deadline) {
  e.fatal = true;
  wire::append_error(channel.out(), e);
  (void)co_await channel.flush(deadline);
}

io::Task<Result<>> scram(ClientChannel& channel, ClientIdentity& identity,
                         const std::optional<std::string>& stored, io::Deadline deadline) {
  std::string binding = channel.stream().tls_server_end_point();
  wire::ScramVerifier verifier = wire::mock_scram_verifier(identity.login.user, "shoal");
  bool real = false;
  if (stored) {
    Result<wire::ScramVerifier> parsed = wire::parse_scram_verifier(*stored);
    if (parsed) {
      verifier = *parsed;
      real = true;
    }
  }
  std::vector<std::string_view> mechanisms;
  if (!binding.empty()) mechanisms.push_back(wire::kScramSha256Plus);
  mechanisms.push_back(wire::kScramSha256);
  wire::append_auth_sasl(channel.out(), mechanisms);
  Result<wire::Frame> frame = co_await channel.next(deadline);
  if (!frame) co_return frame.error();
  if (frame->type != 'p') co_return make_error("08P01", "expected SASL response");
  Result<wire::SaslInitialResponse> initial = wire::decode_sasl_initial(frame->body);
  if (!initial) co_return initial.error();
  bool plus = initial->mechanism == wire::kScramSha256Plus;
  if (!plus && initial->mechanism != wire::kScramSha256)
    co_return make_error("08P01", "client selected an invalid SASL authentication mechanism");
  wire::ScramServer server(verifier, nonce(), binding);
  Result<std::string> first = server.on_first(initial->response.value_or(""), plus);
  if (!first) co_return first.error();
  wire::append_auth_sasl_continue(channel.out(), *first);
  frame = co_await channel.next(deadline);
  if (!frame) co_return frame.error();
  if (frame->type != 'p') co_return make_error("08P01", "expected SASL response");
  Result<std::string> final = server.on_final(wire::decode_sasl_response(frame->body));
  if (!final || !real) co_return wrong_password(identity.login.user);
  wire::append_auth_sasl_final(channel.out(), *final);
  identity.login.keys = server.keys();
  co_return Result<>();
}

io::Task<Result<>> authenticate(ClientChannel& channel, ClientIdentity& identity,
                                const LoginPolicy& policy, LoginHooks& hooks,
                                io::Deadline deadline) {
  if (policy.auth == LoginPolicy::Auth::kTrust) co_return Result<>();
  Result<std::optional<std::string>> stored = co_await hooks.verifier(identity.login.user);
  if (!stored) co_return stored.error();
  if (policy.auth == LoginPolicy::Auth::kScram)
    co_return co_await scram(channel, identity, *stored, deadline);
  wire::append_auth_cleartext(channel.out());
  Result<wire::Frame> frame = co_await channel.next(deadline);
  if (!frame) co_return frame.error();
  if (frame->type != 'p') co_return make_error("08P01", "expected password response");
  Result<std::string_view> password = wire::decode_password(frame->body);
  if (!password) co_return password.error();
  if (!*stored) co_return wrong_password(identity.login.user);
  Result<wire::ScramVerifier> verifier = wire::parse_scram_verifier(**stored);
  if (!verifier || !wire::equal_constant_time(
                       wire::make_scram_verifier(*password, verifier->salt, verifier->iterations),
                       wire::print_scram_verifier(*verifier)))
    co_return wrong_password(identity.login.user);
  identity.login.password = *password;
  co_return Result<>();
}

}  // namespace

io::Task<std::optional<LoggedIn>> log_in(io::StreamPtr stream, const LoginPolicy& policy,
                                         const Limits& limits, LoginHooks& hooks) {
  io::Deadline deadline = io::Deadline::in(limits.login_timeout);
  ClientChannel channel(std::move(stream), limits);
  bool asked_tls = false, asked_gss = false;
  std::optional<ClientIdentity> identity;
  while (!identity) {
    wire::StartupStep step = wire::decode_startup(channel.raw());
    if (std::get_if<wire::NeedMore>(&step)) {
      Result<> more = co_await channel.fill(deadline);
      if (!more) co_return std::nullopt;
      continue;
    }
    // PostgreSQL says nothing either to what is no start-up packet, unless only its end is wrong.
    if (const auto* bad = std::get_if<wire::BadFrame>(&step)) {
      if (bad->reason.starts_with("invalid startup packet layout"))
        co_await refuse_client(channel, bad->error(), deadline);
      co_return std::nullopt;
    }
    auto& startup = std::get<wire::Startup>(step);
    if (std::get_if<wire::SslRequest>(&startup.packet)) {
      channel.consume(startup.size);
      if (asked_tls) co_return std::nullopt;
      asked_tls = true;
      // Bytes behind the request were sent before encryption: whoever put them there must not be
      // believed (CVE-2021-23214).
      if (!channel.raw().empty()) co_return std::nullopt;
      bool offer = policy.tls && policy.tls_mode != LoginPolicy::Tls::kDisable;
      channel.out().push_back(offer ? 'S' : 'N');
      if (!co_await channel.flush(deadline)) co_return std::nullopt;
      if (offer) {
        Result<io::StreamPtr> secured =
            co_await io::start_tls_server(channel.take_stream(), policy.tls, deadline);
        if (!secured) co_return std::nullopt;
        channel.replace_stream(std::move(*secured));
      }
    } else if (std::get_if<wire::GssEncRequest>(&startup.packet)) {
      channel.consume(startup.size);
      if (asked_gss || !channel.raw().empty()) co_return std::nullopt;
      asked_gss = true;
      channel.out().push_back('N');
      if (!co_await channel.flush(deadline)) co_return std::nullopt;
    } else if (const auto* cancel = std::get_if<wire::CancelRequest>(&startup.packet)) {
      hooks.cancel(cancel->pid, std::string(cancel->secret));
      co_return std::nullopt;
    } else {
      const auto& message = std::get<wire::StartupMessage>(startup.packet);
      if (message.major < 3) co_return std::nullopt;  // could not read our answer
      if (message.major != 3) {
        co_await refuse_client(
            channel,
            make_error("08P01", fmt::format("unsupported frontend protocol {}.{}: server supports "
                                            "3.0 to 3.0",
                                            message.major, message.minor)),
            deadline);
        co_return std::nullopt;
      }
      identity.emplace();
      std::vector<std::string_view> unknown;
      for (const auto& [name, value] : message.params) {
        if (name.starts_with("_pq_.")) unknown.push_back(name);
        identity->parameters.emplace_back(std::string(name), std::string(value));
      }
      identity->login.user = message.get("user");
      identity->database = message.get("database", message.get("user"));
      if (message.minor > 0 || !unknown.empty())
        wire::append_negotiate(channel.out(), kNewestVersion, unknown);
      std::string replication(message.get("replication", "off"));
      channel.consume(startup.size);
      if (replication != "off" && replication != "false" && replication != "0" &&
          replication != "no") {
        co_await refuse_client(
            channel, refuse(Refusal::kProtocol, "replication connections go to a shard"), deadline);
        co_return std::nullopt;
      }
    }
  }
  if (identity->login.user.empty()) {
    co_await refuse_client(
        channel, make_error("28000", "no PostgreSQL user name specified in startup packet"),
        deadline);
    co_return std::nullopt;
  }
  if (policy.tls_mode == LoginPolicy::Tls::kRequire && !channel.stream().encrypted()) {
    co_await refuse_client(channel, make_error("28000", "connection requires TLS"), deadline);
    co_return std::nullopt;
  }
  bool admin = identity->database == "shoal";
  Result<> known = co_await authenticate(channel, *identity, policy, hooks, deadline);
  if (!known) {
    co_await refuse_client(channel, known.error(), deadline);
    co_return std::nullopt;
  }
  // Only who proved to be somebody learns which databases there are.
  if (!admin && identity->database != policy.database) {
    wire::append_auth_ok(channel.out());
    co_await refuse_client(
        channel,
        make_error("3D000", fmt::format("database \"{}\" does not exist", identity->database)),
        deadline);
    co_return std::nullopt;
  }
  std::tie(identity->pid, identity->secret) = hooks.new_cancel_key();
  co_return LoggedIn{std::move(channel), std::move(*identity), admin};
}

}  // namespace shoal::session
