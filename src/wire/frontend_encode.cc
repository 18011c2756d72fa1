// Writes the client's messages; the grammar stands in frontend.cc.
#include "wire/bytes.h"
#include "wire/frontend.h"

namespace shoal::wire {
namespace {

void append_formats(std::string& out, std::span<const Format> formats) {
  append_u16(out, static_cast<std::uint16_t>(formats.size()));
  for (const Format format : formats) append_u16(out, static_cast<std::uint16_t>(format));
}

void append_target(std::string& out, char type, Target target, std::string_view name) {
  const MessageWriter message(out, type);
  append_u8(out, static_cast<std::uint8_t>(target));
  append_cstring(out, name);
}

// Copies a frame whose body starts with `skip` bytes and then a name, which is replaced.
void append_with_name(std::string& out, const Frame& frame, std::size_t skip,
                      std::string_view name) {
  const MessageWriter message(out, frame.type);
  Cursor in(frame.body);
  out.append(in.bytes(skip));
  in.cstring();
  append_cstring(out, name);
  out.append(in.rest());
}

}  // namespace

void append_query(std::string& out, std::string_view sql) {
  const MessageWriter message(out, 'Q');
  append_cstring(out, sql);
}

void append_parse(std::string& out, std::string_view name, std::string_view sql,
                  std::span<const std::uint32_t> types) {
  const MessageWriter message(out, 'P');
  append_cstring(out, name);
  append_cstring(out, sql);
  append_u16(out, static_cast<std::uint16_t>(types.size()));
  for (const std::uint32_t type : types) append_u32(out, type);
}

void append_bind(std::string& out, std::string_view portal, std::string_view statement,
                 std::span<const Format> parameter_formats, std::span<const Value> values,
                 std::span<const Format> result_formats) {
  const MessageWriter message(out, 'B');
  append_cstring(out, portal);
  append_cstring(out, statement);
  append_formats(out, parameter_formats);
  append_u16(out, static_cast<std::uint16_t>(values.size()));
  append_values(out, values);
  append_formats(out, result_formats);
}

void append_describe(std::string& out, Target target, std::string_view name) {
  append_target(out, 'D', target, name);
}

void append_execute(std::string& out, std::string_view portal, std::int32_t max_rows) {
  const MessageWriter message(out, 'E');
  append_cstring(out, portal);
  append_u32(out, static_cast<std::uint32_t>(max_rows));
}

void append_close(std::string& out, Target target, std::string_view name) {
  append_target(out, 'C', target, name);
}

void append_sync(std::string& out) {
  const MessageWriter message(out, 'S');
}
void append_flush(std::string& out) {
  const MessageWriter message(out, 'H');
}
void append_copy_done(std::string& out) {
  const MessageWriter message(out, 'c');
}
void append_terminate(std::string& out) {
  const MessageWriter message(out, 'X');
}

void append_copy_data(std::string& out, std::string_view data) {
  const MessageWriter message(out, 'd');
  out.append(data);
}

void append_copy_fail(std::string& out, std::string_view reason) {
  const MessageWriter message(out, 'f');
  append_cstring(out, reason);
}

void append_startup(std::string& out,
                    std::span<const std::pair<std::string_view, std::string_view>> params) {
  const MessageWriter message(out, '\0');
  append_u32(out, 3u << 16);
  for (const auto& [name, value] : params) {
    append_cstring(out, name);
    append_cstring(out, value);
  }
  append_u8(out, 0);
}

void append_ssl_request(std::string& out) {
  const MessageWriter message(out, '\0');
  append_u32(out, 1234u << 16 | 5679u);
}

void append_cancel(std::string& out, std::int32_t pid, std::string_view secret) {
  const MessageWriter message(out, '\0');
  append_u32(out, 1234u << 16 | 5678u);
  append_u32(out, static_cast<std::uint32_t>(pid));
  out.append(secret);
}

void append_password(std::string& out, std::string_view password) {
  const MessageWriter message(out, 'p');
  append_cstring(out, password);
}

void append_sasl_initial(std::string& out, std::string_view mechanism, std::string_view response) {
  const MessageWriter message(out, 'p');
  append_cstring(out, mechanism);
  append_u32(out, static_cast<std::uint32_t>(response.size()));
  out.append(response);
}

void append_sasl_response(std::string& out, std::string_view response) {
  const MessageWriter message(out, 'p');
  out.append(response);
}

void append_parse_renamed(std::string& out, const Frame& frame, std::string_view name) {
  append_with_name(out, frame, 0, name);
}

void append_execute_renamed(std::string& out, const Frame& frame, std::string_view portal) {
  append_with_name(out, frame, 0, portal);
}

void append_describe_renamed(std::string& out, const Frame& frame, std::string_view name) {
  append_with_name(out, frame, 1, name);
}

void append_close_renamed(std::string& out, const Frame& frame, std::string_view name) {
  append_with_name(out, frame, 1, name);
}

void append_bind_renamed(std::string& out, const Frame& frame, std::string_view statement) {
  append_bind_renamed(out, frame, statement, Cursor(frame.body).cstring());
}

void append_bind_renamed(std::string& out, const Frame& frame, std::string_view statement,
                         std::string_view portal) {
  const MessageWriter message(out, 'B');
  Cursor in(frame.body);
  in.cstring();
  in.cstring();
  append_cstring(out, portal);
  append_cstring(out, statement);
  out.append(in.rest());
}

}  // namespace shoal::wire
