use crate::approval::{
    Asking, Cast, Change, Escalation, EscalationId, Finalization, Kept, NewLine, Overdue, Shown,
};
use crate::clock::Timestamp;
use crate::store::sqlite::error::DbError;
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use std::sync::Arc;

use super::damaged::{DamagedApproval, Rows};
use super::lines;

/// An escalation, and where it stands.
#[derive(Debug)]
pub(in crate::store::sqlite) struct Row {
    pub(in crate::store::sqlite) kept: Kept,
    number: i64,
    stream: Box<str>,
}

/// The same with what approvers are shown.
#[derive(Debug)]
pub(in crate::store::sqlite) struct RowWithShown {
    pub(in crate::store::sqlite) kept: Kept,
    pub(in crate::store::sqlite) shown: Shown,
}

const FIND: &str =
    "SELECT number, stream, id, sha256, ended, spent_at, version, votes, escalation FROM approvals";
/// In one pass, where lists are long.
const FIND_SHOWN: &str = "SELECT number, stream, id, sha256, ended, spent_at, version, votes, \
                          escalation, salt, shown FROM approvals";

const BY_ID: &str = "WHERE id = ?1";
const OPEN: &str =
    "WHERE call_key = ?1 AND spent_at IS NULL AND over_at > ?2 ORDER BY over_at DESC LIMIT 8";
const OVERDUE: &str = "WHERE stream = ?1 AND ended IS NULL AND expires_at <= ?2 \
                       AND (expires_at, id) > (?3, ?4) ORDER BY expires_at, id";
const PENDING: &str = "WHERE ended IS NULL ORDER BY number DESC LIMIT ?1";
const ALL: &str = "ORDER BY number DESC LIMIT ?1";

const COUNT_PENDING: &str = "SELECT count(*) FROM approvals WHERE ended IS NULL";
const COUNT_ALL: &str = "SELECT coalesce(max(keys), 0) FROM approvals_used WHERE share = x''";

const IDS: &str = "SELECT id FROM approvals WHERE id BETWEEN ?1 AND ?2 LIMIT 2";
const VOTES: &str = "SELECT body FROM approval_votes WHERE approval = ?1 ORDER BY place";

const INSERT: &str = "INSERT INTO approvals (id, call_key, share, stream, expires_at, over_at, \
                      ended, version, votes, bytes, sha256, salt, escalation, shown, lines) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, ?14)";
const SAVE: &str = "UPDATE approvals SET ended = ?3, over_at = ?4, version = ?5, votes = ?6, \
                    bytes = bytes + ?7, lines = lines + ?8 WHERE number = ?1 AND version = ?2 AND ended IS NULL";
const SPEND: &str = "UPDATE approvals SET spent_at = ?3, version = ?4 \
                     WHERE number = ?1 AND version = ?2 AND spent_at IS NULL";
const ADD_VOTE: &str = "INSERT INTO approval_votes (approval, place, body) VALUES (?1, ?2, ?3)";

const VERSION: &str = "SELECT version FROM approval_version WHERE one = 1";
const NEXT_VERSION: &str =
    "UPDATE approval_version SET version = version + 1 WHERE one = 1 RETURNING version";
const CHANGED: &str = "SELECT id, version FROM approvals WHERE version > ?1 ORDER BY version";

/// Every statement, for the test that none of them reads a whole table.
#[cfg(test)]
pub(super) fn statements() -> Vec<String> {
    let of = |rest: &&str| format!("{FIND} {rest}");
    let found = [BY_ID, OPEN, OVERDUE, PENDING].iter().map(of);
    let others = [
        COUNT_PENDING,
        COUNT_ALL,
        IDS,
        VOTES,
        INSERT,
        SAVE,
        SPEND,
        ADD_VOTE,
        VERSION,
        NEXT_VERSION,
        CHANGED,
    ];
    found.chain(others.map(str::to_owned)).collect()
}

pub(in crate::store::sqlite) fn by_id(
    db: &Connection,
    id: EscalationId,
) -> Result<Option<Row>, DbError> {
    find_with(db, (FIND, BY_ID), [id.as_bytes()], 1, load)?.one()
}

/// Those of which whoever asks for the same call may be given one.
pub(super) fn open(
    db: &Connection,
    call_key: &[u8; 32],
    now: Timestamp,
) -> Result<Rows<Row>, DbError> {
    find_with(db, (FIND, OPEN), params![call_key, now.as_millis()], 8, load)
}

pub(super) fn overdue(
    db: &Connection,
    stream: &str,
    after: Option<Overdue>,
    now: Timestamp,
) -> Result<Rows<Kept>, DbError> {
    let (since, id) = after
        .map_or((i64::MIN, [0; 16]), |Overdue { since, id }| (since.as_millis(), *id.as_bytes()));
    let of = params![stream, now.as_millis(), since, id];
    find_with(db, (FIND, OVERDUE), of, 100, |db, row| Ok(load(db, row)?.kept))
}

