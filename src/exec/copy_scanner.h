// Where a line of COPY text or CSV data ends and where its fields lie, exactly as PostgreSQL finds
// them (src/backend/commands/copyfromparse.c: CopyReadLineText, CopyReadAttributesText,
// CopyReadAttributesCSV). Nothing is changed or copied; only a wanted field is decoded.
//   text line := field (delimiter field)* eol      a backslash takes the next byte out of its role
//   csv line  := the same; between quotes neither delimiters nor line ends count
// All of it works on bytes, which is right in every encoding that a server may have; client-only
// encodings, in which ASCII bytes are parts of other characters, must be kept away.
// Thread rule: one owner; no I/O.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "exec/copy_format.h"

namespace shoal::exec {

struct CopyLine {
  std::string_view bytes;    // with its line end, as it came
  std::string_view content;  // without
  bool plain = true;         // no backslash (text) or quote (csv) in it
};

// Cuts lines out of the data. The caller gives the bytes of the unfinished line again, in front of
// the new ones.
class LineScanner {
 public:
  enum class Step {
    kLine,  // a line
    kMore,  // the rest, from line_start() on, is no whole line yet
    kEnd,   // the end marker; content (if any) is a last line before it, all behind it is ignored
  };

  explicit LineScanner(const CopyFormat& format) : format_(&format) {}
  // `data` begins with what was left from line_start() on. `last`: nothing follows.
  void set_input(std::string_view data, bool last);
  std::size_t line_start() const { return start_; }
  // 22P04 with PostgreSQL's words where the data breaks its rules.
  Result<Step> next(CopyLine& line);

 private:
  enum class Eol { kUnknown, kNewline, kReturn, kBoth };
  enum class Found { kNothing, kEol, kWait, kEnd };

  Result<Found> scan_text(std::size_t& end, std::size_t& size);
  Result<Found> scan_csv(std::size_t& end, std::size_t& size);
  Result<Found> on_return(std::size_t at, std::size_t& size);
  Result<Found> on_newline(std::size_t& size);
  Result<Found> on_end_marker(std::size_t at, bool csv);
  bool skip_quoted();
  std::size_t find(char c, std::size_t& cached, std::size_t from) const;
  Error broken(std::string_view what, bool newline) const;

  const CopyFormat* format_;
  std::string_view data_;
  bool last_ = false;
  Eol eol_ = Eol::kUnknown;
  std::size_t start_ = 0;  // of the current line
  std::size_t pos_ = 0;    // looked at up to here
  bool plain_ = true;
  bool in_quote_ = false, after_escape_ = false;
  // Next places of these bytes at or behind pos_, or npos; stale when before pos_.
  std::size_t newline_ = 0, return_ = 0, special_ = 0;
};

// Takes single fields out of a line.
class FieldReader {
 public:
  enum class Found { kValue, kNull, kMissing };

  explicit FieldReader(const CopyFormat& format) : format_(&format) {}
  // `value` lives as long as the line and until the next call.
  Found read(const CopyLine& line, std::size_t column, std::string_view& value);

 private:
  Found finish(std::string_view raw, std::string_view decoded, bool quoted, std::size_t column,
               std::string_view& value) const;
  Found read_plain(std::string_view line, std::size_t column, std::string_view& value) const;
  Found read_text(std::string_view line, std::size_t column, std::string_view& value);
  Found read_csv(std::string_view line, std::size_t column, std::string_view& value);

  const CopyFormat* format_;
  std::string scratch_;
};

}  // namespace shoal::exec
