use crate::store::sqlite::error::DbError;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fmt;

/// How many damaged rows are remembered, so that each is named once in the program's own log.
const REMEMBERED: usize = 1024;

/// An escalation in the store that cannot be read: somebody has changed the file, or the disk has.
/// It permits nothing, and the others go on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DamagedApproval {
    /// Its id as it stands in the row, in hex.
    pub id: String,
    /// What is wrong with it.
    pub what: &'static str,
}

impl DamagedApproval {
    /// The one in this row, whose third column is the id.
    pub(super) fn of(row: &rusqlite::Row<'_>, what: &'static str) -> Self {
        let id = row.get_ref(2).map(|id| id.as_blob().map(hex));
        Self { id: id.map_or_else(|_no_column| String::new(), Result::unwrap_or_default), what }
    }
}

impl fmt::Display for DamagedApproval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, what } = self;
        write!(
            f,
            "the store has a damaged row, the escalation `{id}`: {what}; it permits nothing, so make \
             the call again to ask anew, and see who can write to the file"
        )
    }
}

/// What was looked for.
#[derive(Debug)]
pub(in crate::store::sqlite) struct Rows<T> {
    pub(in crate::store::sqlite) rows: Vec<T>,
    /// What could not be read.
    pub(in crate::store::sqlite) damaged: Vec<DamagedApproval>,
}

impl<T> Rows<T> {
    /// The only one there is.
    ///
    /// # Errors
    ///
    /// It is damaged.
    pub(super) fn one(mut self) -> Result<Option<T>, DbError> {
        match self.damaged.pop() {
            Some(damaged) => Err(damaged.into()),
            None => Ok(self.rows.pop()),
        }
    }
}

/// Which damaged rows the program's own log has named.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<BTreeSet<DamagedApproval>>);

impl Named {
    /// What can be read. What cannot is named, once.
    pub(super) fn pass_over<T>(&self, found: Rows<T>) -> Vec<T> {
        let Rows { rows, damaged } = found;
        for damaged in damaged {
            let mut named = self.0.lock();
            if named.len() < REMEMBERED && named.insert(damaged.clone()) {
                drop(named);
                tracing::error!(%damaged, "an approval cannot be read; the others go on");
            }
        }
        rows
    }
}

fn hex(bytes: &[u8]) -> String {
    crate::call::Hex(bytes).to_string()
}
