// Rows of COPY data one after the other, with the bytes of their key fields: text, CSV or binary.
// Pure; one owner.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exec/copy_format.h"

namespace shoal::exec {

// Views live until the next call and as long as the input.
struct CopyRow {
  enum class Kind {
    kRow,
    kHeader,  // the header line
    kShort,   // it has not all key fields: PostgreSQL will refuse it
  } kind = Kind::kRow;
  std::string_view bytes;             // as they came
  std::vector<std::string_view> key;  // one per key column, decoded
  int null_key = -1;                  // the key column that is NULL
};

class CopyRows {
 public:
  virtual ~CopyRows() = default;
  // `data` begins with what was left behind consumed(). `last`: nothing follows.
  virtual void set_input(std::string_view data, bool last) = 0;
  // False: no further whole row is here. Errors are PostgreSQL's (22P04).
  virtual Result<bool> next(CopyRow& row) = 0;
  virtual std::size_t consumed() const = 0;
  // What each shard's data begins and ends with (binary header and trailer); the first shard that
  // was opened gets the prologue as a row of kind kHeader.
  virtual std::string_view prologue() const { return {}; }
  virtual std::string_view epilogue() const { return {}; }
};

// `key_fields`: position of each key column among the `columns` fields.
std::unique_ptr<CopyRows> make_copy_rows(const CopyFormat& format, std::vector<int> key_fields,
                                         std::size_t columns);

}  // namespace shoal::exec
