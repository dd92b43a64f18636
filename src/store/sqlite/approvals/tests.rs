use super::{lines, room, rounds, rows, store::SqliteApprovals};
use crate::approval::tests::model;
use crate::approval::tests::stores::*;
use crate::approval::*;
use crate::dedupe::Bounds;
use crate::store::sqlite::{
    ApprovalDesk, DbError, FILE, Found, KeyDesk, SqliteStore, Which, file, schema,
};
use proptest::prelude::*;
use rusqlite::Connection;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

fn open(dir: &Path) -> SqliteApprovals {
    SqliteApprovals::open(dir, ApprovalBounds::default()).unwrap()
}

#[tokio::test]
async fn a_call_is_asked_decided_at_the_desk_and_spent_once() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let asked = asking(By::Two, 1, 1, 0);
    let opened = store.ask(asked.clone(), at_second(0)).await.unwrap();
    assert!(opened.is_new);
    let again = store.ask(asking(By::Two, 1, 2, 5), at_second(5)).await.unwrap();
    assert_eq!((again.is_new, again.kept), (false, opened.kept.clone()));

    let desk = ApprovalDesk::open(dir.path()).unwrap();
    let listed = desk.list(Which::Pending, 10).unwrap();
    assert_eq!((&listed[0].kept, &listed[0].shown), (&opened.kept, &asked.shown));
    let id = asked.escalation.id();
    assert_eq!(
        desk.find(&format!("{:.20}", id.to_string().to_uppercase())).unwrap(),
        Found::One(id)
    );
    let waits = spawn(store.changed(id, opened.kept.version));
    for who in ["bo", "cy"] {
        let vote = vote_of(&asked.escalation, who, Choice::Approve, 10);
        let voted = desk.vote(vote, at_second(10)).unwrap();
        assert!(matches!(voted, Voted::Counted(_)), "{voted:?}");
    }
    let seen = waits.await.unwrap().unwrap();
    assert!(!seen.casts.is_empty());
    assert!(desk.list(Which::Pending, 10).unwrap().is_empty());

    let moment = Moment::at(at_second(11));
    let once = || store.spend(id, presentation(&asked.escalation), moment);
    let spent = once().await.unwrap().unwrap();
    assert_eq!(spent.verdict.finalization, Some(Finalization::QuorumReached));
    assert_eq!(spent.kept.spent_at, Some(at_second(11)));
    assert_eq!(once().await.unwrap(), Err(Unspendable::Spent));

    let lines = store.lines("", 0).await.unwrap();
    let about: Vec<_> = lines.iter().map(|line| line.about).collect();
    let granted = LineAbout::Decided { granted: true };
    assert_eq!(about, [LineAbout::Created, LineAbout::Voted, LineAbout::Voted, granted]);
    let mut evidence = Evidence::default();
    evidence.created(&lines[0].body).unwrap();
    evidence.vote(&lines[1].body).unwrap();
    evidence.vote(&lines[2].body).unwrap();
    evidence.decided(id, &lines[3].body).unwrap();
    store.recorded("", lines[2].number).await.unwrap();
    assert_eq!(store.lines("", 0).await.unwrap(), lines[3..]);
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let dir = tempdir().unwrap();
    let db = file::open(dir.path(), true).unwrap();
    let others = lines::STATEMENTS
        .iter()
        .chain(&room::STATEMENTS)
        .chain(&rounds::STATEMENTS)
        .map(|&text| text.to_owned());
    for statement in rows::statements().into_iter().chain(others) {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let mut steps = plan.raw_query();
        while let Some(step) = steps.next().unwrap() {
            let step: String = step.get(3).unwrap();
            let is_slow = (step.contains("SCAN") && !step.contains("approvals_pending"))
                || step.contains("TEMP B-TREE");
            assert!(!is_slow, "{statement}: {step}");
        }
    }
}