/// With what approvers are shown.
pub(in crate::store::sqlite) fn shown_by_id(
    db: &Connection,
    id: EscalationId,
) -> Result<Option<RowWithShown>, DbError> {
    find_with(db, (FIND_SHOWN, BY_ID), [id.as_bytes()], 1, with_shown)?.one()
}

/// Those that nothing has decided, newest first.
pub(in crate::store::sqlite) fn pending(
    db: &Connection,
    at_most: u32,
) -> Result<Rows<RowWithShown>, DbError> {
    find_with(db, (FIND_SHOWN, PENDING), [at_most], usize::MAX, with_shown)
}

/// All of them, newest first.
pub(in crate::store::sqlite) fn all(
    db: &Connection,
    at_most: u32,
) -> Result<Rows<RowWithShown>, DbError> {
    find_with(db, (FIND_SHOWN, ALL), [at_most], usize::MAX, with_shown)
}

/// How many there are, of those that nothing has decided or of all.
pub(in crate::store::sqlite) fn count(db: &Connection, is_pending: bool) -> Result<u64, DbError> {
    let count = if is_pending { COUNT_PENDING } else { COUNT_ALL };
    unsigned(db.prepare_cached(count)?.query_row((), |row| row.get(0))?)
}

/// The first two ids in this range.
pub(in crate::store::sqlite) fn ids_between(
    db: &Connection,
    low: [u8; 16],
    high: [u8; 16],
) -> Result<Vec<EscalationId>, DbError> {
    let mut find = db.prepare_cached(IDS)?;
    let ids = find.query_map([low, high], |row| row.get(0))?;
    Ok(ids.map(|id| id.map(EscalationId::from_random)).collect::<Result<_, _>>()?)
}

/// The number of the latest change.
pub(in crate::store::sqlite) fn version(db: &Connection) -> Result<u64, DbError> {
    let version: i64 = db.prepare_cached(VERSION)?.query_row((), |row| row.get(0))?;
    unsigned(version)
}

/// What has changed since this version, in order.
pub(super) fn changed(db: &Connection, since: u64) -> Result<Vec<(EscalationId, u64)>, DbError> {
    let mut find = db.prepare_cached(CHANGED)?;
    let mut rows = find.query([signed(since)?])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((EscalationId::from_random(row.get(0)?), unsigned(row.get(1)?)?));
    }
    Ok(found)
}

/// Keeps a new one with its lines.
pub(super) fn insert(
    db: &Connection,
    asking: &Asking,
    mut kept: Kept,
    new_lines: &[NewLine],
) -> Result<Kept, DbError> {
    let Asking { escalation, shown, stream } = asking;
    let binding = escalation.binding();
    kept.version = next_version(db)?;
    db.prepare_cached(INSERT)?.execute(params![
        escalation.id().as_bytes(),
        binding.call_key()?.as_bytes(),
        binding.share(),
        stream,
        escalation.expires_at().as_millis(),
        kept.over_at().as_millis(),
        kept.ended.map(Finalization::as_str),
        signed(kept.version)?,
        signed(asking.bytes())?,
        escalation.digest().as_bytes(),
        shown.salt,
        escalation.canonical(),
        shown.text,
        signed_count(new_lines.len())?,
    ])?;
    lines::add(db, (db.last_insert_rowid(), stream), escalation.id(), new_lines)?;
    Ok(kept)
}

impl Row {
    /// Saves what an event has changed, if the row still is as it was loaded.
    pub(super) fn save(&mut self, db: &Connection, change: &Change) -> Result<(), DbError> {
        let (place, version) = (signed_count(self.kept.casts.len())?, self.kept.version);
        self.kept.apply(change);
        self.kept.version = next_version(db)?;
        let mut grown = 0;
        if change.cast.is_some() {
            let body = change.lines.first().map_or("", |line| &*line.body);
            grown = signed_count(body.len())?;
            db.prepare_cached(ADD_VOTE)?.execute(params![self.number, place, body])?;
        }
        let kept = &self.kept;
        let saved = db.prepare_cached(SAVE)?.execute(params![
            self.number,
            signed(version)?,
            kept.ended.map(Finalization::as_str),
            kept.over_at().as_millis(),
            signed(kept.version)?,
            signed_count(kept.casts.len())?,
            grown,
            signed_count(change.lines.len())?,
        ])?;
        if saved != 1 {
            return Err(DbError::Damaged);
        }
        lines::add(db, (self.number, &self.stream), kept.escalation.id(), &change.lines)
    }

