// tokio-postgres: tokio-client HOST PORT. Prints "done" when every answer was the expected one.
use tokio_postgres::{error::SqlState, Error, NoTls};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let url = format!("host={} port={} user=app dbname=app", arguments[1], arguments[2]);
    let (mut db, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    db.batch_execute("DROP TABLE IF EXISTS tokio_t").await?;
    db.batch_execute("CREATE TABLE tokio_t (k bigint, id int, v text, PRIMARY KEY (k, id))").await?;
    db.query("SELECT create_distributed_table('tokio_t', 'k')", &[]).await?;

    let insert = db.prepare("INSERT INTO tokio_t VALUES ($1, $2, $3)").await?;
    for i in 0..50i32 {
        let text = if i % 5 == 0 { None } else { Some(format!("v{i}")) };
        assert_eq!(db.execute(&insert, &[&i64::from(i % 7), &i, &text]).await?, 1);
    }
    let one = db.prepare("SELECT id FROM tokio_t WHERE k = $1 ORDER BY id").await?;
    let counts = rows_of_keys(&db, &one).await?;
    assert_eq!(counts, vec![8, 7, 7, 7, 7, 7, 7]);
    let all = db.query("SELECT id FROM tokio_t ORDER BY id", &[]).await?;
    assert_eq!(all.iter().map(|r| r.get(0)).collect::<Vec<i32>>(), (0..50).collect::<Vec<i32>>());
    let keys: Vec<i64> = (0..7).collect();
    let row = db.query_one("SELECT count(*), count(v) FROM tokio_t WHERE k = ANY($1)", &[&keys]).await?;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (50, 40));

    let transaction = db.transaction().await?;
    assert_eq!(transaction.execute("DELETE FROM tokio_t", &[]).await?, 50);
    transaction.rollback().await?;
    let failed = db.execute("INSERT INTO tokio_t (k, id) VALUES (3, 3)", &[]).await.unwrap_err();
    assert_eq!(failed.code(), Some(&SqlState::UNIQUE_VIOLATION));
    assert_eq!(db.query_one("SELECT count(*) FROM tokio_t", &[]).await?.get::<_, i64>(0), 50);
    db.batch_execute("DROP TABLE tokio_t").await?;
    println!("done");
    Ok(())
}

// Several executions of one statement, one after the other.
async fn rows_of_keys(db: &tokio_postgres::Client, one: &tokio_postgres::Statement) -> Result<Vec<usize>, Error> {
    let mut counts = vec![];
    for k in 0..7i64 {
        counts.push(db.query(one, &[&k]).await?.len());
    }
    Ok(counts)
}
