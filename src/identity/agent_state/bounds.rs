/// The most bytes of an encoded state.
pub const MAX_HEADER: usize = 8 * 1024;

/// How many arrays and objects of a state may be open at once, itself included.
pub const MAX_DEPTH: usize = 16;

/// The most members and items of a state, counted at all its levels.
pub const MAX_ENTRIES: usize = 512;
