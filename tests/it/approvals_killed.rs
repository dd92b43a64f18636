//! Approvals and real programs: kill them between any two steps, and let two of them race for one
//! grant.

use crate::approving::{HELD, TWO, approve, desk, kinds, listed, policy, vote};
use crate::drive::{House, ended};
use crate::machine::Server;
use crate::support::soon;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sec0::approval::{Choice, Evidence, Voted};
use sec0::audit::Verifier;
use sec0::mcp::DENIAL_META;
use sec0::store::sqlite::Which;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use tokio::io::AsyncWriteExt as _;

fn is_long() -> bool {
    std::env::var_os("SEC0_LONG").is_some_and(|long| long == "1")
}

/// Where the handler writes: each of its runs is one line that nothing takes back, whoever is killed.
struct Effects(File);

impl Effects {
    fn of(house: &House) -> Self {
        let pipe = house.path("effects");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut options = OpenOptions::new();
        // Open for both, so that whoever writes finds a reader and nobody waits.
        options
            .read(true)
            .write(true)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap());
        Self(options.open(pipe).unwrap())
    }

    /// The lines since the last look.
    fn take(&mut self) -> Vec<String> {
        let mut text = Vec::new();
        match self.0.read_to_end(&mut text) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("a pipe that is open to be written does not end: {other:?}"),
        }
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }
}

/// A call that is asked about, as its caller and its approvers know it.
#[derive(Debug, Default)]
struct Story {
    text: String,
    id: Option<String>,
    /// The votes for what `id` names.
    votes: usize,
    was_presented: bool,
    is_over: bool,
}

impl Story {
    /// What its caller sends next: its grant once there is one.
    fn request(&self, house: &House, number: usize) -> String {
        let token = self.id.as_deref().filter(|_| self.is_granted());
        request(house, number, &self.text, token)
    }

    fn is_granted(&self) -> bool {
        self.votes == 2
    }
}

fn request(house: &House, number: usize, text: &str, token: Option<&str>) -> String {
    let arguments = json!({"path": house.path("effects"), "text": format!("{text}\n")});
    let mut params = json!({"name": "write_file", "arguments": arguments});
    if let Some(token) = token {
        params["_meta"] = json!({"sec0/approvalToken": token});
    }
    let call = json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params});
    format!("{call}\n")
}

/// What became of a call: `None` where it ran, else what the refusal says.
fn refused(answer: &Value) -> Option<Value> {
    let denial = &answer["result"]["_meta"][DENIAL_META];
    assert!(answer["result"].is_object(), "{answer:#}");
    (!denial.is_null()).then(|| denial.clone())
}

fn id_in(denial: &Value) -> String {
    denial["escalation_id"].as_str().unwrap_or_else(|| panic!("{denial:#}")).to_owned()
}

/// When the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Its caller has heard of the question, and nobody has voted.
    Asked,
    Voted,
    /// The grant is on its way to it.
    Presented,
    /// So many answers have come, and a little more.
    After(usize),
}

/// How many calls there are at a time.
const AT_A_TIME: usize = 8;

/// One directory, and the calls whose server is killed there.
struct Killing {
    house: House,
    mode: &'static str,
    effects: Effects,
    stories: Vec<Story>,
    /// How often each text was approved, and how often it ran.
    approved: HashMap<String, usize>,
    ran: HashMap<String, usize>,
    /// All votes that were taken, with the escalation that they are for.
    votes: Vec<(String, &'static str)>,
}

impl Killing {
    fn new(mode: &'static str, terms: &str) -> Self {
        let house = House::new(&policy(terms));
        let effects = Effects::of(&house);
        let (stories, votes) = (Vec::new(), Vec::new());
        let (approved, ran) = (HashMap::new(), HashMap::new());
        Self { house, mode, effects, stories, approved, ran, votes }
    }

