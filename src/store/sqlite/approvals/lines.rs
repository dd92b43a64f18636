use super::rows::unsigned;
use crate::approval::{EscalationId, Line, LineAbout, NewLine};
use crate::clock::Timestamp;
use crate::store::sqlite::error::DbError;
use rusqlite::{Connection, params};

const ADD: &str = "INSERT INTO approval_lines (stream, approval, id, at, about, body) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const AFTER: &str = "SELECT number, id, at, about, body FROM approval_lines \
                     WHERE stream = ?1 AND number > ?2 ORDER BY number LIMIT 100";
const REMOVE: &str = "DELETE FROM approval_lines WHERE stream = ?1 AND number <= ?2";

/// Every statement, for the test that none of them reads a whole table.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 3] = [ADD, AFTER, REMOVE];

/// Adds lines about the escalation in this row, for the log of this stream. The row counts them
/// already, so that it is written once.
pub(super) fn add(
    db: &Connection,
    (row, stream): (i64, &str),
    id: EscalationId,
    lines: &[NewLine],
) -> Result<(), DbError> {
    let mut add = db.prepare_cached(ADD)?;
    for line in lines {
        let (at, about) = (line.at.as_millis(), number(line.about));
        add.execute(params![stream, row, id.as_bytes(), at, about, line.body])?;
    }
    Ok(())
}

/// A line that cannot be read has no body: whoever records the others names it and goes on.
pub(super) fn after(db: &Connection, stream: &str, after: u64) -> Result<Vec<Line>, DbError> {
    let mut find = db.prepare_cached(AFTER)?;
    let mut rows = find.query(params![stream, i64::try_from(after).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number = unsigned(row.get(0)?)?;
        found.push(line(number, row).unwrap_or_else(|_damaged| Line {
            number,
            id: row.get(1).map_or(EscalationId::from_random([0; 16]), EscalationId::from_random),
            at: Timestamp::from_millis(0),
            about: LineAbout::Created,
            body: Box::default(),
        }));
    }
    Ok(found)
}

fn line(number: u64, row: &rusqlite::Row<'_>) -> Result<Line, DbError> {
    Ok(Line {
        number,
        id: EscalationId::from_random(row.get(1)?),
        at: Timestamp::from_millis(row.get(2)?),
        about: about(row.get(3)?)?,
        body: row.get(4)?,
    })
}

pub(super) fn remove(db: &Connection, stream: &str, up_to: u64) -> Result<(), DbError> {
    let up_to = i64::try_from(up_to).unwrap_or(i64::MAX);
    db.prepare_cached(REMOVE)?.execute(params![stream, up_to])?;
    Ok(())
}

fn number(about: LineAbout) -> i64 {
    match about {
        LineAbout::Created => 0,
        LineAbout::Voted => 1,
        LineAbout::Decided { granted: false } => 2,
        LineAbout::Decided { granted: true } => 3,
    }
}

fn about(number: i64) -> Result<LineAbout, DbError> {
    match number {
        0 => Ok(LineAbout::Created),
        1 => Ok(LineAbout::Voted),
        2 => Ok(LineAbout::Decided { granted: false }),
        3 => Ok(LineAbout::Decided { granted: true }),
        _ => Err(DbError::Damaged),
    }
}
