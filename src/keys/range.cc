// range: a slot for each interval of an ordered key. Intervals are given by their common bounds,
// one by one with open or closed ends, or as equal steps of numbers or time. Keys of several
// columns are ordered like rows: by the first column, then by the next.
#include <boost/json.hpp>

#include "keys/datetime.h"
#include "keys/function_base.h"

namespace shoal::keys {
namespace {

namespace json = boost::json;
using Tuple = std::vector<KeyValue>;

struct Interval {
  Tuple low, high;  // empty: no bound
  bool low_open = false, high_open = true;
  std::string name;
};

// By as many columns as both have.
std::strong_ordering compare(std::span<const KeyValue> a, std::span<const KeyValue> b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (auto order = a[i] <=> b[i]; order != 0) return order;
  }
  return std::strong_ordering::equal;
}

bool begins_after(const Interval& i, std::span<const KeyValue> key) {
  if (i.low.empty()) return false;
  const auto order = compare(key, i.low);
  return order < 0 || (order == 0 && i.low_open && key.size() >= i.low.size());
}

bool ends_before(const Interval& i, std::span<const KeyValue> key) {
  if (i.high.empty()) return false;
  const auto order = compare(key, i.high);
  return order > 0 || (order == 0 && i.high_open && key.size() >= i.high.size());
}

// Nothing lies between the two.
bool touches(const Interval& a, const Interval& b) {
  return !a.high.empty() && !b.low.empty() && compare(a.high, b.low) == 0 &&
         a.high_open != b.low_open;
}

class Range final : public FunctionBase {
 public:
  Range(Types types, std::vector<Interval> intervals, std::optional<std::string> otherwise,
        bool sql_order)
      : FunctionBase("range", types),
        intervals_(std::move(intervals)),
        otherwise_(std::move(otherwise)),
        sql_order_(sql_order) {}

  std::uint32_t slot_count() const override { return bucket_count(); }
  Result<Slot> slot(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    const auto after =
        std::partition_point(intervals_.begin(), intervals_.end(),
                             [&](const Interval& i) { return !begins_after(i, key); });
    if (after != intervals_.begin() && !ends_before(*std::prev(after), key)) {
      return Slot(static_cast<std::uint32_t>(after - intervals_.begin() - 1));
    }
    if (otherwise_) return Slot(bucket_count() - 1);
    return refuse(Refusal::kKeyFunction,
                  fmt::format("no range holds {} and there is no default", canonical_text(key)));
  }
  Result<std::string> describe(std::span<const KeyValue> key) const override {
    SHOAL_TRY(check(key));
    return canonical_text(key);
  }
  std::uint32_t bucket_count() const override {
    return static_cast<std::uint32_t>(intervals_.size() + (otherwise_ ? 1 : 0));
  }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override { return slot.value; }
  std::string bucket_name(std::uint32_t bucket) const override {
    const std::string& name = bucket < intervals_.size() ? intervals_[bucket].name : *otherwise_;
    return name.empty() ? std::to_string(bucket) : name;
  }

  std::optional<SlotRange> slots_between(const KeyValue* low, const KeyValue* high) const override {
    if (!sql_order_) return std::nullopt;
    for (const KeyValue* end : {low, high}) {
      if (end != nullptr && (end->is_null() || family_of(end->type()) != family_of(types()[0]))) {
        return std::nullopt;
      }
    }
    const auto first_of = [&](const KeyValue& v) {
      return std::partition_point(intervals_.begin(), intervals_.end(), [&](const Interval& i) {
        return ends_before(i, std::span(&v, 1));
      });
    };
    const auto end_of = [&](const KeyValue& v) {
      return std::partition_point(intervals_.begin(), intervals_.end(), [&](const Interval& i) {
        return !begins_after(i, std::span(&v, 1));
      });
    };
    const auto begin = low == nullptr ? intervals_.begin() : first_of(*low);
    const auto end = high == nullptr ? intervals_.end() : end_of(*high);
    const auto index = [&](auto it) { return static_cast<std::uint32_t>(it - intervals_.begin()); };
    const std::uint32_t all = bucket_count();
    if (begin >= end) {  // nothing lies there but what the default takes
      const Slot nearest(otherwise_ ? all - 1 : std::min(index(begin), all - 1));
      return SlotRange{nearest, nearest};
    }
    const bool whole = !otherwise_ || !has_gap(begin, end, low, high);
    return SlotRange{Slot(index(begin)), Slot(whole ? index(end) - 1 : all - 1)};
  }