    /// Starts the server and sends what is next for each call.
    async fn serve(&mut self) -> Server {
        let mut server = Server::start(&self.house, self.mode).await;
        let open = self.stories.iter().filter(|story| !story.is_over).count();
        for _ in open..AT_A_TIME {
            let text = format!("story {}", self.stories.len());
            self.stories.push(Story { text, ..Story::default() });
        }
        for number in 0..self.stories.len() {
            if !self.stories[number].is_over {
                self.send(&mut server, number).await;
            }
        }
        server
    }

    async fn send(&mut self, server: &mut Server, number: usize) {
        let story = &mut self.stories[number];
        story.was_presented |= story.is_granted();
        let request = story.request(&self.house, number);
        // One that was killed reads nothing.
        drop(server.stdin.write_all(request.as_bytes()).await);
    }

    fn vote(&mut self, id: &str, text: &str) -> usize {
        let before = listed(&self.house, id).kept.casts.len();
        let approver = ["ana", "bo"][before];
        let voted = vote(&self.house, id, approver, Choice::Approve);
        assert!(matches!(voted, Voted::Counted(_)), "{voted:?}");
        self.votes.push((id.to_owned(), approver));
        if before == 1 {
            *self.approved.entry(text.to_owned()).or_default() += 1;
        }
        before + 1
    }

    /// Serves calls that are refused with an id, votes, and presents grants, until `moment`.
    async fn live(&mut self, moment: Moment) {
        let mut server = self.serve().await;
        let (mut under_way, mut said, mut is_killed) = (AT_A_TIME, 0, false);
        while under_way > 0
            && let Some(answer) = server.answer().await
        {
            (under_way, said) = (under_way - 1, said + 1);
            let number = usize::try_from(answer["id"].as_u64().unwrap()).unwrap();
            let was_granted = self.stories[number].is_granted();
            self.heard(number, &answer);
            let mut is_time = moment == Moment::Asked && self.stories[number].id.is_some();
            if !is_killed && !is_time && !self.stories[number].is_over {
                self.votes_on(number);
                let is_granted = self.stories[number].is_granted();
                is_time = moment == Moment::Voted && is_granted;
                if is_granted && !was_granted && !is_time {
                    self.send(&mut server, number).await;
                    under_way += 1;
                    is_time = moment == Moment::Presented;
                }
            }
            if !is_killed && (is_time || moment == Moment::After(said)) {
                kill(&mut server, matches!(moment, Moment::After(_))).await;
                is_killed = true;
            }
        }
        if !is_killed {
            kill(&mut server, true).await;
        }
        assert!(!ended(&mut server.child).await.success());
        self.check();
    }

    /// What the caller learns from an answer.
    fn heard(&mut self, number: usize, answer: &Value) {
        let story = &mut self.stories[number];
        let Some(denial) = refused(answer) else {
            assert!(story.is_granted(), "nobody has approved {story:?}");
            story.is_over = true;
            return;
        };
        if story.is_granted() {
            // Spent before the kill, whether its call has run or not.
            assert_eq!(denial["reason"], "approval_invalid", "{story:?} {denial:#}");
            assert!(story.was_presented, "{story:?}");
            story.is_over = true;
            return;
        }
        assert_eq!(denial["reason"], "approval_required", "{story:?} {denial:#}");
        let id = id_in(&denial);
        assert_eq!(*story.id.get_or_insert_with(|| id.clone()), id, "the question was lost");
    }

    /// None, one or two approvers look at it.
    fn votes_on(&mut self, number: usize) {
        let Story { id: Some(id), text, votes, .. } = &self.stories[number] else { return };
        let (id, text) = (id.clone(), text.clone());
        for _ in *votes..fastrand::usize(1..=2).max(*votes) {
            self.stories[number].votes = self.vote(&id, &text);
        }
    }