    /// Marks the grant spent; false where it was already.
    pub(super) fn spend(&mut self, db: &Connection, now: Timestamp) -> Result<bool, DbError> {
        let version = next_version(db)?;
        let spent = db.prepare_cached(SPEND)?.execute(params![
            self.number,
            signed(self.kept.version)?,
            now.as_millis(),
            signed(version)?,
        ])?;
        (self.kept.version, self.kept.spent_at) = (version, Some(now));
        Ok(spent == 1)
    }
}

/// At most so many that can be read, and all that cannot before them.
fn find_with<T>(
    db: &Connection,
    (find, rest): (&str, &str),
    of: impl Params,
    at_most: usize,
    load: impl Fn(&Connection, &rusqlite::Row<'_>) -> Result<T, DbError>,
) -> Result<Rows<T>, DbError> {
    let mut find = db.prepare_cached(&format!("{find} {rest}"))?;
    let mut rows = find.query(of)?;
    let mut found = Rows { rows: Vec::new(), damaged: Vec::new() };
    while found.rows.len() < at_most
        && let Some(row) = rows.next()?
    {
        match load(db, row) {
            Ok(row) => found.rows.push(row),
            Err(DbError::DamagedApproval(damaged)) => found.damaged.push(damaged),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn with_shown(db: &Connection, row: &rusqlite::Row<'_>) -> Result<RowWithShown, DbError> {
    let Row { kept, .. } = load(db, row)?;
    let bad = || DamagedApproval::of(row, "what approvers were shown is not what was asked");
    let shown = Shown {
        salt: row.get(9).map_err(|_other_length| bad())?,
        text: row.get(10).map_err(|_no_text| bad())?,
    };
    let is_whole = shown.digest() == kept.escalation.shown();
    if is_whole { Ok(RowWithShown { kept, shown }) } else { Err(bad().into()) }
}

fn load(db: &Connection, row: &rusqlite::Row<'_>) -> Result<Row, DbError> {
    let bad = |what| DamagedApproval::of(row, what);
    let text = row.get_ref(8)?.as_str().map_err(|_no_text| bad("its question is no text"))?;
    let escalation =
        Escalation::parse(text).map_err(|_says_no_more| bad("its question does not read"))?;
    let is_same = |at, bytes: &[u8]| -> Result<bool, DbError> {
        let stored = row.get_ref(at)?.as_blob().map_err(|_no_blob| bad("it has no digest"))?;
        Ok(stored == bytes)
    };
    if !is_same(2, escalation.id().as_bytes())? {
        return Err(bad("its question is another one's").into());
    }
    if !is_same(3, escalation.digest().as_bytes())? {
        return Err(bad("its question was changed").into());
    }
    let number = row.get(0)?;
    let no_end = || bad("its end is none that sec0 writes");
    let ended = row.get_ref(4)?.as_str_or_null().map_err(|_no_text| no_end())?;
    let ended = ended.map(|word| Finalization::from_wire(word).ok_or_else(no_end));
    let kept = Kept {
        escalation: Arc::new(escalation),
        casts: casts(db, number, row.get(7)?)?.map_err(bad)?,
        ended: ended.transpose()?,
        spent_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        version: unsigned(row.get(6)?)?,
    };
    let stream = row.get(1).map_err(|_no_text| bad("its stream is no text"))?;
    Ok(Row { kept, number, stream })
}

/// Inside: what is wrong with them.
fn casts(
    db: &Connection,
    number: i64,
    votes: i64,
) -> Result<Result<Vec<Cast>, &'static str>, DbError> {
    const UNREAD: &str = "one of its votes does not read";
    if votes == 0 {
        return Ok(Ok(Vec::new()));
    }
    let mut find = db.prepare_cached(VOTES)?;
    let mut rows = find.query([number])?;
    let mut casts = Vec::new();
    while let Some(row) = rows.next()? {
        let Ok(text) = row.get_ref(0)?.as_str() else { return Ok(Err(UNREAD)) };
        let Ok(cast) = Cast::parse(text) else { return Ok(Err(UNREAD)) };
        casts.push(cast);
    }
    Ok(if signed_count(casts.len())? == votes { Ok(casts) } else { Err("votes are missing") })
}

fn next_version(db: &Connection) -> Result<u64, DbError> {
    let version: Option<i64> =
        db.prepare_cached(NEXT_VERSION)?.query_row((), |row| row.get(0)).optional()?;
    unsigned(version.ok_or(DbError::Damaged)?)
}

fn signed_count(number: usize) -> Result<i64, DbError> {
    i64::try_from(number).map_err(|_too_large| DbError::Damaged)
}

pub(super) fn signed(number: u64) -> Result<i64, DbError> {
    i64::try_from(number).map_err(|_too_large| DbError::Damaged)
}

pub(super) fn unsigned(number: i64) -> Result<u64, DbError> {
    u64::try_from(number).map_err(|_negative| DbError::Damaged)
}
