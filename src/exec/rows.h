// How one statement's rows become the client's: the RowDescription before the first of them, counts
// for the tag, and the merge of many shards.
// Thread rule: one core.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "exec/fan.h"
#include "exec/nodes.h"
#include "merge/merger.h"
#include "plan/plan.h"

namespace shoal::exec {

// Sends the RowDescription once, in front of whatever comes first.
class Heading {
 public:
  explicit Heading(Run run) : run_(run), description_(run.request.description) {}
  // Where the caller found out by itself what the request lacks.
  void set_description(DescriptionPtr description) { description_ = std::move(description); }
  // The client's own, made from home's description; does nothing if that is missing.
  void send();
  // A shard's, where home's is missing.
  void send(std::string_view frame);
  bool sent() const { return sent_; }

 private:
  Run run_;
  DescriptionPtr description_;
  bool sent_ = false;
};

// The tags of many shards as one.
class TagSum {
 public:
  void add(std::string_view tag, bool count_rows = true);
  // The answer's own count; a SELECT that was cut short may have no tag of any shard.
  void set_rows(std::uint64_t rows) {
    if (command_.empty()) command_ = "SELECT";
    counted_ = true;
    rows_ = rows;
  }
  bool empty() const { return command_.empty(); }
  const std::string& command() const { return command_; }
  std::uint64_t rows() const { return rows_; }
  std::string text() const;

 private:
  std::string command_;
  std::optional<std::uint32_t> oid_;
  bool counted_ = false;
  std::uint64_t rows_ = 0;
};

// Rows of several shards in any order, as they come.
class PassingRows : public Fan::Handler {
 public:
  explicit PassingRows(Run run) : run_(run), heading_(run) {}
  Result<> on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t tag) override;
  io::Task<Result<>> batch(std::size_t branch) override;
  const TagSum& tag() const { return tag_; }
  void take_first_tag_only() { first_only_ = true; }
  void drop_rows() { drop_rows_ = true; }

 private:
  Run run_;
  Heading heading_;
  TagSum tag_;
  bool first_only_ = false, drop_rows_ = false;
};

// RETURNING of several statements in the order of their input rows. Tags of messages count the
// statements from 1; each gives its rows in its own input's order. Holds all rows (SH0603).
class ReturnedRows : public Fan::Handler {
 public:
  // `order`: by statement, the number of the input row that each of its rows comes from.
  ReturnedRows(Run run, std::vector<std::vector<std::uint32_t>> order)
      : run_(run), heading_(run), order_(std::move(order)), taken_(order_.size()) {}
  Result<> on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t tag) override;
  io::Task<Result<>> batch(std::size_t) override { co_return Result<>(); }
  // After the fan has run.
  io::Task<Result<>> send_rows();
  const TagSum& tag() const { return tag_; }

 private:
  struct Row {
    std::uint32_t input;
    std::string body;
  };
  Run run_;
  Heading heading_;
  std::vector<std::vector<std::uint32_t>> order_;
  std::vector<std::size_t> taken_;  // rows that came of each statement
  std::vector<Row> rows_;
  std::size_t bytes_ = 0;
  TagSum tag_;
};

// Rows that go through a merger.
class MergingRows : public Fan::Handler {
 public:
  MergingRows(Run run, Fan& fan, merge::Merger merger)
      : run_(run), fan_(fan), heading_(run), merger_(std::move(merger)) {}
  Result<> on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t tag) override;
  io::Task<Result<>> batch(std::size_t branch) override;
  io::Task<> room(std::size_t branch) override;
  void stopped() override { room_.set(); }
  Heading& heading() { return heading_; }
  TagSum& tag() { return tag_; }
  std::uint64_t rows() const { return merger_.rows_out(); }

 private:
  Run run_;
  Fan& fan_;
  Heading heading_;
  merge::Merger merger_;
  TagSum tag_;
  io::Event room_;
};

}  // namespace shoal::exec
