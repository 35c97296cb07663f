//! What the terminal is shown. A terminal that is gone never ends work.

use mup2_report::report::TableOptions;
use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// Colour on a terminal that has some, unless NO_COLOR is set.
pub fn table_options() -> TableOptions {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    TableOptions {
        colour: std::io::stdout().is_terminal() && !is_dumb() && !refused,
        ..TableOptions::default()
    }
}

/// Whether stderr can show a bar that moves.
pub fn shows_bars() -> bool {
    std::io::stderr().is_terminal() && !is_dumb()
}

/// Whether the terminal has no control sequences, and so no colour.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// Prints to stdout; a reader that has gone is an error for `main` to swallow, not a panic.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// A line on stderr. `eprintln!` panics where stderr is closed or full, which would end a training
/// for want of a place to say how it goes.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
