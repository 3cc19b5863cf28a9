import java.sql.*;
import java.util.UUID;

/** What docs/drivers.md says of JDBC. */
public class Drivers {
  static int failures = 0;

  interface Body { void run() throws SQLException; }

  static void test(String name, Body body) {
    try {
      body.run();
      System.out.println("ok - JDBC: " + name);
    } catch (Exception | AssertionError error) {
      error.printStackTrace(System.out);
      System.out.println("not ok - JDBC: " + name);
      failures++;
    }
  }

  static String state(Body body) {
    try {
      body.run();
      return "success";
    } catch (SQLException error) {
      return error.getSQLState();
    }
  }

  static void equal(Object actual, Object expected) {
    if (!expected.equals(actual)) throw new AssertionError(actual + " is not " + expected);
  }

  static long first(Connection conn, String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = conn.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
      try (ResultSet rows = statement.executeQuery()) {
        rows.next();
        return rows.getLong(1);
      }
    }
  }

  public static void main(String[] args) throws Exception {
    UUID session = UUID.randomUUID();

    try (Connection conn = DriverManager.getConnection(args[0])) {
      conn.createStatement().execute("SELECT rag_create_session('maya', session_id => '" + session + "')");
      test("a UUID is an object, and a string is not one", () -> {
        equal(state(() -> first(conn, "SELECT rag_add_message(?, ?, ?)", session.toString(), "user", "x")), "42883");
        first(conn, "SELECT rag_add_message(?, ?, ?)", session, "user", "x");
      });
      test("JSON is cast", () -> {
        equal(state(() -> first(conn, "SELECT rag_add_message(?, ?, ?, metadata => ?)", session, "user", "x", "{}")), "42883");
        first(conn, "SELECT rag_add_message(?, ?, ?, metadata => ?::jsonb)", session, "user", "x", "{}");
      });
      test("maximum numbers are integers", () -> {
        equal(state(() -> first(conn, "SELECT count(*) FROM rag_get_messages(?, ?)", session, 5L)), "42883");
        equal(first(conn, "SELECT count(*) FROM rag_get_messages(?, ?)", session, 5), 2L);
      });
      test("user ids are strings, arrays are arrays, null is NULL", () -> {
        equal(state(() -> first(conn, "SELECT count(*) FROM rag_list_sessions(?)", 42)), "42883");
        equal(state(() -> first(conn, "SELECT count(*) FROM rag_list_sessions(?)", session)), "42883");
        equal(first(conn, "SELECT least(count(*), 1) FROM rag_list_sessions(?)", "maya"), 1L);
        long id = first(conn, "SELECT rag_add_message(?, ?, ?, query_type => ?, user_id => ?)", session, "user", "x", null, "maya");
        equal(first(conn, "SELECT count(*) FROM rag_get_messages_after(?, ?)", session, id - 1), 1L);
        try (PreparedStatement statement = conn.prepareStatement("SELECT rag_add_messages(?, ?::jsonb)")) {
          statement.setObject(1, session);
          statement.setString(2, "[{\"role\": \"user\", \"content\": \"y\"}]");
          ResultSet rows = statement.executeQuery();
          rows.next();
          equal(((Long[]) rows.getArray(1).getArray())[0] > id, true);
        }
      });
      test("transactions, and errors with their SQLSTATE", () -> {
        long before = first(conn, "SELECT count(*) FROM rag_get_messages(?)", session);
        conn.setAutoCommit(false);
        first(conn, "SELECT rag_add_message(?, ?, ?)", session, "user", "undone");
        conn.rollback();
        first(conn, "SELECT rag_add_message(?, ?, ?)", session, "user", "done");
        conn.commit();
        conn.setAutoCommit(true);
        equal(first(conn, "SELECT count(*) FROM rag_get_messages(?)", session), before + 1);
        equal(state(() -> first(conn, "SELECT rag_get_messages(?)", UUID.randomUUID())), "23503");
      });
    }
    try (Connection conn = DriverManager.getConnection(args[0] + "&stringtype=unspecified")) {
      test("strings become what is wanted with stringtype=unspecified", () ->
        first(conn, "SELECT rag_add_message(?, ?, ?, metadata => ?)", session.toString(), "user", "x", "{}"));
    }
    System.exit(failures > 0 ? 1 : 0);
  }
}
