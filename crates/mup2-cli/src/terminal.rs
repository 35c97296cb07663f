//! What stdout can show.

use mup2_report::report::TableOptions;
use std::io::{IsTerminal, Write};

/// Colour on a terminal, unless NO_COLOR is set.
pub fn table_options() -> TableOptions {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    TableOptions {
        colour,
        ..TableOptions::default()
    }
}

/// Prints to stdout; a reader that has gone is an error for `main` to swallow, not a panic.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
