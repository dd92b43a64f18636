use super::rows::unsigned;
use crate::approval::{CallKey, EscalationId, NextRound, RoundAbout, RoundId, TakenRound, Used};
use crate::clock::Timestamp;
use crate::store::sqlite::error::DbError;
use rusqlite::{Connection, OptionalExtension as _, params};

const USED: &str = "SELECT keys, bytes FROM approval_rounds_used WHERE share = ?1";
const PURGE: &str = "DELETE FROM approval_rounds WHERE id IN (SELECT id FROM approval_rounds \
                     WHERE until <= ?1 ORDER BY until LIMIT 64)";
const INSERT: &str = "INSERT INTO approval_rounds \
                      (id, call_key, share, escalation, until, tool, bytes, state) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const TAKE: &str = "DELETE FROM approval_rounds WHERE id = ?1 AND call_key = ?2 AND until > ?3 \
                    RETURNING escalation, tool, state";
const WHOSE: &str = "SELECT escalation FROM approval_rounds WHERE id = ?1 AND until > ?2";

/// Every statement, for the test that none of them reads a whole table.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 5] = [USED, PURGE, INSERT, TAKE, WHOSE];

/// False where there is no room.
pub(super) fn expect(
    db: &Connection,
    id: RoundId,
    next: &NextRound,
    now: Timestamp,
) -> Result<bool, DbError> {
    db.prepare_cached(PURGE)?.execute([now.as_millis()])?;
    let (bounds, len) = (NextRound::bounds(), next.bytes());
    let fits =
        bounds.fits_share(used(db, &next.share)?, len) && bounds.fits_all(used(db, &[])?, len);
    if fits {
        let (tool, state) = match &next.about {
            RoundAbout::Approval => (0, None),
            RoundAbout::Tool(state) => (1, state.as_deref()),
        };
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        db.prepare_cached(INSERT)?.execute(params![
            id.as_bytes(),
            next.call.as_bytes(),
            next.share,
            next.escalation.as_bytes(),
            next.until.as_millis(),
            tool,
            len,
            state
        ])?;
    }
    Ok(fits)
}

pub(super) fn take(
    db: &Connection,
    id: RoundId,
    call: CallKey,
    now: Timestamp,
) -> Result<TakenRound, DbError> {
    let mut take = db.prepare_cached(TAKE)?;
    let found = take
        .query_row(params![id.as_bytes(), call.as_bytes(), now.as_millis()], |row| {
            let escalation = EscalationId::from_random(row.get(0)?);
            let is_tools: bool = row.get(1)?;
            let state: Option<Box<str>> = row.get(2)?;
            let about = if is_tools { RoundAbout::Tool(state) } else { RoundAbout::Approval };
            Ok(TakenRound::This(escalation, about))
        })
        .optional()?;
    if let Some(taken) = found {
        return Ok(taken);
    }
    let mut whose = db.prepare_cached(WHOSE)?;
    let other = whose.query_row(params![id.as_bytes(), now.as_millis()], |row| row.get(0));
    let other = other.optional()?.map(EscalationId::from_random);
    Ok(other.map_or(TakenRound::None, TakenRound::OtherCall))
}

fn used(db: &Connection, share: &[u8]) -> Result<Used, DbError> {
    let mut find = db.prepare_cached(USED)?;
    let found = find.query_row([share], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (rows, bytes) = found.unwrap_or_default();
    Ok(Used { rows: unsigned(rows)?, bytes: unsigned(bytes)? })
}
