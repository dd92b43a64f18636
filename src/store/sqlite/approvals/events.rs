//! Each event in one go, for a transaction that is around it.

use super::damaged::Named;
use super::room;
use super::rows::{self, Row};
use crate::approval::{
    self, ApprovalBounds, Asking, EscalationId, Kept, Moment, Opened, Presentation, Spent,
    StoreError, Unspendable, Vote, Voted,
};
use crate::clock::Timestamp;
use crate::store::sqlite::error::DbError;
use rusqlite::Connection;

/// What came of an event.
#[derive(Debug)]
pub(in crate::store::sqlite) struct Outcome<T> {
    pub(in crate::store::sqlite) told: T,
    /// What was changed, and to which version.
    pub(super) changed: Option<(EscalationId, u64)>,
}

impl<T> Outcome<T> {
    /// Nothing was changed.
    pub(super) fn of(told: T) -> Self {
        Self { told, changed: None }
    }

    fn changed(kept: &Kept, told: T) -> Self {
        Self { told, changed: Some((kept.escalation.id(), kept.version)) }
    }
}

pub(super) fn ask(
    db: &Connection,
    asking: &Asking,
    (bounds, named): (&ApprovalBounds, &Named),
    now: Timestamp,
) -> Result<Outcome<Result<Opened, StoreError>>, DbError> {
    room::purge(db, now)?;
    let binding = asking.escalation.binding();
    let found = named.pass_over(rows::open(db, binding.call_key()?.as_bytes(), now)?);
    if let Some(Row { kept, .. }) = found.into_iter().find(|row| row.kept.is_open(now)) {
        return Ok(Outcome::of(Ok(Opened { kept, is_new: false })));
    }
    if !room::make(db, bounds, (&binding.share(), asking.bytes()), now)? {
        return Ok(Outcome::of(Err(StoreError::Full)));
    }
    let (kept, lines) = approval::opened(asking, now)?;
    let kept = rows::insert(db, asking, kept, &lines)?;
    Ok(Outcome::changed(&kept.clone(), Ok(Opened { kept, is_new: true })))
}

pub(in crate::store::sqlite) fn vote(
    db: &Connection,
    vote: Vote,
    now: Timestamp,
) -> Result<Outcome<Voted>, DbError> {
    let Some(mut row) = rows::by_id(db, vote.escalation_id())? else {
        return Ok(Outcome::of(Voted::NotFound));
    };
    let taken = approval::voted(&row.kept, vote, now)?;
    let is_changed = !taken.change.lines.is_empty();
    if is_changed {
        row.save(db, &taken.change)?;
    }
    let kept = row.kept.clone();
    let told = taken.why_not.map_or_else(|| Voted::Counted(row.kept), Voted::Not);
    Ok(if is_changed { Outcome::changed(&kept, told) } else { Outcome::of(told) })
}

pub(super) fn settle(
    db: &Connection,
    id: EscalationId,
    moment: Moment,
) -> Result<Outcome<Option<Kept>>, DbError> {
    let Some(mut row) = rows::by_id(db, id)? else { return Ok(Outcome::of(None)) };
    let is_changed = settle_row(db, &mut row, moment)?;
    let kept = row.kept.clone();
    let told = Some(row.kept);
    Ok(if is_changed { Outcome::changed(&kept, told) } else { Outcome::of(told) })
}

pub(super) fn spend(
    db: &Connection,
    id: EscalationId,
    presentation: &Presentation,
    moment: Moment,
) -> Result<Outcome<Result<Spent, Unspendable>>, DbError> {
    let Some(mut row) = rows::by_id(db, id)? else {
        return Ok(Outcome::of(Err(Unspendable::Unknown)));
    };
    // The log has the decision before anything is spent on it, and an end that was seen stays.
    let is_settled = settle_row(db, &mut row, moment)?;
    let told = match approval::spent(Some(&row.kept), presentation, moment) {
        Ok(verdict) if row.spend(db, moment.wall)? => Ok(Spent { kept: row.kept.clone(), verdict }),
        Ok(_) => return Err(DbError::Damaged),
        Err(why) if is_settled => Err(why),
        Err(why) => return Ok(Outcome::of(Err(why))),
    };
    Ok(Outcome::changed(&row.kept, told))
}

fn settle_row(db: &Connection, row: &mut Row, moment: Moment) -> Result<bool, DbError> {
    let Some(change) = approval::settled(&row.kept, moment)? else { return Ok(false) };
    row.save(db, &change)?;
    Ok(true)
}
