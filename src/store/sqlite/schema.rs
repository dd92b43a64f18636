use super::error::DbError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// `sec0` in ASCII: whose file this is.
const APPLICATION: i64 = 0x7365_6330;

/// What leads from each version to the next. Never changed once released, only added to.
const STEPS: &[&str] = &[KEYS, APPROVALS, ROUNDS, DONE];

/// Version 1: the keys of idempotency.
///
/// `dedupe_used` has what each principal holds, and under the empty share what all hold; triggers
/// keep it, so that no writer can forget to.
pub(super) const KEYS: &str = "
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

/// Version 2: approvals.
///
/// - `approvals.version` grows with each change of any of them; `approval_version` has the latest.
/// - `approvals.bytes` is what a row holds with its votes. `approvals_used` has the sums as
///   `dedupe_used` has them, and triggers keep them.
/// - `approval_lines` is what the log has yet to get: as long as there is one, its row stays
///   (`approvals.lines`).
///
/// Long texts come last: whoever looks for the rest does not read them.
const APPROVALS: &str = "
CREATE TABLE approvals (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    call_key BLOB NOT NULL CHECK (length(call_key) = 32),
    share BLOB NOT NULL CHECK (length(share) = 32),
    stream TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    over_at INTEGER NOT NULL CHECK (over_at >= expires_at),
    ended TEXT,
    spent_at INTEGER,
    version INTEGER NOT NULL CHECK (version > 0),
    votes INTEGER NOT NULL CHECK (votes BETWEEN 0 AND 1000),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    lines INTEGER NOT NULL DEFAULT 0 CHECK (lines >= 0),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    salt BLOB NOT NULL CHECK (length(salt) = 16),
    escalation TEXT NOT NULL CHECK (octet_length(escalation) <= 131072),
    shown TEXT NOT NULL CHECK (octet_length(shown) <= 65536)
) STRICT;
CREATE INDEX approvals_call ON approvals (call_key, over_at) WHERE spent_at IS NULL;
CREATE INDEX approvals_overdue ON approvals (stream, expires_at) WHERE ended IS NULL;
CREATE INDEX approvals_pending ON approvals (number) WHERE ended IS NULL;
CREATE INDEX approvals_version ON approvals (version);
CREATE INDEX approvals_over ON approvals (over_at) WHERE lines = 0;
CREATE INDEX approvals_share ON approvals (share, over_at) WHERE lines = 0;
CREATE TABLE approval_votes (
    approval INTEGER NOT NULL,
    place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 999),
    body TEXT NOT NULL CHECK (octet_length(body) <= 16384),
    PRIMARY KEY (approval, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE approval_lines (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    approval INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    about INTEGER NOT NULL CHECK (about BETWEEN 0 AND 3),
    body TEXT NOT NULL
) STRICT;
CREATE INDEX approval_lines_stream ON approval_lines (stream);
CREATE TABLE approval_version (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO approval_version VALUES (1, 0);
CREATE TABLE approvals_used (
    share BLOB PRIMARY KEY,
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER approvals_added AFTER INSERT ON approvals BEGIN
    INSERT INTO approvals_used VALUES (NEW.share, 1, NEW.bytes)
        ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
    INSERT INTO approvals_used VALUES (x'', 1, NEW.bytes)
        ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER approvals_grown AFTER UPDATE OF bytes ON approvals BEGIN
    UPDATE approvals_used SET bytes = bytes + NEW.bytes - OLD.bytes
        WHERE share IN (NEW.share, x'');
END;
CREATE TRIGGER approvals_removed AFTER DELETE ON approvals BEGIN
    DELETE FROM approval_votes WHERE approval = OLD.number;
    UPDATE approvals_used SET keys = keys - 1, bytes = bytes - OLD.bytes
        WHERE share IN (OLD.share, x'');
    DELETE FROM approvals_used WHERE share = OLD.share AND keys <= 0;
END;
CREATE TRIGGER approval_lines_added AFTER INSERT ON approval_lines BEGIN
    UPDATE approvals SET lines = lines + 1 WHERE number = NEW.approval;
END;
CREATE TRIGGER approval_lines_removed AFTER DELETE ON approval_lines BEGIN
    UPDATE approvals SET lines = lines - 1 WHERE number = OLD.approval;
END;
";

/// Version 3: the rounds of calls that may come. `approval_rounds_used` has the sums as
/// `dedupe_used` has them.
const ROUNDS: &str = "
CREATE TABLE approval_rounds (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    call_key BLOB NOT NULL CHECK (length(call_key) = 32),
    share BLOB NOT NULL CHECK (length(share) = 32),
    escalation BLOB NOT NULL CHECK (length(escalation) = 16),
    until INTEGER NOT NULL,
    tool INTEGER NOT NULL CHECK (tool IN (0, 1)),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    state TEXT CHECK (octet_length(state) <= 65536),
    CHECK (tool = 1 OR state IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX approval_rounds_until ON approval_rounds (until);
CREATE TABLE approval_rounds_used (
    share BLOB PRIMARY KEY,
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER approval_rounds_added AFTER INSERT ON approval_rounds BEGIN
    INSERT INTO approval_rounds_used VALUES (NEW.share, 1, NEW.bytes)
        ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
    INSERT INTO approval_rounds_used VALUES (x'', 1, NEW.bytes)
        ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER approval_rounds_removed AFTER DELETE ON approval_rounds BEGIN
    UPDATE approval_rounds_used SET keys = keys - 1, bytes = bytes - OLD.bytes
        WHERE share IN (OLD.share, x'');
    DELETE FROM approval_rounds_used WHERE share = OLD.share AND keys <= 0;
END;
";

/// Version 4.
///
/// - A row counts its lines when it is itself written, not once more for each of them.
/// - What can go while there is no room, by its last change (`Kept::is_done_with`).
/// - What is overdue, in an order in which it can be gone through page by page.
const DONE: &str = "
CREATE INDEX approvals_done ON approvals (version) WHERE lines = 0 AND
    (spent_at IS NOT NULL OR ended IN ('unattended_refused', 'no_approvers_configured',
    'timed_out_rejected'));
CREATE INDEX approvals_done_share ON approvals (share, version) WHERE lines = 0 AND
    (spent_at IS NOT NULL OR ended IN ('unattended_refused', 'no_approvers_configured',
    'timed_out_rejected'));
DROP TRIGGER approval_lines_added;
DROP INDEX approvals_overdue;
CREATE INDEX approvals_overdue ON approvals (stream, expires_at, id) WHERE ended IS NULL;
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
