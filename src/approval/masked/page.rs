use crate::approval::Shown;

/// What is kept free for the last line.
const LAST_LINE: usize = 64;

/// A text that stops growing. What no longer fits is counted.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    left_out: usize,
}

impl Page {
    /// Adds `piece`, all of it or nothing; behind something that was left out nothing is added.
    pub(super) fn put(&mut self, piece: &str) {
        let is_room = self.text.len() + piece.len() <= Shown::MAX_TEXT - LAST_LINE;
        if is_room && self.left_out == 0 {
            self.text.push_str(piece);
        } else {
            self.left_out = self.left_out.saturating_add(piece.len());
        }
    }

    /// Begins a line, so far to the right.
    pub(super) fn line(&mut self, depth: usize) {
        self.put("\n");
        for _ in 0..depth {
            self.put("  ");
        }
    }

    /// The text, with a last line where something was left out.
    pub(super) fn end(self) -> String {
        let Self { text, left_out } = self;
        if left_out == 0 {
            text
        } else {
            text + "\n" + &format!("[cut here, {left_out} bytes left out]")
        }
    }
}
