// Links on a ring of nodes: storing, finding, and what a new node changes.
// Thread rule: pure functions over a shared Cluster.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster.h"

struct Link {
  std::string url_id, url, node;
};

inline constexpr std::size_t kIdLength = 5;

// The n-th id that a URL may get: five characters of its SHA-256 in the base64 alphabet for URLs,
// eight ids of a digest, then those of the digest's own digest. The same for a URL each time.
std::string candidate(std::string_view url, std::size_t n);

std::optional<Link> find(const Cluster& cluster, const std::string& url_id);
// The link of the first candidate that is free or already this URL's.
Link shorten(const Cluster& cluster, const std::string& url);

// A stored link and the node that it belongs to on another ring.
struct Move {
  Link link;
  std::string to;
};
// All links that do not lie on their owner's node of `ring`, and the number of all links.
struct Plan {
  std::vector<Move> moves;
  std::size_t links = 0;
};
Plan plan(const Cluster& cluster, const Ring& ring);

// Copies the links to their new owners; what is there already stays. Returns those that found
// another URL under their id.
std::vector<Move> copy(const Cluster& cluster, const Plan& plan);
// Deletes the links that their owners have; returns how many.
std::size_t clean(const Cluster& cluster, const Plan& plan);