#[tokio::test]
async fn the_file_keeps_its_bounds() {
    let dirs: [_; 3] = std::array::from_fn(|_| tempdir().unwrap());
    let next = std::cell::Cell::new(0);
    keeps_its_bounds(|bounds| {
        let dir = dirs[next.replace(next.get() + 1)].path();
        Arc::new(SqliteApprovals::open(dir, bounds).unwrap())
    })
    .await;
}

#[tokio::test]
async fn the_file_makes_room_with_what_was_used() {
    let bounds = ApprovalBounds::default().max_rows(8);
    let (dir, other) = (tempdir().unwrap(), tempdir().unwrap());
    let open = |dir: &Path| Arc::new(SqliteApprovals::open(dir, bounds).unwrap());
    what_was_used_makes_room(open(dir.path())).await;
    a_rejection_stays(open(other.path())).await;
}

#[tokio::test]
async fn the_file_gives_all_that_is_overdue() {
    let dir = tempdir().unwrap();
    gives_all_that_is_overdue(Arc::new(open(dir.path()))).await;
}

#[tokio::test]
async fn a_damaged_row_is_named_and_passed_over() {
    for (change, what) in [
        ("UPDATE approvals SET escalation = '{' WHERE number = 2", "its question does not read"),
        ("UPDATE approvals SET escalation = CAST(x'ff' AS TEXT) WHERE number = 2", "is no text"),
        ("UPDATE approvals SET sha256 = zeroblob(32) WHERE number = 2", "was changed"),
        ("UPDATE approvals SET ended = 'quorum' WHERE number = 2", "its end is none"),
        ("UPDATE approvals SET votes = 1 WHERE number = 2", "votes are missing"),
        ("UPDATE approvals SET shown = 'x' WHERE number = 2", "what approvers were shown"),
    ] {
        let dir = tempdir().unwrap();
        let store = open(dir.path());
        for id in 1..=3 {
            let call = u8::try_from(id).unwrap();
            store.ask(asking(By::Two, call, id, 0), at_second(0)).await.unwrap();
        }
        let file = Connection::open(dir.path().join(FILE)).unwrap();
        assert_eq!(file.execute(change, ()).unwrap(), 1, "{change}");
        let desk = ApprovalDesk::open(dir.path()).unwrap();
        let listed = desk.list(Which::All, 9).unwrap();
        let ids: Vec<_> = listed.iter().map(|it| it.kept.escalation.id()).collect();
        assert_eq!(ids, [id_of(1), id_of(3)], "{change}");
        let damaged = desk.damaged();
        assert_eq!((damaged.len(), &*damaged[0].id), (1, &*id_of(2).to_string()), "{change}");
        assert!(damaged[0].what.contains(what), "{}", damaged[0]);
        assert_eq!(desk.count(Which::All).unwrap(), 3);
        let shown = desk.show(id_of(2)).unwrap_err();
        assert!(shown.to_string().contains(&damaged[0].id), "{shown}");

        // What is decided and shown to nobody is not looked at by the server.
        if change.contains("ended") || change.contains("shown") {
            continue;
        }
        let overdue = store.overdue("", None, at_second(1000)).await.unwrap();
        let ids: Vec<_> = overdue.iter().map(|kept| kept.escalation.id()).collect();
        assert_eq!(ids, [id_of(1), id_of(3)], "{change}");
        let asked = asking(By::Two, 2, 22, 0);
        let spent =
            store.spend(id_of(2), presentation(&asked.escalation), Moment::at(at_second(1)));
        assert!(matches!(spent.await, Err(StoreError::Failed(_))), "{change}");
        assert!(store.ask(asked, at_second(1)).await.unwrap().is_new, "it is asked anew");
    }
}

#[tokio::test]
async fn a_damaged_line_has_no_body_and_those_behind_it_come() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    for id in 1..=2 {
        let call = u8::try_from(id).unwrap();
        store.ask(asking(By::Two, call, id, 0), at_second(0)).await.unwrap();
    }
    let file = Connection::open(dir.path().join(FILE)).unwrap();
    let change = "UPDATE approval_lines SET body = CAST(x'ff' AS TEXT) WHERE number = 1";
    assert_eq!(file.execute(change, ()).unwrap(), 1);
    let lines = store.lines("", 0).await.unwrap();
    let found: Vec<_> = lines.iter().map(|line| (line.id, line.body.is_empty())).collect();
    assert_eq!(found, [(id_of(1), true), (id_of(2), false)]);
}

