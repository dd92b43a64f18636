//! The ways in: write, or only measure.

use super::order::Member;
use super::writer::Writer;
use super::{CanonicalError, Limits};
use crate::digest::{Digest, DigestKey, Fingerprint};
use serde::Serialize;
use std::cell::Cell;

/// Buffers that grew beyond this many bytes are given back rather than kept for the next call.
const KEPT: usize = 1024 * 1024;

thread_local! {
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static MEMBERS: Cell<Vec<Member>> = const { Cell::new(Vec::new()) };
}

/// Writes the canonical form of `value` at the end of `out`.
///
/// # Errors
///
/// When `value` has no canonical form or is beyond `limits`; `out` is then as it was, apart from
/// its capacity. It never grows far beyond the limit: the text is refused before it is written.
pub fn append<T>(out: &mut Vec<u8>, value: &T, limits: Limits) -> Result<(), CanonicalError>
where
    T: Serialize + ?Sized,
{
    let before = out.len();
    let mut writer = Writer::new(out, limits, MEMBERS.try_with(Cell::take).unwrap_or_else(none));
    let written = value.serialize(&mut writer);
    let (finished, mut members) = writer.finish(written);
    if finished.is_err() {
        out.truncate(before);
    }
    members.clear();
    if members.capacity() * size_of::<Member>() <= KEPT {
        keep(&MEMBERS, members);
    }
    finished
}

/// The canonical form of `value`, within the default [`Limits`].
///
/// # Errors
///
/// When `value` has no canonical form or is beyond the limits.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(128);
    append(&mut out, value, Limits::default())?;
    Ok(out)
}

/// What [`measure`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// The length of the canonical form in bytes.
    pub len: usize,
    /// The digest of the canonical form.
    pub digest: Digest,
}

/// The length and digest of the canonical form of `value`, which is written to a buffer that the
/// thread keeps for the next time (up to 1 MiB).
///
/// # Errors
///
/// As [`append`].
pub fn measure<T>(value: &T, limits: Limits) -> Result<Measured, CanonicalError>
where
    T: Serialize + ?Sized,
{
    let (len, digest) = pass(value, limits, Digest::of)?;
    Ok(Measured { len, digest })
}

/// The length of the canonical form of `value` and its fingerprint, under `key` if there is one.
/// It is one pass, as with [`measure`].
///
/// # Errors
///
/// As [`append`].
pub fn fingerprint<T>(
    value: &T,
    limits: Limits,
    key: Option<&DigestKey>,
) -> Result<(usize, Fingerprint), CanonicalError>
where
    T: Serialize + ?Sized,
{
    pass(value, limits, |bytes| Fingerprint::of(bytes, key))
}

/// The length of the canonical form, and what `digest` makes of it.
fn pass<T, D>(
    value: &T,
    limits: Limits,
    digest: impl FnOnce(&[u8]) -> D,
) -> Result<(usize, D), CanonicalError>
where
    T: Serialize + ?Sized,
{
    // Taken, not borrowed: a value that measures a part of itself gets a buffer of its own.
    let mut bytes = BYTES.try_with(Cell::take).unwrap_or_else(none);
    let measured = append(&mut bytes, value, limits).map(|()| (bytes.len(), digest(&bytes)));
    bytes.clear();
    if bytes.capacity() <= KEPT {
        keep(&BYTES, bytes);
    }
    measured
}

/// A thread that is ending has lost its buffers; it does without.
fn none<T>(_ending: std::thread::AccessError) -> Vec<T> {
    Vec::new()
}

fn keep<T>(place: &'static std::thread::LocalKey<Cell<Vec<T>>>, buffer: Vec<T>) {
    match place.try_with(|kept| kept.set(buffer)) {
        Ok(()) | Err(_) => {}
    }
}
