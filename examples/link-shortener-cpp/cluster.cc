// Reading nodes.conf; the ring, by libshoal.
#include "cluster.h"

#include <algorithm>
#include <fstream>
#include <span>
#include <sstream>

namespace {

using shoal::keys::KeyType;
using shoal::keys::KeyValue;

KeyValue key_of(const std::string& url_id) {
  return KeyValue::of_bytes(KeyType::kVarchar, url_id);
}

}  // namespace

Ring::Ring(const std::vector<std::string>& nodes) {
  std::string names;
  for (const std::string& node : nodes) names += (names.empty() ? "\"" : ", \"") + node + "\"";
  const KeyType type = KeyType::kVarchar;
  auto made =
      shoal::keys::make_key_function("ring", "{\"nodes\": [" + names + "]}", std::span(&type, 1));
  if (!made) throw std::runtime_error(made.error().message + ": " + made.error().detail);
  function_ = *made;
}

std::vector<std::string> Ring::preference(const std::string& url_id) const {
  const KeyValue key = key_of(url_id);
  return shoal::keys::ring_preference(*function_, std::span(&key, 1)).value();
}

std::string Ring::owner(const std::string& url_id) const {
  return function_->slot_owner_name(function_->slot(key_of(url_id)).value());
}

std::shared_ptr<const Cluster> Cluster::read(const std::string& file, const Cluster* previous) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file);
  auto cluster = std::make_shared<Cluster>();
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string node, address;
    if (!(words >> node) || node.starts_with('#')) continue;
    const bool joins = node == "joining" && words >> node;
    std::getline(words >> std::ws, address);
    if (address.empty()) throw std::runtime_error(file + ": no address in: " + line);
    if (cluster->pools.contains(node)) throw std::runtime_error(file + ": " + node + " twice");
    (joins ? cluster->joining : cluster->members).push_back(node);
    std::shared_ptr<Pool>& pool = cluster->pools[node];
    if (previous && previous->pools.contains(node)) pool = previous->pools.at(node);
    if (!pool || pool->address() != address) pool = std::make_shared<Pool>(address);
  }
  cluster->ring = Ring(cluster->members);
  cluster->next_ring = Ring(cluster->all());
  return cluster;
}

std::vector<std::string> Cluster::all() const {
  std::vector<std::string> nodes = members;
  nodes.insert(nodes.end(), joining.begin(), joining.end());
  return nodes;
}

std::vector<std::string> Cluster::places(const std::string& url_id) const {
  std::vector<std::string> places = ring.preference(url_id);
  places.resize(std::min<std::size_t>(places.size(), 2));
  const std::string next = next_ring.owner(url_id);
  if (std::find(places.begin(), places.end(), next) == places.end())
    places.insert(places.begin() + 1, next);
  return places;
}
