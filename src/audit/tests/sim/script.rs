use super::disk::SimDisk;
use crate::audit::chain::Chain;
use crate::audit::{AuditSink as _, Day, FileSink};
use std::io;

/// What a writer does in the tests that go through every operation.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// So many lines for a day, at once.
    Append(usize, usize),
    Sync,
}

use Act::{Append, Sync};

const SCRIPT: [Act; 11] = [
    Append(0, 2),
    Append(0, 1),
    Sync,
    Append(0, 3),
    Append(0, 1),
    Append(1, 2),
    Append(1, 1),
    Sync,
    Append(1, 2),
    Append(2, 1),
    Append(2, 2),
];
const DAYS: [&str; 3] = ["2026-11-23", "2026-11-24", "2026-11-25"];

/// A writer of made-up lines, and what the disk has told it.
#[derive(Debug)]
pub(crate) struct Author {
    chain: Chain,
    /// All that it ever gave to the sink.
    pub(crate) lines: Vec<String>,
    /// So many of them are durable, as the sink says.
    pub(crate) durable: usize,
    day: Day,
}

impl Author {
    /// One who goes on behind what is there.
    pub(crate) fn behind(lines: Vec<String>) -> Self {
        let mut chain = Chain::start();
        for line in &lines {
            chain = Chain::behind(chain.seq, line.as_bytes());
        }
        Self { chain, lines, durable: 0, day: day(0) }
    }

    /// Opens the log and writes until all is written and synced, or the power is cut. What fails
    /// is done again, a few times. Says whether it came to the end.
    pub(crate) fn write(&mut self, disk: &SimDisk) -> bool {
        let mut sink = disk.sink();
        let Some(tail) = persist(disk, || sink.tail()) else { return false };
        // What was gone on from is not lost any more.
        self.durable = self.lines.len();
        self.day = tail.map_or(self.day, |tail| self.day.max(tail.day));
        SCRIPT.iter().chain(&[Sync]).all(|act| self.act(*act, disk, &mut sink).is_some())
    }

    fn act(&mut self, act: Act, disk: &SimDisk, sink: &mut FileSink) -> Option<()> {
        match act {
            Append(number, count) => {
                let (before, newest) = (self.lines.len(), self.day.max(day(number)));
                let lines = self.compose(number, count);
                persist(disk, || sink.append(newest, lines.as_bytes()))?;
                if self.day < newest {
                    // A day is closed before the next one is begun.
                    (self.day, self.durable) = (newest, before);
                }
            }
            Sync => {
                persist(disk, || sink.sync())?;
                self.durable = self.lines.len();
            }
        }
        Some(())
    }

    /// Makes lines of different lengths, shorter and longer than a block.
    fn compose(&mut self, day: usize, count: usize) -> String {
        let from = self.lines.len();
        for _ in 0..count {
            let Chain { seq, prev } = &self.chain;
            let filler = "x".repeat(usize::try_from(seq * 277 % 1100).unwrap());
            let line = format!(
                "{{\"filler\":\"{filler}\",\"prev_sha256\":\"{prev}\",\"seq\":{seq},\
                 \"span_id\":\"{seq:016x}\",\"ts\":\"{}T08:15:30.042Z\"}}",
                DAYS[day]
            );
            self.chain = Chain::behind(*seq, line.as_bytes());
            self.lines.push(line);
        }
        self.lines[from..].iter().flat_map(|line| [line, "\n"]).collect()
    }
}

fn day(number: usize) -> Day {
    Day::parse(DAYS[number]).unwrap()
}

/// Does it again while it fails and the power is there.
fn persist<T>(disk: &SimDisk, mut act: impl FnMut() -> io::Result<T>) -> Option<T> {
    for _ in 0..6 {
        match act() {
            Ok(done) => return Some(done),
            Err(_) if disk.is_off() => return None,
            Err(_) => {}
        }
    }
    panic!("nothing works on a disk that is there");
}
