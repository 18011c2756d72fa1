// Builds errors; the only place that formats a refusal's DETAIL.
#include "base/result.h"

#include <fmt/core.h>

#include <cstdlib>

namespace shoal {
namespace {

constexpr RefusalEntry kTable[] = {
#define SHOAL_REFUSAL_ROW(name, number, sqlstate, message, hint) \
  {Refusal::name, sqlstate, message, hint},
    SHOAL_REFUSALS(SHOAL_REFUSAL_ROW)
#undef SHOAL_REFUSAL_ROW
};

}  // namespace

std::span<const RefusalEntry> refusal_table() { return kTable; }

void throw_exception_from_error(const Error& e, const boost::source_location&) {
  fmt::print(stderr, "bug: value() of a failed result: {} {}\n", e.sqlstate, e.message);
  std::abort();
}

Error refuse(Refusal number, std::string why) { return refuse(number, std::move(why), {}); }

Error refuse(Refusal number, std::string why, std::string hint) {
  for (const RefusalEntry& entry : kTable) {
    if (entry.number != number) continue;
    Error e;
    e.sqlstate = entry.sqlstate;
    e.message = entry.message;
    e.detail = fmt::format("SH{:04}", static_cast<int>(number));
    if (!why.empty()) e.detail += ": " + why;
    e.hint = hint.empty() ? std::string(entry.hint) : std::move(hint);
    return e;
  }
  std::abort();
}

Error make_error(std::string sqlstate, std::string message, std::string detail, std::string hint) {
  Error e;
  e.sqlstate = std::move(sqlstate);
  e.message = std::move(message);
  e.detail = std::move(detail);
  e.hint = std::move(hint);
  return e;
}

}  // namespace shoal
