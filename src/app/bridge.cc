// session::Commands on top of control::Commands.
#include "app/bridge.h"

#include "control/ddl.h"
#include "control/loader.h"
#include "control/store.h"

namespace shoal::app {
namespace {

class Bridge final : public session::Commands {
 public:
  explicit Bridge(control::Store& store) : store_(store), commands_(store) {}

  bool knows(const std::string& schema, const std::string& function) const override {
    return control::Commands::find(schema, function) != nullptr;
  }

  io::Task<Result<backend::TextRows>> call(backend::ShardRunner& runner,
                                           catalog::SnapshotPtr snapshot,
                                           session::CommandCall call) override {
    control::CallContext context;
    context.router = store_.router_id();
    context.user = std::move(call.user);
    context.in_transaction = call.in_transaction;
    control::CallArguments arguments{std::move(call.schema), std::move(call.function),
                                     std::move(call.args), std::move(call.named_args)};
    return commands_.call(runner, std::move(snapshot), change_, std::move(context),
                          std::move(arguments));
  }

  Result<session::DdlPlan> plan_ddl(const sql::Statement& statement,
                                    const catalog::Snapshot& snapshot,
                                    const std::vector<std::string>& search_path) override {
    Result<control::DdlPlan> made = control::plan_ddl(statement, snapshot, search_path);
    if (!made) return made.error();
    session::DdlPlan plan;
    for (control::DdlPlan::Step& step : made->steps)
      plan.steps.push_back({std::move(step.shards), std::move(step.sql)});
    plan.catalog_sql = std::move(made->catalog_sql);
    for (control::DdlPlan::Follow& follow : made->follow) {
      session::CommandCall call;
      call.schema = "shoal";
      call.function = std::move(follow.function);
      for (std::string& argument : follow.arguments) call.args.emplace_back(std::move(argument));
      plan.follow.push_back(std::move(call));
    }
    plan.changes_schema = made->changes_schema;
    plan.transactional = made->transactional;
    return plan;
  }

  io::Task<Result<>> write_catalog(backend::ShardRunner& runner, catalog::SnapshotPtr snapshot,
                                   std::string sql) override {
    return commands_.write_catalog(runner, std::move(snapshot), std::move(sql));
  }
  void schema_changed() override { change_.schema_changed = true; }
  bool changed() const override { return change_.schema_changed || !change_.holds.empty(); }
  io::Task<Result<>> before_commit(backend::ShardRunner& runner,
                                   catalog::SnapshotPtr snapshot) override {
    return commands_.before_commit(runner, std::move(snapshot), change_);
  }
  io::Task<> finish(bool committed) override {
    co_await commands_.finish(change_, committed);
    change_ = control::Change();
  }
  io::Task<Result<catalog::SnapshotPtr>> derive(backend::ShardRunner& runner,
                                                catalog::SnapshotPtr base) override {
    return control::derive_snapshot(runner, std::move(base));
  }

 private:
  control::Store& store_;
  control::Commands commands_;
  control::Change change_;
};

}  // namespace

std::unique_ptr<session::Commands> make_bridge(control::Store& store) {
  return std::make_unique<Bridge>(store);
}

}  // namespace shoal::app