    /// Serves calls that are held, votes, and kills the server meanwhile.
    async fn live_held(&mut self) {
        let mut server = self.serve().await;
        for _ in 0..fastrand::usize(1..=AT_A_TIME) {
            self.vote_on_what_is_held().await;
        }
        kill(&mut server, true).await;
        while let Some(answer) = server.answer().await {
            let number = usize::try_from(answer["id"].as_u64().unwrap()).unwrap();
            assert_eq!(refused(&answer), None, "{answer:#}");
            self.stories[number].is_over = true;
        }
        assert!(!ended(&mut server.child).await.success());
        self.check();
    }

    async fn vote_on_what_is_held(&mut self) {
        let desk = desk(&self.house);
        for _ in 0..100 {
            let pending = desk.list(Which::Pending, 99).unwrap();
            if pending.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                continue;
            }
            let one = &pending[fastrand::usize(..pending.len())];
            let shown: Value = serde_json::from_str(&one.shown.text).unwrap();
            let text = shown["text"].as_str().unwrap().trim_end().to_owned();
            self.vote(&one.kept.escalation.id().to_string(), &text);
            return;
        }
    }

    /// What holds after each kill.
    fn check(&mut self) {
        for text in self.effects.take() {
            *self.ran.entry(text).or_default() += 1;
        }
        for (text, ran) in &self.ran {
            let approved = self.approved.get(text).copied().unwrap_or(0);
            assert!(*ran <= approved, "{text} ran {ran} times and was approved {approved} times");
        }
        for story in &self.stories {
            let Some(id) = &story.id else { continue };
            assert_eq!(listed(&self.house, id).kept.casts.len(), story.votes, "{story:?}");
            let ran = self.ran.get(&story.text).copied().unwrap_or(0);
            assert!(story.was_presented || ran == 0, "{story:?}");
        }
    }

    /// The last start, and what its log has then.
    async fn end(mut self) {
        let server = Server::start(&self.house, self.mode).await;
        assert!(server.close().await.success());
        self.check();
        assert!(!self.votes.is_empty(), "there was nothing to lose");
        let key = self.house.audit().join("keys/ed25519.pub");
        let key = sec0::sign::key_file::read_public(&key).unwrap();
        let verifier = Verifier::new(&[key]).unwrap().approvals(Evidence::check);
        verifier.verify_dir(&self.house.audit()).unwrap();
        let events = self.house.events();
        let has = |kind: &str, id: &str, more: &str| {
            events.iter().any(|line| {
                (&line["event"], &line["escalation_id"]) == (&json!(kind), &json!(id))
                    && line.to_string().contains(more)
            })
        };
        for (id, approver) in &self.votes {
            let approver = format!("\"approver\":\"{approver}\"");
            assert!(has("approval_vote", id, &approver), "no vote of {approver} on {id}");
        }
        for listed in desk(&self.house).list(Which::All, 1 << 16).unwrap() {
            let id = listed.kept.escalation.id().to_string();
            assert!(has("approval_created", &id, ""), "{id}");
            let is_decided = listed.kept.ended.is_some();
            assert_eq!(has("approval_decided", &id, ""), is_decided, "{id}");
        }
    }
}

/// Kills it, after a little while or at once.
async fn kill(server: &mut Server, later: bool) {
    for _ in 0..(if later { fastrand::u32(..20_000) } else { 0 }) {
        tokio::task::yield_now().await;
    }
    server.child.start_kill().unwrap();
}