 private:
  using Iterator = std::vector<Interval>::const_iterator;
  static bool has_gap(Iterator begin, Iterator end, const KeyValue* low, const KeyValue* high) {
    for (auto i = begin; std::next(i) != end; ++i) {
      if (!touches(*i, *std::next(i))) return true;
    }
    const Interval& last = *std::prev(end);
    const bool from =
        low == nullptr ? begin->low.empty() : !begins_after(*begin, std::span(low, 1));
    const bool to = high == nullptr ? last.high.empty() : !ends_before(last, std::span(high, 1));
    // A bound of several columns that equals the end in its first one may leave something out.
    const bool exact = begin->low.size() <= 1 && last.high.size() <= 1;
    return !from || !to || !exact;
  }

  std::vector<Interval> intervals_;  // ascending, disjoint
  std::optional<std::string> otherwise_;
  bool sql_order_;  // SQL's operators order the first column as this function does
};

bool is_text(KeyType type) {
  return family_of(type) == KeyType::kText || type == KeyType::kBpchar;
}

// ---- reading parameters -----------------------------------------------------------------------

// A bound: a scalar, or an array of one for each column.
std::optional<Tuple> take_tuple(Params& params, Types types, const json::value& value) {
  std::vector<json::value> parts{value};
  if (value.is_array()) parts.assign(value.get_array().begin(), value.get_array().end());
  Tuple out;
  for (std::size_t i = 0; i < parts.size() && parts.size() == types.size(); ++i) {
    const std::optional<std::string> text = scalar_text(parts[i]);
    Result<KeyValue> bound =
        text ? parse_text(types[i], *text) : Result<KeyValue>(refuse(Refusal::kKeyValue));
    if (!bound) {
      params.fail(fmt::format("bound {}: {}", json::serialize(parts[i]), bound.error().message));
      return std::nullopt;
    }
    out.push_back(std::move(*bound));
  }
  if (out.size() == types.size()) return out;
  params.fail(
      fmt::format("bound {} must have a value for each key column", json::serialize(value)));
  return std::nullopt;
}

// PostgreSQL's form of a range: [a,b) and its like; an end without a value is open to infinity.
std::optional<Interval> take_literal(Params& params, Types types, std::string_view text) {
  const auto bad = [&]() -> std::optional<Interval> {
    params.fail(fmt::format("\"{}\" is not a range such as [a,b)", text));
    return std::nullopt;
  };
  if (text.size() < 3 || types.size() != 1) return bad();
  const char open = text.front(), close = text.back();
  if ((open != '[' && open != '(') || (close != ']' && close != ')')) return bad();
  std::string parts[2];
  std::size_t part = 0;
  bool quoted = false;
  for (const char c : text.substr(1, text.size() - 2)) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted && ++part > 1)
      return bad();
    else if (c != ',' || quoted)
      parts[part].push_back(c);
  }
  if (part != 1 || quoted) return bad();
  Interval out;
  out.low_open = open == '(';
  out.high_open = close == ')';
  for (std::size_t i = 0; i < 2; ++i) {
    if (parts[i].find_first_not_of(' ') == std::string::npos) continue;
    auto tuple = take_tuple(params, types, json::value(parts[i]));
    if (!tuple) return std::nullopt;
    (i == 0 ? out.low : out.high) = std::move(*tuple);
  }
  return out;
}

// A literal, or {"from", "to", "from_inclusive", "to_inclusive", "name"}.
std::optional<Interval> take_interval(Params& params, Types types, const json::value& value) {
  if (value.is_string()) return take_literal(params, types, std::string_view(value.get_string()));
  if (!value.is_object()) {
    params.fail("a range is a text such as [a,b), or an object with from and to");
    return std::nullopt;
  }
  Params one("range", json::serialize(value));
  Interval out;
  for (const char* key : {"from", "to"}) {
    const json::value* bound = one.take(key);
    if (bound == nullptr) continue;
    auto tuple = take_tuple(params, types, *bound);
    if (!tuple) return std::nullopt;
    (key[0] == 'f' ? out.low : out.high) = std::move(*tuple);
  }
  out.low_open = !one.flag("from_inclusive", true);
  out.high_open = !one.flag("to_inclusive", false);
  out.name = one.text("name", "");
  if (Result<void> done = one.finish(); !done) {
    params.fail(done.error().detail);
    return std::nullopt;
  }
  return out;
}

