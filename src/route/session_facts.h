// What of a session changes the meaning of its statements. Plain values, copied by the planner.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace shoal::route {

enum class Fanout : std::uint8_t { kAllow, kWarn, kDeny };

struct SessionFacts {
  std::vector<std::string> search_path{"public"};  // "$user" replaced
  std::string user;
  std::string date_style = "ISO, MDY", time_zone = "UTC";
  bool standard_strings = true;
  std::optional<std::string> scope_key;  // SET shoal.key
  std::optional<std::string> shard;      // SET shoal.shard
  Fanout fanout = Fanout::kAllow;
  bool require_key = false;              // SET shoal.require_key
  std::string default_isolation;         // SET default_transaction_isolation; empty: the role's
  std::vector<std::string> temp_tables;  // relations in this session's temporary schema (home)
  bool in_transaction = false;
  std::uint64_t settings_hash = 0;  // changes whenever anything above changes
};

// One bound parameter. `type` 0 = not known (the planner asks for kNeedTypes then).
struct Parameter {
  Oid type;
  bool binary = false;
  bool null = true;
  std::string_view value;  // wire bytes
};

}  // namespace shoal::route
