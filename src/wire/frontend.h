// Messages that clients send: decoding them, and writing them towards servers.
// Structs are views into the frame they came from. Encoders append to a string that the caller
// owns, so that a batch is built in one buffer. Decoders never throw, over-read or allocate from a
// declared length. Pure functions, any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.h"
#include "wire/frame.h"
#include "wire/values.h"

namespace shoal::wire {

struct Query {
  std::string_view sql;
};
struct Parse {
  std::string_view name, sql;
  OidList types;
};
struct Bind {
  std::string_view portal, statement;
  FormatList parameter_formats;
  ValueList values;
  FormatList result_formats;
};
// What Describe and Close speak of.
enum class Target : char { kStatement = 'S', kPortal = 'P' };
struct Describe {
  Target target = Target::kStatement;
  std::string_view name;
};
struct Close {
  Target target = Target::kStatement;
  std::string_view name;
};
struct Execute {
  std::string_view portal;
  std::int32_t max_rows = 0;  // 0 or less: all
};
struct Flush {};
struct Sync {};
struct CopyData {
  std::string_view data;
};
struct CopyDone {};
struct CopyFail {
  std::string_view reason;
};
struct FunctionCall {
  std::uint32_t function = 0;
  FormatList argument_formats;
  ValueList arguments;
  std::int16_t result_format = 0;
};
struct Terminate {};
// Type 'p': a password, or a SASL message; the state of the authentication says which.
struct AuthResponse {
  std::string_view body;
};

using FrontendMessage =
    std::variant<Query, Parse, Bind, Describe, Execute, Close, Flush, Sync, CopyData, CopyDone,
                 CopyFail, FunctionCall, Terminate, AuthResponse>;

// A malformed body is an ERROR 08P01 as PostgreSQL words it (the stream itself stays in step); an
// unknown type is FATAL.
Result<FrontendMessage> decode_frontend(const Frame& frame);
Result<Query> decode_query(std::string_view body);
Result<Parse> decode_parse(std::string_view body);
Result<Bind> decode_bind(std::string_view body);
Result<Describe> decode_describe(std::string_view body);
Result<Close> decode_close(std::string_view body);
Result<Execute> decode_execute(std::string_view body);
Result<FunctionCall> decode_function_call(std::string_view body);

struct SaslInitialResponse {
  std::string_view mechanism;
  std::optional<std::string_view> response;
};
// The three readings of an AuthResponse.
Result<std::string_view> decode_password(std::string_view body);
Result<SaslInitialResponse> decode_sasl_initial(std::string_view body);
inline std::string_view decode_sasl_response(std::string_view body) {
  return body;
}

// ---- encoders ---------------------------------------------------------------------------------

void append_query(std::string& out, std::string_view sql);
void append_parse(std::string& out, std::string_view name, std::string_view sql,
                  std::span<const std::uint32_t> types = {});
// At most 65535 values: what Bind can carry.
void append_bind(std::string& out, std::string_view portal, std::string_view statement,
                 std::span<const Format> parameter_formats, std::span<const Value> values,
                 std::span<const Format> result_formats);
void append_describe(std::string& out, Target target, std::string_view name);
void append_execute(std::string& out, std::string_view portal, std::int32_t max_rows = 0);
void append_close(std::string& out, Target target, std::string_view name);
void append_sync(std::string& out);
void append_flush(std::string& out);
void append_copy_data(std::string& out, std::string_view data);
void append_copy_done(std::string& out);
void append_copy_fail(std::string& out, std::string_view reason);
void append_terminate(std::string& out);
void append_startup(std::string& out,
                    std::span<const std::pair<std::string_view, std::string_view>> params);
void append_ssl_request(std::string& out);
void append_cancel(std::string& out, std::int32_t pid, std::string_view secret);
void append_password(std::string& out, std::string_view password);
void append_sasl_initial(std::string& out, std::string_view mechanism, std::string_view response);
void append_sasl_response(std::string& out, std::string_view response);

// ---- copies with another name -----------------------------------------------------------------
// Each copies the frame to `out`, putting `name` where the frame's own name was; everything else
// is verbatim. The frame must have been decoded successfully as that type before.

void append_parse_renamed(std::string& out, const Frame& frame, std::string_view name);
// Replaces the statement, keeps the portal.
void append_bind_renamed(std::string& out, const Frame& frame, std::string_view statement);
// Replaces both.
void append_bind_renamed(std::string& out, const Frame& frame, std::string_view statement,
                         std::string_view portal);
void append_describe_renamed(std::string& out, const Frame& frame, std::string_view name);
void append_close_renamed(std::string& out, const Frame& frame, std::string_view name);
void append_execute_renamed(std::string& out, const Frame& frame, std::string_view portal);

}  // namespace shoal::wire
