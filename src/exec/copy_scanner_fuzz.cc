// Any bytes, cut at any places, give the same rows as in one piece, and nothing is read outside.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exec/copy_rows.h"

namespace {

using namespace shoal::exec;

std::string rows_of(const CopyFormat& format, std::string_view data, std::size_t step) {
  auto rows = make_copy_rows(format, {0, 2}, 3);
  std::string out, rest;
  for (std::size_t at = 0;; at += step) {
    const bool last = at >= data.size();
    if (!last) rest += data.substr(at, step);
    rows->set_input(rest, last);
    for (;;) {
      CopyRow row;
      auto found = rows->next(row);
      if (!found) return out + "!" + found.error().message;
      if (!*found) break;
      out += row.bytes;
      out += row.kind == CopyRow::Kind::kShort ? "?" : "|";
      for (std::string_view key : row.key) out += key;
      out += static_cast<char>('0' + row.null_key + 1);
    }
    rest.erase(0, rows->consumed());
    if (last) return out;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  std::string_view data(reinterpret_cast<const char*>(bytes), size);
  CopyFormat format;
  format.force_null.assign(3, (bytes[0] & 4) != 0);
  format.force_not_null.assign(3, (bytes[0] & 8) != 0);
  format.header = (bytes[0] & 16) != 0;
  format.csv_end_marker = (bytes[0] & 32) != 0;
  if ((bytes[0] & 3) == 1) {
    format.kind = CopyFormat::Kind::kCsv;
    format.delimiter = ',';
    format.null_text = "n";
    if ((bytes[0] & 64) != 0) format.escape = '\\';
  } else if ((bytes[0] & 3) == 2) {
    format.kind = CopyFormat::Kind::kBinary;
  }
  const std::size_t step = 1 + bytes[1] % 16;
  data.remove_prefix(2);
  const std::string whole = rows_of(format, data, data.size() + 1);
  if (rows_of(format, data, step) != whole) std::abort();
  return 0;
}
