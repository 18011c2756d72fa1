// Many row streams -> one: concatenation, k-way merge by ORDER BY, DISTINCT, combined groups, then
// OFFSET, LIMIT and the columns that the client sees. A state machine without I/O: the caller
// pushes the rows of each source as they come and takes rows out until it is told to bring more.
//
//   make -> { push | finish | next }* -> Done
//
// Columns of the recipe (SortKey::column, Merge::output) are positions in the rows that shards send
// (and, with combine, in the combined rows, which have the same columns). Rows of ordered sources
// must come sorted by Merge::order; with `combine` they need no order.
// Memory: what was pushed and not yet taken, plus the groups of `combine` (bounded, SH0611).
// Thread rule: belongs to one thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "merge/combine.h"
#include "merge/compare.h"
#include "plan/plan.h"
#include "wire/values.h"

namespace shoal::merge {

// True when the rows may go to the client as they come, in any order between the sources, without a
// Merger (as long as the shards send the client's formats).
bool is_concatenation(const plan::Merge& recipe);

// The formats to ask the shards for: what the client asked for where it sees the column, binary for
// the others. `client` is one per visible column, or one for all, or empty for all text; `columns`
// is the number of columns of the shards' rows.
std::vector<wire::Format> shard_formats(const plan::Merge& recipe, std::size_t columns,
                                        const std::vector<wire::Format>& client);

struct RowShape {
  std::vector<wire::Format> shard;   // one per column of the shards' rows
  std::vector<wire::Format> client;  // one per visible column, or one for all, or empty: all text
  std::vector<std::uint32_t> types;  // of the shards' rows; only read where the formats differ
};

class Merger {
 public:
  struct Row {
    std::string_view body;  // of a DataRow; lives until the next call of next() or push()
  };
  struct Need {
    int source = 0;  // rows or the end of this source; -1: of any that has not finished
  };
  struct Done {};  // nothing more comes; sources that have not finished may be cancelled
  using Step = std::variant<Row, Need, Done>;

  // 0A000 when the recipe asks for what can't be compared, combined or converted here.
  static Result<Merger> make(const plan::Merge& recipe, std::size_t sources, RowShape shape,
                             std::size_t max_group_bytes);

  // Copies the body of one DataRow. 08P01 for a body that is malformed or has another number of
  // columns, 22xxx for values that are not of their type. After an error only destruction is valid.
  Result<void> push(std::size_t source, std::string_view body);
  // The source has sent its CommandComplete.
  void finish(std::size_t source);
  Result<Step> next();

  // Bytes pushed and not yet taken from this source: the caller stops reading at its limit.
  std::size_t buffered_bytes(std::size_t source) const { return sources_[source].bytes; }
  std::uint64_t rows_out() const { return rows_out_; }

 private:
  struct Source {
    std::deque<std::string> rows;
    std::size_t bytes = 0;
    bool finished = false;
    std::vector<Key> keys;  // of rows.front() while the source is in the heap
  };
  struct Sort {
    std::size_t column;
    Comparator comparator;
  };
  enum class Fetch : std::uint8_t { kRow, kNeed, kEnd };

  Merger() = default;
  Result<void> set_shape(const plan::Merge& recipe, RowShape shape);
  Result<void> set_order(const plan::Merge& recipe);
  Result<void> read_keys(std::string_view body, std::vector<Key>& keys);
  int compare_keys(const std::vector<Key>& a, const std::vector<Key>& b) const;
  bool later(std::size_t a, std::size_t b) const;
  // Moves the next row before OFFSET and LIMIT to current_, or says which source it lacks.
  Result<Fetch> fetch(int& need);
  Result<Fetch> fetch_any(int& need);
  Result<Fetch> fetch_ordered(int& need);
  Result<Fetch> fetch_combined(int& need);
  Result<void> combine_all();
  void take_front(std::size_t source);
  Result<std::string_view> shaped();

  std::vector<Source> sources_;
  std::size_t unfinished_ = 0, columns_ = 0;
  RowShape shape_;
  std::vector<std::size_t> output_;  // columns that go out; empty: the row as it is
  std::vector<Sort> order_;
  std::vector<std::size_t> heap_;      // sources whose front row is decoded
  std::vector<std::size_t> unloaded_;  // sources that are neither in the heap nor at their end
  std::size_t next_source_ = 0;        // where concatenation looks first
  bool distinct_ = false, has_last_ = false;
  std::vector<Key> last_;       // keys of the last row that passed DISTINCT
  std::vector<Groups> groups_;  // one with combine, otherwise none
  std::vector<std::string> combined_;
  std::size_t combined_at_ = 0;
  bool combined_ready_ = false;
  std::uint64_t skip_ = 0, rows_out_ = 0;
  std::optional<std::uint64_t> limit_;
  std::vector<wire::Value> values_;
  std::string current_, shaped_;
};

}  // namespace shoal::merge
