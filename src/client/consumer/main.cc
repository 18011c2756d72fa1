// Uses each part of the installed libshoal once and fails loudly when one is not there.
//   consumer                        checks functions that need no server
//   consumer DSN KEYSPACE KEY...    also reads the catalog there and prints the shard of each key
#include <client/shoal.h>
#ifdef WITH_CLUSTER
#include <client/cluster_map.h>
#include <client/scoped_key.h>
#include <libpq-fe.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace shoal;

void expect(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

void use_functions() {
  keys::KeyType type = keys::KeyType::kText;
  auto ring = keys::make_key_function("ring", R"({"nodes": ["5432", "5433", "5434"]})",
                                      std::span(&type, 1));
  expect(ring.has_value(), "make_key_function");
  auto key = keys::parse_text(type, "0OGWo");
  expect((*ring)->slot_owner_name(*(*ring)->slot(*key)) == "5433", "the ring's owner of 0OGWo");
  expect(*client::shard_for("user-0", 2) == 1, "shard_for");
  auto sums = client::for_each_shard(4, [](const std::string& name) { return name.size(); });
  expect(sums.size() == 4 && sums.at("shard_3") == 7, "for_each_shard");
}

#ifdef WITH_CLUSTER
void follow(const char* dsn, const char* keyspace, std::span<char*> wanted) {
  client::Follower nowhere("host=127.0.0.1 port=1 connect_timeout=2");
  expect(nowhere.current().error().sqlstate == "08006", "an unreachable catalog is an error");
  client::Follower follower(dsn);
  auto map = follower.current();
  if (!map) std::fprintf(stderr, "%s\n", map.error().message.c_str());
  expect(map.has_value(), "the catalog can be read");
  expect(*follower.current() == *map, "the same epoch is the same map");
  for (const char* key : wanted) {
    auto shard = (*map)->where(keyspace, key);
    std::printf("%s\n", shard ? (*shard)->name.c_str() : shard.error().sqlstate.c_str());
  }
}

void scope(const char* dsn) {
  PGconn* connection = PQconnectdb(dsn);
  auto shown = [connection] {
    PGresult* result = PQexec(connection, "SELECT current_setting('shoal.key', true)");
    std::string text = PQgetvalue(result, 0, 0);
    PQclear(result);
    return text;
  };
  {
    auto key = client::with_key(connection, "o'n\\e");
    expect(key.has_value() && shown() == "o'n\\e", "with_key");
  }
  expect(shown().empty(), "the key is reset");
  PQfinish(connection);
}
#endif

}  // namespace

int main(int argc, char** argv) {
  use_functions();
#ifdef WITH_CLUSTER
  if (argc > 3) {
    scope(argv[1]);
    follow(argv[1], argv[2], {argv + 3, static_cast<std::size_t>(argc - 3)});
    return 0;
  }
#endif
  std::puts("ok");
  return argc > 0 ? 0 : 1;
}