async fn kill_again_and_again(mode: &'static str) {
    let (kills, one_log) = if is_long() { (100, 10) } else { (4, 4) };
    for first in (0..kills).step_by(one_log) {
        let mut killing = Killing::new(mode, TWO);
        for round in first..first + one_log {
            let chosen = [Moment::Asked, Moment::Voted, Moment::Presented];
            let random = Moment::After(fastrand::usize(1..=2 * AT_A_TIME));
            killing.live(chosen.get(round % 4).copied().unwrap_or(random)).await;
        }
        killing.end().await;
        let mut killing = Killing::new(mode, &format!("{TWO}, {HELD}"));
        for _ in 0..one_log {
            killing.live_held().await;
        }
        killing.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_takes_a_question_or_a_vote_or_runs_a_grant_twice() {
    kill_again_and_again("batch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_takes_a_question_or_a_vote_or_runs_a_grant_twice_in_blocking() {
    kill_again_and_again("blocking").await;
}

/// Two servers on one directory, with a log each.
async fn two_servers(house: &House) -> [Server; 2] {
    [
        Server::start_with(house, &["--writer", "w1"]).await,
        Server::start_with(house, &["--writer", "w2"]).await,
    ]
}

async fn say(server: &mut Server, request: &str) {
    server.stdin.write_all(request.as_bytes()).await.unwrap();
}

/// The refusal of the one call that is under way there; `None` where it ran.
async fn hear(server: &mut Server) -> Option<Value> {
    refused(&soon(server.answer()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_that_are_shown_one_grant_at_once_one_runs_the_call() {
    let house = House::new(&policy(""));
    let mut effects = Effects::of(&house);
    let [mut one, mut other] = two_servers(&house).await;
    let rounds = if is_long() { 10_000 } else { 50 };
    let mut won = [0, 0];
    for round in 0..rounds {
        let text = format!("story {round}");
        say(&mut one, &request(&house, round, &text, None)).await;
        let id = id_in(&hear(&mut one).await.unwrap());
        approve(&house, &id, "bo");
        let shown = request(&house, round, &text, Some(&id));
        tokio::join!(say(&mut one, &shown), say(&mut other, &shown));
        let refused = [hear(&mut one).await, hear(&mut other).await];
        let winner = refused.iter().position(Option::is_none).unwrap();
        won[winner] += 1;
        let loser = refused[1 - winner].as_ref().unwrap();
        assert_eq!(loser["reason"], "approval_invalid", "{loser:#}");
        assert_eq!(effects.take(), [text]);
    }
    println!("of {rounds} grants the two servers spent {won:?}");
    for server in [one, other] {
        assert!(server.close().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_two_servers_on_one_directory_records_the_questions_that_it_has_asked() {
    let house = House::new(&policy(""));
    let _effects = Effects::of(&house);
    let mut servers = two_servers(&house).await;
    let mut ids = Vec::new();
    for (number, server) in servers.iter_mut().enumerate() {
        say(server, &request(&house, number, &format!("story {number}"), None)).await;
        ids.push(id_in(&hear(server).await.unwrap()));
    }
    for id in &ids {
        approve(&house, id, "bo");
    }
    // A grant may be spent at either server; what it is about stays in the log of the one that asked.
    say(&mut servers[1], &request(&house, 2, "story 0", Some(&ids[0]))).await;
    assert_eq!(hear(&mut servers[1]).await, None);
    for server in servers {
        assert!(server.close().await.success());
    }
    let key = house.audit().join("keys/ed25519.pub");
    let key = sec0::sign::key_file::read_public(&key).unwrap();
    let verifier = Verifier::new(&[key]).unwrap().approvals(Evidence::check);
    verifier.verify_dir(&house.audit()).unwrap();
    let files = std::fs::read_dir(house.audit()).unwrap().map(|entry| entry.unwrap().path());
    let logs: Vec<_> = files.filter(|it| it.extension().is_some_and(|it| it == "ndjson")).collect();
    assert_eq!(logs.len(), 2, "{logs:?}");
    for log in logs {
        let text = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        let of = usize::from(log.to_str().unwrap().contains("w2"));
        assert_eq!(
            kinds(&events_about(&lines, &ids[of])),
            ["approval_created", "approval_vote", "approval_decided"]
        );
        assert_eq!(kinds(&events_about(&lines, &ids[1 - of])).len(), 0);
    }
}

fn events_about(lines: &[Value], id: &str) -> Vec<Value> {
    let about =
        lines.iter().filter(|line| line["event"].is_string() && line["escalation_id"] == *id);
    about.cloned().collect()
}
