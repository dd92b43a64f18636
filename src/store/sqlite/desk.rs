use super::error::DbError;
use super::keys::{RUNNING, UNKNOWN};
use super::{file, owner};
use crate::call::Hex;
use crate::clock::Timestamp;
use crate::dedupe::About;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::{Path, PathBuf};

/// The most keys that one list has.
const LISTED: u32 = 1000;

/// The operator's view of the keys whose calls ended unknown. It blocks: for a program of its own,
/// not for an async thread.
#[derive(Debug)]
pub struct KeyDesk {
    dir: PathBuf,
    connection: Connection,
}

/// A key that no call can use until it is released.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldKey {
    /// What names it here: 64 hex digits.
    pub id: String,
    /// Whose it is.
    pub about: About,
    /// When its call began.
    pub since: Timestamp,
}

/// What came of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a command has words for each")]
pub enum Freed {
    /// The key is free.
    Released,
    /// Its call still runs, or has ended well: nothing was changed.
    NotUnknown,
    /// There is no such key.
    NotFound,
}

impl KeyDesk {
    /// Opens the `sec0.db` that is in `dir`. Servers may go on using it.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, DbError> {
        Ok(Self { dir: dir.to_owned(), connection: file::open(dir, false)? })
    }

    /// The keys whose calls ended unknown, the oldest first, at most a thousand.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn unknown(&self) -> Result<Vec<HeldKey>, DbError> {
        let mut find = self.connection.prepare(
            "SELECT key, state, owner, since, principal, server, tool, recorded_key FROM dedupe \
             WHERE state <> 1 ORDER BY since",
        )?;
        let mut rows = find.query(())?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if found.len() >= usize::try_from(LISTED).unwrap_or(usize::MAX) {
                break;
            }
            if !self.is_unknown(row.get(1)?, row.get(2)?) {
                continue;
            }
            let key: [u8; 32] = row.get(0)?;
            let text = |at: usize| row.get::<_, Box<str>>(at);
            found.push(HeldKey {
                id: Hex(&key).to_string(),
                about: About::new(&text(4)?, &text(5)?, &text(6)?, &text(7)?),
                since: Timestamp::from_millis(row.get(3)?),
            });
        }
        Ok(found)
    }

    /// Frees the key that [`HeldKey::id`] names: the next call with it runs. Only for who has made
    /// sure that the call had no effect, or that another one does no harm.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn release(&mut self, id: &str) -> Result<Freed, DbError> {
        let Some(key) = parse(id) else { return Ok(Freed::NotFound) };
        let dir = &self.dir;
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let row =
            change.query_row("SELECT state, owner, run FROM dedupe WHERE key = ?1", [key], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, [u8; 16]>(2)?))
            });
        let (state, owner, run) = match row {
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(Freed::NotFound),
            row => row?,
        };
        if !is_unknown(dir, state, owner) {
            return Ok(Freed::NotUnknown);
        }
        change.execute("DELETE FROM dedupe WHERE key = ?1 AND run = ?2", params![key, run])?;
        change.commit()?;
        Ok(Freed::Released)
    }

    fn is_unknown(&self, state: i64, owner: [u8; 16]) -> bool {
        is_unknown(&self.dir, state, owner)
    }
}

fn is_unknown(dir: &Path, state: i64, owner: [u8; 16]) -> bool {
    state == UNKNOWN || (state == RUNNING && !owner::lives_in(dir, owner))
}

/// 64 lower-case hex digits.
fn parse(id: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = id.as_bytes().as_chunks::<2>();
    let mut key = [0; 32];
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in key.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?;
    }
    Some(key)
}
