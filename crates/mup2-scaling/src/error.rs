//! The library's one error type: every message is one sentence a user can act on.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What can go wrong on a user's path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value the user gave (in a file, a flag or a data file) is not allowed.
    #[error(
        "{}: {}; allowed: {}",
        one_line(place),
        one_line(problem),
        one_line(allowed)
    )]
    Invalid {
        /// The file and key, or the flag, that holds the value.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        allowed: String,
    },
    /// A data or result file does not hold what it should.
    #[error("{}: {}; {}", one_line(path.display()), one_line(problem), one_line(advice))]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What the user can do.
        advice: String,
    },
    /// The operating system refused a file operation.
    #[error("cannot {action} `{}`: {source}", one_line(path.display()))]
    Io {
        /// A verb phrase, such as "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// What was asked for is right, and needs a part of the program that was not built.
    #[error("{}: {}; {}", one_line(place), one_line(problem), one_line(advice))]
    NotBuilt {
        /// The file that asks for it.
        place: String,
        /// What it needs.
        problem: String,
        /// What the user can do.
        advice: String,
    },
    /// The network is absent or a server answered with an error.
    #[error("cannot fetch {}: {}", one_line(url), one_line(reason))]
    Network {
        /// The address that was asked.
        url: String,
        /// Why it failed.
        reason: String,
    },
    /// The processes of one training do not have the same before them. All of them return this error.
    #[error(
        "rank {} of {size} {}; {}",
        listed(ranks),
        one_line(problem),
        one_line(advice)
    )]
    Disagreement {
        /// Those that differ from rank 0.
        ranks: Vec<usize>,
        /// Number of processes.
        size: usize,
        /// What they have that rank 0 has not.
        problem: String,
        /// What the user can do.
        advice: String,
    },
    /// The user asked the program to stop (Ctrl-C or SIGTERM); what was published stays.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Shorthand for [`Error::Invalid`].
    pub fn invalid(
        place: impl Into<String>,
        problem: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            place: place.into(),
            problem: problem.into(),
            allowed: allowed.into(),
        }
    }

    /// Shorthand for [`Error::Corrupt`].
    pub fn corrupt(path: &Path, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_path_buf(),
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// Names the operation and the path of an I/O error: `.map_err(Error::io("read", path))`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// A result of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Numbers with commas between them.
fn listed(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

/// Names and values of the user's as a terminal shows them on one line: control characters, line breaks
/// among them, are written as escapes.
pub fn one_line(text: impl Display) -> String {
    let mut line = String::new();
    for character in text.to_string().chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::Error;
    use std::path::Path;

    #[test]
    fn what_a_user_wrote_cannot_break_the_line_or_command_the_terminal() {
        let error = Error::invalid("s.toml: a\nb", "is `\u{1b}[2J`", "letters");
        assert_eq!(
            error.to_string(),
            "s.toml: a\\nb: is `\\u{1b}[2J`; allowed: letters"
        );
        let error = Error::corrupt(Path::new("a\rb"), "its entry `c\n`", "fetch é again");
        assert_eq!(error.to_string(), "a\\rb: its entry `c\\n`; fetch é again");
        let source = std::io::ErrorKind::NotFound.into();
        let error = Error::io("read", Path::new("a\tb"))(source);
        assert_eq!(error.to_string(), "cannot read `a\\tb`: entity not found");
    }
}
