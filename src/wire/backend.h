// Messages that servers send: decoding them, and writing those that the router makes itself.
// Structs are views into the frame they came from. Encoders append to the caller's string.
// Decoders never throw, over-read or allocate from a declared length: servers may be hostile too.
// Pure functions, any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "wire/frame.h"
#include "wire/values.h"

namespace shoal::wire {

// The fields of ErrorResponse and NoticeResponse, in order, unknown codes too.
struct ErrorFields {
  std::vector<std::pair<char, std::string_view>> fields;
  // The first field of that code, or an empty view. 'S' severity, 'V' severity not localised,
  // 'C' SQLSTATE, 'M' message, 'D' detail, 'H' hint, 'P' position, 's' schema, 't' table,
  // 'c' column, 'd' type, 'n' constraint, 'W' where, 'F' 'L' 'R' file, line, routine.
  std::string_view get(char code) const;
  // FATAL or PANIC: the server closes the connection after it.
  bool ends_session() const;
};
struct ErrorResponse : ErrorFields {};
struct NoticeResponse : ErrorFields {};

struct Column {
  std::string_view name;
  std::uint32_t table_oid = 0;
  std::int16_t attnum = 0;
  std::uint32_t type_oid = 0;
  std::int16_t type_size = -1;
  std::int32_t typmod = -1;
  Format format = Format::kText;
};
struct RowDescription {
  std::vector<Column> columns;
};
struct DataRow {
  ValueList values;
};
struct CommandComplete {
  std::string_view tag;
};
struct ParameterStatus {
  std::string_view name, value;
};
struct BackendKeyData {
  std::int32_t pid = 0;
  std::string_view secret;  // 4 bytes in protocol 3.0
};
struct ReadyForQuery {
  char status = 'I';  // 'I' idle, 'T' in a transaction, 'E' in a failed one
};
// CopyIn-, CopyOut- and CopyBothResponse.
struct CopyResponse {
  Format format = Format::kText;
  FormatList columns;
};
struct ParameterDescription {
  OidList types;
};
struct NotificationResponse {
  std::int32_t pid = 0;
  std::string_view channel, payload;
};
struct NegotiateProtocolVersion {
  std::uint32_t newest_minor = 0;
  std::vector<std::string_view> unknown_options;
};
// 'R': kind 0 ok, 3 clear text, 5 md5 (data = 4 bytes of salt), 10 SASL (data = mechanisms),
// 11 SASL continue, 12 SASL final.
struct Authentication {
  std::uint32_t kind = 0;
  std::string_view data;
  static constexpr std::uint32_t kOk = 0, kCleartext = 3, kMd5 = 5, kSasl = 10, kSaslContinue = 11,
                                 kSaslFinal = 12;
};

Result<ErrorFields> decode_error_fields(std::string_view body);
Result<RowDescription> decode_row_description(std::string_view body);
Result<DataRow> decode_data_row(std::string_view body);
Result<CommandComplete> decode_command_complete(std::string_view body);
Result<ParameterStatus> decode_parameter_status(std::string_view body);
Result<BackendKeyData> decode_backend_key_data(std::string_view body);
Result<ReadyForQuery> decode_ready(std::string_view body);
Result<CopyResponse> decode_copy_response(std::string_view body);
Result<ParameterDescription> decode_parameter_description(std::string_view body);
Result<NotificationResponse> decode_notification(std::string_view body);
Result<NegotiateProtocolVersion> decode_negotiate(std::string_view body);
Result<Authentication> decode_authentication(std::string_view body);
// The mechanisms of an Authentication of kind kSasl, best first as the server says.
std::vector<std::string_view> sasl_mechanisms(const Authentication& request);

// Turns a server's error into ours; a missing or malformed SQLSTATE becomes XX000. Fields that
// Error has no place for (table, constraint, ...) are lost: forward the frame where possible.
Error error_from(const ErrorFields& fields, std::string_view shard = {});

// ---- command tags -----------------------------------------------------------------------------

// "INSERT 0 5" = {"INSERT", oid 0, rows 5}; "CREATE TABLE" = {"CREATE TABLE", -, -}.
struct Tag {
  std::string_view command;
  std::optional<std::uint32_t> oid;
  std::optional<std::uint64_t> rows;
};
Tag parse_tag(std::string_view text);
std::string print_tag(const Tag& tag);

// ---- encoders ---------------------------------------------------------------------------------

void append_row_description(std::string& out, std::span<const Column> columns);
void append_data_row(std::string& out, std::span<const Value> values);
void append_command_complete(std::string& out, std::string_view tag);
// Severity is FATAL when error.fatal, otherwise ERROR.
void append_error(std::string& out, const Error& error);
void append_error(std::string& out, const Error& error, std::string_view severity);
// `severity`: NOTICE, WARNING, INFO, LOG, DEBUG.
void append_notice(std::string& out, std::string_view severity, std::string_view sqlstate,
                   std::string_view message, std::string_view detail = {},
                   std::string_view hint = {});
// Type 'E' or 'N' with exactly these fields.
void append_error_fields(std::string& out, char type, const ErrorFields& fields);
void append_ready(std::string& out, char status);
void append_parse_complete(std::string& out);
void append_bind_complete(std::string& out);
void append_close_complete(std::string& out);
void append_no_data(std::string& out);
void append_empty_query(std::string& out);
void append_portal_suspended(std::string& out);
void append_parameter_status(std::string& out, std::string_view name, std::string_view value);
void append_backend_key_data(std::string& out, std::int32_t pid, std::string_view secret);
void append_parameter_description(std::string& out, std::span<const std::uint32_t> types);
void append_copy_in_response(std::string& out, Format format, std::span<const Format> columns);
void append_copy_out_response(std::string& out, Format format, std::span<const Format> columns);
// CopyData, CopyDone: the same bytes in both directions, see frontend.h.
void append_notification(std::string& out, std::int32_t pid, std::string_view channel,
                         std::string_view payload);
void append_auth_ok(std::string& out);
void append_auth_cleartext(std::string& out);
void append_auth_md5(std::string& out, std::string_view salt);
void append_auth_sasl(std::string& out, std::span<const std::string_view> mechanisms);
void append_auth_sasl_continue(std::string& out, std::string_view data);
void append_auth_sasl_final(std::string& out, std::string_view data);
void append_negotiate(std::string& out, std::uint32_t newest_minor,
                      std::span<const std::string_view> unknown_options);
void append_function_result(std::string& out, Value value);

}  // namespace shoal::wire
