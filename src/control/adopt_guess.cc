// Which of the known schemes explains where sampled keys lie. A scheme names buckets; it explains a
// sample when each bucket lies on one shard. Schemes with many buckets fit anything, so there must
// be several different keys for each bucket.
#include <boost/json.hpp>
#include <set>

#include "control/adopt.h"

namespace shoal::control {
namespace {

namespace json = boost::json;
using keys::KeyType;

constexpr double kGoodEnough = 0.9;
constexpr double kPerfect = 0.999;
constexpr std::size_t kKeysPerBucket = 4;

struct Scheme {
  std::string function;
  json::object params;
};

// Numbers of buckets that people choose.
std::vector<std::uint32_t> bucket_counts(std::size_t shards) {
  std::vector<std::uint32_t> out;
  for (const std::size_t n :
       {shards, shards - 1, 2 * shards, 4 * shards, std::size_t{8}, std::size_t{10},
        std::size_t{12}, std::size_t{16}, std::size_t{24}, std::size_t{32}, std::size_t{64},
        std::size_t{100}, std::size_t{128}, std::size_t{256}}) {
    const auto count = static_cast<std::uint32_t>(n);
    if (count > 1 && std::find(out.begin(), out.end(), count) == out.end()) out.push_back(count);
  }
  return out;
}

// What applications call the nodes of a ring.
std::vector<std::vector<std::string>> node_names(const Servers& servers) {
  std::vector<std::vector<std::string>> out(8);
  for (std::size_t i = 0; i < servers.specs.size(); ++i) {
    const ShardSpec& spec = servers.specs[i];
    out[0].push_back(spec.name);
    if (const auto dsn = parse_dsn(spec.dsn)) {
      out[1].push_back(dsn->port);
      out[2].push_back(dsn->host);
      out[3].push_back(dsn->host + ":" + dsn->port);
      out[4].push_back(dsn->dbname);
    }
    out[5].push_back(std::to_string(i));
    out[6].push_back(std::to_string(i + 1));
    out[7].push_back(fmt::format("shard_{}", i));
  }
  std::erase_if(out, [&](const std::vector<std::string>& names) {
    return std::set<std::string>(names.begin(), names.end()).size() != servers.specs.size();
  });
  return out;
}

void add_digests(std::vector<Scheme>& out, std::uint32_t n) {
  struct Digest {
    const char *digest, *slice;
    bool is_signed;
  };
  static constexpr Digest kDigests[] = {
      {"md5", "all", false},    {"sha1", "all", false},      {"sha256", "all", false},
      {"md5", "first4", false}, {"sha1", "first4", false},   {"sha256", "first4", false},
      {"md5", "first8", false}, {"sha256", "first8", false}, {"md5", "last4", false},
      {"crc32", "all", false},  {"murmur3_32", "all", true}, {"murmur3_32", "all", false},
      {"xxh64", "all", false},
  };
  for (const Digest& d : kDigests) {
    json::object params{{"digest", d.digest}, {"n", n}};
    if (std::string_view(d.slice) != "all") params["slice"] = d.slice;
    if (d.is_signed) params["signed"] = true;
    out.push_back({"digest_mod", params});
    if (std::string_view(d.digest) == "md5" && std::string_view(d.slice) == "first4") {
      out.push_back({"digest_mod",
                     {{"digest", d.digest}, {"n", n}, {"slice", d.slice}, {"endian", "little"}}});
    }
  }
  out.push_back({"digest_mod", {{"digest", "hashtext"}, {"n", n}, {"reduce", "sql_abs"}}});
  out.push_back({"digest_mod", {{"digest", "hashtext"}, {"n", n}, {"reduce", "trunc"}}});
}

std::vector<Scheme> schemes(const Servers& servers) {
  std::vector<Scheme> out;
  const auto shards = static_cast<std::uint32_t>(servers.specs.size());
  for (const std::uint32_t n : bucket_counts(shards)) {
    out.push_back({"mod_floor", {{"n", n}}});
    out.push_back({"mod_trunc", {{"n", n}}});
    out.push_back({"postgres", {{"modulus", n}}});
    out.push_back({"dorm", {{"n", n}}});
    if (n == shards) {
      for (const auto& names : node_names(servers)) {
        json::array nodes(names.begin(), names.end());
        out.push_back({"ring", {{"nodes", nodes}}});
        out.push_back({"ring", {{"nodes", nodes}, {"hash", "ketama"}}});
        out.push_back({"rendezvous", {{"nodes", nodes}}});
      }
    }
    add_digests(out, n);
    out.push_back({"digest_mod", {{"digest", "uuid_int"}, {"n", n}}});
    out.push_back({"plproxy", {{"n", n}}});
    out.push_back({"pgdog", {{"n", n}, {"hasher", "sha1"}}});
    out.push_back({"citus", {{"n", n}}});
    out.push_back({"jump", {{"n", n}}});
  }
  return out;
}

// Whether there are keys enough to tell the function from chance.
bool is_convincing(const Guess& guess, const KeySample& sample) {
  std::set<std::size_t> owners;
  std::size_t used = 0;
  for (const std::size_t owner : guess.owners) {
    if (owner == AdoptKeyspace::kNobody) continue;
    owners.insert(owner);
    ++used;
  }
  return owners.size() > 1 && sample.distinct >= kKeysPerBucket * used;
}

}  // namespace

std::optional<Guess> try_function(const std::string& function, const std::string& params,
                                  const KeySample& sample, std::size_t shards) {
  auto made = keys::make_key_function(function, params, sample.types);
  if (!made || (*made)->bucket_count() == 0 || (*made)->bucket_count() > 100'000) {
    return std::nullopt;
  }
  Guess guess;
  guess.function = function;
  guess.params = params;
  guess.made = *made;
  std::vector<std::vector<std::size_t>> counts((*made)->bucket_count(),
                                               std::vector<std::size_t>(shards));
  for (const auto& [key, shard] : sample.seen) {
    ++guess.total;
    const auto slot = (*made)->slot(key);
    const auto bucket = slot ? (*made)->bucket_of(*slot) : std::nullopt;
    if (bucket) ++counts[*bucket][shard];
  }
  for (const auto& of_bucket : counts) {
    const auto most = std::max_element(of_bucket.begin(), of_bucket.end());
    guess.fitting += *most;
    guess.owners.push_back(*most == 0 ? AdoptKeyspace::kNobody
                                      : static_cast<std::size_t>(most - of_bucket.begin()));
  }
  return guess;
}

std::optional<Guess> guess_function(const KeySample& sample, const Servers& servers) {
  // A few rows from all over show most schemes to be wrong.
  constexpr std::size_t kProbe = 300;
  constexpr double kHopeless = 0.7;
  KeySample probe;
  probe.types = sample.types;
  const std::size_t step = std::max<std::size_t>(1, sample.seen.size() / kProbe);
  for (std::size_t i = 0; i < sample.seen.size(); i += step) probe.seen.push_back(sample.seen[i]);
  std::optional<Guess> best;
  for (const Scheme& scheme : schemes(servers)) {
    const std::string params = json::serialize(scheme.params);
    const auto first = try_function(scheme.function, params, probe, servers.specs.size());
    if (!first || first->share() < kHopeless) continue;
    auto guess = try_function(scheme.function, params, sample, servers.specs.size());
    if (!guess || guess->share() < kGoodEnough || !is_convincing(*guess, sample)) continue;
    // The simplest that fits wins; a later one must fit visibly better.
    if (!best || guess->share() > best->share() + 0.01) best = std::move(guess);
    if (best->share() >= kPerfect) break;
  }
  return best;
}

void complete_owners(std::vector<std::size_t>& owners, const keys::KeyFunction& function,
                     std::size_t shards) {
  const auto fits = [&](auto rule) {
    for (std::uint32_t b = 0; b < owners.size(); ++b) {
      if (owners[b] != AdoptKeyspace::kNobody && owners[b] != rule(b)) return false;
    }
    return true;
  };
  // Remainders of SQL's % below zero lie where the application put them; no rule tells.
  const auto fill = [&](auto rule) {
    for (std::uint32_t b = 0; b < owners.size(); ++b) {
      if (owners[b] == AdoptKeyspace::kNobody && !function.bucket_is_residual(b)) {
        owners[b] = rule(b);
      }
    }
  };
  const auto in_turn = [&](std::size_t b) { return b % shards; };
  const auto in_runs = [&](std::size_t b) { return b * shards / owners.size(); };
  if (fits(in_turn))
    fill(in_turn);
  else if (fits(in_runs))
    fill(in_runs);
}

void refine(AdoptKeyspace& keyspace, std::uint32_t slots) {
  const std::uint32_t buckets = keyspace.made->bucket_count();
  if (buckets == 0 || slots < 2) return;
  boost::system::error_code ec;
  json::value params = json::parse(keyspace.params, ec);
  if (ec || !params.is_object() || params.get_object().contains("slots")) return;
  // The number of slots is a multiple of what the function itself counts.
  std::uint64_t base = keyspace.made->slot_count();
  if (keyspace.function == "mod_trunc" || (base == 2ull * (buckets + 1) / 2 && base > buckets)) {
    base = base / 2;  // both signs
  }
  if (base == 0 || base >= slots) return;
  params.get_object()["slots"] = base * ((slots + base - 1) / base);
  std::string text = json::serialize(params);
  auto made = keys::make_key_function(keyspace.function, text, keyspace.types);
  if (!made || (*made)->bucket_count() != buckets) return;
  keyspace.params = std::move(text);
  keyspace.made = *made;
}

}  // namespace shoal::control
