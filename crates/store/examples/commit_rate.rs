//! Measures how many events a log commits in a second, on SQLite and on PostgreSQL:
//! `cargo run --release -p store --example commit_rate`.

use std::{
    error::Error,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use store::{
    Applier, CheckContext, ColumnType, Database, DatabaseOptions, Insert, Intent, Journal,
    Location, Log, LogBuilder, Migration, Migrations, Pos, StoreError, Tx, Value, Verdict, Writes,
};
use testkit::{clock::FakeClock, servers::Postgres};
use tokio::task::JoinSet;

/// How long each line is measured.
const MEASURED: Duration = Duration::from_secs(4);

/// About a sealed message with its tag and its envelope.
const SEALED_BYTES: usize = 600;

const MIGRATIONS: Migrations = Migrations {
    owner: "events",
    steps: &[Migration {
        number: 1,
        name: "events",
        sql: "CREATE TABLE events (pos BIGINT NOT NULL PRIMARY KEY, room BIGINT NOT NULL, \
              event_id TEXT NOT NULL UNIQUE, sealed BYTEA NOT NULL); \
              CREATE INDEX events_room ON events (room, pos)",
    }],
};

static INSERT: Insert = Insert {
    table: "events",
    columns: &[
        ("pos", ColumnType::Int),
        ("room", ColumnType::Int),
        ("event_id", ColumnType::Text),
        ("sealed", ColumnType::Bytes),
    ],
    on_conflict: "",
};

/// Appends events to rooms: one read under the lock, one row and three indexes for each.
struct Events;

/// A room, and the event's id.
struct Append(i64, String);

#[async_trait]
impl Applier for Events {
    type Change = Append;
    type Outcome = ();
    type Refusal = ();
    type Work = Journal<Vec<Value>>;

    const KIND: &'static str = "events";

    async fn prepare(&self, tx: &Tx, _: &[&Append]) -> Result<Self::Work, StoreError> {
        tx.query("SELECT MAX(pos) FROM events", &[]).await?;
        Ok(Journal::default())
    }

    fn check(
        &self,
        work: &mut Self::Work,
        Append(room, event_id): &Append,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<()>, ()> {
        let pos = Value::from(context.pos().get());
        let sealed = vec![0x5a_u8; SEALED_BYTES];
        work.push(vec![
            pos,
            (*room).into(),
            event_id.as_str().into(),
            sealed.into(),
        ]);
        context.touch_room(*room);
        Ok(Verdict::Apply(()))
    }

    fn settle(&self, work: &mut Self::Work, keep: bool) {
        work.settle(keep);
    }

    fn write(&self, work: &mut Self::Work, writes: &mut Writes) -> Result<(), StoreError> {
        writes.insert(&INSERT, work.take());
        Ok(())
    }
}

type Measured<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Measured<()> {
    let folder = tempfile::tempdir()?;
    let mut out = std::io::stdout();
    let flush = flush_time(&mut tempfile::tempfile_in(folder.path())?)?;
    writeln!(out, "one fdatasync of 4 KiB: {flush:.2?}")?;
    let server = Postgres::start()?;
    let locations = [
        (
            "SQLite",
            Location::Sqlite(folder.path().join("conclave.db")),
        ),
        ("PostgreSQL", Location::Postgres(server.url())),
    ];
    for (engine, location) in locations {
        let log = start(location).await?;
        for size in [1, 16, 256] {
            let rate = of_batches(&log, size).await?;
            writeln!(out, "{engine}, batches of {size}: {rate:.0} events/s")?;
        }
        for clients in [1, 16, 256] {
            let (rate, mean) = of_clients(&log, clients).await?;
            writeln!(
                out,
                "{engine}, {clients} clients, one event each: {rate:.0} events/s, \
                 {mean:.1} in a batch"
            )?;
        }
        log.stop().await;
    }
    tokio::task::spawn_blocking(move || drop(server)).await?;
    Ok(())
}

async fn start(location: Location) -> Measured<Log> {
    let database = Database::open(DatabaseOptions {
        location,
        server_name: "localhost".to_owned(),
        migrations: vec![MIGRATIONS],
        readers: 2,
    })
    .await?;
    let log = LogBuilder::new(database, Arc::new(FakeClock::default()));
    Ok(log.register(Arc::new(Events)).start().await?)
}

/// One batch after the other, each of so many events.
async fn of_batches(log: &Log, size: i64) -> Measured<f64> {
    let (clock, before) = (Stopwatch::start(), log.applied());
    while clock.elapsed() < MEASURED {
        let mut intent = Intent::new();
        for room in 0..size {
            intent.add::<Events>(event(room % 50));
        }
        log.commit(intent).await?;
    }
    Ok(rate(before, log.applied(), &clock))
}

/// So many clients, each of which waits for its event before it sends the next. Tells the
/// events in a second and in a batch.
async fn of_clients(log: &Log, clients: i64) -> Measured<(f64, f64)> {
    let batches = batches(log).await?;
    let (clock, before) = (Stopwatch::start(), log.applied());
    let mut sending = JoinSet::new();
    for room in 0..clients {
        let (log, clock) = (log.clone(), clock);
        sending.spawn(async move {
            while clock.elapsed() < MEASURED {
                let mut intent = Intent::new();
                intent.add::<Events>(event(room % 50));
                log.commit(intent)
                    .await
                    .map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        });
    }
    for sent in sending.join_all().await {
        sent?;
    }
    let after = log.applied();
    let rate = rate(before, after, &clock);
    let batches = self::batches(log).await? - batches;
    Ok((rate, (after.get() - before.get()) as f64 / batches as f64))
}

async fn batches(log: &Log) -> Measured<i64> {
    let rows = log
        .database()
        .query("SELECT COUNT(*) FROM log", &[])
        .await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int(0))?)
}

fn rate(before: Pos, after: Pos, clock: &Stopwatch) -> f64 {
    (after.get() - before.get()) as f64 / clock.elapsed().as_secs_f64()
}

/// Ids of events are hashes: they come in no order.
fn event(room: i64) -> Append {
    Append(room, format!("${}{}", uuid::Uuid::new_v4(), "x".repeat(7)))
}

/// The disk's own speed, without which no other number says anything.
fn flush_time(file: &mut std::fs::File) -> Measured<Duration> {
    const TIMES: u32 = 200;
    let clock = Stopwatch::start();
    for _ in 0..TIMES {
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
    }
    Ok(clock.elapsed() / TIMES)
}

/// Real time: this measures a real disk.
#[derive(Clone, Copy)]
struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "measures a real disk")]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
