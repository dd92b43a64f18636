//! The desk at which people decide: the real command on a store that a server could use.

mod serving;
mod story;
mod strangers;
mod watching;

use super::{Desk, Run};
use sec0::approval::{
    ApprovalBounds, ApprovalSet, ApprovalStore as _, Asked, Asking, Binding, Escalation,
    EscalationId, Member, Shown, Strategy, Terms, TimeoutAction,
};
use sec0::call::Severity;
use sec0::clock::{System, Timestamp};
use sec0::digest::{Digest, Fingerprint};
use sec0::sign::key_file;
use sec0::store::sqlite::SqliteApprovals;
use serde_json::{Value, json};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

/// Who may decide: for ana and bo both roles that it takes; cy has a veto; dan is the caller.
const PEOPLE: [(&str, &str, &[&str]); 4] = [
    ("ana", "security", &[]),
    ("bo", "finance", &[]),
    ("cy", "legal", &[]),
    ("dan", "finance", &["local:1000"]),
];

/// A store, and the keys of those who decide.
struct Approvals {
    desk: Desk,
    store: SqliteApprovals,
    runtime: tokio::runtime::Runtime,
}

impl Approvals {
    fn new() -> Self {
        let desk = Desk::new();
        for (name, ..) in PEOPLE {
            desk.run(&["keygen", "--out", name]).ended(0);
        }
        DirBuilder::new().mode(0o700).create(desk.path(".sec0")).unwrap();
        let store = SqliteApprovals::open(&desk.path(".sec0"), ApprovalBounds::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { desk, store, runtime }
    }

    fn terms(&self) -> Terms {
        let words = |words: &[&str]| words.iter().copied().map(Into::into).collect();
        let member = |(id, role, principals): (&str, &str, &[&str])| Member {
            id: id.into(),
            roles: words(&[role]),
            public_key: key_file::read_public(&self.desk.path(&format!("{id}.pub"))).unwrap(),
            principals: words(principals),
        };
        Terms {
            strategy: Strategy::HumanQuorum,
            min_approvals: 2,
            min_rejections: 2,
            required_roles: words(&["security", "finance"]),
            veto_roles: words(&["legal"]),
            timeout_action: TimeoutAction::AutoReject,
            ttl_seconds: 3600,
            allow_unattended: false,
            approval_set_id: Some("prod".into()),
            approval_set: Some(ApprovalSet { members: PEOPLE.map(member).into() }),
        }
    }

    /// Asks for a payment of this sum, with an id that begins so.
    fn ask(&self, first: u8, sum: u32) -> EscalationId {
        let arguments = json!({ "api_key": "hunter22", "sum": sum, "to": "a\u{202e}b" });
        let shown = Shown::of(arguments.as_object(), [9; 16]);
        self.ask_with(
            first,
            now(),
            |asked| {
                asked.shown = shown.digest();
                asked.binding.arguments = Fingerprint::of(arguments.to_string().as_bytes(), None);
            },
            shown.clone(),
        )
    }

    fn ask_with(
        &self,
        first: u8,
        at: Timestamp,
        change: impl FnOnce(&mut Asked),
        shown: Shown,
    ) -> EscalationId {
        let mut bits = [0xAB; 16];
        bits[0] = first;
        let mut asked = Asked {
            id: EscalationId::from_random(bits),
            binding: Binding {
                tenant: "acme".into(),
                server: "demo".into(),
                tool: "pay@1.0".into(),
                definition: Digest::from_bytes([1; 32]),
                arguments: Fingerprint::Sha256([first; 32]),
                principal: "local:1000".into(),
                policy: Digest::from_bytes([3; 32]),
            },
            terms: self.terms(),
            reasons: vec!["large_sum".into()],
            rules: vec!["pay-over-500".into()],
            severity: Severity::High,
            created_at: at,
            shown: shown.digest(),
        };
        change(&mut asked);
        let id = asked.id;
        let escalation = Escalation::new(asked).unwrap();
        let asking = Arc::new(Asking { escalation, shown, stream: "".into() });
        let opened = self.runtime.block_on(self.store.ask(asking, at)).unwrap();
        assert!(opened.is_new);
        id
    }

    fn run(&self, words: &[&str]) -> Run {
        self.desk.run(&[&["approvals"], words].concat())
    }

    /// The vote of this member, with his own key.
    fn vote(&self, verb: &str, id: &str, name: &str) -> Run {
        self.run(&[verb, id, "--key", &format!("{name}.key"), "--as", name])
    }

    fn list(&self, more: &[&str]) -> Vec<Value> {
        let list = self.run(&[&["list", "--json"], more].concat()).ended(0).json();
        list.as_array().unwrap().clone()
    }

    /// What scripts are told of this one.
    fn shown(&self, id: &str) -> Value {
        self.run(&["show", id, "--json"]).ended(0).json()
    }
}

fn now() -> Timestamp {
    System::shared().wall()
}
