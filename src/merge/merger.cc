// The state machine of merger.h.
#include "merge/merger.h"

#include <algorithm>
#include <numeric>

#include "merge/row.h"
#include "wire/backend.h"
#include "wire/format.h"

namespace shoal::merge {
namespace {

using wire::Format;

Error wrong_columns() {
  return make_error("08P01", "a shard sent a row with another number of columns than announced");
}

// Positions of the visible columns within the shards' rows.
std::vector<std::size_t> visible_columns(const plan::Merge& recipe, std::size_t columns) {
  std::vector<std::size_t> visible(recipe.output.begin(), recipe.output.end());
  if (!recipe.output.empty()) return visible;
  const std::size_t hidden = static_cast<std::size_t>(std::max(recipe.hidden_columns, 0));
  visible.resize(columns - std::min(columns, hidden));
  std::iota(visible.begin(), visible.end(), std::size_t{0});
  return visible;
}

Format client_format(const std::vector<Format>& client, std::size_t position) {
  if (client.empty()) return Format::kText;
  return client[client.size() == 1 ? 0 : std::min(position, client.size() - 1)];
}

}  // namespace

bool is_concatenation(const plan::Merge& recipe) {
  return recipe.order.empty() && recipe.combine.empty() && !recipe.distinct && recipe.offset == 0 &&
         !recipe.limit && recipe.hidden_columns == 0 && recipe.output.empty();
}

std::vector<Format> shard_formats(const plan::Merge& recipe, std::size_t columns,
                                  const std::vector<Format>& client) {
  std::vector<Format> formats(columns, Format::kBinary);
  const std::vector<std::size_t> visible = visible_columns(recipe, columns);
  // Backwards, so that a column shown twice comes in the format of its first place.
  for (std::size_t i = visible.size(); i-- > 0;) {
    if (visible[i] < columns) formats[visible[i]] = client_format(client, i);
  }
  return formats;
}

Result<Merger> Merger::make(const plan::Merge& recipe, std::size_t sources, RowShape shape,
                            std::size_t max_group_bytes) {
  Merger merger;
  merger.sources_.resize(sources);
  merger.unfinished_ = sources;
  merger.skip_ = recipe.offset;
  merger.limit_ = recipe.limit;
  merger.distinct_ = recipe.distinct;
  SHOAL_TRY(merger.set_shape(recipe, std::move(shape)));
  SHOAL_TRY(merger.set_order(recipe));
  if (!recipe.combine.empty()) {
    auto groups = Groups::make(recipe, merger.shape_.shard, max_group_bytes);
    if (!groups) return std::move(groups).error();
    merger.groups_.push_back(*std::move(groups));
  }
  for (std::size_t i = sources; i-- > 0;) merger.unloaded_.push_back(i);
  return merger;
}

Result<void> Merger::set_shape(const plan::Merge& recipe, RowShape shape) {
  shape_ = std::move(shape);
  columns_ = shape_.shard.size();
  output_ = visible_columns(recipe, columns_);
  bool as_it_is = output_.size() == columns_;
  for (std::size_t i = 0; i < output_.size(); ++i) {
    const std::size_t column = output_[i];
    if (column >= columns_) return wrong_columns();
    as_it_is = as_it_is && column == i;
    if (client_format(shape_.client, i) == shape_.shard[column]) continue;
    as_it_is = false;
    if (column >= shape_.types.size() || !wire::has_binary_format(shape_.types[column])) {
      return refuse(Refusal::kNotProvable, "a column's format cannot be converted in the router");
    }
  }
  if (as_it_is) output_.clear();
  // A row without any visible column still has to lose its hidden ones.
  if (!as_it_is && output_.empty()) shaped_.assign(2, '\0');
  return {};
}

Result<void> Merger::set_order(const plan::Merge& recipe) {
  for (const plan::SortKey& key : recipe.order) {
    if (key.column < 0 || static_cast<std::size_t>(key.column) >= columns_) return wrong_columns();
    const auto column = static_cast<std::size_t>(key.column);
    auto comparator = Comparator::make(key, shape_.shard[column]);
    if (!comparator) return std::move(comparator).error();
    order_.push_back({column, *std::move(comparator)});
  }
  if (distinct_ && (order_.empty() || !recipe.combine.empty())) {
    return refuse(Refusal::kNotProvable, "DISTINCT rows can only be merged in order, uncombined");
  }
  return {};
}

Result<void> Merger::push(std::size_t source, std::string_view body) {
  const auto row = wire::decode_data_row(body);
  if (!row) return row.error();
  if (row->values.size() != columns_) return wrong_columns();
  if (!groups_.empty()) {
    row->values.copy_to(values_);
    return groups_[0].add(values_);
  }
  Source& from = sources_[source];
  from.rows.emplace_back(body);
  from.bytes += body.size();
  return {};
}

void Merger::finish(std::size_t source) {
  if (sources_[source].finished) return;
  sources_[source].finished = true;
  --unfinished_;
}

Result<Merger::Step> Merger::next() {
  while (!limit_ || rows_out_ < *limit_) {
    int need = -1;
    const auto fetched = fetch(need);
    if (!fetched) return fetched.error();
    if (*fetched == Fetch::kNeed) return Step(Need{need});
    if (*fetched == Fetch::kEnd) return Step(Done{});
    if (skip_ > 0) {
      --skip_;
      continue;
    }
    ++rows_out_;
    const auto body = shaped();
    if (!body) return body.error();
    return Step(Row{*body});
  }
  return Step(Done{});
}

Result<Merger::Fetch> Merger::fetch(int& need) {
  if (!groups_.empty()) return fetch_combined(need);
  return order_.empty() ? fetch_any(need) : fetch_ordered(need);
}

void Merger::take_front(std::size_t source) {
  Source& from = sources_[source];
  current_ = std::move(from.rows.front());
  from.rows.pop_front();
  from.bytes -= current_.size();
}

// Stays with a source as long as it has rows, then goes on to the next in a circle.
Result<Merger::Fetch> Merger::fetch_any(int& need) {
  for (std::size_t tried = 0; tried < sources_.size(); ++tried) {
    if (!sources_[next_source_].rows.empty()) {
      take_front(next_source_);
      return Fetch::kRow;
    }
    next_source_ = (next_source_ + 1) % sources_.size();
  }
  need = -1;
  return unfinished_ > 0 ? Fetch::kNeed : Fetch::kEnd;
}

Result<void> Merger::read_keys(std::string_view body, std::vector<Key>& keys) {
  const auto row = wire::decode_data_row(body);
  if (!row) return row.error();
  row->values.copy_to(values_);
  keys.resize(order_.size());
  for (std::size_t i = 0; i < order_.size(); ++i) {
    SHOAL_TRY(order_[i].comparator.decode(values_[order_[i].column], keys[i]));
  }
  return {};
}

int Merger::compare_keys(const std::vector<Key>& a, const std::vector<Key>& b) const {
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const int order = order_[i].comparator.compare(a[i], b[i]);
    if (order != 0) return order;
  }
  return 0;
}

