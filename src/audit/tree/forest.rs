use super::record::RunRecord;
use crate::call::SpanIds;
use std::collections::BTreeMap;

/// A record in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunNode {
    /// The record.
    pub record: RunRecord,
    /// How many records of the run lie above it.
    pub depth: usize,
    /// Where in the tree the record stands below which it hangs.
    pub parent: Option<usize>,
    /// Why it stands there.
    pub link: RunLink,
}

/// Why a record stands where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunLink {
    /// It names no cause: it is a first one of the run.
    First,
    /// Its cause is the record above it.
    Caused,
    /// Its cause is a record of another run.
    OtherRun {
        /// That run; `None` for a record that claims none.
        run: Option<String>,
        /// What it was: the name of the hop, or what was called.
        name: String,
    },
    /// Its cause is nowhere in what was read.
    Unlinked,
    /// It follows from itself: records name each other in a circle, which no program of ours does.
    Circular,
}

/// The ids of a call, in an order.
pub(super) type Ids = ([u8; 16], [u8; 8]);

pub(super) fn ids(span: SpanIds) -> Ids {
    (span.trace_id, span.span_id)
}

/// Every record once, each behind the one below which it hangs; siblings by time, then by number.
pub(super) fn grow(records: impl IntoIterator<Item = RunRecord>) -> Vec<RunNode> {
    let mut records: Vec<_> = records.into_iter().collect();
    records.sort_by(|one, other| one.order().cmp(&other.order()));
    let places: BTreeMap<Ids, usize> =
        records.iter().enumerate().map(|(at, record)| (ids(record.span), at)).collect();
    let parents: Vec<Option<usize>> =
        records.iter().map(|record| places.get(&ids(record.cause?)).copied()).collect();
    let mut children = vec![Vec::new(); records.len()];
    for (at, parent) in parents.iter().enumerate() {
        if let Some(list) = parent.and_then(|parent| children.get_mut(parent)) {
            list.push(at);
        }
    }
    let mut growth =
        Growth { records: records.into_iter().map(Some).collect(), children, nodes: Vec::new() };
    let roots = parents.iter().enumerate().filter(|(_, parent)| parent.is_none());
    roots.for_each(|(at, _)| growth.draw_from(at, None));
    // What is left lies in a circle, or below one.
    for at in 0..parents.len() {
        if growth.is_left(at) {
            growth.draw_from(circle_above(at, &parents), Some(&RunLink::Circular));
        }
    }
    growth.nodes
}

struct Growth {
    /// `None` once it is drawn.
    records: Vec<Option<RunRecord>>,
    children: Vec<Vec<usize>>,
    nodes: Vec<RunNode>,
}

impl Growth {
    fn is_left(&self, at: usize) -> bool {
        self.records.get(at).is_some_and(Option::is_some)
    }

    /// Draws a record and all that follows from it, as far as it is not drawn yet.
    fn draw_from(&mut self, root: usize, link: Option<&RunLink>) {
        let mut open = vec![(root, 0, None)];
        while let Some((at, depth, parent)) = open.pop() {
            let Some(record) = self.records.get_mut(at).and_then(Option::take) else { continue };
            let link = match (parent, link, record.cause) {
                (Some(_), _, _) => RunLink::Caused,
                (None, Some(link), _) => link.clone(),
                (None, None, None) => RunLink::First,
                (None, None, Some(_)) => RunLink::Unlinked,
            };
            let own = self.nodes.len();
            self.nodes.push(RunNode { record, depth, parent, link });
            let below = self.children.get(at).into_iter().flatten().rev();
            open.extend(below.map(|child| (*child, depth + 1, Some(own))));
        }
    }
}

/// The earliest record of the circle to which the causes of this one lead.
fn circle_above(at: usize, parents: &[Option<usize>]) -> usize {
    let above = |at: usize| parents.get(at).copied().flatten().unwrap_or(at);
    // After as many steps as there are records one stands in the circle.
    let inside = (0..parents.len()).fold(at, |at, _| above(at));
    let (mut earliest, mut next) = (inside, above(inside));
    while next != inside {
        (earliest, next) = (earliest.min(next), above(next));
    }
    earliest
}
