//! The library's one error type: every message is one sentence a user can act on.

use std::path::{Path, PathBuf};

/// What can go wrong on a user's path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value the user gave (in a file, a flag or a data file) is not allowed.
    #[error("{place}: {problem}; allowed: {allowed}")]
    Invalid {
        /// The file and key, or the flag, that holds the value.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        allowed: String,
    },
    /// A data or result file does not hold what it should.
    #[error("{}: {problem}; {advice}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What the user can do.
        advice: String,
    },
    /// The operating system refused a file operation.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// A verb phrase, such as "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The network is absent or a server answered with an error.
    #[error("cannot fetch {url}: {reason}")]
    Network {
        /// The address that was asked.
        url: String,
        /// Why it failed.
        reason: String,
    },
    /// The user asked the program to stop (Ctrl-C or SIGTERM); what was published stays.
    #[error("interrupted; what was finished is kept, run the same command again to go on")]
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