#[tokio::test]
async fn the_file_gives_each_round_once_and_bounds_them() {
    let (dir, other) = (tempdir().unwrap(), tempdir().unwrap());
    gives_each_round_once(Arc::new(open(dir.path()))).await;
    bounds_the_rounds(Arc::new(open(other.path()))).await;
}

#[tokio::test]
async fn of_two_handles_that_take_a_round_one_gets_it() {
    let dir = tempdir().unwrap();
    let (here, there) = (open(dir.path()), open(dir.path()));
    let call = asking(By::Two, 1, 1, 0).escalation.binding().call_key().unwrap();
    let (now, until) = (at_second(1), at_second(10));
    for number in 0..100 {
        let id = RoundId::from_random([number; 16]);
        let next = NextRound {
            call,
            share: [1; 32],
            escalation: id_of(1),
            until,
            about: RoundAbout::Approval,
        };
        here.expect_round(id, Arc::new(next), now).await.unwrap();
        let both = [spawn(here.take_round(id, call, now)), spawn(there.take_round(id, call, now))];
        let both = futures::future::try_join_all(both).await.unwrap();
        let none = both.iter().filter(|taken| **taken == Ok(TakenRound::None)).count();
        assert_eq!(none, 1, "{both:?}");
    }
}

#[tokio::test]
async fn the_file_wakes_who_waits() {
    let dir = tempdir().unwrap();
    wakes_who_waits(Arc::new(open(dir.path()))).await;
}

#[tokio::test]
async fn a_change_of_another_handle_wakes_who_waits() {
    let dir = tempdir().unwrap();
    let (here, there) = (open(dir.path()), open(dir.path()));
    let asked = asking(By::Two, 1, 1, 0);
    let id = asked.escalation.id();
    let opened = here.ask(asked.clone(), at_second(0)).await.unwrap();
    let (mut version, mut round, mut latest) = (opened.kept.version, 1, 0);
    let mut others = Vec::new();
    for other in 100..120 {
        let kept = there.ask(asking(By::Two, 100, other, 60 * round), at_second(60 * round)).await;
        others.push(kept.unwrap().kept);
        round += 1;
    }
    let mut never = std::pin::pin!(here.changed(others[0].escalation.id(), others[0].version));
    latest = here.stirred(latest).await.unwrap();
    for who in ["bo", "cy"] {
        // The thread slept or looked: either way the change is seen.
        let waits = spawn(here.changed(id, version));
        let log = spawn(here.stirred(latest));
        let vote = vote_of(&asked.escalation, who, Choice::Approve, 1);
        there.vote(vote, at_second(1)).await.unwrap();
        version = waits.await.unwrap().unwrap().version;
        latest = log.await.unwrap().unwrap();
    }
    assert!(futures::poll!(never.as_mut()).is_pending());
}

