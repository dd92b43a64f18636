use super::compare::ToolChange;
use super::contents::LockedTool;
use super::text::lines;

/// A line of the difference between two definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiffLine {
    /// In which of the two it stands.
    pub side: Side,
    /// Its text: JSON, in which no character hides and none is one that a terminal obeys.
    pub text: String,
}

/// In which of two texts a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two texts")]
pub enum Side {
    /// In both.
    Both,
    /// In the locked one alone.
    Locked,
    /// In the one that is there alone.
    Now,
}

impl Side {
    /// The mark of such lines in a unified diff.
    pub fn mark(self) -> char {
        match self {
            Self::Both => ' ',
            Self::Locked => '-',
            Self::Now => '+',
        }
    }
}

/// How many lines round a change are shown with it.
const CONTEXT: usize = 3;
/// The longest table of two texts that are compared line by line; beyond it what lies between
/// their common beginning and end counts as changed as a whole.
const MOST_CELLS: usize = 1_000_000;

impl ToolChange {
    /// The old and the new definition as the lines that differ, with three lines round each. A part
    /// that is left out is one line `…`.
    pub fn diff(&self) -> Vec<DiffLine> {
        let (old, new) = (text(self.locked()), text(self.now()));
        cut(compared(&old, &new))
    }
}

fn text(tool: Option<&LockedTool>) -> Vec<String> {
    let Some(tool) = tool else { return Vec::new() };
    // A version that the definition does not declare is a difference too.
    let version = tool.version.as_ref().map(|version| format!("version {:?}", version.as_str()));
    version.into_iter().chain(lines(&tool.definition)).collect()
}

fn compared(old: &[String], new: &[String]) -> Vec<DiffLine> {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (old.get(head..).unwrap_or(&[]), new.get(head..).unwrap_or(&[]));
    let same_end = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = same_end.take_while(|(old, new)| old == new).count();
    let middle = |rest: &[String]| rest.len().saturating_sub(tail);
    let old_middle = old_rest.get(..middle(old_rest)).unwrap_or(&[]);
    let new_middle = new_rest.get(..middle(new_rest)).unwrap_or(&[]);

    let mut out = Vec::new();
    let mut say = |side, lines: &[String]| {
        out.extend(lines.iter().map(|text| DiffLine { side, text: text.clone() }));
    };
    say(Side::Both, old.get(..head).unwrap_or(&[]));
    if old_middle.len().saturating_mul(new_middle.len()) > MOST_CELLS {
        say(Side::Locked, old_middle);
        say(Side::Now, new_middle);
    } else {
        line_by_line(old_middle, new_middle, &mut say);
    }
    say(Side::Both, old_rest.get(middle(old_rest)..).unwrap_or(&[]));
    out
}

/// By the longest common subsequence.
fn line_by_line(old: &[String], new: &[String], say: &mut impl FnMut(Side, &[String])) {
    // `lengths[i][j]` is that of what follows the first `i` old and `j` new lines.
    let mut lengths = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    let at = |lengths: &[Vec<u32>], i: usize, j: usize| {
        lengths.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0)
    };
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let length = if one == other {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(cell) = lengths.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    while let (Some(one), Some(other)) = (old.get(i), new.get(j)) {
        if one == other {
            say(Side::Both, std::slice::from_ref(one));
            (i, j) = (i + 1, j + 1);
        } else if at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) {
            say(Side::Locked, std::slice::from_ref(one));
            i += 1;
        } else {
            say(Side::Now, std::slice::from_ref(other));
            j += 1;
        }
    }
    say(Side::Locked, old.get(i..).unwrap_or(&[]));
    say(Side::Now, new.get(j..).unwrap_or(&[]));
}

/// Leaves out what is far from any change.
fn cut(lines: Vec<DiffLine>) -> Vec<DiffLine> {
    let changed: Vec<_> = lines.iter().map(|line| line.side != Side::Both).collect();
    let is_near = |at: usize| {
        let round = at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(changed.len());
        changed.get(round).is_some_and(|round| round.contains(&true))
    };
    let mut out: Vec<DiffLine> = Vec::new();
    let mut skipped = false;
    for (at, line) in lines.into_iter().enumerate() {
        if is_near(at) {
            if std::mem::take(&mut skipped) {
                out.push(DiffLine { side: Side::Both, text: "…".to_owned() });
            }
            out.push(line);
        } else {
            skipped = true;
        }
    }
    out
}
