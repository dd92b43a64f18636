use super::error::DbError;
use super::{FILE, schema};
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{self, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

/// How long a transaction waits for one of another process.
const BUSY: Duration = Duration::from_secs(2);

/// How many statements stay prepared: more than there are, so that none is read twice.
const PREPARED: usize = 64;

/// The size to which the write-ahead log is cut back.
const WAL_BYTES: i64 = 16 << 20;

/// POSIX locks of a file go when any handle of it in the process is closed. So the file is opened
/// by nobody but SQLite; it is only made here, and not while another opens it.
static OPENING: Mutex<()> = Mutex::new(());

/// Opens `sec0.db` in `dir`, and makes it if it is missing and `makes` says so.
///
/// `dir` must be ours and private.
pub(super) fn open(dir: &Path, makes: bool) -> Result<Connection, DbError> {
    let dir = dir.canonicalize().map_err(|error| DbError::open(&dir.join(FILE), &error))?;
    let path = dir.join(FILE);
    let _alone = OPENING.lock();
    secure(&path, makes)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection =
        Connection::open_with_flags(&path, flags).map_err(|error| explain(&path, &error))?;
    match prepare(&mut connection, &path) {
        Err(DbError::Sql(error)) => Err(explain(&path, &error)),
        prepared => prepared.map(|()| connection),
    }
}

/// Sees to it that the file is a plain one, ours, and for nobody else.
fn secure(path: &Path, makes: bool) -> Result<(), DbError> {
    let failed = |error: std::io::Error| DbError::open(path, &error);
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && makes => {
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            match made {
                // Another process was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => drop(made.map_err(failed)?),
            }
            fs::symlink_metadata(path)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(DbError::Missing(path.to_owned()));
        }
        found => found,
    };
    let found = found.map_err(failed)?;
    if !found.is_file() {
        return Err(DbError::open(path, &"it is not a regular file; remove it"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(DbError::open(path, &"it belongs to another user; remove it"));
    }
    if found.nlink() > 1 {
        return Err(DbError::open(path, &"it has more than one name; remove the other hard links"));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), DbError> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    // A file that somebody has tampered with can break no more than itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Otherwise each new value of a parameter has its statement planned anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    schema::check(connection, path)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(DbError::open(path, &"its file system allows no write-ahead log"));
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    // What a savepoint keeps is no file, that would have to be made for each transaction.
    connection.pragma_update(None, "temp_store", "memory")?;
    // What was stored is a payload: its bytes go with its row.
    connection.pragma_update(None, "secure_delete", true)?;
    schema::migrate(connection, path)
}

fn explain(path: &Path, error: &rusqlite::Error) -> DbError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => DbError::open(
            path,
            &"it is damaged, or no database; move it away with `sec0.db-wal` and `sec0.db-shm`",
        ),
        Some(ErrorCode::DatabaseBusy) => {
            DbError::open(path, &"another process has kept it locked for two seconds")
        }
        _ => DbError::open(path, error),
    }
}
