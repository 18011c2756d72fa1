// Printing and strict parsing of gids.
#include "txn/gid.h"

#include <charconv>

namespace shoal::txn {
namespace {

constexpr std::string_view kPrefix = "shoal:";

bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_plain(c))
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto byte = number<unsigned char>(text.substr(i + 1, 2), 16);
    if (!byte || text.size() - i < 3) return std::nullopt;
    out += static_cast<char>(*byte);
    i += 2;
  }
  return out;
}

// The text up to the next colon, which is dropped; all of the rest at the last field.
std::string_view take_field(std::string_view& rest) {
  const std::size_t colon = std::min(rest.find(':'), rest.size());
  const std::string_view field = rest.substr(0, colon);
  rest.remove_prefix(std::min(colon + 1, rest.size()));
  return field;
}

std::optional<TransactionId> take_transaction(std::string_view& rest) {
  if (rest.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  rest.remove_prefix(kPrefix.size());
  auto cluster = unescape(take_field(rest));
  auto router = unescape(take_field(rest));
  const auto transaction = number<std::uint64_t>(take_field(rest), 16);
  if (!cluster || !router || !transaction) return std::nullopt;
  return TransactionId{*std::move(cluster), *std::move(router), *transaction};
}

}  // namespace

std::string decision_key(const TransactionId& id) {
  return fmt::format("{}{}:{}:{:x}", kPrefix, escape(id.cluster), escape(id.router), id.number);
}

Result<std::string> print_gid(const Gid& gid) {
  std::string text = fmt::format("{}:{}:{}", decision_key(gid.transaction), gid.participant.value,
                                 gid.decision.value);
  if (text.size() <= kMaxGidBytes) return text;
  return make_error("54000", "the names of cluster and router are too long for a transaction's gid",
                    text);
}

std::optional<TransactionId> parse_decision_key(std::string_view text) {
  std::string_view rest = text;
  auto id = take_transaction(rest);
  if (!id || decision_key(*id) != text) return std::nullopt;
  return id;
}

std::optional<Gid> parse_gid(std::string_view text) {
  if (text.size() > kMaxGidBytes) return std::nullopt;
  std::string_view rest = text;
  auto transaction = take_transaction(rest);
  const auto participant = number<std::int32_t>(take_field(rest), 10);
  const auto decision = number<std::int32_t>(take_field(rest), 10);
  if (!transaction || !participant || !decision) return std::nullopt;
  Gid gid{*std::move(transaction), ShardId(*participant), ShardId(*decision)};
  // Another spelling of the same values is not ours: ROLLBACK PREPARED needs the very same text.
  const auto again = print_gid(gid);
  if (!again || *again != text) return std::nullopt;
  return gid;
}

}  // namespace shoal::txn
