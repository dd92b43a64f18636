use super::rows::unsigned;
use crate::approval::{ApprovalBounds, Used};
use crate::clock::Timestamp;
use crate::store::sqlite::error::DbError;
use rusqlite::{Connection, OptionalExtension as _, params};

/// For how long what is over can still be looked at.
const AFTERWARDS: i64 = 7 * 24 * 3600 * 1000;

/// How many times as many are removed while there is no room.
const ROUNDS: u32 = 64;

const USED: &str = "SELECT keys, bytes FROM approvals_used WHERE share = ?1";
const PURGE: &str = "DELETE FROM approvals WHERE number IN (SELECT number FROM approvals \
                     WHERE lines = 0 AND over_at <= ?1 ORDER BY over_at LIMIT 16)";
const PURGE_SHARE: &str = "DELETE FROM approvals WHERE number IN (SELECT number FROM approvals \
                           WHERE lines = 0 AND share = ?2 AND over_at <= ?1 \
                           ORDER BY over_at LIMIT 16)";

const PURGE_DONE: &str = "DELETE FROM approvals WHERE number IN (SELECT number FROM approvals \
                          INDEXED BY approvals_done WHERE lines = 0 AND (spent_at IS NOT NULL \
                          OR ended IN ('unattended_refused', 'no_approvers_configured', \
                          'timed_out_rejected')) AND version > 0 ORDER BY version LIMIT 16)";
const PURGE_DONE_SHARE: &str = "DELETE FROM approvals WHERE number IN (SELECT number \
                                FROM approvals INDEXED BY approvals_done_share WHERE lines = 0 \
                                AND (spent_at IS NOT NULL OR ended IN ('unattended_refused', \
                                'no_approvers_configured', 'timed_out_rejected')) \
                                AND share = ?1 ORDER BY version LIMIT 16)";

/// Every statement, for the test that none of them reads a whole table.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 5] = [USED, PURGE, PURGE_SHARE, PURGE_DONE, PURGE_DONE_SHARE];

/// Removes some of what has been over for long.
pub(super) fn purge(db: &Connection, now: Timestamp) -> Result<(), DbError> {
    let before = now.as_millis().saturating_sub(AFTERWARDS);
    db.prepare_cached(PURGE)?.execute([before])?;
    Ok(())
}

/// Makes room for one more of `len` bytes by removing what is over, then what is
/// [done with](crate::approval::Kept::is_done_with), the longest first; false where that is not
/// enough. What has lines that the log does not have yet stays.
pub(super) fn make(
    db: &Connection,
    bounds: &ApprovalBounds,
    (share, len): (&[u8; 32], u64),
    now: Timestamp,
) -> Result<bool, DbError> {
    for _ in 0..ROUNDS {
        let removed = if !bounds.fits_share(used(db, share)?, len) {
            let over = db.prepare_cached(PURGE_SHARE)?.execute(params![now.as_millis(), share])?;
            if over == 0 { db.prepare_cached(PURGE_DONE_SHARE)?.execute([share])? } else { over }
        } else if !bounds.fits_all(used(db, &[])?, len) {
            let over = db.prepare_cached(PURGE)?.execute([now.as_millis()])?;
            if over == 0 { db.prepare_cached(PURGE_DONE)?.execute(())? } else { over }
        } else {
            return Ok(true);
        };
        if removed == 0 {
            break;
        }
    }
    Ok(false)
}

fn used(db: &Connection, share: &[u8]) -> Result<Used, DbError> {
    let mut find = db.prepare_cached(USED)?;
    let found = find.query_row([share], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (rows, bytes) = found.unwrap_or_default();
    Ok(Used { rows: unsigned(rows)?, bytes: unsigned(bytes)? })
}
