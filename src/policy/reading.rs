//! What other files of users are read with: the same bounds, tables and words as policies.

pub(crate) use super::check::{Document, check_as, check_at};
pub(crate) use super::error::{Place, shown};
#[cfg(test)]
pub(crate) use super::schema::every_key;
pub(crate) use super::shape::{AMOUNT, Key, Shape, Unless, WORDS, hint, nearest};
pub(crate) use super::tree::{Kind, Node};
pub(crate) use super::words::{deny_on, known, tenant};
pub(crate) use super::yaml::{bytes, parse, text};
