// Partial aggregates of many shards become one row per group (planner.md's "finish natively"):
// counts and integer sums are added with PostgreSQL's overflow error, minima, maxima and booleans
// folded, NULLs ignored as the aggregates do. All groups are held until the last row has come, so
// their memory is bounded by name.
// Thread rule: belongs to one thread.
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "merge/compare.h"
#include "plan/plan.h"
#include "wire/values.h"

namespace shoal::merge {

class Groups {
 public:
  // `formats`: how the shards send each column, and how it comes out. 0A000 when an aggregate can't
  // be combined here. The recipe need not outlive this.
  static Result<Groups> make(const plan::Merge& recipe, const std::vector<wire::Format>& formats,
                             std::size_t max_bytes);

  // Folds one row of a shard. 22003 on overflow, SH0611 when there are too many groups.
  Result<void> add(const std::vector<wire::Value>& row);

  // Appends the body of one DataRow per group, in the order of the group columns. Without group
  // columns exactly one, also when no row was added. Leaves the groups empty.
  Result<void> take_rows(std::vector<std::string>& bodies);

 private:
  struct Column {
    plan::Combine::Kind kind;
    std::uint32_t type;
    wire::Format format;
    std::vector<Comparator> comparator;  // one for kGroup, kMin, kMax; otherwise none
  };
  // What one column of one group has come to.
  struct Cell {
    bool null = true;
    std::int64_t number = 0;  // counts, bigint sums, booleans
    keys::KeyValue numeric;   // numeric sums
    Key key;                  // minima and maxima
    std::string bytes;        // group columns, minima and maxima: as they travel
  };
  using Row = std::vector<Cell>;
  struct Less {
    const std::vector<Column>* columns;
    bool operator()(const std::vector<Key>& a, const std::vector<Key>& b) const;
  };

  Groups() = default;
  Result<void> fold(const Column& column, Cell& cell, wire::Value value);
  Result<void> fold_sum(const Column& column, Cell& cell, std::string_view value);
  Result<void> fold_extreme(const Column& column, Cell& cell, std::string_view value);
  Result<std::optional<std::string>> print(const Column& column, const Cell& cell) const;
  Result<std::string> encode(const Row& row) const;
  Row new_row() const;

  std::unique_ptr<std::vector<Column>> columns_;  // stable address: the map's order refers to it
  std::map<std::vector<Key>, Row, Less> groups_{Less{nullptr}};
  std::vector<Key> probe_;
  bool ungrouped_ = false;
  std::size_t bytes_ = 0, max_bytes_ = 0;
};

}  // namespace shoal::merge