// Ascending and disjoint, or a complaint.
void order(Params& params, std::vector<Interval>& intervals) {
  for (const Interval& i : intervals) {
    if (i.low.empty() || i.high.empty()) continue;
    const auto order = compare(i.low, i.high);
    if (order > 0 || (order == 0 && (i.low_open || i.high_open))) params.fail("a range is empty");
  }
  std::sort(intervals.begin(), intervals.end(), [](const Interval& a, const Interval& b) {
    if (a.low.empty() || b.low.empty()) return a.low.empty() && !b.low.empty();
    const auto order = compare(a.low, b.low);
    return order < 0 || (order == 0 && !a.low_open && b.low_open);
  });
  for (std::size_t i = 1; i < intervals.size(); ++i) {
    const Interval &a = intervals[i - 1], &b = intervals[i];
    const bool apart = !a.high.empty() && !b.low.empty() &&
                       (compare(a.high, b.low) < 0 ||
                        (compare(a.high, b.low) == 0 && (a.high_open || b.low_open)));
    if (!apart) params.fail("two ranges overlap");
  }
}

// "ranges": an array, or an object of shard name: range or array of ranges.
std::vector<Interval> take_ranges(Params& params, Types types) {
  std::vector<Interval> out;
  const auto add = [&](const json::value& value, std::string_view name) {
    auto interval = take_interval(params, types, value);
    if (!interval) return;
    if (!name.empty()) interval->name = std::string(name);
    out.push_back(std::move(*interval));
  };
  const json::value* value = params.take("ranges");
  if (value != nullptr && value->is_array()) {
    for (const json::value& element : value->get_array()) add(element, "");
  } else if (value != nullptr && value->is_object()) {
    for (const auto& member : value->get_object()) {
      const std::string_view name(member.key().data(), member.key().size());
      if (!member.value().is_array()) {
        add(member.value(), name);
        continue;
      }
      for (const json::value& element : member.value().get_array()) add(element, name);
    }
  } else {
    params.fail("ranges must be an array, or an object of shard: range");
  }
  if (value != nullptr && value->is_array() && params.has("names")) {
    const std::vector<std::string> names = take_names(params, out.size());
    for (std::size_t i = 0; i < names.size(); ++i) out[i].name = names[i];
  }
  order(params, out);
  return out;
}

// "bounds": slot i holds bounds[i-1] <= key < bounds[i].
std::vector<Interval> take_bounds(Params& params, Types types) {
  std::vector<Interval> out(1);
  const json::value* value = params.take("bounds");
  if (value != nullptr && !value->is_array()) params.fail("bounds must be an array");
  if (value != nullptr && value->is_array()) {
    for (const json::value& element : value->get_array()) {
      auto bound = take_tuple(params, types, element);
      if (!bound) return out;
      if (!out.back().low.empty() && compare(*bound, out.back().low) <= 0) {
        params.fail("bounds must ascend");
      }
      out.back().high = *bound;
      out.emplace_back();
      out.back().low = std::move(*bound);
    }
  }
  const std::vector<std::string> names = take_names(params, out.size());
  for (std::size_t i = 0; i < names.size(); ++i) out[i].name = names[i];
  return out;
}

// ---- equal steps ------------------------------------------------------------------------------

struct Step {
  std::int64_t number = 0, months = 0;  // number: in the type's own unit
};

// "3 months", "1 day", "6 hours"; a plain number for integers.
std::optional<Step> take_step(Params& params, KeyType type) {
  const json::value* value = params.take("every");
  const std::optional<std::string> text = value == nullptr ? std::nullopt : scalar_text(*value);
  const auto bad = [&]() -> std::optional<Step> {
    params.fail("every must be a positive number, or a span of time such as \"1 month\"");
    return std::nullopt;
  };
  if (!text) return bad();
  const std::size_t space = text->find(' ');
  const Result<KeyValue> count = parse_text(KeyType::kInt4, text->substr(0, space));
  if (!count || count->integer() < 1) return bad();
  Step step;
  const std::int64_t n = count->integer();
  const KeyType family = family_of(type);
  if (space == std::string::npos) {
    if (family != KeyType::kInt8) return bad();
    step.number = n;
    return step;
  }
  std::string unit = text->substr(space + 1);
  if (unit.ends_with('s')) unit.pop_back();
  const bool date = type == KeyType::kDate;
  if (!date && type != KeyType::kTimestamp && type != KeyType::kTimestamptz) return bad();
  const std::int64_t day = date ? 1 : kMicrosPerDay;
  if (unit == "hour" && !date)
    step.number = n * kMicrosPerDay / 24;
  else if (unit == "day")
    step.number = n * day;
  else if (unit == "week")
    step.number = n * 7 * day;
  else if (unit == "month")
    step.months = n;
  else if (unit == "quarter")
    step.months = 3 * n;
  else if (unit == "year")
    step.months = 12 * n;
  else
    return bad();
  return step;
}

struct Civil {
  std::int64_t year;
  unsigned month, day;  // from 1
};

