use super::*;
use crate::clock::Timestamp;
use crate::dedupe::{
    Asked, Begun, Bounds, DedupeOptions, DedupeStore as _, Ending, Scope, StoreError, Ticket,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn asked(key: &str, arguments: u8) -> Arc<Asked> {
    let scope = Scope {
        tenant: "acme",
        principal: "user:ana",
        server: "demo",
        tool: "pay",
        version: Some("1.0"),
        key,
    };
    Arc::new(Asked::new(&scope, key, [arguments; 32]))
}

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(dir, Bounds::default()).unwrap()
}

async fn begin(store: &SqliteStore, key: &str, arguments: u8) -> Begun {
    store.begin(&asked(key, arguments), NOW).await.unwrap()
}

fn first(begun: Begun) -> Ticket {
    let Begun::First(ticket) = begun else { panic!("{begun:?}") };
    ticket
}

async fn done(store: &SqliteStore, key: &str) {
    let ticket = first(begin(store, key, 1).await);
    ticket.end(Ending::Done(Some(b"paid".to_vec())), NOW).await.unwrap();
}

fn refused(dir: &TempDir) -> String {
    let error = SqliteStore::open(dir.path(), Bounds::default()).unwrap_err();
    let shown = dir.path().canonicalize().unwrap().display().to_string();
    error.to_string().replace(&shown, "DIR")
}

#[tokio::test]
async fn a_result_survives_the_store_that_kept_it() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    done(&store, "k").await;
    drop(store);
    let store = open(dir.path());
    assert!(matches!(begin(&store, "k", 1).await, Begun::Stored(result) if result == b"paid"));
    assert!(matches!(begin(&store, "k", 2).await, Begun::OtherArguments));
}

#[tokio::test]
async fn two_stores_on_one_directory_give_a_key_to_one_caller() {
    let dir = tempdir().unwrap();
    let stores = [open(dir.path()), open(dir.path())];
    for round in 0..20 {
        let key = round.to_string();
        let asks = stores.iter().cycle().take(16).map(|store| begin(store, &key, 1));
        let begun = futures::future::join_all(asks).await;
        let firsts = begun.iter().filter(|begun| matches!(begun, Begun::First(_))).count();
        assert_eq!(firsts, 1, "{begun:?}");
    }
}

#[tokio::test]
async fn a_ticket_that_nobody_received_is_given_back() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    for _ in 0..50 {
        drop(store.begin(&asked("k", 1), NOW));
    }
    store.flush().await.unwrap();
    store.flush().await.unwrap();
    first(begin(&store, "k", 2).await);
}

