//! Approvals in a log on disk, checked again from what the log holds alone.

use sec0::approval::{
    ApprovalSet, Asked, Binding, Case, Cast, Choice, Escalation, EscalationId, Evidence, History,
    Member, Moment, Shown, Statement, Strategy, Terms, TimeoutAction, Vote, tally,
};
use sec0::audit::{Event, FileSink, Log, LogOptions, Site, Totals, Verifier, VerifyError};
use sec0::call::{Severity, SpanIds};
use sec0::clock::Timestamp;
use sec0::digest::{Digest, Fingerprint};
use sec0::{LocalDevSigner, Signer};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn asked() -> Escalation {
    let member = |id: &str, seed| Member {
        id: id.into(),
        roles: vec!["security".into()],
        public_key: LocalDevSigner::from_seed([seed; 32]).public_key(),
        principals: Vec::new(),
    };
    let terms = Terms {
        strategy: Strategy::HumanQuorum,
        min_approvals: 2,
        min_rejections: 1,
        required_roles: vec!["security".into()],
        veto_roles: Vec::new(),
        timeout_action: TimeoutAction::AutoReject,
        ttl_seconds: 3600,
        allow_unattended: false,
        approval_set_id: Some("prod".into()),
        approval_set: Some(ApprovalSet { members: vec![member("ana", 1), member("bo", 2)] }),
    };
    Escalation::new(Asked {
        id: EscalationId::from_random([5; 16]),
        binding: Binding {
            tenant: "acme".into(),
            server: "demo".into(),
            tool: "write_file@1.0".into(),
            definition: Digest::of(b"definition"),
            arguments: Fingerprint::of(b"{}", None),
            principal: "local:1000".into(),
            policy: Digest::of(b"policy"),
        },
        terms,
        reasons: vec!["fs_violation".into()],
        rules: Vec::new(),
        severity: Severity::Medium,
        created_at: NOW,
        shown: Shown { text: "{}".into(), salt: [6; 16] }.digest(),
    })
    .unwrap()
}

/// The vote of `id`, signed with the key of this seed.
fn cast(asked: &Escalation, id: &str, seed: u8) -> Cast {
    let statement = Statement::new(asked, id, Choice::Approve, NOW, "fine");
    let signer = LocalDevSigner::from_seed([seed; 32]);
    let sig = signer.sign_now(&statement.bytes().unwrap());
    Cast { vote: Vote::new(&statement, "fine", sig).unwrap(), taken_at: NOW }
}

/// Writes the creation, these votes, and the decision that the votes of both members come to.
async fn log(dir: &Path, casts: &[Cast]) -> Result<Totals, VerifyError> {
    let (asked, span) = (asked(), SpanIds::new([1; 16], [2; 8]));
    let id = *asked.id().as_bytes();
    let both = [cast(&asked, "ana", 1), cast(&asked, "bo", 2)];
    let history = History { casts: &both, ended: None };
    let verdict = tally(&Case::new(&asked, asked.terms()), &history, Moment::at(NOW));
    let signer = LocalDevSigner::from_seed([9; 32]);
    let key = signer.public_key();
    let sink = FileSink::open(dir).unwrap();
    let site = Site::middleware("acme", "30d");
    let log = Log::open(LogOptions::new(site, Arc::new(signer), sink)).unwrap();
    log.event(Event::approval_created(NOW, span, id, &asked).unwrap());
    for cast in casts {
        log.event(Event::approval_vote(NOW, span, id, cast).unwrap());
    }
    log.event(Event::approval_decided(NOW, span, id, true, &verdict).unwrap());
    log.shutdown(Duration::from_secs(30)).await.unwrap();
    Verifier::new(&[key]).unwrap().approvals(Evidence::check).verify_dir(dir)
}

#[tokio::test]
async fn a_decision_is_checked_from_the_log_alone() {
    let (dir, asked) = (tempfile::tempdir().unwrap(), asked());
    let totals = log(dir.path(), &[cast(&asked, "ana", 1), cast(&asked, "bo", 2)]).await.unwrap();
    assert_eq!((totals.events, totals.records), (4, 0));
    let files = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|file| file.extension().is_some_and(|it| it == "ndjson"));
    let text = std::fs::read_to_string(file.unwrap()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].contains(&format!("\"escalation\":{}", asked.canonical())), "{}", lines[0]);
    for (line, kind) in lines.iter().zip(["created", "vote", "vote", "decided"]) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["event"], format!("approval_{kind}"));
        assert_eq!(line["escalation_id"], asked.id().to_string());
        assert_eq!(line["status"], "ok");
    }
}

#[tokio::test]
async fn a_log_with_a_forged_or_a_missing_vote_does_not_hold() {
    let asked = asked();
    let ana = cast(&asked, "ana", 1);
    let cases = [
        (vec![ana.clone(), cast(&asked, "bo", 1)], ":3: ", "not one of a member"),
        (vec![ana], ":3: ", "does not follow"),
    ];
    for (casts, place, why) in cases {
        let dir = tempfile::tempdir().unwrap();
        let error = log(dir.path(), &casts).await.unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(why), "{error}");
    }
}
