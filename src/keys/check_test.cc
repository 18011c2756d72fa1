// The vector file of the repository, and that the check can fail and refuse.
#include "keys/check.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace shoal::keys {
namespace {

CheckReport check(const std::string& lines) {
  std::istringstream in(lines);
  return check_vectors(in);
}

TEST(CheckVectors, every_record_of_the_repositorys_file_passes) {
  std::ifstream file(SHOAL_SOURCE_DIR "/tests/data/key-vectors.jsonl");
  ASSERT_TRUE(file) << "tests/data/key-vectors.jsonl is missing";
  CheckReport report = check_vectors(file);
  EXPECT_EQ(report.summary(), "14439 passed, 0 failed, 0 refused");
  for (const auto& f : report.failures) ADD_FAILURE() << f.line << ": " << f.what;
  for (const auto& r : report.refusals) ADD_FAILURE() << r.line << ": " << r.what;
}

TEST(CheckVectors, one_wrong_digit_in_any_field_fails) {
  std::string good = R"({"function": "dorm.shard_for", "params": {"aliases": null,
      "num_shards": 2, "salt_hex": "646f726d2d7368617264"}, "key_type": "python:str",
      "key": "user-0", "expected": "shard_1", "hash": "16301281634820294799"})";
  std::erase(good, '\n');
  EXPECT_EQ(check(good).summary(), "1 passed, 0 failed, 0 refused");
  std::string bad_owner = good, bad_hash = good;
  bad_owner.replace(bad_owner.find("shard_1"), 7, "shard_0");
  bad_hash.replace(bad_hash.find("16301281634820294799"), 20, "16301281634820294798");
  CheckReport report = check(bad_owner + "\n\n" + bad_hash);
  EXPECT_EQ(report.summary(), "0 passed, 2 failed, 0 refused");
  EXPECT_EQ(report.failures[1].line, 3u);
  EXPECT_NE(report.failures[0].what.find("expected shard_0, computed shard_1"), std::string::npos);
}

TEST(CheckVectors, what_cannot_be_computed_is_refused_with_the_reason) {
  CheckReport report = check(
      "{\"function\": \"fnv\", \"params\": {}, \"key_type\": \"text\", \"key\": \"a\", "
      "\"expected\": 1}\n"
      "not json\n"
      "{\"function\": \"pg_hash_partition\", \"params\": {\"modulus\": 4}, \"key_type\": "
      "\"interval\", \"key\": \"1 day\", \"expected\": 1}\n"
      "{\"function\": \"pg_hash_partition\", \"params\": {\"modulus\": 4}, \"key_type\": "
      "\"date\", \"key\": \"yesterday\", \"expected\": 1}\n");
  EXPECT_EQ(report.summary(), "0 passed, 0 failed, 4 refused");
  EXPECT_NE(report.refusals[0].what.find("unknown function \"fnv\""), std::string::npos);
}

}  // namespace
}  // namespace shoal::keys