#[tokio::test]
async fn files_are_for_the_owner_alone() {
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), "").unwrap();
    std::fs::set_permissions(dir.path().join(FILE), PermissionsExt::from_mode(0o644)).unwrap();
    let store = open(dir.path());
    done(&store, "k").await;
    for name in [FILE, "sec0.db-wal", "sec0.db-shm"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let owners = std::fs::metadata(dir.path().join("sec0.db-owners")).unwrap();
    assert_eq!(owners.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_link_in_the_place_of_the_file_is_refused() {
    let (dir, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    std::fs::write(elsewhere.path().join("x"), "").unwrap();
    symlink(elsewhere.path().join("x"), dir.path().join(FILE)).unwrap();
    assert_eq!(
        refused(&dir),
        "`DIR/sec0.db` cannot be opened: it is not a regular file; remove it"
    );
}

#[test]
fn a_file_that_is_no_database_or_damaged_is_refused_and_left_alone() {
    let dir = tempdir().unwrap();
    let text = "this is a text and no database, however often it is said. ".repeat(20);
    std::fs::write(dir.path().join(FILE), &text).unwrap();
    assert_eq!(
        refused(&dir),
        "`DIR/sec0.db` cannot be opened: it is damaged, or no database; move it away with \
         `sec0.db-wal` and `sec0.db-shm`"
    );
    assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), text);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let dir = tempdir().unwrap();
    let other = Connection::open(dir.path().join(FILE)).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    assert_eq!(refused(&dir), "`DIR/sec0.db` is a database, but not one of sec0; move it away");
    let tables: i64 =
        other.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_schema_of_a_later_version_is_refused() {
    let dir = tempdir().unwrap();
    drop(open(dir.path()));
    let file = Connection::open(dir.path().join(FILE)).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    assert_eq!(
        refused(&dir),
        "`DIR/sec0.db` has schema version 99, and this version of sec0 knows 4; use the newer \
         sec0, or another audit directory"
    );
}

#[tokio::test]
async fn a_stored_result_that_was_changed_is_not_given_back() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    done(&store, "k").await;
    let file = Connection::open(dir.path().join(FILE)).unwrap();
    assert_eq!(file.execute("UPDATE dedupe SET result = x'00'", ()).unwrap(), 1);
    let answer = store.begin(&asked("k", 1), NOW).await;
    assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
}

#[tokio::test]
async fn what_a_store_holds_is_counted_whoever_changes_it() {
    let dir = tempdir().unwrap();
    let bounds = DedupeOptions::default().max_keys(4).max_stored_bytes(8).bounds();
    let store = SqliteStore::open(dir.path(), bounds).unwrap();
    done(&store, "a").await;
    done(&store, "b").await;
    assert!(matches!(begin(&store, "a", 1).await, Begun::Stored(_)));
    assert!(matches!(begin(&store, "b", 1).await, Begun::NotKept), "half of all bytes is 4");
    let full = store.begin(&asked("c", 1), NOW).await;
    assert_eq!(full.unwrap_err(), StoreError::Full, "half of all keys is two");
    // Their time is over: they go with the next key, and make room for it.
    let later = Timestamp::from_millis(NOW.as_millis() + 1_800_000);
    assert!(matches!(store.begin(&asked("c", 1), later).await, Ok(Begun::First(_))));
    store.flush().await.unwrap();
    store.flush().await.unwrap();
    let file = Connection::open(dir.path().join(FILE)).unwrap();
    let left = |what: &str| -> (i64, i64) {
        file.query_row(what, (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let held = left("SELECT count(*), ifnull(sum(length(result)), 0) FROM dedupe");
    assert_eq!(held, left("SELECT keys, bytes FROM dedupe_used WHERE share = x''"));
    assert_eq!(held, (0, 0));
}

#[tokio::test]
async fn an_end_that_could_not_be_written_is_written_later() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let ticket = first(begin(&store, "k", 1).await);
    let file = Connection::open(dir.path().join(FILE)).unwrap();
    // What a full disk does, for one row.
    file.execute_batch(
        "CREATE TRIGGER no BEFORE UPDATE ON dedupe BEGIN SELECT raise(ABORT, 'no room'); END",
    )
    .unwrap();
    let ended = ticket.end(Ending::Done(Some(b"paid".to_vec())), NOW).await;
    assert!(matches!(ended, Err(StoreError::Failed(_))), "{ended:?}");
    assert!(matches!(begin(&store, "k", 1).await, Begun::Running), "nothing else is known yet");
    file.execute_batch("DROP TRIGGER no").unwrap();
    assert!(matches!(begin(&store, "other", 1).await, Begun::First(_)));
    assert!(matches!(begin(&store, "k", 1).await, Begun::NotKept), "it has run");
}

/// Not a test: the other process of the next one.
#[tokio::test]
#[ignore = "another test starts it as a process of its own"]
#[expect(clippy::disallowed_methods, reason = "how its parent tells it where to work")]
async fn holds_a_key_until_it_is_killed() {
    let Ok(dir) = std::env::var("SEC0_TEST_DIR") else { return };
    let store = open(Path::new(&dir));
    let ticket = first(begin(&store, "k", 1).await);
    eprintln!("holds it");
    std::io::stdin().lines().next();
    drop(ticket);
}

#[tokio::test]
async fn a_key_of_a_killed_process_is_unknown_until_it_is_released() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::sqlite::tests::holds_a_key_until_it_is_killed"])
        .args(["--ignored", "--nocapture"])
        .env("SEC0_TEST_DIR", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "holds it"), "the child ended");

    let mut desk = KeyDesk::open(dir.path()).unwrap();
    let id = asked("k", 1).key.to_string();
    assert!(matches!(begin(&store, "k", 1).await, Begun::Running));
    assert_eq!(desk.unknown().unwrap(), []);
    assert_eq!(desk.release(&id).unwrap(), Freed::NotUnknown);

    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(begin(&store, "k", 1).await, Begun::Unknown));
    assert!(matches!(begin(&open(dir.path()), "k", 1).await, Begun::Unknown));
    let held = desk.unknown().unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((&*held[0].id, &*held[0].about.key, held[0].since), (&*id, "k", NOW));
    assert_eq!(desk.release("nonsense").unwrap(), Freed::NotFound);
    assert_eq!(desk.release(&id).unwrap(), Freed::Released);
    assert_eq!(desk.release(&id).unwrap(), Freed::NotFound);
    first(begin(&store, "k", 1).await);
}

#[test]
fn the_desk_makes_no_file() {
    let dir = tempdir().unwrap();
    assert!(matches!(KeyDesk::open(dir.path()), Err(DbError::Missing(_))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_order_of_calls_and_endings_is_told_what_the_rule_says(moves in vec(any::<u64>(), 0..60)) {
        let dir = tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let release = |_: &SqliteStore, key: &crate::dedupe::DedupeKey| {
            let freed = KeyDesk::open(dir.path()).unwrap().release(&key.to_string());
            freed.unwrap() == Freed::Released
        };
        runtime.block_on(crate::dedupe::walk(&open(dir.path()), &moves, release));
    }
}
