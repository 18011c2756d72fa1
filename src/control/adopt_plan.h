// The maker of a proposal, between the two files that define it: adopt_plan.cc sorts tables out,
// adopt_place.cc finds keys and functions. Internal to adoption.
// Thread rule: one thread.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/adopt.h"
#include "control/scan.h"

namespace shoal::control {

// "name" or "schema.name".
bool names_table(const std::vector<std::string>& list, const AdoptTable& t);

class Proposer {
 public:
  Proposer(Servers& servers, const AdoptOptions& options, const Progress& progress)
      : servers_(servers), options_(options), progress_(progress) {}
  Result<Adoption> run();

 private:
  const AdoptTable& table(const AdoptPlacement& p) const { return servers_.tables[p.table]; }
  std::string shard(std::size_t i) const { return servers_.specs[i].name; }
  void problem(std::string text) { out_.problems.push_back(std::move(text)); }

  void check_citus();
  void check_stated();
  bool judge_by_place(AdoptPlacement& p);
  std::optional<std::vector<std::string>> stated_key(const AdoptTable& t) const;
  Result<bool> is_copied(const AdoptTable& t, bool& empty);
  Result<> sort_out();
  Result<> place_sharded();
  Result<> place_one(AdoptPlacement& p);
  Result<bool> place_tree(AdoptPlacement& p);
  Result<std::vector<ScanRow>> read_sample(const AdoptTable& t, std::size_t on,
                                           const std::vector<std::string>& columns);
  Result<std::map<std::string, KeySample>> samples(const AdoptTable& t,
                                                   const std::vector<std::string>& columns);
  std::vector<std::string> order_of_columns(const AdoptTable& t,
                                            const std::map<std::string, KeySample>& found) const;
  std::optional<Guess> best_guess(const AdoptPlacement& p,
                                  const std::map<std::string, KeySample>& found,
                                  const std::vector<std::string>& order, std::string& best_name,
                                  std::string& also);
  bool fit_known(AdoptPlacement& p, const std::vector<std::string>& key, const KeySample& sample);
  std::size_t add_keyspace(Guess guess, const std::vector<keys::KeyType>& types);
  Result<bool> place_directory(AdoptPlacement& p, const std::vector<std::string>& key);
  void place_empty();
  void finish();
  void add_actions(AdoptPlacement& p);

  Servers& servers_;
  const AdoptOptions& options_;
  const Progress& progress_;
  Adoption out_;
  std::vector<std::size_t> waiting_, empty_;  // placements: sharded by what, or empty everywhere
  std::map<std::size_t, double> rows_;        // by placement
};

}  // namespace shoal::control