#[test]
fn the_thread_ends_with_the_last_handle() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (waiters, again) = (store.waiters(), store.clone());
    drop(store);
    assert!(waiters.upgrade().is_some());
    drop(again);
    while waiters.upgrade().is_some() {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn both_stores_of_one_process_share_a_connection() {
    let dir = tempdir().unwrap();
    let keys = SqliteStore::open(dir.path(), Bounds::default()).unwrap();
    let store = SqliteApprovals::beside(&keys, ApprovalBounds::default()).unwrap();
    drop(keys);
    assert!(store.ask(asking(By::Two, 1, 1, 0), at_second(0)).await.unwrap().is_new);
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_to_this_one_with_its_keys() {
    let dir = tempdir().unwrap();
    let old = Connection::open(dir.path().join(FILE)).unwrap();
    old.execute_batch(schema::KEYS).unwrap();
    old.pragma_update(None, "application_id", 0x7365_6330).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute_batch(
        "INSERT INTO dedupe VALUES (zeroblob(32), zeroblob(32), zeroblob(32), zeroblob(16), \
         zeroblob(16), 2, 7, NULL, NULL, NULL, 'user:ana', 'demo', 'pay', 'k')",
    )
    .unwrap();
    drop(old);
    let store = open(dir.path());
    assert!(store.ask(asking(By::Two, 1, 1, 0), at_second(0)).await.unwrap().is_new);
    let keys = KeyDesk::open(dir.path()).unwrap().unknown().unwrap();
    assert_eq!(&*keys[0].about.key, "k");
}

#[tokio::test]
async fn a_row_that_was_changed_is_refused() {
    for change in [
        "UPDATE approvals SET escalation = replace(escalation, '\"large_sum\"', '\"small_sum\"')",
        "UPDATE approvals SET escalation = escalation || ' '",
        "UPDATE approvals SET sha256 = zeroblob(32)",
        "UPDATE approvals SET id = x'00000000000000020000000000000007'",
        "UPDATE approvals SET ended = 'approved_by_magic'",
        "DELETE FROM approval_votes",
        "UPDATE approval_votes SET body = replace(body, 'approve', 'reject ')",
    ] {
        let dir = tempdir().unwrap();
        let store = open(dir.path());
        let asked = asking(By::Two, 1, 1, 0);
        store.ask(asked.clone(), at_second(0)).await.unwrap();
        let vote = vote_of(&asked.escalation, "bo", Choice::Approve, 1);
        store.vote(vote, at_second(1)).await.unwrap();
        let file = Connection::open(dir.path().join(FILE)).unwrap();
        assert_eq!(file.execute(change, ()).unwrap(), 1, "{change}");
        let id = if change.contains("SET id") { id_of(2) } else { id_of(1) };
        let moment = Moment::at(at_second(2));
        let spent = store.spend(id, presentation(&asked.escalation), moment).await;
        assert!(matches!(spent, Err(StoreError::Failed(_))), "{change}: {spent:?}");
    }
}

#[tokio::test]
async fn an_approval_that_was_written_into_the_file_permits_nothing() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let asked = asking(By::Two, 1, 1, 0);
    store.ask(asked.clone(), at_second(0)).await.unwrap();
    let file = Connection::open(dir.path().join(FILE)).unwrap();
    file.execute("UPDATE approvals SET ended = 'quorum_reached'", ()).unwrap();
    let moment = Moment::at(at_second(2));
    let spent = store.spend(id_of(1), presentation(&asked.escalation), moment).await.unwrap();
    assert_eq!(spent.unwrap_err(), Unspendable::NotApproved(Status::Pending));
}

#[tokio::test]
async fn a_desk_lists_finds_and_waits() {
    let dir = tempdir().unwrap();
    assert!(matches!(ApprovalDesk::open(dir.path()), Err(DbError::Missing(_))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let store = open(dir.path());
    let desk = ApprovalDesk::open(dir.path()).unwrap();
    for (call, by) in [(1, By::Two), (2, By::Two), (3, By::Nobody), (4, By::Two)] {
        store.ask(asking(by, call, u64::from(call), 0), at_second(0)).await.unwrap();
    }
    assert!(desk.wait(Duration::ZERO).unwrap());
    assert!(!desk.wait(Duration::ZERO).unwrap());
    let ids = |which, at_most| -> Vec<_> {
        let listed = desk.list(which, at_most).unwrap();
        listed.iter().map(|listed| listed.kept.escalation.id()).collect()
    };
    assert_eq!(ids(Which::Pending, 9), [id_of(1), id_of(2), id_of(4)]);
    assert_eq!(ids(Which::Pending, 2), [id_of(2), id_of(4)], "the newest, and the newest last");
    assert_eq!(ids(Which::All, 9), [id_of(1), id_of(2), id_of(3), id_of(4)]);
    assert_eq!(desk.show(id_of(3)).unwrap().unwrap().kept.status(), Status::Approved);
    assert_eq!(desk.show(id_of(9)).unwrap(), None);
    for (prefix, found) in [
        ("000000", Found::Several),
        ("0000000000000002", Found::One(id_of(2))),
        (&id_of(4).to_string(), Found::One(id_of(4))),
        ("0000000f", Found::None),
        ("00000", Found::NoPrefix),
        ("00000g", Found::NoPrefix),
        (&"0".repeat(33), Found::NoPrefix),
    ] {
        assert_eq!(desk.find(prefix).unwrap(), found, "{prefix}");
    }
    let asked = asking(By::Two, 9, 9, 0);
    let vote = vote_of(&asked.escalation, "bo", Choice::Approve, 1);
    assert_eq!(desk.vote(vote, at_second(1)).unwrap(), Voted::NotFound);
    assert!(!desk.wait(Duration::ZERO).unwrap());
    store.ask(asked, at_second(1)).await.unwrap();
    assert!(desk.wait(Duration::from_mins(1)).unwrap());
}

/// How many grants the tests of races are about.
fn rounds() -> u64 {
    if std::env::var_os("SEC0_LONG").is_some() { 10_000 } else { 200 }
}

/// One grant after the other, all the time from the same moment: how many of them were spent here.
async fn spend_all(store: &SqliteApprovals, grants: u64) -> Vec<u64> {
    let mut won = Vec::new();
    for id in 0..grants {
        let asked = asking_of(By::Nobody, 1, id, 0, &id.to_string());
        let moment = Moment::at(at_second(1));
        match store.spend(id_of(id), presentation(&asked.escalation), moment).await.unwrap() {
            Ok(_) => won.push(id),
            Err(why) => assert_eq!(why, Unspendable::Spent),
        }
    }
    won
}

async fn grant_all(store: &SqliteApprovals, grants: u64) {
    for id in 0..grants {
        let asked = asking_of(By::Nobody, 1, id, 0, &id.to_string());
        assert!(store.ask(asked, at_second(0)).await.unwrap().is_new);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_handles_that_race_for_a_grant_one_spends_it() {
    let dir = tempdir().unwrap();
    let (one, other) = (open(dir.path()), open(dir.path()));
    grant_all(&one, rounds()).await;
    let one = spawn(async move { spend_all(&one, rounds()).await });
    let theirs = spend_all(&other, rounds()).await;
    let mut all = [one.await.unwrap(), theirs].concat();
    all.sort_unstable();
    assert_eq!(all, (0..rounds()).collect::<Vec<_>>());
}

/// Not a test: the other process of the next one.
#[tokio::test]
#[ignore = "another test starts it as a process of its own"]
#[expect(clippy::disallowed_methods, reason = "how its parent tells it where to work")]
async fn spends_what_it_can() {
    let Ok(dir) = std::env::var("SEC0_TEST_DIR") else { return };
    let store = open(Path::new(&dir));
    eprintln!("ready");
    std::io::stdin().lines().next();
    let won = spend_all(&store, rounds()).await;
    eprintln!("{}", won.iter().map(u64::to_string).collect::<Vec<_>>().join(","));
}

#[tokio::test]
async fn of_two_processes_that_race_for_a_grant_one_spends_it() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    grant_all(&store, rounds()).await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::sqlite::approvals::tests::spends_what_it_can"])
        .args(["--ignored", "--nocapture"])
        .env("SEC0_TEST_DIR", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "ready"), "the child ended");
    drop(child.stdin.take());
    let mut all = spend_all(&store, rounds()).await;
    let theirs = said.next().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
    all.extend(theirs.split(',').filter_map(|id| id.parse::<u64>().ok()));
    all.sort_unstable();
    assert_eq!(all, (0..rounds()).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn two_handles_of_one_file_do_what_the_automaton_does(steps in model::steps()) {
        let dir = tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(model::walk(|| Arc::new(open(dir.path())), steps));
    }
}
