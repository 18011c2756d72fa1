// Ids, and the statements on the nodes.
#include "links.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace {

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return {digest.begin(), digest.end()};
}

std::string base64_for_urls(const std::string& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<std::string> url_on(Pool& node, const std::string& url_id) {
  const Rows rows = node.query("SELECT url FROM url_table WHERE url_id = $1", {url_id});
  if (rows.empty()) return std::nullopt;
  return rows[0][0];
}

void insert(Pool& node, const Link& link) {
  node.query("INSERT INTO url_table (url_id, url) VALUES ($1, $2) ON CONFLICT (url_id) DO NOTHING",
             {link.url_id, link.url});
}

}  // namespace

std::string candidate(std::string_view url, std::size_t n) {
  constexpr std::size_t kIdsOfDigest = 8;
  std::string digest = sha256(url);
  for (; n >= kIdsOfDigest; n -= kIdsOfDigest) digest = sha256(digest);
  return base64_for_urls(digest).substr(n * kIdLength, kIdLength);
}

std::optional<Link> find(const Cluster& cluster, const std::string& url_id) {
  for (const std::string& node : cluster.places(url_id)) {
    if (auto url = url_on(cluster.pool(node), url_id)) return Link{url_id, *url, node};
  }
  return std::nullopt;
}

Link shorten(const Cluster& cluster, const std::string& url) {
  for (std::size_t n = 0;; ++n) {
    const Link wanted{candidate(url, n), url, cluster.ring.owner(candidate(url, n))};
    std::optional<Link> stored = find(cluster, wanted.url_id);
    if (!stored) {
      insert(cluster.pool(wanted.node), wanted);
      stored = find(cluster, wanted.url_id);  // ours, or whose insert came first
    }
    if (stored && stored->url == url) return *stored;
  }
}

Plan plan(const Cluster& cluster, const Ring& ring) {
  Plan plan;
  for (const std::string& node : cluster.all()) {
    std::string last;
    for (Rows page;
         !(page = cluster.pool(node).query("SELECT url_id, url FROM url_table WHERE url_id > $1 "
                                           "ORDER BY url_id LIMIT 1000",
                                           {last}))
              .empty();
         last = page.back()[0]) {
      plan.links += page.size();
      for (const auto& row : page) {
        std::string owner = ring.owner(row[0]);
        if (owner != node) plan.moves.push_back({{row[0], row[1], node}, std::move(owner)});
      }
    }
  }
  return plan;
}

std::vector<Move> copy(const Cluster& cluster, const Plan& plan) {
  std::vector<Move> conflicts;
  for (const Move& move : plan.moves) {
    Pool& to = cluster.pool(move.to);
    insert(to, move.link);
    if (url_on(to, move.link.url_id) != move.link.url) conflicts.push_back(move);
  }
  return conflicts;
}

std::size_t clean(const Cluster& cluster, const Plan& plan) {
  std::size_t deleted = 0;
  for (const auto& [link, to] : plan.moves) {
    if (url_on(cluster.pool(to), link.url_id) != link.url) continue;
    deleted += cluster.pool(link.node)
                   .query("DELETE FROM url_table WHERE url_id = $1 AND url = $2 RETURNING 1",
                          {link.url_id, link.url})
                   .size();
  }
  return deleted;
}
