// Lines and fields of COPY data, each case as PostgreSQL 15 reads it.
#include "exec/copy_scanner.h"

#include <gtest/gtest.h>

#include "exec/copy_rows.h"

namespace shoal::exec {
namespace {

CopyFormat text_format() {
  CopyFormat f;
  f.force_null.assign(8, false);
  f.force_not_null.assign(8, false);
  return f;
}

CopyFormat csv_format() {
  CopyFormat f = text_format();
  f.kind = CopyFormat::Kind::kCsv;
  f.delimiter = ',';
  f.null_text.clear();
  return f;
}

// All lines as "[content]", then what ended it; the data comes in pieces of `step` bytes.
std::string cut(const CopyFormat& format, std::string_view data, std::size_t step) {
  LineScanner scanner(format);
  std::string out, rest;
  for (std::size_t at = 0;; at += step) {
    const bool last = at >= data.size();
    if (!last) rest += data.substr(at, step);
    scanner.set_input(rest, last);
    for (;;) {
      CopyLine line;
      auto found = scanner.next(line);
      if (!found) return out + found.error().message;
      if (*found == LineScanner::Step::kMore) break;
      const bool end = *found == LineScanner::Step::kEnd;
      if (!end || !line.content.empty()) {
        out += '[';
        out += line.content;
        out += ']';
      }
      if (end) return out + "end";
    }
    rest.erase(0, scanner.line_start());
    if (last) return out;
  }
}

struct LineCase {
  const char* name;
  bool csv;
  std::string data;
  std::string lines;
};

const LineCase kLines[] = {
    {"newlines", false, "a\nb\n", "[a][b]"},
    {"no_newline_at_the_end", false, "a\nb", "[a][b]"},
    {"empty_lines_are_rows", false, "\n\na\n", "[][][a]"},
    {"both", false, "a\r\nb\r\n", "[a][b]"},
    {"returns", false, "a\rb\r", "[a][b]"},
    {"return_after_newlines", false, "a\nb\rc\n", "[a]literal carriage return found in data"},
    {"newline_after_both", false, "a\r\nb\nc\r\n", "[a]literal newline found in data"},
    {"return_alone_after_both", false, "a\r\nb\rc\r\n", "[a]literal carriage return found in data"},
    {"escaped_newline_is_data", false, "a\\\nb\nc\n", "[a\\\nb][c]"},
    {"escaped_backslash_before_newline", false, "a\\\\\nb\n", "[a\\\\][b]"},
    {"end_marker", false, "a\n\\.\nb\n", "[a]end"},
    {"end_marker_both", false, "a\r\n\\.\r\nb\r\n", "[a]end"},
    {"end_marker_inside_a_line", false, "a\nbc\\.\nd\n", "[a][bc]end"},
    {"end_marker_of_another_style", false, "a\r\n\\.\nb\r\n",
     "[a]end-of-copy marker does not match previous newline style"},
    {"end_marker_corrupt", false, "a\n\\.b\n", "[a]end-of-copy marker corrupt"},
    {"end_marker_without_newline", false, "a\n\\.", "[a]end-of-copy marker corrupt"},
    {"escaped_end_marker", false, "a\n\\\\.\nb\n", "[a][\\\\.][b]"},
    {"backslash_at_the_very_end", false, "a\nb\\", "[a][b\\]"},
    {"csv_quoted_newline", true, "\"a\nb\",c\nd\n", "[\"a\nb\",c][d]"},
    {"csv_quoted_return", true, "\"a\r\nb\",c\nd\n", "[\"a\r\nb\",c][d]"},
    {"csv_doubled_quote", true, "\"a\"\"\nb\"\nc\n", "[\"a\"\"\nb\"][c]"},
    {"csv_unterminated", true, "a\n\"b\nc\n", "[a]unterminated CSV quoted field"},
    {"csv_return_after_newlines", true, "a\nb\rc\n", "[a]unquoted carriage return found in data"},
    {"csv_end_marker", true, "a\n\\.\nb\n", "[a]end"},
    {"csv_end_marker_in_a_line_is_data", true, "a\nb\\.\n\\.c\n", "[a][b\\.][\\.c]"},
    {"csv_backslash_is_data", true, "a\\\nb\n", "[a\\][b]"},
    {"csv_end_marker_quoted", true, "\"\\.\"\nb\n", "[\"\\.\"][b]"},
};

TEST(LineScanner, cuts_lines_as_postgresql_does_however_they_arrive) {
  for (const LineCase& c : kLines) {
    const CopyFormat format = c.csv ? csv_format() : text_format();
    for (std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{1000}})
      EXPECT_EQ(cut(format, c.data, step), c.lines) << c.name << " in steps of " << step;
  }
}

TEST(LineScanner, escape_other_than_quote_keeps_a_quote_from_closing) {
  CopyFormat format = csv_format();
  format.escape = '\\';
  for (std::size_t step : {std::size_t{1}, std::size_t{1000}}) {
    EXPECT_EQ(cut(format, "\"a\\\"\nb\"\nc\n", step), "[\"a\\\"\nb\"][c]");
    EXPECT_EQ(cut(format, "\"a\\\\\"\nb\n", step), "[\"a\\\\\"][b]");
  }
}

TEST(LineScanner, csv_end_marker_is_data_from_postgresql_18_on) {
  CopyFormat format = csv_format();
  format.csv_end_marker = false;
  EXPECT_EQ(cut(format, "a\n\\.\nb\n", 1000), "[a][\\.][b]");
}

// Field number `column` of a line: its value, NULL, or missing.
std::string field(const CopyFormat& format, std::string_view data, std::size_t column) {
  LineScanner scanner(format);
  scanner.set_input(data, true);
  CopyLine line;
  auto found = scanner.next(line);
  if (!found) return found.error().message;
  FieldReader reader(format);
  std::string_view value;
  switch (reader.read(line, column, value)) {
    case FieldReader::Found::kNull:
      return "NULL";
    case FieldReader::Found::kMissing:
      return "missing";
    case FieldReader::Found::kValue:
      return "'" + std::string(value) + "'";
  }
  return "";
}

struct FieldCase {
  const char* name;
  bool csv;
  std::string line;
  std::size_t column;
  std::string value;
};

const FieldCase kFields[] = {
    {"first", false, "1\t2\t3", 0, "'1'"},
    {"last", false, "1\t2\t3", 2, "'3'"},
    {"missing", false, "1\t2", 2, "missing"},
    {"empty", false, "1\t\t3", 1, "''"},
    {"empty_line_has_one_empty_field", false, "", 0, "''"},
    {"null", false, "\\N\t2", 0, "NULL"},
    {"null_behind_another_null", false, "\\N\t\\N", 1, "NULL"},
    {"escaped_null_is_text", false, "\\\\N\t2", 0, "'\\N'"},
    {"escaped_delimiter", false, "a\\\tb\tc", 0, "'a\tb'"},
    {"field_behind_an_escaped_delimiter", false, "a\\\tb\tc", 1, "'c'"},
    {"letters", false, "\\b\\f\\n\\r\\t\\v\\q", 0, "'\b\f\n\r\t\vq'"},
    {"octal", false, "\\101\\60\\1018", 0, "'A0A8'"},
    {"octal_of_one_digit", false, "\\79", 0, "'\a9'"},
    {"hex", false, "\\x41\\x4\\xg", 0, "'A\x04xg'"},
    {"backslash_at_the_end", false, "ab\\", 0, "'ab'"},
    {"plain", true, "1,2,3", 1, "'2'"},
    {"unquoted_empty_is_null", true, "1,,3", 1, "NULL"},
    {"quoted_empty_is_not_null", true, "1,\"\",3", 1, "''"},
    {"quoted_delimiter", true, "\"a,b\",c", 0, "'a,b'"},
    {"field_behind_a_quoted_delimiter", true, "\"a,b\",c", 1, "'c'"},
    {"doubled_quote", true, "\"a\"\"b\"", 0, "'a\"b'"},
    {"quotes_in_the_middle", true, "a\"b,c\"d,e", 0, "'ab,cd'"},
    {"blanks_count", true, " 1 ,2", 0, "' 1 '"},
    {"missing_csv", true, "\"1\"", 1, "missing"},
};

TEST(FieldReader, reads_fields_as_postgresql_does) {
  for (const FieldCase& c : kFields)
    EXPECT_EQ(field(c.csv ? csv_format() : text_format(), c.line, c.column), c.value) << c.name;
}

TEST(FieldReader, force_null_and_force_not_null_hold_for_their_columns) {
  CopyFormat format = csv_format();
  format.null_text = "x";
  format.force_null[0] = true;
  format.force_not_null[1] = true;
  EXPECT_EQ(field(format, "\"x\",x,x", 0), "NULL");
  EXPECT_EQ(field(format, "x,x,x", 1), "'x'");
  EXPECT_EQ(field(format, "x,x,x", 2), "NULL");
  EXPECT_EQ(field(format, "x,x,\"x\"", 2), "'x'");
}

std::string binary_rows(std::string_view data, std::size_t step) {
  auto rows = make_copy_rows(
      [] {
        CopyFormat f = text_format();
        f.kind = CopyFormat::Kind::kBinary;
        return f;
      }(),
      {1}, 2);
  std::string out, rest;
  for (std::size_t at = 0;; at += step) {
    const bool last = at >= data.size();
    if (!last) rest += data.substr(at, step);
    rows->set_input(rest, last);
    for (;;) {
      CopyRow row;
      auto found = rows->next(row);
      if (!found) return out + found.error().message;
      if (!*found) break;
      if (row.kind == CopyRow::Kind::kHeader)
        out += "H";
      else
        out += row.null_key == 0 ? "[NULL]" : "[" + std::string(row.key[0]) + "]";
    }
    rest.erase(0, rows->consumed());
    if (last) return out;
  }
}

TEST(BinaryRows, finds_tuples_however_they_arrive) {
  const std::string header("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  const std::string row("\0\2\0\0\0\1a\0\0\0\2bc", 13), null("\0\2\0\0\0\1a\377\377\377\377", 11);
  const std::string end("\377\377", 2);
  for (std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    EXPECT_EQ(binary_rows(header + row + null + end, step), "H[bc][NULL]");
    EXPECT_EQ(binary_rows(header + row, step), "H[bc]");
    EXPECT_EQ(binary_rows(header + row.substr(0, 9), step), "Hunexpected EOF in COPY data");
    EXPECT_EQ(binary_rows(header + end + row, step), "Hreceived copy data after EOF marker");
    EXPECT_EQ(binary_rows("not a copy file at all", step), "COPY file signature not recognized");
    EXPECT_EQ(binary_rows(header + std::string("\0\1\0\0\0\1a", 7), step),
              "Hrow field count is 1, expected 2");
  }
}

}  // namespace
}  // namespace shoal::exec
