// Space-Saving with a linear search for the smallest counter, which 128 of them bear.
#include "obs/key_load.h"

namespace shoal::obs {

void TopKeys::count(std::string_view key, std::uint64_t times) {
  total_ += times;
  if (const auto known = index_.find(key); known != index_.end()) {
    entries_[known->second].count += times;
    return;
  }
  if (entries_.size() < capacity_) {
    index_.emplace(std::string(key), entries_.size());
    entries_.push_back({std::string(key), times, 0});
    return;
  }
  if (entries_.empty()) return;
  const auto smallest =
      std::min_element(entries_.begin(), entries_.end(),
                       [](const Entry& a, const Entry& b) { return a.count < b.count; });
  index_.erase(smallest->key);
  index_.emplace(std::string(key), static_cast<std::size_t>(smallest - entries_.begin()));
  smallest->error = smallest->count;
  smallest->count += times;
  smallest->key = key;
}

std::vector<TopKeys::Entry> TopKeys::top(std::size_t n) const {
  std::vector<Entry> out = entries_;
  std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) {
    return a.count != b.count ? a.count > b.count : a.key < b.key;
  });
  if (out.size() > n) out.resize(n);
  return out;
}

// A key that one side does not know may have been there as often as that side's smallest counter.
void TopKeys::merge(const TopKeys& other) {
  const auto least = [](const TopKeys& t) {
    std::uint64_t out = t.entries_.size() < t.capacity_ ? 0 : UINT64_MAX;
    for (const Entry& e : t.entries_) out = std::min(out, e.count);
    return out;
  };
  const std::uint64_t mine = least(*this), theirs = least(other);
  std::map<std::string, Entry> all;
  for (const Entry& e : entries_) all[e.key] = {e.key, e.count + theirs, e.error + theirs};
  for (const Entry& e : other.entries_) {
    const auto found = all.find(e.key);
    if (found == all.end()) {
      all[e.key] = {e.key, e.count + mine, e.error + mine};
    } else {
      found->second.count += e.count - theirs;
      found->second.error += e.error - theirs;
    }
  }
  total_ += other.total_;
  entries_.clear();
  index_.clear();
  for (auto& [key, entry] : all) entries_.push_back(std::move(entry));
  entries_ = top(capacity_);
  for (std::size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].key, i);
}

void TopKeys::age() {
  total_ /= 2;
  for (Entry& e : entries_) {
    e.count /= 2;
    e.error /= 2;
  }
}

void KeyLoad::count(std::int32_t keyspace, std::uint32_t slot, std::uint32_t slots,
                    std::string_view key) {
  if (slots == 0 || slot >= slots) return;
  if (keyspaces_.size() >= kKeyspaces && !keyspaces_.contains(keyspace)) return;
  OfKeyspace& of = keyspaces_[keyspace];
  of.slots = slots;
  of.keys.count(key.substr(0, kKeyBytes), kEvery);
  of.by_stretch[std::uint64_t{slot} * kStretches / slots] += kEvery;
}

void KeyLoad::merge(const KeyLoad& other) {
  for (const auto& [id, theirs] : other.keyspaces_) {
    OfKeyspace& mine = keyspaces_[id];
    mine.slots = theirs.slots;
    mine.keys.merge(theirs.keys);
    for (std::size_t i = 0; i < kStretches; ++i) mine.by_stretch[i] += theirs.by_stretch[i];
  }
}

void KeyLoad::age() {
  for (auto& [id, of] : keyspaces_) {
    of.keys.age();
    for (std::uint64_t& n : of.by_stretch) n /= 2;
  }
}

}  // namespace shoal::obs
