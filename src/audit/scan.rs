use super::MAX_LINE;
use super::day::Day;
use super::disk::{Disk, DiskFile};
use super::read::Line;
use super::stream::Stream;
use std::collections::VecDeque;
use std::io;

/// Shows every line of the log from its end back to the one with the number `seq`, and perhaps
/// some before it. What is no line of ours is left out.
///
/// # Errors
///
/// A file cannot be read.
pub(super) fn back_to(
    disk: &dyn Disk,
    stream: &Stream,
    seq: u64,
    mut show: impl FnMut(&Line<'_>, &[u8]),
) -> io::Result<()> {
    let mut days: Vec<_> = disk.names("")?.iter().filter_map(|name| stream.day_of(name)).collect();
    days.sort_unstable();
    for day in days.into_iter().rev() {
        let file = disk.open(&stream.day_file(day), false)?;
        if file_back_to(&*file, seq, &mut show)?.is_some() {
            break;
        }
    }
    Ok(())
}

/// The days that have the line with the number `seq` and those behind it, the oldest first, each with
/// the place in its file from which on they are found. A few lines before it may stand there too.
///
/// # Errors
///
/// A file cannot be read.
pub(super) fn starts(
    disk: &dyn Disk,
    stream: &Stream,
    seq: u64,
) -> io::Result<VecDeque<(Day, u64)>> {
    let mut days: Vec<_> = disk.names("")?.iter().filter_map(|name| stream.day_of(name)).collect();
    days.sort_unstable();
    let mut starts = VecDeque::new();
    for day in days.into_iter().rev() {
        // Nothing stands before the first line of the log.
        let start = match seq {
            0 => None,
            _ => file_back_to(&*disk.open(&stream.day_file(day), false)?, seq, &mut |_, _| {})?,
        };
        starts.push_front((day, start.unwrap_or(0)));
        if start.is_some() {
            break;
        }
    }
    Ok(starts)
}

const WINDOW: u64 = 1024 * 1024;

/// Where it stopped, which is at the beginning of a line, when the file has one with a lower number:
/// what stands before that does not matter.
fn file_back_to(
    file: &dyn DiskFile,
    seq: u64,
    show: &mut dyn FnMut(&Line<'_>, &[u8]),
) -> io::Result<Option<u64>> {
    let mut end = file.length()?;
    // The end of a line whose beginning lies before the window.
    let mut cut_off = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(WINDOW);
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.read_whole_at(&mut bytes, start)?;
        bytes.append(&mut cut_off);
        let whole = match bytes.iter().position(|byte| *byte == b'\n') {
            _ if start == 0 => 0,
            Some(first_end) => first_end + 1,
            None => bytes.len(),
        };
        let (rest, lines) = bytes.split_at(whole.min(bytes.len()));
        let mut is_before = false;
        for text in lines.rsplit(|byte| *byte == b'\n') {
            let read = str::from_utf8(text).ok().and_then(|text| Line::read(text).ok());
            if let Some(line) = read {
                is_before = is_before || line.seq.is_some_and(|found| found < seq);
                show(&line, text);
            }
        }
        if is_before {
            let passed = u64::try_from(rest.len()).map_err(io::Error::other)?;
            return Ok(Some(start.saturating_add(passed)));
        }
        cut_off = rest.to_vec();
        end = start;
    }
    Ok(None)
}

/// How the first line of a day is tied to those before it.
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) prev: Box<str>,
}

/// The first line of a day; `None` where the file has none.
pub(super) fn first_of(disk: &dyn Disk, stream: &Stream, day: Day) -> io::Result<Option<Head>> {
    let name = stream.day_file(day);
    let Some(line) = first_line(&*disk.open(&name, false)?)? else { return Ok(None) };
    let no_record = || {
        let why = format!("the first line of `{name}` is no record");
        io::Error::new(io::ErrorKind::InvalidData, why)
    };
    Ok(Some(head_of(&line).ok_or_else(no_record)?))
}

/// The day before which the log has been taken away; `None` where it has its first line, or none.
///
/// # Errors
///
/// A file cannot be read.
pub(super) fn first_day(disk: &dyn Disk, stream: &Stream) -> io::Result<Option<Day>> {
    let names = disk.names("")?;
    let Some(day) = names.iter().filter_map(|name| stream.day_of(name)).min() else {
        return Ok(None);
    };
    let first = match first_of(disk, stream, day) {
        // Verification is there to say that.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
        first => first?,
    };
    Ok(first.filter(|first| first.seq > 0).map(|_| day))
}

/// The first line of a file, without its end; `None` where there is no whole line.
fn first_line(file: &dyn DiskFile) -> io::Result<Option<Vec<u8>>> {
    let (mut line, mut window) = (Vec::new(), vec![0; 16 * 1024]);
    while line.len() <= MAX_LINE {
        let at = u64::try_from(line.len()).map_err(io::Error::other)?;
        let read = file.read_at(&mut window, at)?;
        let Some(seen) = window.get(..read).filter(|seen| !seen.is_empty()) else {
            return Ok(None);
        };
        let end = seen.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(seen.get(..end.unwrap_or(read)).unwrap_or(seen));
        if end.is_some() {
            return Ok(Some(line));
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "its first line is too long"))
}

/// The place that a line has in the chain.
fn head_of(line: &[u8]) -> Option<Head> {
    let line = Line::read(str::from_utf8(line).ok()?).ok()?;
    Some(Head { seq: line.seq?, prev: line.prev_sha256?.into() })
}