// Days since 2000-01-01 of the proleptic Gregorian calendar, counted in eras of 400 years that
// begin on the first of March, so that the leap day is a year's last.
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 730425;
}

Civil civil_of(std::int64_t days) {
  days += 730425;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t of_era = days - era * 146097;
  const std::int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
  const std::int64_t shifted = (5 * of_year + 2) / 153;
  const auto day = static_cast<unsigned>(of_year - (153 * shifted + 2) / 5 + 1);
  const auto month = static_cast<unsigned>(shifted < 10 ? shifted + 3 : shifted - 9);
  return {years + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

// The month's last day where the day does not exist.
std::int64_t add_months(std::int64_t days, std::int64_t months) {
  const Civil c = civil_of(days);
  const std::int64_t total = c.year * 12 + c.month - 1 + months;
  const std::int64_t year = total >= 0 ? total / 12 : (total - 11) / 12;
  const auto month = static_cast<unsigned>(total - year * 12 + 1);
  const std::int64_t first = days_of(year, month, 1);
  const std::int64_t next = month == 12 ? days_of(year + 1, 1, 1) : days_of(year, month + 1, 1);
  return std::min(first + c.day - 1, next - 1);
}

std::int64_t step_from(std::int64_t start, const Step& step, std::int64_t times, bool date) {
  if (step.months == 0) return start + step.number * times;
  if (date) return add_months(start, step.months * times);
  const std::int64_t day = (start >= 0 ? start : start - kMicrosPerDay + 1) / kMicrosPerDay;
  return add_months(day, step.months * times) * kMicrosPerDay + (start - day * kMicrosPerDay);
}

// "start", "every", "count": equal steps, dealt out to the names in turn.
std::vector<Interval> take_steps(Params& params, Types types) {
  constexpr std::int64_t kMaxSteps = 100'000;
  std::vector<Interval> out;
  const KeyType type = types[0];
  const std::optional<Step> step = take_step(params, type);
  const json::value* from = params.take("start");
  const auto count = static_cast<std::int64_t>(params.number("count", 1, kMaxSteps, 1));
  const std::vector<std::string> names = params.texts("names");
  if (!params.has("count")) params.fail("count, the number of ranges, is missing");
  if (from == nullptr) params.fail("start is missing");
  if (types.size() != 1) params.fail("equal steps need a key of one column");
  if (!step || params.failed()) return out;
  const auto start = take_tuple(params, types, *from);
  if (!start) return out;
  const std::int64_t first = start->front().integer();
  const bool date = type == KeyType::kDate;
  const std::int64_t widest = date ? INT32_MAX / 4 : INT64_MAX / 4;
  const std::int64_t unit = step->months * (date ? 31 : 31 * kMicrosPerDay) + step->number;
  if (std::abs(first / 2) > widest || unit > widest / count) {
    params.fail("the ranges do not fit the key's type");
    return out;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    Interval one;
    one.low = {KeyValue::of_integer(type, step_from(first, *step, i, date))};
    one.high = {KeyValue::of_integer(type, step_from(first, *step, i + 1, date))};
    if (!names.empty()) one.name = names[static_cast<std::size_t>(i) % names.size()];
    out.push_back(std::move(one));
  }
  if ((type == KeyType::kInt2 && out.back().high[0].integer() > INT16_MAX) ||
      (type == KeyType::kInt4 && out.back().high[0].integer() > INT32_MAX)) {
    params.fail("the ranges do not fit the key's type");
  }
  return out;
}

}  // namespace

FunctionPtr make_range(std::string_view, Params& params, Types types) {
  const int forms = params.has("bounds") + params.has("ranges") + params.has("every");
  if (forms > 1) params.fail("bounds, ranges and every exclude each other");
  // Text is ordered by bytes. SQL does the same only under COLLATE "C"; then BETWEEN can be pruned.
  const std::string collation = params.text("collation", "");
  if (!collation.empty() && (collation != "C" || !is_text(types[0]))) {
    params.fail("collation may only be C, for text");
  }
  std::vector<Interval> intervals = params.has("ranges")  ? take_ranges(params, types)
                                    : params.has("every") ? take_steps(params, types)
                                                          : take_bounds(params, types);
  std::optional<std::string> otherwise = take_default(params);
  if (params.failed()) return nullptr;
  if (intervals.empty() && !otherwise) {
    params.fail("ranges is empty");
    return nullptr;
  }
  const bool sql_order = !is_text(types[0]) || collation == "C";
  return std::make_shared<Range>(types, std::move(intervals), std::move(otherwise), sql_order);
}

}  // namespace shoal::keys
