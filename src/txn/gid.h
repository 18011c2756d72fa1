// Names of prepared transactions. A gid tells recovery all that it must know, so that no router
// needs a log of its own:
//
//   gid          := "shoal:" cluster ":" router ":" transaction ":" participant ":" decision
//   cluster, router := text with bytes outside [A-Za-z0-9_.-] as %XX
//   transaction  := hexadecimal, unique within the router's life
//   participant, decision := shard ids, decimal; decision is the shard that holds the decision row
//
// The participant is part of it because two shards may be databases of one server, where a gid must
// be unique. `router` must differ between two lives of a process.
// Thread rule: pure functions.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"

namespace shoal::txn {

// PostgreSQL's limit (GIDSIZE) is 200 bytes with the terminating NUL.
inline constexpr std::size_t kMaxGidBytes = 199;

struct TransactionId {
  std::string cluster, router;
  std::uint64_t number = 0;
  auto operator<=>(const TransactionId&) const = default;
};

struct Gid {
  TransactionId transaction;
  ShardId participant, decision;
  auto operator<=>(const Gid&) const = default;
};

// 54000 when the names make it longer than kMaxGidBytes.
Result<std::string> print_gid(const Gid& gid);
// nullopt for the gids of others: whatever print_gid would not have written so.
std::optional<Gid> parse_gid(std::string_view text);

// The primary key of the decision row: the gid without participant and decision shard.
std::string decision_key(const TransactionId& transaction);
std::optional<TransactionId> parse_decision_key(std::string_view text);

}  // namespace shoal::txn
