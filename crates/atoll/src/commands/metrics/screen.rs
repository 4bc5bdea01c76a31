//! What the standard output can show: how wide it is, and whether in colours.

use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal};

/// As wide as terminals have always been, where nobody says.
const COLUMNS: usize = 80;

/// Narrower than this nothing can be read, wider than this nobody looks.
const BOUNDS: (usize, usize) = (40, 400);

/// The standard output as a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Characters of a line.
    pub columns: usize,
    /// Whether colours may be used.
    pub is_coloured: bool,
}

impl Screen {
    /// The one that is there. `NO_COLOR` and `COLUMNS` are what they are everywhere
    /// (no-color.org; POSIX).
    pub fn find() -> Self {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let told = std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok());
        let measured = tcgetwinsize(&out).ok().map(|size| usize::from(size.ws_col));
        let columns = measured
            .filter(|&columns| columns > 0)
            .or(told)
            .unwrap_or(COLUMNS);
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            columns: columns.clamp(BOUNDS.0, BOUNDS.1),
            is_coloured: is_terminal && !refused,
        }
    }
}
