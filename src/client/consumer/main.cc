// Uses each part of the installed libshoal once and fails loudly when one is not there.
#include <client/shoal.h>
#ifdef WITH_CLUSTER
#include <client/cluster_map.h>
#endif

#include <cstdio>
#include <cstdlib>

namespace {
void expect(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}
}  // namespace

int main() {
  using namespace shoal;
  keys::KeyType type = keys::KeyType::kText;
  auto ring = keys::make_key_function("ring", R"({"nodes": ["5432", "5433", "5434"]})",
                                      std::span(&type, 1));
  expect(ring.has_value(), "make_key_function");
  auto key = keys::parse_text(type, "0OGWo");
  expect((*ring)->slot_owner_name(*(*ring)->slot(*key)) == "5433", "the ring's owner of 0OGWo");
  expect(*client::shard_for("user-0", 2) == 1, "shard_for");
  auto sums = client::for_each_shard(4, [](const std::string& name) { return name.size(); });
  expect(sums.size() == 4 && sums.at("shard_3") == 7, "for_each_shard");
#ifdef WITH_CLUSTER
  client::Follower follower("host=127.0.0.1 port=1 connect_timeout=2");
  expect(follower.current().error().sqlstate == "08006", "an unreachable catalog is an error");
#endif
  std::puts("ok");
}
