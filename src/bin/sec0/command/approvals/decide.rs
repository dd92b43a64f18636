use super::desk::{Place, failed};
use super::standing::Standing;
use super::{report, show};
use crate::command::{now, when};
use crate::failure::Failure;
use clap::Args;
use sec0::approval::{
    Choice, Escalation, Finalization, Kept, Statement, Status, Visible, Vote, Voted,
};
use sec0::clock::Timestamp;
use sec0::sign::{LocalDevSigner, Signer as _};
use sec0::store::sqlite::Listed;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;

/// A vote on one escalation.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The id, or how it begins: at least 6 digits.
    id: String,
    #[command(flatten)]
    place: Place,
    /// The approver's private key, as `sec0 keygen` writes it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The approver's name in the approval set.
    #[arg(long = "as", value_name = "APPROVER")]
    approver: String,
    /// What to say besides; it is signed and recorded.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Decide {
    pub(super) fn run(&self, choice: Choice, out: &mut Vec<u8>) -> Result<(), Failure> {
        let desk = self.place.open()?;
        let mut listed = self.place.find(&desk, &self.id)?;
        let escalation = listed.kept.escalation.clone();
        let signer = self.signer(&escalation)?;
        let at = now();
        let statement = Statement::new(&escalation, &self.approver, choice, at, &self.note);
        let bytes = statement.bytes().map_err(Failure::usage)?;
        if !self.json {
            self.announce(&listed, choice, at, out)?;
        }
        let vote =
            Vote::new(&statement, &self.note, signer.sign_now(&bytes)).map_err(Failure::usage)?;
        let why_not = match desk.vote(vote, at).map_err(failed)? {
            Voted::Counted(kept) => {
                listed.kept = kept;
                None
            }
            Voted::Not(why) => Some(why.to_string()),
            Voted::NotFound => Some("the escalation is no longer there".to_owned()),
        };
        let standing = Standing::of(&listed, at);
        if self.json {
            let statement = json!({
                "approver": self.approver,
                "decision": choice,
                "escalation_sha256": escalation.digest().to_string(),
                "note": self.note,
                "ts": when(at),
            });
            report::line(out, &verdict(&standing, why_not.as_deref(), &statement))?;
        } else if why_not.is_none() {
            writeln!(out, "{}", said(&listed.kept, &standing))?;
        }
        match why_not {
            None => Ok(()),
            Some(_) if self.json => Err(Failure::DoesNotHold(String::new())),
            Some(why) => Err(Failure::DoesNotHold(format!("the vote does not count: {why}"))),
        }
    }

    /// The approver's key, which must be the one that the set has for the name.
    fn signer(&self, escalation: &Escalation) -> Result<LocalDevSigner, Failure> {
        let signer = LocalDevSigner::from_file(&self.key).map_err(Failure::usage)?;
        let name = Visible(&self.approver);
        let set = escalation.terms().approval_set.as_ref();
        let members = set.map_or(&[][..], |set| &set.members);
        let ids: Vec<_> = members.iter().map(|it| format!("`{}`", Visible(&it.id))).collect();
        let Some(member) = members.iter().find(|member| *member.id == *self.approver) else {
            let fix = if ids.is_empty() {
                "nobody can decide on it; give the policy an approval set".to_owned()
            } else {
                format!("give `--as` one of {}", ids.join(", "))
            };
            let text = format!("the escalation's approval set has no member `{name}`; {fix}");
            return Err(Failure::Usage(text));
        };
        let key = signer.public_key();
        if key == member.public_key {
            return Ok(signer);
        }
        let other = members.iter().find(|member| member.public_key == key);
        let fix = match other {
            Some(other) => format!("it is that of `{}`", Visible(&other.id)),
            None => "it is nobody's in the set".to_owned(),
        };
        Err(Failure::Usage(format!(
            "the key `{}` is not that of `{name}`, whose public key is {}; {fix}: give `--key` the \
             file that belongs to `--as`",
            self.key.display(),
            member.public_key,
        )))
    }

    /// Prints what is about to be signed.
    fn announce(
        &self,
        listed: &Listed,
        choice: Choice,
        at: Timestamp,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let standing = Standing::of(listed, at);
        show::call(out, &standing)?;
        show::arguments(out, &standing)?;
        let digest = standing.escalation().digest();
        writeln!(out, "signed       {choice} as {}, {}", Visible(&self.approver), when(at))?;
        if !self.note.is_empty() {
            writeln!(out, "             note `{}`", Visible(&self.note))?;
        }
        Ok(writeln!(out, "             over sha256:{digest}")?)
    }
}

/// What came of a vote that counts.
fn said(kept: &Kept, standing: &Standing<'_>) -> String {
    match kept.status() {
        Status::Pending => format!("counted      {}", show::tallied(standing)),
        Status::Approved => format!("approved     {}", show::tallied(standing)),
        status @ (Status::Rejected | Status::Expired) => {
            let by = kept.ended.map_or("", Finalization::as_str);
            format!("{status}     {by}")
        }
    }
}

fn verdict(standing: &Standing<'_>, why_not: Option<&str>, signed: &Value) -> Value {
    json!({
        "counted": why_not.is_none(),
        "why_not": why_not,
        "signed": signed,
        "escalation": report::whole(standing),
    })
}
