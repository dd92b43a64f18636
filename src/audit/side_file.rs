use super::MAX_LINE;
use super::disk::{Disk, DiskFile};
use super::tape::Tape;
use std::io;

/// A file beside the log: whole lines, appended as well as may be.
#[derive(Debug)]
pub(super) struct SideFile {
    pub(super) name: String,
    tape: Tape<Box<dyn DiskFile>>,
}

impl SideFile {
    /// Opens or makes it, and cuts off what a crash left of an unfinished line.
    pub(super) fn open(disk: &dyn Disk, name: String) -> io::Result<Self> {
        let mut file = disk.open(&name, true)?;
        let (length, longest) = (file.length()?, count(MAX_LINE) + 1);
        let window = length.min(longest);
        let mut end = vec![0; usize::try_from(window).map_err(io::Error::other)?];
        file.read_whole_at(&mut end, length - window)?;
        let whole = match end.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => length - window + count(at) + 1,
            None if length < longest => 0,
            // No line of ours is so long: it is left as it is.
            None => length,
        };
        if whole < length {
            file.set_length(whole)?;
        }
        let ragged = whole > 0 && whole == length && end.last() != Some(&b'\n');
        Ok(Self { name, tape: Tape { medium: file, length: whole, spoiled: false, ragged } })
    }

    /// Appends a line, its end included. After an error nothing of it is there.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.tape.append(line)
    }

    /// False when somebody took it away.
    pub(super) fn is_in_place(&self) -> io::Result<bool> {
        self.tape.medium.is_in_place()
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.tape.medium.sync()
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
