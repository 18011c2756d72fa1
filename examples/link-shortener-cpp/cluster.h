// The nodes of nodes.conf, their connections, and the ring that places ids on them.
// Thread rule: const after construction and shared; the pools synchronise themselves.
#pragma once
#include <client/shoal.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pool.h"

// The ring that Python's uhashring makes of the same names: whoever used that finds every row where
// it was.
class Ring {
 public:
  Ring() = default;
  explicit Ring(const std::vector<std::string>& nodes);
  // All nodes, the owner first, then as they are met clockwise from the id.
  std::vector<std::string> preference(const std::string& url_id) const;
  std::string owner(const std::string& url_id) const;

 private:
  std::shared_ptr<const shoal::keys::KeyFunction> function_;
};

struct Cluster {
  std::vector<std::string> members, joining;
  Ring ring, next_ring;  // of the members; of all
  std::map<std::string, std::shared_ptr<Pool>> pools;

  // Reads the file; pools are taken over from `previous` where name and address stayed.
  static std::shared_ptr<const Cluster> read(const std::string& file, const Cluster* previous);

  // Members, then those that are joining.
  std::vector<std::string> all() const;
  // Where to look for an id: at its owner, where a joining node will have it, and where it was
  // before the newest node came: on a ring that is the next node from the id on.
  std::vector<std::string> places(const std::string& url_id) const;
  Pool& pool(const std::string& node) const { return *pools.at(node); }
};
