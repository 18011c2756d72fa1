// Execute of portals that no single server holds, and COPY FROM to several shards.
#include "session/outputs.h"
#include "session/portal_rows.h"
#include "session/session.h"

namespace shoal::session {
namespace {

// How often shards that read a slow client's COPY data are looked at.
constexpr io::Milliseconds kCopyLook{50};

}  // namespace
// Execute of a portal that no single server holds.
io::Task<Result<>> Session::execute_portal(Portal& portal, std::string_view name,
                                           std::int32_t max_rows) {
  StatementPtr kept = portal.statement;  // COMMIT and DISCARD destroy portals while they run
  const StatementInfo& statement = *kept;
  if (statement.handling == Handling::kEmpty) {
    wire::append_empty_query(client_.out());
    co_return Result<>();
  }
  if (!portal.plan) {
    SHOAL_CO_TRY(check_scope(statement.statement(), statement.handling));
    if (statement.handling == Handling::kCommand) {
      if (txn_.state() == exec::Transaction::State::kFailed) co_return aborted_error();
      co_return co_await run_command(statement.statement(), &portal.bound, false);
    }
    if (statement.handling == Handling::kDdl) {
      if (txn_.state() == exec::Transaction::State::kFailed) co_return aborted_error();
      co_return co_await run_ddl(statement.statement(), statement.text);
    }
    co_return co_await run_session_statement(statement.statement(), statement.text, &portal.bound);
  }
  if (const auto* copy = std::get_if<sql::Copy>(&statement.statement().node); copy && copy->from)
    co_return co_await run_copy_in(*portal.plan, portal.bound, *copy);
  if (const auto* declare = std::get_if<sql::DeclareCursor>(&statement.statement().node);
      declare && !std::holds_alternative<plan::Forward>(portal.plan->node)) {
    const plan::PlanPtr plan = portal.plan;
    co_return co_await declare_over_shards(*plan, portal.bound, *declare);
  }
  if (max_rows <= 0 && !portal.started) {
    OutputAdapter output(*this, false);
    portal.started = true;
    Result<std::string> tag = co_await run_plan_to(*portal.plan, portal.bound, output);
    if (!tag) co_return tag.error();
    complete(*tag);
    portal.tag = *tag;
    co_return Result<>();
  }
  if (!portal.started) {
    portal.started = true;
    const std::string own_name(name);
    SHOAL_CO_TRY(co_await gather_portal(portal, own_name));
    if (portal.on_server) co_return co_await execute_kept(own_name, max_rows);
  }
  send_buffered_rows(portal, max_rows);
  co_return Result<>();
}

void Session::send_buffered_rows(Portal& portal, std::int32_t max_rows) {
  std::size_t count = portal.row_ends.size();
  std::size_t until = count;
  if (max_rows > 0) until = std::min(count, portal.next_row + static_cast<std::size_t>(max_rows));
  std::size_t from = portal.next_row == 0 ? 0 : portal.row_ends[portal.next_row - 1];
  std::size_t to = until == 0 ? 0 : portal.row_ends[until - 1];
  if (to > from) client_.out().append(portal.rows, from, to - from);
  std::size_t sent = until - portal.next_row;
  portal.next_row = until;
  if (max_rows > 0 && sent == static_cast<std::size_t>(max_rows)) {
    wire::append_portal_suspended(client_.out());
    return;
  }
  // The tag counts the rows of this Execute, not of the portal.
  std::size_t number = portal.tag.rfind(' ');
  if (count > 0 && number != std::string::npos)
    complete(portal.tag.substr(0, number + 1) + std::to_string(sent));
  else
    complete(portal.tag);
}

io::Task<Result<>> Session::run_copy_in(const plan::Plan& plan, exec::Bound& bound,
                                        const sql::Copy& statement) {
  if (txn_.idle()) begin_implicit();
  // A simple Query's text lies in the client's buffer, which reading its data moves.
  std::string text(bound.text);
  bound.text = text;
  exec::RunRequest request{plan, bound, nullptr, *snapshot(), {}};
  Result<std::unique_ptr<exec::CopyRouter>> router =
      co_await exec::CopyRouter::start(txn_, request, statement);
  if (!router) co_return router.error();
  client_.out() += (*router)->response();
  SHOAL_CO_TRY(co_await client_.flush());
  for (;;) {
    Result<wire::Frame> frame = co_await client_.next(io::Deadline::in(kCopyLook));
    if (!frame && frame.error().sqlstate == "57014") {
      // A shard may have raised an error meanwhile.
      if (Result<> well = co_await (*router)->data({}); !well) {
        txn_.fail();
        co_return well.error();
      }
      continue;
    }
    if (!frame) {
      co_await (*router)->fail("the client is gone");
      co_return frame.error();
    }
    switch (frame->type) {
      case 'd': {
        Result<> taken = co_await (*router)->data(frame->body);
        if (!taken) {
          txn_.fail();
          co_return taken.error();
        }
        break;
      }
      case 'c': {
        Result<std::string> tag = co_await (*router)->done();
        if (!tag) {
          txn_.fail();
          co_return tag.error();
        }
        if (txn_.implicit() && !several_) {
          Result<> ended = co_await finish_implicit();
          if (!ended) co_return ended.error();
        }
        complete(*tag);
        co_return Result<>();
      }
      case 'H':
      case 'S':
        break;
      case 'f': {
        std::string reason(frame->body.substr(0, frame->body.find('\0')));
        co_await (*router)->fail(reason);
        txn_.fail();
        co_return make_error("57014", "COPY from stdin failed: " + reason);
      }
      default: {
        co_await (*router)->fail("unexpected message");
        txn_.fail();
        Error e = make_error(
            "08P01", fmt::format("unexpected message type 0x{:02X} during COPY from stdin",
                                 static_cast<unsigned>(static_cast<unsigned char>(frame->type))));
        e.fatal = frame->type == 'X';
        co_return e;
      }
    }
  }
}

}  // namespace shoal::session
