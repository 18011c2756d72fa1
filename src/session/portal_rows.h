// The rows of a portal over several shards that is read in pieces: in the router's memory, and
// above Limits::portal_bytes in a table of the transaction's workspace (exec/kept_rows.h). Thread
// rule: one core; lives inside one call.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "exec/kept_rows.h"

namespace shoal::session {

class PortalRows final : public exec::Output {
 public:
  // `rows` and `ends`: frames, and where each ends; empty when the rows are kept elsewhere.
  PortalRows(exec::Transaction& transaction, const catalog::Snapshot& snapshot,
             exec::DescriptionPtr description, std::span<const wire::Format> formats,
             std::string& rows, std::vector<std::size_t>& ends, exec::Output& notices);

  void row_description(std::string_view) override {}
  void row(std::string_view body) override;
  void frame(std::string_view bytes) override { notices_.frame(bytes); }
  // SH0606 when they are too many for memory and can't be kept elsewhere.
  io::Task<Result<>> flow() override;
  // Null: they are in memory.
  exec::KeptRows* kept() { return kept_.get(); }

 private:
  io::Task<Result<>> move_rows();

  exec::Transaction& transaction_;
  const catalog::Snapshot& snapshot_;
  exec::DescriptionPtr description_;
  std::vector<wire::Format> formats_;  // of each column
  std::string& rows_;
  std::vector<std::size_t>& ends_;
  exec::Output& notices_;
  std::unique_ptr<exec::KeptRows> kept_;
  bool moving_ = false;
};

}  // namespace shoal::session
