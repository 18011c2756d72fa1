// Decodes the server's messages.
//   ErrorResponse 'E', NoticeResponse 'N' := (code:u8 text:cstring)* 0:u8
//   RowDescription 'T' := n:u16 n*(name:cstring table:u32 attnum:i16 type:u32 size:i16 typmod:i32
//                         format:i16)
//   DataRow 'D' := n:u16 n*(length:i32 bytes)      CommandComplete 'C' := tag:cstring
//   ParameterStatus 'S' := name:cstring value:cstring
//   BackendKeyData 'K' := pid:i32 secret:bytes     ReadyForQuery 'Z' := status:u8
//   CopyInResponse 'G', CopyOutResponse 'H', CopyBothResponse 'W' := format:u8 n:u16 n*(format:i16)
//   ParameterDescription 't' := n:u16 n*(type:u32)
//   NotificationResponse 'A' := pid:i32 channel:cstring payload:cstring
//   NegotiateProtocolVersion 'v' := minor:u32 n:u32 n*(option:cstring)
//   Authentication 'R' := kind:u32 data:bytes
#include "wire/backend.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace shoal::wire {
namespace {

// What a server sends wrongly ends the connection to it.
Error malformed(std::string_view what) {
  Error e = make_error("08P01", fmt::format("server sent a malformed {} message", what));
  e.fatal = true;
  return e;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_sqlstate(std::string_view code) {
  return code.size() == 5 && std::all_of(code.begin(), code.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

// Cuts the last word off `text`, when there are at least two.
std::optional<std::string_view> take_last_word(std::string_view& text) {
  const std::size_t blank = text.rfind(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view word = text.substr(blank + 1);
  text = text.substr(0, blank);
  return word;
}

}  // namespace

std::string_view ErrorFields::get(char code) const {
  for (const auto& [key, text] : fields) {
    if (key == code) return text;
  }
  return {};
}

bool ErrorFields::ends_session() const {
  // 'V' came with PostgreSQL 9.6 and, unlike 'S', is never translated.
  const std::string_view severity = get('V').empty() ? get('S') : get('V');
  return severity == "FATAL" || severity == "PANIC";
}

Result<ErrorFields> decode_error_fields(std::string_view body) {
  Cursor in(body);
  ErrorFields message;
  while (const std::uint8_t code = in.u8()) {
    message.fields.emplace_back(static_cast<char>(code), in.cstring());
    if (!in.ok()) break;
  }
  if (!in.done()) return malformed("ErrorResponse");
  return message;
}

Result<RowDescription> decode_row_description(std::string_view body) {
  Cursor in(body);
  const std::size_t count = in.u16();
  constexpr std::size_t kLeastColumnBytes = 19;
  RowDescription message;
  message.columns.reserve(std::min(count, body.size() / kLeastColumnBytes));
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    Column& column = message.columns.emplace_back();
    column.name = in.cstring();
    column.table_oid = in.u32();
    column.attnum = in.i16();
    column.type_oid = in.u32();
    column.type_size = in.i16();
    column.typmod = in.i32();
    column.format = static_cast<Format>(in.i16());
  }
  if (!in.done()) return malformed("RowDescription");
  return message;
}

Result<DataRow> decode_data_row(std::string_view body) {
  Cursor in(body);
  const std::size_t count = in.u16();
  const DataRow message{ValueList::take(in, count)};
  if (!in.done()) return malformed("DataRow");
  return message;
}

Result<CommandComplete> decode_command_complete(std::string_view body) {
  Cursor in(body);
  const CommandComplete message{in.cstring()};
  if (!in.done()) return malformed("CommandComplete");
  return message;
}

Result<ParameterStatus> decode_parameter_status(std::string_view body) {
  Cursor in(body);
  ParameterStatus message;
  message.name = in.cstring();
  message.value = in.cstring();
  if (!in.done()) return malformed("ParameterStatus");
  return message;
}

Result<BackendKeyData> decode_backend_key_data(std::string_view body) {
  Cursor in(body);
  BackendKeyData message;
  message.pid = in.i32();
  message.secret = in.take_rest();
  if (!in.ok() || message.secret.size() < 4 || message.secret.size() > 256) {
    return malformed("BackendKeyData");
  }
  return message;
}

Result<ReadyForQuery> decode_ready(std::string_view body) {
  if (body.size() != 1 || std::string_view("ITE").find(body[0]) == std::string_view::npos) {
    return malformed("ReadyForQuery");
  }
  return ReadyForQuery{body[0]};
}

Result<CopyResponse> decode_copy_response(std::string_view body) {
  Cursor in(body);
  CopyResponse message;
  message.format = static_cast<Format>(in.u8());
  message.columns = FormatList(in.bytes(std::size_t{in.u16()} * 2));
  if (!in.done()) return malformed("CopyResponse");
  return message;
}

Result<ParameterDescription> decode_parameter_description(std::string_view body) {
  Cursor in(body);
  const ParameterDescription message{OidList(in.bytes(std::size_t{in.u16()} * 4))};
  if (!in.done()) return malformed("ParameterDescription");
  return message;
}

Result<NotificationResponse> decode_notification(std::string_view body) {
  Cursor in(body);
  NotificationResponse message;
  message.pid = in.i32();
  message.channel = in.cstring();
  message.payload = in.cstring();
  if (!in.done()) return malformed("NotificationResponse");
  return message;
}

Result<NegotiateProtocolVersion> decode_negotiate(std::string_view body) {
  Cursor in(body);
  NegotiateProtocolVersion message;
  message.newest_minor = in.u32();
  const std::uint32_t count = in.u32();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    message.unknown_options.push_back(in.cstring());
  }
  if (!in.done()) return malformed("NegotiateProtocolVersion");
  return message;
}

Result<Authentication> decode_authentication(std::string_view body) {
  Cursor in(body);
  Authentication message;
  message.kind = in.u32();
  message.data = in.take_rest();
  if (!in.ok()) return malformed("Authentication");
  if (message.kind == Authentication::kMd5 && message.data.size() != 4) {
    return malformed("Authentication");
  }
  return message;
}

std::vector<std::string_view> sasl_mechanisms(const Authentication& request) {
  std::vector<std::string_view> names;
  Cursor in(request.data);
  for (std::string_view name = in.cstring(); !name.empty(); name = in.cstring()) {
    names.push_back(name);
  }
  return names;
}

Error error_from(const ErrorFields& fields, std::string_view shard) {
  Error e;
  const std::string_view code = fields.get('C');
  e.sqlstate = is_sqlstate(code) ? std::string(code) : "XX000";
  e.message = fields.get('M');
  if (e.message.empty()) e.message = "server sent an error without a message";
  e.detail = fields.get('D');
  e.hint = fields.get('H');
  e.shard = shard;
  e.position = parse_number<int>(fields.get('P')).value_or(0);
  e.fatal = fields.ends_session();
  return e;
}

Tag parse_tag(std::string_view text) {
  Tag tag{.command = text, .oid = {}, .rows = {}};
  std::string_view rest = text;
  const auto last = take_last_word(rest);
  const auto rows = last ? parse_number<std::uint64_t>(*last) : std::nullopt;
  if (!rows) return tag;
  tag.command = rest;
  tag.rows = rows;
  const auto before = take_last_word(rest);
  const auto oid = before ? parse_number<std::uint32_t>(*before) : std::nullopt;
  if (!oid) return tag;
  tag.command = rest;
  tag.oid = oid;
  return tag;
}

std::string print_tag(const Tag& tag) {
  std::string text(tag.command);
  if (tag.oid) text += fmt::format(" {}", *tag.oid);
  if (tag.rows) text += fmt::format(" {}", *tag.rows);
  return text;
}

}  // namespace shoal::wire
