// Decodes and encodes the client's messages.
//   Query        'Q' := sql:cstring
//   Parse        'P' := name:cstring sql:cstring n:u16 n*(type:u32)
//   Bind         'B' := portal:cstring statement:cstring n:u16 n*(format:i16)
//                       n:u16 n*(length:i32 bytes) n:u16 n*(format:i16)
//   Describe 'D', Close 'C' := target:u8 name:cstring
//   Execute      'E' := portal:cstring max_rows:i32
//   FunctionCall 'F' := function:u32 n:u16 n*(format:i16) n:u16 n*(length:i32 bytes) format:i16
//   CopyData 'd' := bytes   CopyDone 'c' :=   CopyFail 'f' := reason:cstring
//   Flush 'H' :=   Sync 'S' :=   Terminate 'X' :=   AuthResponse 'p' := bytes
#include "wire/frontend.h"

#include <fmt/core.h>

namespace shoal::wire {
namespace {

// PostgreSQL tells apart a text without its NUL, missing bytes and surplus bytes.
Error unterminated() {
  return make_error("08P01", "invalid string in message");
}
Error malformed(const Cursor& in) {
  return make_error("08P01",
                    in.ok() ? "invalid message format" : "insufficient data left in message");
}

FormatList take_formats(Cursor& in) {
  return FormatList(in.bytes(std::size_t{in.u16()} * 2));
}

ValueList take_values(Cursor& in) {
  const std::size_t count = in.u16();
  return ValueList::take(in, count);
}

template <class Message>
Result<Message> decode_target(std::string_view body, std::string_view word) {
  Cursor in(body);
  const std::uint8_t target = in.u8();
  if (!in.ok()) return make_error("08P01", "no data left in message");
  const std::string_view name = in.cstring();
  if (!in.ok()) return unterminated();
  if (!in.done()) return malformed(in);
  if (target != 'S' && target != 'P') {
    return make_error("08P01", fmt::format("invalid {} message subtype {}", word, target));
  }
  return Message{static_cast<Target>(target), name};
}

template <class Message>
Result<FrontendMessage> decode_empty(std::string_view body) {
  if (!body.empty()) return malformed(Cursor(body));
  return FrontendMessage(Message{});
}

template <class Message>
Result<FrontendMessage> wrap(Result<Message> decoded) {
  if (!decoded) return std::move(decoded).error();
  return FrontendMessage(*std::move(decoded));
}

Result<FrontendMessage> decode_copy_fail(std::string_view body) {
  Cursor in(body);
  const CopyFail message{in.cstring()};
  if (!in.ok()) return unterminated();
  if (!in.done()) return malformed(in);
  return FrontendMessage(message);
}

Error unknown_type(char type) {
  Error e = make_error("08P01", fmt::format("invalid frontend message type {}",
                                            static_cast<int>(static_cast<unsigned char>(type))));
  e.fatal = true;
  return e;
}

}  // namespace

Result<Query> decode_query(std::string_view body) {
  Cursor in(body);
  const Query message{in.cstring()};
  if (!in.ok()) return unterminated();
  if (!in.done()) return malformed(in);
  return message;
}

Result<Parse> decode_parse(std::string_view body) {
  Cursor in(body);
  Parse message;
  message.name = in.cstring();
  message.sql = in.cstring();
  if (!in.ok()) return unterminated();
  message.types = OidList(in.bytes(std::size_t{in.u16()} * 4));
  if (!in.done()) return malformed(in);
  return message;
}

Result<Bind> decode_bind(std::string_view body) {
  Cursor in(body);
  Bind message;
  message.portal = in.cstring();
  message.statement = in.cstring();
  if (!in.ok()) return unterminated();
  message.parameter_formats = take_formats(in);
  message.values = take_values(in);
  message.result_formats = take_formats(in);
  if (!in.done()) return malformed(in);
  const std::size_t formats = message.parameter_formats.size();
  if (formats > 1 && formats != message.values.size()) {
    return make_error(
        "08P01", fmt::format("bind message has {} parameter formats but {} parameters", formats,
                             message.values.size()));
  }
  return message;
}

Result<Describe> decode_describe(std::string_view body) {
  return decode_target<Describe>(body, "DESCRIBE");
}

Result<Close> decode_close(std::string_view body) {
  return decode_target<Close>(body, "CLOSE");
}

Result<Execute> decode_execute(std::string_view body) {
  Cursor in(body);
  Execute message;
  message.portal = in.cstring();
  if (!in.ok()) return unterminated();
  message.max_rows = in.i32();
  if (!in.done()) return malformed(in);
  return message;
}

Result<FunctionCall> decode_function_call(std::string_view body) {
  Cursor in(body);
  FunctionCall message;
  message.function = in.u32();
  message.argument_formats = take_formats(in);
  message.arguments = take_values(in);
  message.result_format = in.i16();
  if (!in.done()) return malformed(in);
  return message;
}

Result<FrontendMessage> decode_frontend(const Frame& frame) {
  switch (frame.type) {
    case 'Q':
      return wrap(decode_query(frame.body));
    case 'P':
      return wrap(decode_parse(frame.body));
    case 'B':
      return wrap(decode_bind(frame.body));
    case 'D':
      return wrap(decode_describe(frame.body));
    case 'C':
      return wrap(decode_close(frame.body));
    case 'E':
      return wrap(decode_execute(frame.body));
    case 'F':
      return wrap(decode_function_call(frame.body));
    case 'H':
      return decode_empty<Flush>(frame.body);
    case 'S':
      return decode_empty<Sync>(frame.body);
    case 'X':
      return FrontendMessage(Terminate{});
    case 'd':
      return FrontendMessage(CopyData{frame.body});
    case 'c':
      return decode_empty<CopyDone>(frame.body);
    case 'f':
      return decode_copy_fail(frame.body);
    case 'p':
      return FrontendMessage(AuthResponse{frame.body});
    default:
      return unknown_type(frame.type);
  }
}

Result<std::string_view> decode_password(std::string_view body) {
  Cursor in(body);
  const std::string_view password = in.cstring();
  if (!in.done()) return malformed(in);
  return password;
}

Result<SaslInitialResponse> decode_sasl_initial(std::string_view body) {
  Cursor in(body);
  SaslInitialResponse message;
  message.mechanism = in.cstring();
  const std::int32_t length = in.i32();
  if (length >= 0) message.response = in.bytes(static_cast<std::size_t>(length));
  if (!in.done() || length < -1) return malformed(in);
  return message;
}

}  // namespace shoal::wire
