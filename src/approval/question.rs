use super::escalation::Escalation;
use super::masked::Visible;
use super::shown::Shown;

/// The most bytes of the arguments in a question to the connected user.
const MAX_ARGUMENTS: usize = 4096;

/// The most bytes of each other part.
const MAX_PART: usize = 256;

/// What the user at the other end of the connection is asked: which call, why, how grave it is, and
/// the arguments as approvers are shown them, cut where they are long.
///
/// Nothing in it is hidden from the eye, whoever has named the tool.
pub fn question(escalation: &Escalation, shown: &Shown) -> Box<str> {
    let binding = escalation.binding();
    let (tool, server) = (part(&binding.tool), part(&binding.server));
    let reasons = escalation.reasons().iter().chain(escalation.rules());
    let why: Vec<_> = reasons.take(8).map(|why| part(why)).collect();
    let (arguments, left_out) = cut(&shown.text, MAX_ARGUMENTS);
    let mut lines = vec![
        format!("The tool `{tool}` of the server `{server}` needs your approval."),
        format!("Why: {}", why.join(", ")),
        format!("Severity: {}", escalation.severity().as_str()),
        "Arguments:".to_owned(),
        arguments.to_owned(),
    ];
    if left_out > 0 {
        let id = escalation.id();
        lines.push(format!(
            "[cut here, {left_out} bytes left out; `sec0 approvals show {id}` has more]"
        ));
    }
    lines.join("\n").into()
}

fn part(text: &str) -> String {
    let (kept, left_out) = cut(text, MAX_PART);
    let seen = Visible(kept).to_string();
    if left_out > 0 { seen + "…" } else { seen }
}

/// The beginning of a text, and how many bytes it leaves out.
fn cut(text: &str, at_most: usize) -> (&str, usize) {
    let kept = text.get(..text.floor_char_boundary(at_most)).unwrap_or_default();
    (kept, text.len().saturating_sub(kept.len()))
}
