use super::standing::{Standing, rough};
use sec0::approval::{Status, Visible};

/// How much of an id the table has: enough to name one of ten thousand.
const SHORT_ID: usize = 12;

/// The most characters of a column.
const WIDEST: usize = 40;

const HEAD: [&str; 9] =
    ["ID", "STATUS", "TOOL", "REASON", "SEVERITY", "PRINCIPAL", "ASKED", "LEFT", "VOTES"];

/// Escalations, a line each, in columns.
pub(super) fn table(all: &[Standing<'_>]) -> String {
    let rows: Vec<_> = std::iter::once(HEAD.map(String::from)).chain(all.iter().map(row)).collect();
    let mut widths = [0; HEAD.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let pad = width.saturating_sub(cell.chars().count()) + 2;
            line.extend([cell.as_str(), &" ".repeat(pad)]);
        }
        table.extend([line.trim_end(), "\n"]);
    }
    table
}

/// The columns of one escalation.
pub(super) fn row(standing: &Standing<'_>) -> [String; HEAD.len()] {
    let escalation = standing.escalation();
    let binding = escalation.binding();
    let is_pending = standing.status() == Status::Pending;
    [
        escalation.id().to_string().chars().take(SHORT_ID).collect(),
        status(standing),
        cut(&format!("{}/{}", binding.server, binding.tool)),
        reason(escalation.reasons()),
        escalation.severity().as_str().to_owned(),
        cut(&binding.principal),
        format!("{} ago", rough(standing.age())),
        if is_pending { rough(standing.left()) } else { "-".to_owned() },
        votes(standing),
    ]
}

fn status(standing: &Standing<'_>) -> String {
    match standing.listed.kept.spent_at {
        Some(_) => "spent".to_owned(),
        None if standing.is_contradicted() => "contradicted".to_owned(),
        None => standing.status().to_string(),
    }
}

/// The first reason, and how many more there are.
fn reason(reasons: &[Box<str>]) -> String {
    let first = cut(reasons.first().map_or("-", |first| first));
    match reasons.len() {
        0 | 1 => first,
        all => format!("{first} +{}", all - 1),
    }
}

/// `1 of 2, 1 against, lacks finance`.
fn votes(standing: &Standing<'_>) -> String {
    let verdict = &standing.verdict;
    let mut votes = format!("{} of {}", verdict.approvals.len(), standing.needed());
    if !verdict.rejections.is_empty() {
        votes.extend([", ", &verdict.rejections.len().to_string(), " against"]);
    }
    let roles = standing.missing_roles();
    if standing.status() == Status::Pending && !roles.is_empty() {
        votes.extend([", lacks ", &cut(&roles.join(" and "))]);
    }
    votes
}

/// A text of strangers, or its beginning.
fn cut(text: &str) -> String {
    let begin: String = text.chars().take(WIDEST + 1).collect();
    let shown = Visible(&begin).to_string();
    if shown.chars().count() <= WIDEST {
        return shown;
    }
    let mut cut: String = shown.chars().take(WIDEST - 1).collect();
    cut.push('…');
    cut
}
