//! The command `sec0`.

fn main() {}
