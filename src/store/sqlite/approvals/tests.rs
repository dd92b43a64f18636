use super::{lines, room, rows, store::SqliteApprovals};
use crate::approval::tests::stores::*;
use crate::approval::*;
use crate::store::sqlite::{ApprovalDesk, Found, Which, file};
use std::path::Path;
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
    assert_eq!(desk.find(&id.to_string()[..20].to_uppercase()).unwrap(), Found::One(id));
    let waits = tokio::spawn(store.changed(id, opened.kept.version));
    for who in ["bo", "cy"] {
        let vote = vote_of(&asked.escalation, who, Choice::Approve, 10);
        let voted = desk.vote(vote, at_second(10)).unwrap();
        assert!(matches!(voted, Voted::Counted(_)), "{voted:?}");
    }
    let seen = waits.await.unwrap().unwrap();
    assert!(!seen.casts.is_empty());
    assert!(desk.list(Which::Pending, 10).unwrap().is_empty());

    let moment = Moment::at(at_second(11));
    let spend = || store.spend(id, presentation(&asked.escalation), moment);
    let spent = spend().await.unwrap().unwrap();
    assert_eq!(spent.verdict.finalization, Some(Finalization::QuorumReached));
    assert_eq!(spent.kept.spent_at, Some(at_second(11)));
    assert_eq!(spend().await.unwrap(), Err(Unspendable::Spent));

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
    let others = lines::STATEMENTS.iter().chain(&room::STATEMENTS).map(|&text| text.to_owned());
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
