// node-postgres: node node.js HOST PORT. Prints "done" when every answer was the expected one.
const assert = require("assert");
const { Client, Pool } = require("pg");

const [host, port] = process.argv.slice(2);
const options = { host, port: Number(port), user: "app", database: "app" };

async function main() {
  const db = new Client(options);
  await db.connect();
  await db.query("DROP TABLE IF EXISTS node_t");
  await db.query("CREATE TABLE node_t (k bigint, id int, v text, n numeric(10,2), t timestamptz, a int[], PRIMARY KEY (k, id))");
  await db.query("SELECT create_distributed_table('node_t', 'k')");
  const when = new Date("2024-02-29T12:00:00Z");
  for (let i = 0; i < 50; i++) {
    const row = [i % 7, i, i % 5 ? `v${i}` : null, "1.50", when, [i, null]];
    await db.query({ name: "insert", text: "INSERT INTO node_t VALUES ($1, $2, $3, $4, $5, $6)", values: row });
  }
  const one = await db.query("SELECT * FROM node_t WHERE k = $1 ORDER BY id", [3]);
  assert.deepStrictEqual(one.rows.map((r) => r.id), [3, 10, 17, 24, 31, 38, 45]);
  assert.deepStrictEqual(one.rows[0], { k: "3", id: 3, v: "v3", n: "1.50", t: when, a: [3, null] });
  const all = await db.query({ text: "SELECT id FROM node_t ORDER BY id", rowMode: "array" });
  assert.deepStrictEqual(all.rows.flat(), [...Array(50).keys()]);
  const sums = await db.query("SELECT sum(n) AS s, count(v)::int AS c FROM node_t WHERE k = ANY($1)", [[0, 1, 2, 3, 4, 5, 6]]);
  assert.deepStrictEqual(sums.rows, [{ s: "75.00", c: 40 }]);
  await db.query("BEGIN");
  assert.strictEqual((await db.query("DELETE FROM node_t")).rowCount, 50);
  await db.query("ROLLBACK");
  await assert.rejects(db.query("INSERT INTO node_t (k, id) VALUES (3, 3)"), { code: "23505" });
  await assert.rejects(db.query("SELECT nothing FROM node_t"), { code: "42703" });
  const pool = new Pool({ ...options, max: 5 });
  const counts = await Promise.all([...Array(20).keys()].map((i) => pool.query("SELECT count(*)::int AS c FROM node_t WHERE k = $1", [i % 7])));
  assert.strictEqual(counts[0].rows[0].c, 8);
  await pool.end();
  await db.query("DROP TABLE node_t");
  await db.end();
  console.log("done");
}

main().catch((error) => { console.error(error); process.exit(1); });
