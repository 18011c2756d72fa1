// The options of one COPY FROM as far as finding rows and fields needs them, and the COPY that each
// shard runs. Options are not checked here: a shard that runs the same COPY judges them first.
// Thread rule: plain values.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/ast.h"

namespace shoal::exec {

struct CopyFormat {
  enum class Kind : std::uint8_t { kText, kCsv, kBinary } kind = Kind::kText;
  char delimiter = '\t', quote = '"', escape = '"';
  std::string null_text = "\\N";
  bool header = false;
  bool matches_header = false;  // HEADER MATCH
  std::string encoding;         // ENCODING option, empty: the client's
  // By position in the column list.
  std::vector<bool> force_null, force_not_null;
  // Before PostgreSQL 18 a line of \. alone ends CSV data, too.
  bool csv_end_marker = true;
};

// `columns`: the column list in use. Refused (SH0103): options under which rows cannot be placed.
Result<CopyFormat> read_copy_format(const sql::Copy& copy, const std::vector<std::string>& columns,
                                    int server_version_num);

// Appends the row with further fields behind its own. In binary the values are in binary, too;
// otherwise they are escaped or quoted as the format wants it.
void append_filled_row(std::string& out, const CopyFormat& format, std::string_view row,
                       const std::vector<std::string_view>& values);

// COPY "schema"."table" ("a", "b") FROM STDIN WITH (...) [WHERE ...] with the options as given;
// HEADER only if `header`.
std::string copy_from_text(const sql::Copy& copy, std::string_view schema, std::string_view table,
                           const std::vector<std::string>& columns, bool header);

}  // namespace shoal::exec
