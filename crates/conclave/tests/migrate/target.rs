//! Where a deployment moves to.

use std::process::Output;

use testkit::{
    s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY},
    server::{Engine, TestServer},
};
use tokio_postgres::NoTls;

use crate::places::{empty_place, key};

/// A server on an empty PostgreSQL database, with the master key of another and what the scene
/// needs.
pub(crate) async fn target(of: &TestServer) -> TestServer {
    let mut target = empty_place(Engine::Postgres).await;
    target.set("seal.key_file", key(of).to_str().unwrap());
    target.set("push.allow_private_addresses", "true");
    let files = of.data_dir().join("files");
    target.set("files.url", &format!("file://{}", files.display()));
    target
}

/// The database of a target.
pub(crate) fn url(target: &TestServer) -> String {
    target.database_url().unwrap().to_owned()
}

/// Lets both sides know the keys of S3; gives the place of files.
pub(crate) fn with_s3(source: &mut TestServer, target: &mut TestServer, s3: &S3Server) -> String {
    let place = format!("{}&prefix=moved", s3.url());
    for server in [source, &mut *target] {
        server.set("files.access_key_id", ACCESS_KEY_ID);
        server.set("files.secret_access_key", SECRET_ACCESS_KEY);
    }
    target.set("files.url", &place);
    place
}

/// Moves, and gives what came of it. Without files they stay where they are.
pub(crate) async fn migrate(source: &TestServer, to: &str, files: Option<&str>) -> Output {
    let child = source.begin_command(&arguments(to, files));
    child.wait_with_output().await.unwrap()
}

pub(crate) fn arguments<'a>(to: &'a str, files: Option<&'a str>) -> Vec<&'a str> {
    let mut arguments = vec!["migrate", "--to", to];
    arguments.extend(files.into_iter().flat_map(|files| ["--files", files]));
    arguments
}

/// Runs statements in a database, beside whoever uses it.
pub(crate) async fn run_sql(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    driving.await.unwrap().unwrap();
}
