use super::disk::DiskFile;
use std::io;

/// Something that grows at its end, and can be cut back when a write fails halfway.
pub(super) trait Medium {
    fn write_whole_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn cut_to(&mut self, length: u64) -> io::Result<()>;
}

impl Medium for Box<dyn DiskFile> {
    fn write_whole_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (**self).write_whole_at(bytes, offset)
    }

    fn cut_to(&mut self, length: u64) -> io::Result<()> {
        self.set_length(length)
    }
}

/// A medium with what is known of its end. An append is kept whole or not at all.
#[derive(Debug)]
pub(super) struct Tape<M> {
    pub(super) medium: M,
    /// How far it is good.
    pub(super) length: u64,
    /// Behind `length` may be bytes of ours; they go before anything is appended.
    pub(super) spoiled: bool,
    /// Somebody else left it without a line end.
    pub(super) ragged: bool,
}

impl<M: Medium> Tape<M> {
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.spoiled {
            self.medium.cut_to(self.length)?;
            self.spoiled = false;
        }
        let mut isolated = Vec::new();
        let lines = if self.ragged {
            // Our lines must not become part of somebody's unfinished one.
            isolated.push(b'\n');
            isolated.extend_from_slice(lines);
            &isolated
        } else {
            lines
        };
        // Set first: a write that panics spoils the end as well.
        self.spoiled = true;
        if let Err(error) = self.medium.write_whole_at(lines, self.length) {
            self.spoiled = self.medium.cut_to(self.length).is_err();
            return Err(error);
        }
        self.spoiled = false;
        self.ragged = false;
        self.length += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with little room, which may refuse to be cut back too.
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        stuck: bool,
    }

    impl Medium for Disk {
        fn write_whole_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
            assert_eq!(offset, u64::try_from(self.bytes.len()).unwrap(), "only ever at the end");
            let some = bytes.len().min(self.room - self.bytes.len());
            self.bytes.extend_from_slice(&bytes[..some]);
            if some == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        }

        fn cut_to(&mut self, length: u64) -> io::Result<()> {
            if self.stuck {
                return Err(io::ErrorKind::Other.into());
            }
            self.bytes.truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    fn tape(room: usize) -> Tape<Disk> {
        let medium = Disk { bytes: Vec::new(), room, stuck: false };
        Tape { medium, length: 0, spoiled: false, ragged: false }
    }

    #[test]
    fn a_write_that_fails_halfway_leaves_nothing() {
        let mut tape = tape(12);
        tape.append(b"one line\n").unwrap();
        assert!(tape.append(b"another\n").is_err());
        assert_eq!(tape.medium.bytes, b"one line\n");
        tape.medium.room = 100;
        tape.append(b"another\n").unwrap();
        assert_eq!(tape.medium.bytes, b"one line\nanother\n");
    }

    #[test]
    fn what_could_not_be_cut_back_is_cut_before_the_next_append() {
        let mut tape = tape(12);
        tape.append(b"one line\n").unwrap();
        tape.medium.stuck = true;
        assert!(tape.append(b"another\n").is_err());
        assert_eq!(tape.medium.bytes, b"one line\nano");
        tape.medium.room = 100;
        assert!(tape.append(b"another\n").is_err());
        tape.medium.stuck = false;
        tape.append(b"another\n").unwrap();
        assert_eq!(tape.medium.bytes, b"one line\nanother\n");
    }

    #[test]
    fn an_unfinished_line_of_somebody_else_stays_alone() {
        let mut tape = tape(100);
        tape.append(b"odd").unwrap();
        tape.ragged = true;
        tape.append(b"ours\n").unwrap();
        tape.append(b"more\n").unwrap();
        assert_eq!(tape.medium.bytes, b"odd\nours\nmore\n");
    }
}
