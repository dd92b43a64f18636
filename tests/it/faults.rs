//! A sink and a signer that fail when they are told to.

use crate::support::{key, soon};
use parking_lot::Mutex;
use sec0::Signer;
use sec0::audit::{AuditSink, Day, Disk, MemorySink, Stream, Tail};
use sec0::sign::{PublicKey, SignError, Signing};
use std::io;
use std::sync::Arc;
use tokio::sync::watch;

/// In what way something fails, and how often it was tried since.
#[derive(Debug, Clone)]
pub(crate) struct Fault<K>(Arc<FaultState<K>>);

#[derive(Debug)]
struct FaultState<K> {
    kind: Mutex<Option<K>>,
    tries: watch::Sender<u32>,
    broken: watch::Sender<bool>,
}

impl<K: Copy> Fault<K> {
    pub(crate) fn none() -> Self {
        Self(Arc::new(FaultState {
            kind: Mutex::new(None),
            tries: watch::Sender::new(0),
            broken: watch::Sender::new(false),
        }))
    }

    pub(crate) fn begin(&self, kind: K) {
        self.0.tries.send_replace(0);
        *self.0.kind.lock() = Some(kind);
        self.0.broken.send_replace(true);
    }

    pub(crate) fn end(&self) {
        *self.0.kind.lock() = None;
        self.0.broken.send_replace(false);
    }

    /// The layer knows of the fault: it has failed once, and tries again.
    pub(crate) async fn known(&self) {
        soon(self.0.tries.subscribe().wait_for(|&tries| tries >= 2)).await.unwrap();
    }

    fn strike(&self) -> Option<K> {
        let kind = *self.0.kind.lock();
        if kind.is_some() {
            self.0.tries.send_modify(|tries| *tries += 1);
        }
        kind
    }
}

/// A sink that fails while its fault lasts.
#[derive(Debug)]
pub(crate) struct FaultySink {
    pub(crate) inner: MemorySink,
    pub(crate) fault: Fault<io::ErrorKind>,
}

impl AuditSink for FaultySink {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        self.inner.tail()
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        match self.fault.strike() {
            Some(kind) => Err(kind.into()),
            None => self.inner.append(day, lines),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()
    }

    fn disk(&self) -> Option<(Arc<dyn Disk>, Stream)> {
        self.inner.disk()
    }
}

/// The ways in which a signer lets one down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Fails,
    Hangs,
    PanicsAtOnce,
    PanicsWhenPolled,
}

/// A signer that is in trouble while its fault lasts.
#[derive(Debug)]
pub(crate) struct FaultySigner {
    pub(crate) fault: Fault<Trouble>,
}

impl Signer for FaultySigner {
    fn public_key(&self) -> PublicKey {
        key().public_key()
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
        match self.fault.strike() {
            None => Box::pin(std::future::ready(Ok(key().sign_now(message)))),
            Some(Trouble::Fails) => {
                Box::pin(std::future::ready(Err(SignError::new("the key is away"))))
            }
            Some(Trouble::PanicsAtOnce) => panic!("the signer panics"),
            Some(Trouble::PanicsWhenPolled) => Box::pin(async { panic!("the signer panics") }),
            Some(Trouble::Hangs) => {
                let mut broken = self.fault.0.broken.subscribe();
                Box::pin(async move {
                    broken.wait_for(|&broken| !broken).await.map_err(SignError::new)?;
                    Ok(key().sign_now(message))
                })
            }
        }
    }
}
