use super::error::DbError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// `sec0` in ASCII: whose file this is.
const APPLICATION: i64 = 0x7365_6330;

/// What leads from each version to the next. Never changed once released, only added to.
const STEPS: &[&str] = &[KEYS];

/// Version 1: the keys of idempotency.
///
/// `dedupe_used` has what each principal holds, and under the empty share what all hold; triggers
/// keep it, so that no writer can forget to.
const KEYS: &str = "
CREATE TABLE dedupe (
    key BLOB PRIMARY KEY CHECK (length(key) = 32),
    share BLOB NOT NULL CHECK (length(share) = 32),
    arguments BLOB NOT NULL CHECK (length(arguments) = 32),
    run BLOB NOT NULL CHECK (length(run) = 16),
    owner BLOB NOT NULL CHECK (length(owner) = 16),
    state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    since INTEGER NOT NULL,
    until INTEGER,
    result BLOB,
    result_sha256 BLOB,
    principal TEXT NOT NULL,
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    recorded_key TEXT NOT NULL,
    CHECK ((state = 1) = (until IS NOT NULL))
) STRICT;
CREATE INDEX dedupe_until ON dedupe (until) WHERE until IS NOT NULL;
CREATE INDEX dedupe_open ON dedupe (since) WHERE state <> 1;
CREATE TABLE dedupe_used (
    share BLOB PRIMARY KEY,
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER dedupe_added AFTER INSERT ON dedupe BEGIN
    INSERT INTO dedupe_used VALUES (NEW.share, 1, ifnull(length(NEW.result), 0))
        ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
    INSERT INTO dedupe_used VALUES (x'', 1, ifnull(length(NEW.result), 0))
        ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER dedupe_changed AFTER UPDATE OF result ON dedupe BEGIN
    UPDATE dedupe_used
        SET bytes = bytes + ifnull(length(NEW.result), 0) - ifnull(length(OLD.result), 0)
        WHERE share IN (NEW.share, x'');
END;
CREATE TRIGGER dedupe_removed AFTER DELETE ON dedupe BEGIN
    UPDATE dedupe_used SET keys = keys - 1, bytes = bytes - ifnull(length(OLD.result), 0)
        WHERE share IN (OLD.share, x'');
    DELETE FROM dedupe_used WHERE share = OLD.share AND keys <= 0;
END;
";

fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Refuses a file of another program or of a later version, before anything in it is changed.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), DbError> {
    let (application, found) = read(connection)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    let is_new = application == 0 && found == 0 && tables == 0;
    if !is_new && application != APPLICATION {
        return Err(DbError::Foreign(path.to_owned()));
    }
    if found > known() {
        return Err(DbError::Newer { path: path.to_owned(), found, known: known() });
    }
    Ok(())
}

/// Brings the file to the version that is known: all steps or none.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), DbError> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it meanwhile, or have been a later version.
    check(&change, path)?;
    let (_, found) = read(&change)?;
    if found < known() {
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
            change.execute_batch(step)?;
        }
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", known())?;
    }
    Ok(change.commit()?)
}

fn read(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}
