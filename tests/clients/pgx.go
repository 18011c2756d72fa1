// pgx 4: go run pgx.go HOST PORT. Prints "done" when every answer was the expected one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(what string, expected, got interface{}) {
	if expected != got {
		must(fmt.Errorf("%s: expected %v, got %v", what, expected, got))
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	db, err := pgx.Connect(ctx, fmt.Sprintf("postgresql://app@%s:%s/app", os.Args[1], os.Args[2]))
	must(err)
	for _, sql := range []string{
		"DROP TABLE IF EXISTS pgx_t",
		"CREATE TABLE pgx_t (k bigint, id int, v text, t timestamptz, PRIMARY KEY (k, id))",
		"SELECT create_distributed_table('pgx_t', 'k')",
	} {
		_, err = db.Exec(ctx, sql)
		must(err)
	}
	when := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	batch := &pgx.Batch{}
	for i := 0; i < 50; i++ {
		batch.Queue("INSERT INTO pgx_t VALUES ($1, $2, $3, $4)", i%7, i, fmt.Sprint("v", i), when)
	}
	must(db.SendBatch(ctx, batch).Close())

	var count, sum int64
	for i := 0; i < 10; i++ {
		must(db.QueryRow(ctx, "SELECT count(*), sum(id) FROM pgx_t WHERE k = $1", 3).Scan(&count, &sum))
		check("rows of one key", int64(7), count)
		check("sum of one key", int64(168), sum)
	}
	must(db.QueryRow(ctx, "SELECT count(*), sum(id) FROM pgx_t WHERE k = ANY($1)", []int64{0, 1, 2, 3, 4, 5, 6}).Scan(&count, &sum))
	check("rows of all keys", int64(50), count)

	rows, err := db.Query(ctx, "SELECT id, t FROM pgx_t ORDER BY id")
	must(err)
	expected := 0
	for rows.Next() {
		var id int
		var t time.Time
		must(rows.Scan(&id, &t))
		check("order", expected, id)
		check("time", true, t.Equal(when))
		expected++
	}
	must(rows.Err())

	source := [][]interface{}{}
	for i := 100; i < 200; i++ {
		source = append(source, []interface{}{int64(i), int32(i), "copied"})
	}
	copied, err := db.CopyFrom(ctx, pgx.Identifier{"pgx_t"}, []string{"k", "id", "v"}, pgx.CopyFromRows(source))
	must(err)
	check("copied", int64(100), copied)

	tx, err := db.Begin(ctx)
	must(err)
	tag, err := tx.Exec(ctx, "DELETE FROM pgx_t")
	must(err)
	check("deleted", int64(150), tag.RowsAffected())
	must(tx.Rollback(ctx))

	_, err = db.Exec(ctx, "INSERT INTO pgx_t (k, id) VALUES ($1, $2)", 3, 3)
	var failed *pgconn.PgError
	check("an error", true, errors.As(err, &failed))
	check("SQLSTATE", "23505", failed.Code)
	must(db.QueryRow(ctx, "SELECT count(*) FROM pgx_t").Scan(&count))
	check("rows at the end", int64(150), count)
	_, err = db.Exec(ctx, "DROP TABLE pgx_t")
	must(err)
	must(db.Close(ctx))
	fmt.Println("done")
}
