// Tickets: what proves to shoal.apply and shoal.decide (schema.h) that a router asks. A keyed hash
// of the message under the cluster's secret, which clients cannot read.
// Thread rule: pure functions, but for make_secret (the operating system's random source).
#pragma once
#include <string>
#include <string_view>

namespace shoal::control {

std::string make_secret();  // 32 random bytes
// Lower-case hexadecimal; the same value that shoal.ticket_of(message) computes.
std::string make_ticket(std::string_view secret, std::string_view message);
// "SELECT shoal.decide(...)" and its like, for the keys of txn/gid.h. decide: on the last agent's
// shard, inside its transaction, before COMMIT; raises 40001 (SH0406) when recovery has settled the
// transaction already. settle: anywhere else, gives "commit" or "abort". forget: when all are told.
std::string decide_sql(std::string_view secret, std::string_view key);
std::string settle_sql(std::string_view secret, std::string_view key);
std::string forget_sql(std::string_view secret, std::string_view key);

std::string to_hex(std::string_view bytes);
std::string from_hex(std::string_view hex);  // accepts a leading \x; empty when malformed

}  // namespace shoal::control
