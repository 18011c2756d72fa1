// Writes the server's messages that the router makes itself; the grammar stands in backend.cc.
#include <fmt/core.h>

#include "wire/backend.h"
#include "wire/bytes.h"

namespace shoal::wire {
namespace {

void append_field(std::string& out, char code, std::string_view text) {
  out.push_back(code);
  append_cstring(out, text);
}

// Fields that are optional are left out when they are empty.
void append_optional(std::string& out, char code, std::string_view text) {
  if (!text.empty()) append_field(out, code, text);
}

void append_copy_response(std::string& out, char type, Format format,
                          std::span<const Format> columns) {
  const MessageWriter message(out, type);
  append_u8(out, static_cast<std::uint8_t>(format));
  append_u16(out, static_cast<std::uint16_t>(columns.size()));
  for (const Format column : columns) append_u16(out, static_cast<std::uint16_t>(column));
}

void append_auth(std::string& out, std::uint32_t kind, std::string_view data) {
  const MessageWriter message(out, 'R');
  append_u32(out, kind);
  out.append(data);
}

void append_empty(std::string& out, char type) {
  const MessageWriter message(out, type);
}

}  // namespace

void append_row_description(std::string& out, std::span<const Column> columns) {
  const MessageWriter message(out, 'T');
  append_u16(out, static_cast<std::uint16_t>(columns.size()));
  for (const Column& column : columns) {
    append_cstring(out, column.name);
    append_u32(out, column.table_oid);
    append_u16(out, static_cast<std::uint16_t>(column.attnum));
    append_u32(out, column.type_oid);
    append_u16(out, static_cast<std::uint16_t>(column.type_size));
    append_u32(out, static_cast<std::uint32_t>(column.typmod));
    append_u16(out, static_cast<std::uint16_t>(column.format));
  }
}

void append_data_row(std::string& out, std::span<const Value> values) {
  const MessageWriter message(out, 'D');
  append_u16(out, static_cast<std::uint16_t>(values.size()));
  append_values(out, values);
}

void append_command_complete(std::string& out, std::string_view tag) {
  const MessageWriter message(out, 'C');
  append_cstring(out, tag);
}

void append_error(std::string& out, const Error& error) {
  append_error(out, error, error.fatal ? "FATAL" : "ERROR");
}

void append_error(std::string& out, const Error& error, std::string_view severity) {
  const MessageWriter message(out, 'E');
  if (!error.original.empty()) {
    out += error.original;
    return;
  }
  append_field(out, 'S', severity);
  append_field(out, 'V', severity);
  append_field(out, 'C', error.sqlstate);
  append_field(out, 'M', error.message);
  append_optional(out, 'D', error.detail);
  append_optional(out, 'H', error.hint);
  if (error.position > 0) append_field(out, 'P', std::to_string(error.position));
  if (!error.shard.empty()) append_field(out, 'W', fmt::format("on shard {}", error.shard));
  if (error.object) {
    append_optional(out, 's', error.object->schema);
    append_optional(out, 't', error.object->table);
    append_optional(out, 'c', error.object->column);
    append_optional(out, 'R', error.object->routine);
  }
  append_u8(out, 0);
}

void append_notice(std::string& out, std::string_view severity, std::string_view sqlstate,
                   std::string_view message, std::string_view detail, std::string_view hint) {
  const MessageWriter writer(out, 'N');
  append_field(out, 'S', severity);
  append_field(out, 'V', severity);
  append_field(out, 'C', sqlstate);
  append_field(out, 'M', message);
  append_optional(out, 'D', detail);
  append_optional(out, 'H', hint);
  append_u8(out, 0);
}

void append_error_fields(std::string& out, char type, const ErrorFields& fields) {
  const MessageWriter message(out, type);
  for (const auto& [code, text] : fields.fields) append_field(out, code, text);
  append_u8(out, 0);
}

void append_ready(std::string& out, char status) {
  const MessageWriter message(out, 'Z');
  out.push_back(status);
}

void append_parse_complete(std::string& out) {
  append_empty(out, '1');
}
void append_bind_complete(std::string& out) {
  append_empty(out, '2');
}
void append_close_complete(std::string& out) {
  append_empty(out, '3');
}
void append_no_data(std::string& out) {
  append_empty(out, 'n');
}
void append_empty_query(std::string& out) {
  append_empty(out, 'I');
}
void append_portal_suspended(std::string& out) {
  append_empty(out, 's');
}

void append_parameter_status(std::string& out, std::string_view name, std::string_view value) {
  const MessageWriter message(out, 'S');
  append_cstring(out, name);
  append_cstring(out, value);
}

void append_backend_key_data(std::string& out, std::int32_t pid, std::string_view secret) {
  const MessageWriter message(out, 'K');
  append_u32(out, static_cast<std::uint32_t>(pid));
  out.append(secret);
}

void append_parameter_description(std::string& out, std::span<const std::uint32_t> types) {
  const MessageWriter message(out, 't');
  append_u16(out, static_cast<std::uint16_t>(types.size()));
  for (const std::uint32_t type : types) append_u32(out, type);
}

void append_copy_in_response(std::string& out, Format format, std::span<const Format> columns) {
  append_copy_response(out, 'G', format, columns);
}

void append_copy_out_response(std::string& out, Format format, std::span<const Format> columns) {
  append_copy_response(out, 'H', format, columns);
}

void append_notification(std::string& out, std::int32_t pid, std::string_view channel,
                         std::string_view payload) {
  const MessageWriter message(out, 'A');
  append_u32(out, static_cast<std::uint32_t>(pid));
  append_cstring(out, channel);
  append_cstring(out, payload);
}

void append_auth_ok(std::string& out) {
  append_auth(out, Authentication::kOk, {});
}
void append_auth_cleartext(std::string& out) {
  append_auth(out, Authentication::kCleartext, {});
}
void append_auth_md5(std::string& out, std::string_view salt) {
  append_auth(out, Authentication::kMd5, salt);
}

void append_auth_sasl(std::string& out, std::span<const std::string_view> mechanisms) {
  const MessageWriter message(out, 'R');
  append_u32(out, Authentication::kSasl);
  for (const std::string_view mechanism : mechanisms) append_cstring(out, mechanism);
  append_u8(out, 0);
}

void append_auth_sasl_continue(std::string& out, std::string_view data) {
  append_auth(out, Authentication::kSaslContinue, data);
}

void append_auth_sasl_final(std::string& out, std::string_view data) {
  append_auth(out, Authentication::kSaslFinal, data);
}

void append_negotiate(std::string& out, std::uint32_t newest_minor,
                      std::span<const std::string_view> unknown_options) {
  const MessageWriter message(out, 'v');
  append_u32(out, newest_minor);
  append_u32(out, static_cast<std::uint32_t>(unknown_options.size()));
  for (const std::string_view option : unknown_options) append_cstring(out, option);
}

void append_function_result(std::string& out, Value value) {
  const MessageWriter message(out, 'V');
  append_values(out, {&value, 1});
}

}  // namespace shoal::wire
