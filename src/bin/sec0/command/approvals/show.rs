use super::desk::Place;
use super::report;
use super::standing::{Standing, counted, rough};
use crate::command::{now, when};
use crate::failure::Failure;
use clap::Args;
use sec0::approval::{Member, Status, Strategy, Visible};
use std::io::{self, Write};

/// Show all that whoever decides should know: the call, with secrets masked, why it was asked, who
/// may decide, and the votes so far.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id, or how it begins: at least 6 digits.
    id: String,
    #[command(flatten)]
    place: Place,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let listed = self.place.find(&self.place.open()?, &self.id)?;
        let standing = Standing::of(&listed, now());
        if self.json {
            return report::line(out, &report::whole(&standing));
        }
        call(out, &standing)?;
        why(out, &standing)?;
        people(out, &standing)?;
        votes(out, &standing)?;
        digests(out, &standing)?;
        Ok(arguments(out, &standing)?)
    }
}

/// Which call it is.
pub(super) fn call(out: &mut impl Write, standing: &Standing<'_>) -> io::Result<()> {
    let escalation = standing.escalation();
    let binding = escalation.binding();
    writeln!(out, "escalation   {}", escalation.id())?;
    writeln!(out, "status       {}", status(standing))?;
    writeln!(out, "tool         {}", Visible(&binding.tool))?;
    writeln!(out, "server       {}", Visible(&binding.server))?;
    writeln!(out, "tenant       {}", Visible(&binding.tenant))?;
    writeln!(out, "principal    {}", Visible(&binding.principal))
}

/// The arguments, as approvers are shown them.
pub(super) fn arguments(out: &mut impl Write, standing: &Standing<'_>) -> io::Result<()> {
    writeln!(out, "arguments")?;
    standing.listed.shown.lines().try_for_each(|line| writeln!(out, "  {line}"))
}

fn status(standing: &Standing<'_>) -> String {
    let mut status = standing.status().to_string();
    if let Some(finalization) = standing.finalization {
        status.extend([": ", finalization.as_str()]);
    }
    if let Some(at) = standing.listed.kept.spent_at {
        status.extend(["; spent at ", &when(at)]);
    }
    if standing.is_contradicted() {
        status.push_str("; the store says so, and the votes do not: the call will be refused");
    }
    status
}

fn why(out: &mut impl Write, standing: &Standing<'_>) -> io::Result<()> {
    let escalation = standing.escalation();
    let (asked, expires) = (escalation.created_at(), escalation.expires_at());
    writeln!(out, "reasons      {}", Visible(&escalation.reasons().join(", ")))?;
    if !escalation.rules().is_empty() {
        writeln!(out, "rules        {}", Visible(&escalation.rules().join(", ")))?;
    }
    writeln!(out, "severity     {}", escalation.severity().as_str())?;
    writeln!(out, "asked        {} ({} ago)", when(asked), rough(standing.age()))?;
    let left = match standing.status() {
        Status::Pending => format!("{} left", rough(standing.left())),
        Status::Approved if standing.listed.kept.spent_at.is_none() => {
            format!("{} left to make the call", rough(standing.left()))
        }
        Status::Approved | Status::Rejected | Status::Expired => "decided".to_owned(),
    };
    writeln!(out, "expires      {} ({left})", when(expires))?;
    let on_time_out = if standing.time_approves() {
        // One rejection may not be enough.
        "the call is approved, unless it is rejected before"
    } else if standing.nobody_can_approve() {
        "the call stays refused: its approvers are not enough to approve it, so time is not either"
    } else {
        "the call stays refused"
    };
    writeln!(out, "on time-out  {on_time_out}")
}

/// Who may decide, and by which rules.
fn people(out: &mut impl Write, standing: &Standing<'_>) -> io::Result<()> {
    let terms = standing.escalation().terms();
    let mut rule = counted(terms.approvals(), "approval");
    if !terms.required_roles.is_empty() {
        let roles = terms.required_roles.join(" and ");
        rule.extend([", with the roles ", &Visible(&roles).to_string(), " among them"]);
    }
    rule.extend(["; ", &counted(terms.rejections(), "rejection"), " to refuse"]);
    if !terms.veto_roles.is_empty() {
        let roles = terms.veto_roles.join(" or ");
        rule.extend([", or one of the role ", &Visible(&roles).to_string()]);
    }
    match terms.strategy {
        Strategy::AutoAllow => writeln!(out, "decided by   nobody ({})", terms.strategy)?,
        Strategy::SingleApprover | Strategy::HumanQuorum => {
            writeln!(out, "decided by   {rule} ({})", terms.strategy)?;
        }
    }
    match terms.approval_set_id.as_deref() {
        Some(name) => writeln!(out, "approvers    set `{}`", Visible(name))?,
        None => writeln!(out, "approvers    none")?,
    }
    let members = standing.members().iter();
    members.map(|it| member(standing, it)).try_for_each(|line| writeln!(out, "  {line}"))
}

fn member(standing: &Standing<'_>, member: &Member) -> String {
    let mut line = Visible(&member.id).to_string();
    if !member.roles.is_empty() {
        line.extend([": ", &Visible(&member.roles.join(", ")).to_string()]);
    }
    if member.has_any(&standing.escalation().terms().veto_roles) {
        line.push_str("; has a veto");
    }
    if member.is(&standing.escalation().binding().principal) {
        line.push_str("; cannot approve this call, which is their own");
    }
    line
}

fn votes(out: &mut impl Write, standing: &Standing<'_>) -> io::Result<()> {
    writeln!(out, "votes        {}", tallied(standing))?;
    let casts = standing.listed.kept.casts.iter();
    for (cast, why) in casts.zip(&standing.verdict.uncounted) {
        let vote = &cast.vote;
        let (approver, note) = (Visible(vote.approver()), Visible(vote.note()));
        write!(out, "  {}  {approver}: {}", when(vote.at()), vote.choice())?;
        if !vote.note().is_empty() {
            write!(out, ", `{note}`")?;
        }
        match why {
            Some(why) => writeln!(out, " (does not count: {why})")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// `1 of 2 approvals; still missing: 1 approval, the role finance`.
pub(super) fn tallied(standing: &Standing<'_>) -> String {
    let verdict = &standing.verdict;
    let mut text =
        format!("{} of {}", verdict.approvals.len(), counted(standing.needed(), "approval"));
    if !verdict.rejections.is_empty() {
        let rejected = verdict.rejections.len();
        let most = standing.escalation().terms().rejections();
        text.push_str(&[", ", &rejected.to_string(), " of ", &counted(most, "rejection")].concat());
    }
    let mut missing = Vec::new();
    if standing.missing_approvals() > 0 {
        missing.push(counted(standing.missing_approvals(), "approval"));
    }
    missing
        .extend(standing.missing_roles().iter().map(|role| format!("the role {}", Visible(role))));
    if standing.status() == Status::Pending && !missing.is_empty() {
        text.extend(["; still missing: ", &missing.join(", ")]);
    }
    text
}

fn digests(out: &mut impl Write, standing: &Standing<'_>) -> io::Result<()> {
    let escalation = standing.escalation();
    let binding = escalation.binding();
    writeln!(out, "digests")?;
    writeln!(out, "  escalation  sha256:{}", escalation.digest())?;
    writeln!(out, "  arguments   {}", binding.arguments)?;
    writeln!(out, "  definition  sha256:{}", binding.definition)?;
    writeln!(out, "  policy      sha256:{}", binding.policy)?;
    writeln!(out, "  shown       sha256:{}", escalation.shown())
}
