//! A process group that does not outlive us.

use crate::error::{Error, Result};
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Leads the group. A line on its input asks all processes of the group to end. When the input ends, because
/// we close it or because we are gone, however we went, it kills the whole group, itself included. As long as it lives the
/// group's number is nobody else's.
const LEADER: &str = r#"
trap '' TERM INT HUP QUIT USR1 USR2
while read -r order && [ "$order" = end ]; do
    kill -s TERM -- "-$$"
done
kill -s KILL -- "-$$"
"#;

/// A process group: a shell that leads it, and the processes of a command.
#[derive(Debug)]
pub(super) struct Group {
    leader: Child,
    orders: Option<ChildStdin>,
}

impl Group {
    /// Starts the leader.
    ///
    /// # Errors
    /// When the system has no `/bin/sh`, no process groups, or no more processes.
    #[cfg(unix)]
    pub fn start() -> Result<Self> {
        use std::os::unix::process::CommandExt;
        let mut leader = Command::new("/bin/sh")
            .args(["-c", LEADER])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| {
                let problem = format!("cannot be started ({error})");
                Error::invalid("/bin/sh", problem, "a system that can start processes")
            })?;
        let orders = leader.stdin.take();
        Ok(Self { leader, orders })
    }

    #[cfg(not(unix))]
    pub fn start() -> Result<Self> {
        let problem = "needs process groups, which this system does not have";
        Err(Error::invalid(
            "command",
            problem,
            "Linux, macOS or another Unix",
        ))
    }

    /// Makes `command` a process of the group.
    #[cfg(unix)]
    pub fn add(&self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        if let Ok(id) = i32::try_from(self.leader.id()) {
            command.process_group(id);
        }
    }

    #[cfg(not(unix))]
    pub fn add(&self, _: &mut Command) {}

    /// Asks all processes to end.
    pub fn ask_to_end(&mut self) {
        if let Some(orders) = &mut self.orders {
            // Without a leader the command is killed when its time is over.
            let _ = orders.write_all(b"end\n");
        }
    }
}

impl Drop for Group {
    /// Kills what is left, and waits until it is gone.
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.leader.wait();
    }
}
