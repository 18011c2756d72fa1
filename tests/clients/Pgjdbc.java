// pgjdbc: java Pgjdbc.java HOST PORT. Prints "done" when every answer was the expected one.
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

public class Pgjdbc {
  static void check(Object expected, Object got) {
    if (!Objects.equals(expected, got)) throw new AssertionError("expected " + expected + ", got " + got);
  }

  static String stateOf(Statement statement, String sql) {
    try {
      statement.execute(sql);
      return "";
    } catch (SQLException error) {
      return error.getSQLState();
    }
  }

  public static void main(String[] arguments) throws Exception {
    String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/app?user=app&prepareThreshold=3";
    try (Connection db = DriverManager.getConnection(url); Statement statement = db.createStatement()) {
      statement.execute("DROP TABLE IF EXISTS jdbc_t");
      statement.execute("CREATE TABLE jdbc_t (k bigint, id int, v text, n numeric(10,2), t timestamptz, PRIMARY KEY (k, id))");
      statement.execute("SELECT create_distributed_table('jdbc_t', 'k')");
      try (PreparedStatement insert = db.prepareStatement("INSERT INTO jdbc_t VALUES (?, ?, ?, ?, ?)")) {
        for (int i = 0; i < 50; i++) {
          insert.setLong(1, i % 7);
          insert.setInt(2, i);
          insert.setString(3, i % 5 == 0 ? null : "v" + i);
          insert.setBigDecimal(4, new BigDecimal("1.50"));
          insert.setTimestamp(5, new Timestamp(1709208000000L));
          insert.addBatch();
        }
        check(50, insert.executeBatch().length);
      }
      try (PreparedStatement one = db.prepareStatement("SELECT count(*), min(id) FROM jdbc_t WHERE k = ?")) {
        for (int i = 0; i < 14; i++) {  // past prepareThreshold: a named statement with binary results
          one.setLong(1, i % 7);
          ResultSet rows = one.executeQuery();
          rows.next();
          check(i % 7 == 0 ? 8L : 7L, rows.getLong(1));
          check(i % 7, rows.getInt(2));
        }
      }
      try (PreparedStatement all = db.prepareStatement("SELECT id, v FROM jdbc_t WHERE id < ? ORDER BY id")) {
        for (int limit = 10; limit < 20; limit++) {
          all.setInt(1, limit);
          ResultSet rows = all.executeQuery();
          int expected = 0;
          while (rows.next()) check(expected++, rows.getInt(1));
          check(limit, expected);
        }
      }
      db.setAutoCommit(false);
      check(50, statement.executeUpdate("DELETE FROM jdbc_t"));
      Savepoint point = db.setSavepoint();
      statement.executeUpdate("INSERT INTO jdbc_t (k, id) VALUES (1, 1), (2, 2), (3, 3)");
      db.rollback(point);
      db.rollback();
      db.setAutoCommit(true);
      ResultSet sum = statement.executeQuery("SELECT sum(n), count(v) FROM jdbc_t");
      sum.next();
      check(new BigDecimal("75.00"), sum.getBigDecimal(1));
      check(40, sum.getInt(2));
      check("23505", stateOf(statement, "INSERT INTO jdbc_t (k, id) VALUES (3, 3)"));
      check("22012", stateOf(statement, "SELECT 1 / 0"));
      ResultSet columns = db.getMetaData().getColumns(null, "public", "jdbc_t", null);
      int count = 0;
      while (columns.next()) count++;
      check(5, count);
      statement.execute("DROP TABLE jdbc_t");
    }
    System.out.println("done");
  }
}
