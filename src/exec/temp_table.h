// Filling a temporary table by COPY with rows as they come from shards: a DataRow in binary format
// and a binary COPY tuple are written alike.
//
//   begin -> add_row* -> end        (or give_up)
//
// Nothing is waited for: the server works while rows are still being gathered, and the caller reads
// its answers.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/connection.h"
#include "base/refusal.h"
#include "base/result.h"
#include "catalog/snapshot.h"
#include "exec/transaction.h"
#include "io/core.h"

namespace shoal::exec {

enum class CopyForm { kBinary, kText };

// Text for types without binary send and receive functions, and for those whose binary form holds
// oids that differ from shard to shard.
CopyForm copy_form(const catalog::Snapshot& snapshot, std::span<const std::uint32_t> types);

// SH0001 where the text cannot be read back for certain: under another DateStyle than ISO a moment
// names its time zone by an abbreviation, which may mean another zone to who reads it. `beside`:
// the workspace's connection, where it is no participant.
Result<> check_text_form(Transaction& transaction, const backend::Connection& beside,
                         const catalog::Snapshot& snapshot, std::span<const std::uint32_t> types);

class TempTableWriter {
 public:
  // `tag`: of the answers, see wire::PendingResponses. The connection must outlive the writer.
  TempTableWriter(backend::Connection& connection, std::uint32_t tag)
      : connection_(&connection), tag_(tag) {}

  void begin(std::string_view table, CopyForm form);
  // One row as the body of a DataRow in the form's format.
  void add_row(std::string_view body);
  void end();
  // Ends the COPY, if one is under way, with an error on the server.
  void give_up();
  // Waits while much is unsent; `late` is the error at the deadline.
  io::Task<Result<>> flow(io::Deadline deadline, Refusal late);

 private:
  void append(std::string_view bytes);
  void end_frame();
  void append_text_row(std::string_view body);

  static constexpr std::size_t kNoFrame = SIZE_MAX;
  backend::Connection* connection_;
  std::uint32_t tag_;
  std::size_t frame_ = kNoFrame;
  bool copying_ = false;
  CopyForm form_ = CopyForm::kBinary;
  std::string line_;
};

}  // namespace shoal::exec
