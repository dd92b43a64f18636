use parking_lot::{Condvar, Mutex};
use rustix::io::Errno;
use std::sync::Arc;

/// The operations of a disk and its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Open,
    Names,
    Replace,
    Remove,
    Hold,
    Length,
    Read,
    Write,
    SetLength,
    Sync,
    IsInPlace,
}

/// What happens to an operation.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The power is cut in the middle of it. Everything after fails.
    Crash,
    /// It fails with nothing done; a sync loses what was not synced.
    Fail(Errno),
    /// It is done, and says that it failed.
    Late(Errno),
    /// A write takes half of what it is given. Nothing else notices.
    Short,
    /// It waits until the gate is opened, then works.
    Hang(Gate),
}

/// Which operations something happens to.
#[derive(Debug, Clone, Copy)]
enum When {
    /// The one with this number, once.
    Number(u64),
    /// The next one of this kind, once.
    Next(Op),
    /// All of this kind, or all there are.
    All(Option<Op>),
}

/// What happens when.
#[derive(Debug, Default)]
pub(crate) struct Plan(Vec<(When, Fault)>);

impl Plan {
    pub(crate) fn at(&mut self, number: u64, fault: Fault) {
        self.0.push((When::Number(number), fault));
    }

    pub(crate) fn next(&mut self, op: Op, fault: Fault) {
        self.0.push((When::Next(op), fault));
    }

    pub(crate) fn all(&mut self, op: Option<Op>, fault: Fault) {
        self.0.push((When::All(op), fault));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this operation; what happens once is then done with.
    pub(crate) fn strike(&mut self, number: u64, op: Op) -> Option<Fault> {
        let at = self.0.iter().position(|(when, _)| match when {
            When::Number(at) => *at == number,
            When::Next(kind) => *kind == op,
            When::All(kind) => kind.is_none_or(|kind| kind == op),
        })?;
        match &self.0[at] {
            (When::All(_), fault) => Some(fault.clone()),
            (When::Number(_) | When::Next(_), _) => Some(self.0.remove(at).1),
        }
    }
}

/// Holds an operation until it is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Door>, Condvar)>);

#[derive(Debug, Default)]
struct Door {
    is_open: bool,
    waiting: usize,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.lock().is_open = true;
        self.0.1.notify_all();
    }

    /// Blocks until an operation waits here.
    pub(crate) fn wait_until_reached(&self) {
        self.0.1.wait_while(&mut self.0.0.lock(), |door| door.waiting == 0);
    }

    pub(crate) fn pass(&self) {
        let mut door = self.0.0.lock();
        door.waiting += 1;
        self.0.1.notify_all();
        self.0.1.wait_while(&mut door, |door| !door.is_open);
        door.waiting -= 1;
    }
}
