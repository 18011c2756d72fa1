// Taking fields out of lines of COPY data.
#include <cstring>

#include "exec/copy_scanner.h"

namespace shoal::exec {
namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that the escape at line[at] (behind the backslash) stands for; moves `at` behind it.
char take_escape(std::string_view line, std::size_t& at) {
  const char c = line[at++];
  if (is_octal(c)) {
    int value = c - '0';
    for (int i = 0; i < 2 && at < line.size() && is_octal(line[at]); ++i)
      value = value * 8 + (line[at++] - '0');
    return static_cast<char>(value);
  }
  switch (c) {
    case 'x': {
      if (at >= line.size() || hex_digit(line[at]) < 0) return c;
      int value = hex_digit(line[at++]);
      if (at < line.size() && hex_digit(line[at]) >= 0) value = value * 16 + hex_digit(line[at++]);
      return static_cast<char>(value);
    }
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

}  // namespace

FieldReader::Found FieldReader::read(const CopyLine& line, std::size_t column,
                                     std::string_view& value) {
  if (line.plain) return read_plain(line.content, column, value);
  if (format_->kind == CopyFormat::Kind::kCsv) return read_csv(line.content, column, value);
  return read_text(line.content, column, value);
}

// NULL is recognised in the raw bytes, before escapes are taken away; a quoted field only by
// FORCE_NULL.
FieldReader::Found FieldReader::finish(std::string_view raw, std::string_view decoded, bool quoted,
                                       std::size_t column, std::string_view& value) const {
  value = decoded;
  const bool null = !quoted && raw == format_->null_text;
  if (format_->kind != CopyFormat::Kind::kCsv) return null ? Found::kNull : Found::kValue;
  if (null) {
    if (!format_->force_not_null[column]) return Found::kNull;
    value = format_->null_text;
    return Found::kValue;
  }
  if (format_->force_null[column] && decoded == format_->null_text) return Found::kNull;
  return Found::kValue;
}

FieldReader::Found FieldReader::read_plain(std::string_view line, std::size_t column,
                                           std::string_view& value) const {
  for (std::size_t i = 0;; ++i) {
    const std::size_t end = line.find(format_->delimiter);
    if (i == column) {
      const std::string_view raw = line.substr(0, end);
      return finish(raw, raw, false, column, value);
    }
    if (end == std::string_view::npos) return Found::kMissing;
    line.remove_prefix(end + 1);
  }
}

FieldReader::Found FieldReader::read_text(std::string_view line, std::size_t column,
                                          std::string_view& value) {
  std::size_t at = 0;
  for (std::size_t i = 0;; ++i) {
    const std::size_t begin = at;
    std::size_t end = line.size();
    bool delimited = false;
    scratch_.clear();
    while (at < line.size()) {
      end = at;
      const char c = line[at++];
      if (c == format_->delimiter) {
        delimited = true;
        break;
      }
      if (c != '\\') {
        scratch_ += c;
      } else if (at < line.size()) {
        scratch_ += take_escape(line, at);
      } else {
        break;  // a backslash at the very end stands for nothing
      }
      end = line.size();
    }
    if (i == column) return finish(line.substr(begin, end - begin), scratch_, false, column, value);
    if (!delimited) return Found::kMissing;
  }
}

FieldReader::Found FieldReader::read_csv(std::string_view line, std::size_t column,
                                         std::string_view& value) {
  const char quote = format_->quote, escape = format_->escape;
  std::size_t at = 0;
  for (std::size_t i = 0;; ++i) {
    const std::size_t begin = at;
    std::size_t end = line.size();
    bool delimited = false, quoted = false, inside = false;
    scratch_.clear();
    while (at < line.size()) {
      const char c = line[at++];
      if (inside) {
        const bool escapes =
            c == escape && at < line.size() && (line[at] == escape || line[at] == quote);
        if (escapes)
          scratch_ += line[at++];
        else if (c == quote)
          inside = false;
        else
          scratch_ += c;
        continue;
      }
      if (c == format_->delimiter) {
        delimited = true;
        end = at - 1;
        break;
      }
      if (c == quote)
        quoted = inside = true;
      else
        scratch_ += c;
    }
    if (i == column)
      return finish(line.substr(begin, end - begin), scratch_, quoted, column, value);
    if (!delimited) return Found::kMissing;
  }
}

}  // namespace shoal::exec
