// Adapters through which exec/ and the control plane reach the session.
// Thread rule: one core; they live inside one call.
#pragma once
#include <string>

#include "exec/run.h"
#include "session/session.h"

namespace shoal::session {

// Rows straight to the client.
class OutputAdapter final : public exec::Output {
 public:
  OutputAdapter(Session& session, bool describe) : session_(session), describe_(describe) {}
  void row_description(std::string_view frame) override;
  void row(std::string_view body) override;
  void frame(std::string_view bytes) override;
  io::Task<Result<>> flow() override;

 private:
  Session& session_;
  bool describe_;
};

// Rows kept for a portal that is read in pieces, up to Limits::portal_bytes (SH0606).
class BufferOutput final : public exec::Output {
 public:
  BufferOutput(std::string& rows, std::vector<std::size_t>& ends, std::string& notices,
               std::size_t limit)
      : rows_(rows), ends_(ends), notices_(notices), limit_(limit) {}
  void row_description(std::string_view) override {}
  void row(std::string_view body) override;
  void frame(std::string_view bytes) override { notices_ += bytes; }
  io::Task<Result<>> flow() override;

 private:
  std::string& rows_;
  std::vector<std::size_t>& ends_;
  std::string& notices_;
  std::size_t limit_;
};

// SQL of the control plane inside the client's transaction.
class RunnerAdapter final : public backend::ShardRunner {
 public:
  explicit RunnerAdapter(Session& session) : session_(session) {}
  io::Task<Result<backend::TextRows>> run(ShardId shard, std::string sql) override;
  io::Task<Result<std::uint64_t>> copy_rows(
      ShardId from, std::string copy_out_sql, std::string copy_in_sql, std::vector<ShardId> targets,
      std::function<Result<std::vector<ShardId>>(const std::vector<std::optional<std::string>>&)>
          route) override;

 private:
  Session& session_;
};

}  // namespace shoal::session
