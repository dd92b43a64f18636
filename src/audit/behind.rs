use super::MAX_LINE;
use super::disk::{Disk, DiskFile};
use super::read::Line;
use super::scan::starts;
use super::stream::Stream;
use std::io::{self, BufRead as _, BufReader, Read};

/// Shows every line of the log from the one with the number `seq` on, and perhaps some before it, in
/// their order and with one in memory. What is no line of ours is left out.
///
/// # Errors
///
/// A file cannot be read (see `unreadable`), or what `show` says.
pub(super) fn from<E>(
    disk: &dyn Disk,
    stream: &Stream,
    seq: u64,
    unreadable: fn(io::Error) -> E,
    mut show: impl FnMut(&Line<'_>, &[u8], &Place<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut text = Vec::new();
    for (day, start) in starts(disk, stream, seq).map_err(unreadable)? {
        let name = stream.day_file(day);
        let file = disk.open(&name, false).map_err(unreadable)?;
        let mut lines = Lines::of(&*file, start).map_err(unreadable)?;
        while let Some(at) = lines.next(&mut text).map_err(unreadable)? {
            let read = str::from_utf8(&text).ok().and_then(|text| Line::read(text).ok());
            if let Some(line) = read {
                show(&line, &text, &Place { file: &*file, name: &name, at })?;
            }
        }
    }
    Ok(())
}

/// Where a line stands.
pub(super) struct Place<'a> {
    file: &'a dyn DiskFile,
    name: &'a str,
    /// Where its first byte is.
    at: u64,
}

impl Place<'_> {
    /// The file and the number of the line in it, for a message.
    pub(super) fn shown(&self) -> String {
        match self.number() {
            Ok(number) => format!("{}:{number}", self.name),
            // Another error brings this up: what cannot be read now is left out of it.
            Err(_) => self.name.to_owned(),
        }
    }

    fn number(&self) -> io::Result<u64> {
        let mut reader = buffered(Bytes { file: self.file, at: 0, end: self.at });
        let mut number = 1;
        while reader.skip_until(b'\n')? > 0 {
            number += 1;
        }
        Ok(number)
    }
}

struct Lines<'a> {
    reader: BufReader<Bytes<'a>>,
    at: u64,
}

impl<'a> Lines<'a> {
    fn of(file: &'a dyn DiskFile, at: u64) -> io::Result<Self> {
        let end = file.length()?;
        Ok(Self { reader: buffered(Bytes { file, at, end }), at })
    }

    /// Reads the next line without its end into `line`, and says where it begins; `None` behind the
    /// last one. What is too long for a line is passed over.
    fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
        loop {
            line.clear();
            let start = self.at;
            let room = count(MAX_LINE).saturating_add(1);
            let read = self.reader.by_ref().take(room).read_until(b'\n', line)?;
            self.at += count(read);
            if line.pop_if(|last| *last == b'\n').is_some() || (1..=MAX_LINE).contains(&read) {
                return Ok(Some(start));
            }
            if read == 0 {
                return Ok(None);
            }
            self.at += count(self.reader.skip_until(b'\n')?);
        }
    }
}

/// A part of a file, from its front to its back.
struct Bytes<'a> {
    file: &'a dyn DiskFile,
    at: u64,
    end: u64,
}

impl Read for Bytes<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = room.len().min(left);
        let Some(room) = room.get_mut(..most).filter(|room| !room.is_empty()) else {
            return Ok(0);
        };
        let read = self.file.read_at(room, self.at)?;
        self.at += count(read);
        Ok(read)
    }
}

fn buffered(bytes: Bytes<'_>) -> BufReader<Bytes<'_>> {
    BufReader::with_capacity(256 * 1024, bytes)
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
