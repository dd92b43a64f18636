use super::chain::Chain;
use super::day::Day;
use super::disk::Disk;
use super::error::OpenError;
use super::event::Event;
use super::journal::{self, Recovered};
use super::ledger::Ledger;
use super::read::Line;
use super::sink::{AuditSink, Cut, Tail};
use super::stream::Stream;
use crate::call::LineSigning;
use crate::clock::Timestamp;
use crate::sign::PublicKey;
use std::sync::Arc;

/// What a log finds when it opens: where it ends, and what the process before left undone.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) home: Option<(Arc<dyn Disk>, Stream)>,
    /// The newest day that has a file.
    pub(super) day: Option<Day>,
    pub(super) chain: Chain,
    pub(super) ledger: Ledger,
    pub(super) found: Recovered,
    cuts: Vec<Cut>,
}

impl Past {
    pub(super) fn read(
        sink: &mut dyn AuditSink,
        tenant: &str,
        keys: &[PublicKey],
        signing: LineSigning,
    ) -> Result<Self, OpenError> {
        let tail = sink.tail().map_err(OpenError::Tail)?;
        let chain = chain_behind(tail.as_ref(), sink)?;
        let home = sink.disk();
        let ledger = Ledger::open(home.clone(), tenant, keys, signing, chain.seq)?;
        let found = match &home {
            Some((disk, stream)) => {
                journal::recover(&**disk, stream).map_err(OpenError::Journal)?
            }
            None => Recovered::default(),
        };
        let day = tail.as_ref().map(|tail| tail.day);
        let cuts = tail.map_or(Vec::new(), |tail| tail.cuts);
        Ok(Self { home, day, chain, ledger, found, cuts })
    }

    /// What the log says of it.
    pub(super) fn events(&self, now: Timestamp) -> Vec<Event> {
        let cuts = self.cuts.iter().map(|cut| Event::cut(now, cut.clone()));
        cuts.chain(self.found.event(now)).collect()
    }
}

/// The chain behind the last line of the log.
fn chain_behind(tail: Option<&Tail>, sink: &mut dyn AuditSink) -> Result<Chain, OpenError> {
    let Some(line) = tail.and_then(|tail| tail.line.as_deref()) else { return Ok(Chain::start()) };
    let seq = match str::from_utf8(line).map(Line::read) {
        Ok(Ok(Line { seq: Some(seq), prev_sha256: Some(_), .. })) => Ok(seq),
        Ok(Ok(_)) => Err("`seq` or `prev_sha256` is missing".to_owned()),
        Ok(Err(at)) => Err(format!("it is not in canonical form from column {} on", at.0)),
        Err(_) => Err("it is no UTF-8 text".to_owned()),
    };
    match seq {
        Ok(seq) => Ok(Chain::behind(seq, line)),
        Err(why) => Err(OpenError::NotARecord { place: sink.last_place(), why }),
    }
}
