// Decoding each comparable type into a Key and ordering Keys.
#include "merge/compare.h"

#include "merge/collation.h"
#include "merge/time_text.h"
#include "wire/bytes.h"
#include "wire/format.h"

namespace shoal::merge {
namespace {

using Order = plan::SortKey::Order;
using keys::KeyType;
using wire::Format;

// Types of pg_type.dat that keys/value.h does not have.
constexpr std::uint32_t kCharOid = 18, kTimetzOid = 1266, kIntervalOid = 1186;

enum class Kind : std::uint8_t { kNone, kValue, kInteger, kText };

// Which member of Key a type fills, and so how it is compared.
Kind kind_of(std::uint32_t type) {
  if (type == kCharOid || type == kTimetzOid || type == kIntervalOid) return Kind::kInteger;
  const std::optional<KeyType> known = keys::key_type_of_oid(type);
  if (!known) return Kind::kNone;
  const bool collatable =
      *known == KeyType::kText || *known == KeyType::kVarchar || *known == KeyType::kBpchar;
  return collatable ? Kind::kText : Kind::kValue;
}

Error bad_value(Format format) {
  return format == Format::kText
             ? make_error("22P02", "a shard sent text that is no value of the column's type")
             : make_error("22P03", "a shard sent bytes that are no value of the column's type");
}

Int128 interval_span(const Interval& value) {
  constexpr Int128 kDay = 86'400'000'000;
  return value.time + (static_cast<Int128>(value.months) * 30 + value.days) * kDay;
}

// Ordered by the moment in UTC, then by zone, as timetz_cmp_internal does.
Int128 timetz_key(const TimeTz& value) {
  const Int128 utc = value.time + static_cast<Int128>(value.zone) * 1'000'000;
  return utc * (Int128{1} << 33) + value.zone;
}

// charout: the byte itself, nothing for NUL, and \ooo for bytes above 127 since PostgreSQL 16.
std::optional<Int128> parse_char(std::string_view text) {
  if (text.empty()) return 0;
  if (text.size() == 1) return static_cast<unsigned char>(text[0]);
  if (text.size() != 4 || text[0] != '\\') return std::nullopt;
  int value = 0;
  for (const char c : text.substr(1)) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + (c - '0');
  }
  return value;
}

std::optional<Int128> integer_from_text(std::uint32_t type, std::string_view text) {
  if (type == kCharOid) return parse_char(text);
  if (type == kTimetzOid) {
    const auto time = parse_timetz(text);
    return time ? std::optional(timetz_key(*time)) : std::nullopt;
  }
  const auto interval = parse_interval(text);
  return interval ? std::optional(interval_span(*interval)) : std::nullopt;
}

std::optional<Int128> integer_from_binary(std::uint32_t type, std::string_view raw) {
  wire::Cursor in(raw);
  Int128 value = 0;
  if (type == kCharOid) {
    value = in.u8();
  } else if (type == kTimetzOid) {
    TimeTz time;
    time.time = static_cast<std::int64_t>(in.u64());
    time.zone = in.i32();
    value = timetz_key(time);
  } else {
    Interval interval;
    interval.time = static_cast<std::int64_t>(in.u64());
    interval.days = in.i32();
    interval.months = in.i32();
    value = interval_span(interval);
  }
  if (!in.done()) return std::nullopt;
  return value;
}

}  // namespace

struct Comparator::Impl {
  std::uint32_t type = 0;
  Format format = Format::kText;
  Kind kind = Kind::kNone;
  bool descending = false, nulls_first = false;
  KeyType key_type = KeyType::kInt8;  // of kind kValue
  std::unique_ptr<TextOrder> order;   // empty: by bytes
};

Comparator::Comparator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Comparator::~Comparator() = default;
Comparator::Comparator(Comparator&&) noexcept = default;
Comparator& Comparator::operator=(Comparator&&) noexcept = default;

bool can_compare(std::uint32_t type, Order order, const std::string& locale) {
  const Kind kind = kind_of(type);
  if (kind == Kind::kNone) return false;
  if (kind != Kind::kText) return order == Order::kNatural || order == Order::kBytes;
  if (order == Order::kIcu) return open_icu(locale) != nullptr;
  if (order == Order::kLibc) return open_libc(locale) != nullptr;
  return order == Order::kBytes;
}

bool text_depends_on_settings(std::uint32_t type) {
  if (type == kIntervalOid) return true;
  const std::optional<KeyType> known = keys::key_type_of_oid(type);
  if (!known) return false;
  switch (*known) {
    case KeyType::kFloat4:
    case KeyType::kFloat8:
    case KeyType::kDate:
    case KeyType::kTimestamp:
    case KeyType::kTimestamptz:
    case KeyType::kBytea:
      return true;
    default:
      return false;
  }
}

Result<Comparator> Comparator::make(const plan::SortKey& key, Format format) {
  auto impl = std::make_unique<Impl>();
  impl->type = key.type;
  impl->format = format;
  impl->kind = kind_of(key.type);
  if (impl->kind == Kind::kValue) impl->key_type = *keys::key_type_of_oid(key.type);
  impl->descending = key.descending;
  impl->nulls_first = key.nulls_first;
  if (key.order == Order::kIcu) impl->order = open_icu(key.locale);
  if (key.order == Order::kLibc) impl->order = open_libc(key.locale);
  const bool has_locale = key.order == Order::kIcu || key.order == Order::kLibc;
  if ((has_locale && !impl->order) || !can_compare(key.type, key.order, key.locale)) {
    return refuse(Refusal::kNotProvable,
                  fmt::format("type {} cannot be ordered in the router", key.type));
  }
  return Comparator(std::move(impl));
}

Result<void> Comparator::decode(wire::Value value, Key& out) const {
  out.null = !value;
  if (!value) return {};
  const bool as_text = impl_->format == Format::kText;
  if (impl_->kind == Kind::kValue) {
    auto parsed = as_text ? keys::parse_text(impl_->key_type, *value)
                          : keys::parse_binary(impl_->key_type, *value);
    if (!parsed) return std::move(parsed).error();
    out.value = *std::move(parsed);
    return {};
  }
  if (impl_->kind == Kind::kInteger) {
    const auto integer =
        as_text ? integer_from_text(impl_->type, *value) : integer_from_binary(impl_->type, *value);
    if (!integer) return bad_value(impl_->format);
    out.integer = *integer;
    return {};
  }
  std::string_view text = *value;
  // Trailing blanks of char(n) do not count (bpcharcmp).
  if (impl_->type == wire::oid::kBpchar) text = text.substr(0, text.find_last_not_of(' ') + 1);
  if (text.find('\0') != std::string_view::npos) return bad_value(impl_->format);
  out.text.assign(text);
  return {};
}

int Comparator::compare_values(const Key& a, const Key& b) const {
  const auto three_way = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  if (impl_->kind == Kind::kValue) return three_way(a.value, b.value);
  if (impl_->kind == Kind::kInteger) return three_way(a.integer, b.integer);
  if (impl_->order) return impl_->order->compare(a.text, b.text);
  return three_way(a.text, b.text);
}

int Comparator::compare(const Key& a, const Key& b) const {
  if (a.null || b.null) {
    const int nulls = int(a.null) - int(b.null);
    return impl_->nulls_first ? -nulls : nulls;
  }
  const int order = compare_values(a, b);
  return impl_->descending ? -order : order;
}

}  // namespace shoal::merge