// The order of the heap: its top is the row that comes first, of equal rows the lower source's.
bool Merger::later(std::size_t a, std::size_t b) const {
  const int order = compare_keys(sources_[a].keys, sources_[b].keys);
  return order != 0 ? order > 0 : a > b;
}

Result<Merger::Fetch> Merger::fetch_ordered(int& need) {
  const auto by_row = [this](std::size_t a, std::size_t b) { return later(a, b); };
  while (true) {
    while (!unloaded_.empty()) {
      Source& source = sources_[unloaded_.back()];
      if (source.rows.empty() && !source.finished) {
        need = static_cast<int>(unloaded_.back());
        return Fetch::kNeed;
      }
      if (!source.rows.empty()) {
        SHOAL_TRY(read_keys(source.rows.front(), source.keys));
        heap_.push_back(unloaded_.back());
        std::push_heap(heap_.begin(), heap_.end(), by_row);
      }
      unloaded_.pop_back();
    }
    if (heap_.empty()) return Fetch::kEnd;
    std::pop_heap(heap_.begin(), heap_.end(), by_row);
    const std::size_t first = heap_.back();
    heap_.pop_back();
    unloaded_.push_back(first);
    take_front(first);
    if (!distinct_) return Fetch::kRow;
    const bool repeated = has_last_ && compare_keys(last_, sources_[first].keys) == 0;
    if (repeated) continue;
    last_.swap(sources_[first].keys);
    has_last_ = true;
    return Fetch::kRow;
  }
}

Result<Merger::Fetch> Merger::fetch_combined(int& need) {
  if (unfinished_ > 0) {
    for (need = 0; sources_[static_cast<std::size_t>(need)].finished;) ++need;
    return Fetch::kNeed;
  }
  if (!combined_ready_) SHOAL_TRY(combine_all());
  if (combined_at_ == combined_.size()) return Fetch::kEnd;
  current_ = std::move(combined_[combined_at_++]);
  return Fetch::kRow;
}

Result<void> Merger::combine_all() {
  combined_ready_ = true;
  SHOAL_TRY(groups_[0].take_rows(combined_));
  if (order_.empty()) return {};
  std::vector<std::pair<std::vector<Key>, std::string>> rows(combined_.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].second = std::move(combined_[i]);
    SHOAL_TRY(read_keys(rows[i].second, rows[i].first));
  }
  std::stable_sort(rows.begin(), rows.end(), [this](const auto& a, const auto& b) {
    return compare_keys(a.first, b.first) < 0;
  });
  for (std::size_t i = 0; i < rows.size(); ++i) combined_[i] = std::move(rows[i].second);
  return {};
}

Result<std::string_view> Merger::shaped() {
  if (output_.empty()) return std::string_view(shaped_.empty() ? current_ : shaped_);
  const auto row = wire::decode_data_row(current_);
  if (!row) return row.error();
  row->values.copy_to(values_);
  shaped_.clear();
  wire::append_u16(shaped_, static_cast<std::uint16_t>(output_.size()));
  for (std::size_t i = 0; i < output_.size(); ++i) {
    const std::size_t column = output_[i];
    const wire::Value value = values_[column];
    const Format wanted = client_format(shape_.client, i);
    if (!value || wanted == shape_.shard[column]) {
      append_value(shaped_, value);
      continue;
    }
    const auto converted = wanted == Format::kText
                               ? wire::text_from_binary(shape_.types[column], *value)
                               : wire::binary_from_text(shape_.types[column], *value);
    if (!converted) return converted.error();
    append_value(shaped_, *converted);
  }
  return std::string_view(shaped_);
}

}  // namespace shoal::merge
