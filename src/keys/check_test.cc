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
  std::string good = R"j({"function": "dorm.shard_for", "params": {"aliases": null,
      "num_shards": 2, "salt_hex": "646f726d2d7368617264"}, "key_type": "python:str",
      "key": "user-0", "expected": "shard_1", "hash": "16301281634820294799"})j";
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

// One line of a vector file from JSON texts.
std::string record(const std::string& function, const std::string& params, const std::string& type,
                   const std::string& key, const std::string& expected) {
  return fmt::format(
      "{{\"function\": \"{}\", \"params\": {{{}}}, \"key_type\": \"{}\", \"key\": {}, "
      "\"expected\": {}}}\n",
      function, params, type, key, expected);
}

TEST(CheckVectors, other_spellings_of_functions_parameters_and_types_are_read) {
  const std::string user = R"("user-0")";
  CheckReport report = check(
      record("dorm", R"("n": 2)", "text", user, "1") +
      record("shard_for", R"("N": 2, "salt": "dorm-shard")", "python:str", user, R"("shard_1")") +
      record("digest_mod", R"("digest": "crc32", "n": 2)", "text", user, "0") +
      record("digest_mod", R"j("family": "zlib.crc32(b) % N", "N": 2)j", "str", user, "0") +
      record("mod_floor", R"("N": 4)", "python:int", "-1", "3") +
      record("mod_trunc", R"("N": 4)", "int", "-1", "-1") +
      record("mod_abs", R"("n": 4)", "numeric(20,0)", R"("-18446744073709551617")", "1") +
      record("range", R"("bounds": [10])", "int4", "10", "1"));
  EXPECT_EQ(report.summary(), "8 passed, 0 failed, 0 refused");
  for (const auto& r : report.refusals) ADD_FAILURE() << r.line << ": " << r.what;
  report = check(record("pg_hash_partition", R"("modulus": 1)", "VARCHAR(5)", R"("abcde  ")",
                        R"(0, "canonical": "abcde")"));
  EXPECT_EQ(report.summary(), "1 passed, 0 failed, 0 refused") << "blanks beyond n are cut";
}

TEST(CheckVectors, a_parameter_that_nobody_knows_is_refused_and_never_ignored) {
  const std::string x = R"("x")";
  const CheckReport report =
      check(record("mod_floor", R"("N": 4, "offset": 1)", "int8", "1", "1") +
            record("uhashring.range", R"j("nodes": ["a", "b"], "method": "range(key, size=1)")j",
                   "text", x, R"(["a"])") +
            record("digest_mod", R"("N": 4, "family": "md5_middle")", "text", x, "1") +
            record("uhashring", R"("nodes": {"a": 2147483647, "b": -2}, "hash_fn": "ketama")",
                   "text", x, R"("a")") +
            record("pg_hash_partition", R"("modulus": 4)", "varchar(0)", x, "1") +
            record("citus", R"("shard_count": 4)", "int4", "1.5", "1") +
            record("pg_hash_partition", R"("modulus": 4)", "uuid", "null",
                   R"(0, "canonical": "00000000-0000-0000-0000-000000000000")"));
  EXPECT_EQ(report.summary(), "0 passed, 0 failed, 7 refused");
}

}  // namespace
}  // namespace shoal::keys
