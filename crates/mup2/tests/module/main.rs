//! µP² for Burn modules that are none of ours: roles, files, initialization, steps and the check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checking;
mod declared;
mod files;
mod initialization;
mod nets;
mod roles;
mod steps;
