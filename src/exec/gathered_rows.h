// Rows of a plan kept in the router, in order, with their types: what a routed insert works on.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exec/run.h"

namespace shoal::exec {

class GatheredRows final : public Output {
 public:
  GatheredRows(Output& notices, std::size_t max_bytes) : notices_(notices), max_bytes_(max_bytes) {}

  void row_description(std::string_view frame) override;
  void row(std::string_view body) override;
  void frame(std::string_view bytes) override { notices_.frame(bytes); }
  // SH0603 when they are too many bytes for the router's memory.
  io::Task<Result<>> flow() override;

  void set_types(std::vector<std::uint32_t> types) { types_ = std::move(types); }
  const std::vector<std::uint32_t>& types() const { return types_; }
  std::size_t size() const { return rows_.size(); }
  // The values of one row; views into this.
  std::vector<wire::Value> values(std::size_t row) const;

 private:
  Output& notices_;
  std::size_t max_bytes_, bytes_ = 0;
  std::vector<std::uint32_t> types_;
  std::vector<std::string> rows_;
};

}  // namespace shoal::exec
