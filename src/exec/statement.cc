// Writing the messages of one statement.
#include "exec/statement.h"

#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

wire::Format format_of(const Bound& bound, std::size_t i) {
  if (bound.formats.empty()) return wire::Format::kText;
  return bound.formats[bound.formats.size() == 1 ? 0 : std::min(i, bound.formats.size() - 1)];
}

void take_parameter(ShardStatement& out, const Bound& bound, std::size_t i) {
  out.types.push_back(i < bound.types.size() ? bound.types[i] : 0);
  out.formats.push_back(format_of(bound, i));
  out.values.push_back(i < bound.values.size() ? bound.values[i] : std::nullopt);
}

}  // namespace

ShardStatement make_statement(const plan::ShardText& text, const Bound& bound) {
  ShardStatement out;
  if (text.sql.empty()) {
    out.sql = bound.text;
    for (std::size_t i = 0; i < bound.values.size(); ++i) take_parameter(out, bound, i);
    return out;
  }
  out.sql = text.sql;
  for (int number : text.params) {
    const std::size_t last = bound.values.size() - 1;
    take_parameter(out, bound, number == 0 ? last : static_cast<std::size_t>(number - 1));
  }
  return out;
}

Bound with_moment(const Bound& bound, std::string_view moment) {
  constexpr std::uint32_t kTimestamptz = 1184;
  Bound out = bound;
  out.types.resize(bound.values.size());
  out.formats.clear();
  for (std::size_t i = 0; i < bound.values.size(); ++i) out.formats.push_back(format_of(bound, i));
  out.types.push_back(kTimestamptz);
  out.formats.push_back(wire::Format::kBinary);
  out.values.emplace_back(moment);
  return out;
}

void append_execution(backend::Connection& c, const ShardStatement& statement,
                      const ExecuteOptions& options) {
  wire::PendingResponses::Options tagged{.swallow = false, .tag = options.tag};
  std::string& out = c.out();
  c.unnamed.clear();
  wire::append_parse(out, "", statement.sql, statement.types);
  c.pending().sent('P', tagged);
  wire::append_bind(out, "", "", statement.formats, statement.values, options.results);
  c.pending().sent('B', tagged);
  if (options.describe) {
    wire::append_describe(out, wire::Target::kPortal, "");
    c.pending().sent_describe(wire::Target::kPortal, tagged);
  }
  wire::append_execute(out, "");
  c.pending().sent('E', tagged);
}

void append_sync(backend::Connection& c) {
  wire::append_sync(c.out());
  c.pending().sent('S');
}

void append_simple(backend::Connection& c, std::string_view sql, std::uint32_t tag) {
  wire::append_query(c.out(), sql);
  c.pending().sent('Q', {.swallow = false, .tag = tag});
}

Error error_of_frame(const backend::Connection& c, const wire::Frame& frame,
                     std::string_view drop) {
  Result<wire::ErrorFields> fields = wire::decode_error_fields(frame.body);
  if (!fields) return fields.error();
  Error e = wire::error_from(*fields, c.endpoint().name);
  const bool ended = fields->ends_session();
  e.fatal = false;
  if (drop.find('P') != std::string_view::npos) e.position = 0;
  if (drop.empty() && !ended) {
    e.original = frame.body;
    return e;
  }
  wire::ErrorFields kept;
  for (auto [code, text] : fields->fields) {
    if (drop.find(code) != std::string_view::npos) continue;
    kept.fields.emplace_back(code, ended && (code == 'S' || code == 'V') ? "ERROR" : text);
  }
  std::string bytes;
  wire::append_error_fields(bytes, 'E', kept);
  e.original = bytes.substr(wire::kHeaderBytes);
  return e;
}

Error violation_of(const backend::Connection& c) {
  Error e = make_error("08P01", "server sent a message that is not allowed now");
  e.shard = c.endpoint().name;
  return e;
}

}  // namespace shoal::exec
