// Reading and writing COPY's options.
#include "exec/copy_format.h"

#include "sql/deparse.h"
#include "wire/bytes.h"

namespace shoal::exec {
namespace {

using Option = sql::Copy::Option;

std::vector<std::string> split_list(std::string_view value) {
  std::vector<std::string> items;
  while (true) {
    const std::size_t end = value.find('\x1f');
    items.emplace_back(value.substr(0, end));
    if (end == std::string_view::npos) return items;
    value.remove_prefix(end + 1);
  }
}

std::vector<bool> listed(const Option& option, const std::vector<std::string>& columns) {
  std::vector<bool> on(columns.size(), option.value == "*");
  for (const std::string& name : split_list(option.value)) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i] == name) on[i] = true;
  }
  return on;
}

std::string plain(std::string value) {
  for (char& c : value) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return value;
}

bool is_off(std::string value) {
  value = plain(std::move(value));
  return value == "false" || value == "off" || value == "0";
}

CopyFormat::Kind kind_of(const sql::Copy& copy) {
  for (const Option& option : copy.options) {
    if (option.name != "format") continue;
    if (option.value == "csv") return CopyFormat::Kind::kCsv;
    if (option.value == "binary") return CopyFormat::Kind::kBinary;
  }
  return CopyFormat::Kind::kText;
}

}  // namespace

Result<CopyFormat> read_copy_format(const sql::Copy& copy, const std::vector<std::string>& columns,
                                    int server_version_num) {
  CopyFormat out;
  out.kind = kind_of(copy);
  out.csv_end_marker = server_version_num < 180000;
  out.force_null.assign(columns.size(), false);
  out.force_not_null.assign(columns.size(), false);
  if (out.kind == CopyFormat::Kind::kCsv) {
    out.delimiter = ',';
    out.null_text.clear();
  }
  bool escape_given = false;
  for (const Option& option : copy.options) {
    const char first = option.value.empty() ? '\0' : option.value[0];
    if (option.name == "delimiter") out.delimiter = first;
    if (option.name == "null") out.null_text = option.value;
    if (option.name == "quote") out.quote = first;
    if (option.name == "escape") {
      out.escape = first;
      escape_given = true;
    }
    if (option.name == "header") {
      out.header = !option.has_value || !is_off(option.value);
      out.matches_header = option.has_value && plain(option.value) == "match";
    }
    if (option.name == "encoding") out.encoding = option.value;
    if (option.name == "force_null") out.force_null = listed(option, columns);
    if (option.name == "force_not_null") out.force_not_null = listed(option, columns);
    // Under these a row that cannot be read, or is not whole, is no error: nobody knows its key.
    if (option.name == "on_error" && option.value != "stop")
      return refuse(Refusal::kInsertSource, "COPY with ON_ERROR over several shards");
    if (option.name == "default")
      return refuse(Refusal::kInsertSource, "COPY with DEFAULT over several shards");
  }
  if (!escape_given) out.escape = out.quote;
  return out;
}

namespace {

void append_text_field(std::string& out, const CopyFormat& format, std::string_view value) {
  if (!value.empty() && value == format.null_text) {
    // Escaped, or it would be NULL.
    out += fmt::format("\\{:03o}", static_cast<unsigned char>(value[0]));
    value.remove_prefix(1);
  }
  for (const char c : value) {
    const bool line = c == '\n' || c == '\r' || c == '\t';
    if (line || c == '\\' || c == format.delimiter) out += '\\';
    if (line)
      out += c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
    else
      out += c;
  }
}

void append_csv_field(std::string& out, const CopyFormat& format, std::string_view value) {
  out += format.quote;
  for (const char c : value) {
    if (c == format.quote || c == format.escape) out += format.escape;
    out += c;
  }
  out += format.quote;
}

// A tuple begins with the number of its fields, 16 bits.
void append_filled_tuple(std::string& out, std::string_view tuple,
                         const std::vector<std::string_view>& values) {
  wire::Cursor in(tuple);
  wire::append_u16(out, static_cast<std::uint16_t>(in.u16() + values.size()));
  out += tuple.substr(2);
  for (const std::string_view value : values) {
    wire::append_u32(out, static_cast<std::uint32_t>(value.size()));
    out += value;
  }
}

}  // namespace

void append_filled_row(std::string& out, const CopyFormat& format, std::string_view row,
                       const std::vector<std::string_view>& values) {
  if (format.kind == CopyFormat::Kind::kBinary) return append_filled_tuple(out, row, values);
  std::size_t end = row.size();
  if (end > 0 && row[end - 1] == '\n') --end;
  if (end > 0 && row[end - 1] == '\r') --end;
  out += row.substr(0, end);
  for (const std::string_view value : values) {
    out += format.delimiter;
    if (format.kind == CopyFormat::Kind::kCsv)
      append_csv_field(out, format, value);
    else
      append_text_field(out, format, value);
  }
  out += row.substr(end);
}

std::string copy_from_text(const sql::Copy& copy, std::string_view schema, std::string_view table,
                           const std::vector<std::string>& columns, bool header) {
  std::string list;
  for (const std::string& name : columns)
    list += (list.empty() ? "" : ", ") + sql::quote_identifier(name);
  std::string text = fmt::format("COPY {}.{} ({}) FROM STDIN", sql::quote_identifier(schema),
                                 sql::quote_identifier(table), list);
  text += sql::copy_options(copy, header);
  if (copy.where) text += fmt::format(" WHERE {}", sql::deparse(*copy.where));
  return text;
}

}  // namespace shoal::exec
