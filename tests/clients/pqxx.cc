// libpqxx 6: pqxx HOST PORT. Prints "done" when every answer was the expected one.
#include <cstdio>
#include <iostream>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>

namespace {

template <typename A, typename B>
void check(const A& expected, const B& got, const char* what) {
  if (!(expected == got)) throw std::runtime_error(what);
}

void make_rows(pqxx::connection& db) {
  pqxx::nontransaction plain(db);
  plain.exec("DROP TABLE IF EXISTS pqxx_t");
  plain.exec(
      "CREATE TABLE pqxx_t (k bigint, id int, v text, n numeric(10,2), PRIMARY KEY (k, id))");
  plain.exec("SELECT create_distributed_table('pqxx_t', 'k')");
  plain.commit();
  pqxx::work work(db);
  for (int i = 0; i < 50; ++i) {
    work.exec_params("INSERT INTO pqxx_t VALUES ($1, $2, $3, $4)", i % 7, i,
                     "v" + std::to_string(i), "1.50");
  }
  work.commit();
}

void read_rows(pqxx::connection& db) {
  db.prepare("one", "SELECT id FROM pqxx_t WHERE k = $1 ORDER BY id");
  pqxx::work work(db);
  const pqxx::result one = work.exec_prepared("one", 3);
  check(7u, one.size(), "rows of one key");
  check(45, one[6][0].as<int>(), "last row of one key");
  int expected = 0;
  for (const auto& row : work.exec("SELECT id FROM pqxx_t ORDER BY id")) {
    check(expected++, row[0].as<int>(), "order over all keys");
  }
  check(50, expected, "rows of all keys");
  check(std::string("75.00"), work.exec1("SELECT sum(n) FROM pqxx_t")[0].as<std::string>(), "sum");
  pqxx::stream_to stream(work, "pqxx_t", std::vector<std::string>{"k", "id"});
  for (int i = 100; i < 200; ++i) stream << std::make_tuple(i % 7, i);
  stream.complete();
  check(150, work.exec1("SELECT count(*) FROM pqxx_t")[0].as<int>(), "rows after COPY");
  work.abort();
}

void fail_and_go_on(pqxx::connection& db) {
  try {
    pqxx::work work(db);
    work.exec("INSERT INTO pqxx_t (k, id) VALUES (3, 3)");
    throw std::runtime_error("a duplicate was accepted");
  } catch (const pqxx::unique_violation& error) {
    check(std::string("23505"), error.sqlstate(), "SQLSTATE");
  }
  pqxx::nontransaction plain(db);
  check(50, plain.exec1("SELECT count(*) FROM pqxx_t")[0].as<int>(), "rows at the end");
  plain.exec("DROP TABLE pqxx_t");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    pqxx::connection db(std::string("dbname=app user=app host=") + argv[1] + " port=" + argv[2]);
    make_rows(db);
    read_rows(db);
    fail_and_go_on(db);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  std::puts("done");
  return 0;
}
