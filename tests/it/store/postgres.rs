//! What only a server can do: go away and come back.

use shuntyard::store::{Store, StoreError, StoreOptions, StoreUrl, job_find, job_insert};

use super::samples::job;
use super::{Database, WorkError, number};
use crate::support::postgres::{cluster, fresh_database};

/// Ends every other session of the database, as a restart of the server does.
fn cut(url: &StoreUrl) {
    let StoreUrl::Postgres(uri) = url else { panic!("{url}") };
    let name = uri.rsplit('/').next().unwrap();
    cluster().sql(name, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_go_on_after_the_connections_broke() {
    let db = Database::postgres();
    let store = db.open();
    for number in 1..=5 {
        store.write(move |c| job_insert(c, &job(number))).await.unwrap();
        let id = job(number).id;
        assert_eq!(store.read(move |c| job_find(c, id)).await.unwrap(), Some(job(number)));
        cut(&db.url);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_in_a_batch_fails_the_batch_and_nothing_after_it() {
    let db = Database::postgres();
    let store = db.open();
    let url = db.url.clone();
    let answer = store
        .write(move |c| {
            job_insert(c, &job(1))?;
            cut(&url);
            Ok::<_, StoreError>(())
        })
        .await;
    assert!(matches!(answer, Err(StoreError::Commit { .. })), "{answer:?}");
    assert_eq!(store.read(|c| job_find(c, job(1).id)).await.unwrap(), None);
    store.write(|c| job_insert(c, &job(2))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_reached_by_its_socket_needs_no_tls() {
    let name = fresh_database().rsplit('/').next().unwrap().to_owned();
    let cluster = cluster();
    let uri = format!("postgres:///{name}?host={}&port={}&user=postgres", cluster.dir.display(), cluster.port);
    let store = Store::open(&StoreUrl::parse(&uri).unwrap(), StoreOptions::default()).unwrap();
    store.write(|c| job_insert(c, &job(1))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_waits_for_the_disk_although_the_server_would_not() {
    let db = Database::postgres();
    let StoreUrl::Postgres(uri) = &db.url else { panic!() };
    let name = uri.rsplit('/').next().unwrap();
    cluster().sql("postgres", &format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    let waits = "SELECT count(*) AS n FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'on'";
    assert_eq!(db.open().write(move |c| number(c, waits)).await.map_err(|e: WorkError| e.to_string()), Ok(1));
}

#[test]
fn a_server_that_is_not_there_is_said_so_in_time() {
    let url = StoreUrl::parse("postgres://postgres@127.0.0.1:1/none").unwrap();
    let refused = Store::open(&url, StoreOptions::default()).err().expect("nobody listens on port 1");
    assert!(matches!(refused, StoreError::Connect { .. }), "{refused:?}");
}
