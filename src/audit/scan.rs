use super::disk::{Disk, DiskFile};
use super::read::Line;
use super::stream::Stream;
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
        if !file_back_to(&*file, seq, &mut show)? {
            break;
        }
    }
    Ok(())
}

const WINDOW: u64 = 1024 * 1024;

/// False when the file has a line with a lower number: what stands before it does not matter.
fn file_back_to(
    file: &dyn DiskFile,
    seq: u64,
    show: &mut dyn FnMut(&Line<'_>, &[u8]),
) -> io::Result<bool> {
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
            return Ok(false);
        }
        cut_off = rest.to_vec();
        end = start;
    }
    Ok(true)
}
