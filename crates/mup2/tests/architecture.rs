//! The rules of `ARCHITECTURE.md` and `CONTRIBUTING.md` that a program can check by reading the
//! library's source: which room uses which, no printing, short files, documented modules.
//!
//! What counts is the code that ships: comments, test files and inline test modules are left out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

/// Every room with the rooms that it may use, each of which stands above it.
const ROOMS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("cancel", &[]),
    ("one_core", &["error"]),
    ("publish", &["error"]),
    ("collective", &["error"]),
    ("random", &[]),
    ("figure", &[]),
    ("scaling", &["error"]),
    ("phases", &["scaling", "figure"]),
    ("shapes", &["error", "publish", "scaling"]),
    ("tensorboard", &["error"]),
    ("data", &["error", "random", "publish"]),
    ("config", &["error", "random", "scaling", "data"]),
    ("kernels", &[]),
    ("fused", &["kernels"]),
    ("low_rank", &["fused"]),
    (
        "model",
        &["error", "random", "scaling", "fused", "low_rank"],
    ),
    ("step", &["error", "random", "scaling", "fused", "low_rank"]),
    (
        "module",
        &["error", "publish", "scaling", "shapes", "model", "step"],
    ),
    (
        "sharpness",
        &["error", "random", "fused", "step", "scaling", "model"],
    ),
    ("results", &["error", "config", "publish"]),
    ("checkpoint", &["error", "config", "publish", "results"]),
    ("pytorch", &["error", "config", "scaling", "checkpoint"]),
    ("export", &["error", "config", "publish", "results"]),
    ("report", &["error", "publish", "figure"]),
    (
        "sweep",
        &[
            "error", "publish", "cancel", "one_core", "config", "results", "report",
        ],
    ),
    ("doctor", &["scaling", "report", "figure"]),
    (
        "train",
        &[
            "error",
            "cancel",
            "one_core",
            "collective",
            "config",
            "data",
            "fused",
            "low_rank",
            "model",
            "step",
            "scaling",
            "sharpness",
            "results",
            "checkpoint",
            "pytorch",
        ],
    ),
    (
        "check",
        &[
            "error", "cancel", "one_core", "random", "kernels", "fused", "scaling", "shapes",
            "data", "config", "model", "step", "module", "train", "figure",
        ],
    ),
    (
        "built_in",
        &[
            "error",
            "cancel",
            "config",
            "data",
            "results",
            "checkpoint",
            "train",
            "sweep",
        ],
    ),
];

const LONGEST_FILE: usize = 400;
const DRAWERS: &[&str] = &[
    "utils", "util", "base", "common", "helpers", "helper", "misc",
];
const PRINTING_MACROS: &[&str] = &["println!", "print!", "eprintln!", "eprint!", "dbg!"];

#[test]
fn rooms_use_only_the_rooms_that_they_may() {
    let offences = offences(|file| forbidden_uses(&file.path, &file.text));
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_room_uses_only_rooms_above_it_in_the_table() {
    for (index, (room, allowed)) in ROOMS.iter().enumerate() {
        for used in *allowed {
            let above = ROOMS[..index].iter().any(|(other, _)| other == used);
            assert!(
                above,
                "room `{room}` may use `{used}`, which is not above it"
            );
        }
    }
}

#[test]
fn the_library_never_prints() {
    let offences = offences(|file| {
        let found = printing_macros(&library_code(&file.text));
        let message = |name| format!("{}: uses `{name}`; the library never prints", file.path);
        found.into_iter().map(message).collect()
    });
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read_in_one_sitting() {
    let offences = offences(|file| {
        let lines = file.text.lines().count();
        if lines <= LONGEST_FILE {
            return Vec::new();
        }
        let path = &file.path;
        vec![format!(
            "{path}: has {lines} lines; split it at {LONGEST_FILE}"
        )]
    });
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_module_says_first_what_it_is() {
    let offences = offences(|file| {
        if file.text.starts_with("//!") {
            return Vec::new();
        }
        vec![format!(
            "{}: does not begin with a `//!` sentence",
            file.path
        )]
    });
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn no_file_or_folder_is_a_drawer_for_what_has_no_name() {
    let offences = offences(|file| {
        let drawer = drawer(&file.path);
        let message = |name| format!("{}: `{name}` says nothing about its contents", file.path);
        drawer.map(message).into_iter().collect()
    });
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_checker_finds_a_forbidden_use_in_every_spelling() {
    for text in [
        "//! A.\nuse crate::train::train;\n",
        "use crate::{error::Error, train::{self, Cancel}};\n",
        "use crate::{\n    error::{Error, Result},\n    train,\n};\n",
        "fn f() { let _ = crate::train::accuracy; }\n",
        "use super::super::train::train;\n",
    ] {
        let found = forbidden_uses("scaling/role.rs", text);
        assert_eq!(found.len(), 1, "{text}{found:?}");
        assert!(found[0].contains("scaling/role.rs"), "{found:?}");
        assert!(found[0].contains("`train`"), "{found:?}");
    }
    assert_eq!(
        forbidden_uses("scaling/mod.rs", "use super::data::load;\n").len(),
        1
    );
    assert_eq!(
        forbidden_uses("random.rs", "use super::error::Error;\n").len(),
        1
    );
    assert_eq!(
        forbidden_uses("scaling/role.rs", "use crate::*;\n").len(),
        1
    );
    assert_eq!(forbidden_uses("attic/mod.rs", "").len(), 1);
}

#[test]
fn the_checker_accepts_allowed_uses_comments_and_tests() {
    let text = "\
//! See [`crate::train::train`].
use super::names::Rule;
use crate::error::{Error, Result};
use crate::scaling::Role;
pub(crate) fn f() {}

#[cfg(test)]
#[path = \"other.rs\"]
mod elsewhere;

#[cfg(test)]
mod tests {
    use crate::train::train;
}
";
    assert_eq!(
        forbidden_uses("scaling/role.rs", text),
        Vec::<String>::new()
    );
    assert_eq!(
        forbidden_uses("lib.rs", "pub use crate::train::train;\n").len(),
        0
    );
    // What follows a test module is checked again.
    let after = format!("{text}use crate::train::train;\n");
    assert_eq!(forbidden_uses("scaling/role.rs", &after).len(), 1);
}

#[test]
fn the_checker_tells_printing_from_writing_and_drawers_from_rooms() {
    let code = "fn f() { eprintln!(\"x\"); writeln!(out, \"x\"); my_print!(1); dbg!(2) }\n";
    assert_eq!(printing_macros(code), ["eprintln!", "dbg!"]);
    assert_eq!(drawer("data/utils.rs"), Some("utils"));
    assert_eq!(drawer("common/mod.rs"), Some("common"));
    assert_eq!(drawer("report/baselines.rs"), None);
}

#[test]
fn the_checker_knows_which_files_are_tests() {
    assert!(is_test_file("config/tests.rs"));
    assert!(is_test_file("data/fetch_tests.rs"));
    assert!(is_test_file("report/tests/numbers.rs"));
    assert!(!is_test_file("report/statistics.rs"));
}

/// One source file of the library.
struct SourceFile {
    /// Path below `src`, with `/` between its parts.
    path: String,
    text: String,
}

/// What `check` finds wrong with the files that ship.
fn offences(check: impl Fn(&SourceFile) -> Vec<String>) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, "", &mut files);
    // A wrong directory must not pass as one without offences.
    assert!(
        files.len() > ROOMS.len(),
        "few sources in {}",
        root.display()
    );
    files.iter().flat_map(check).collect()
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<SourceFile>) {
    let mut entries: Vec<_> = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.is_dir() {
            collect(&entry, &format!("{path}/"), files);
        } else if name.ends_with(".rs") && !is_test_file(&path) {
            let text = fs::read_to_string(&entry)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", entry.display()));
            files.push(SourceFile { path, text });
        }
    }
}

/// `tests.rs`, `NAME_tests.rs`, and everything in a folder `tests`.
fn is_test_file(path: &str) -> bool {
    let in_folder = path.split('/').rev().skip(1).any(|part| part == "tests");
    let name = path.rsplit('/').next().unwrap_or(path);
    in_folder || name == "tests.rs" || name.ends_with("_tests.rs")
}

/// Uses of rooms that the file's own room may not use, one sentence each.
fn forbidden_uses(path: &str, text: &str) -> Vec<String> {
    let room = path
        .split('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".rs");
    if room == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "{path}: room `{room}` is not in the table of tests/architecture.rs and ARCHITECTURE.md"
        )];
    };
    let mut names = used_rooms(&library_code(text), module_depth(path));
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| name != room && !allowed.contains(&name.as_str()))
        .map(|name| {
            let allowed = if allowed.is_empty() {
                "nothing".to_owned()
            } else {
                allowed.join(", ")
            };
            format!("{path}: room `{room}` may not use `{name}`; it may use {allowed}")
        })
        .collect()
}

/// How many modules lie between the crate's root and the file's: 1 for `room/mod.rs`.
fn module_depth(path: &str) -> usize {
    let parts = path.split('/').count();
    if path.ends_with("/mod.rs") {
        parts - 1
    } else {
        parts
    }
}

/// Source without whole-line comments and without items under a `#[cfg(test)]` at the margin.
fn library_code(text: &str) -> String {
    let mut code = String::new();
    let (mut after_attribute, mut inside) = (false, false);
    for line in text.lines() {
        if inside {
            inside = !line.starts_with('}');
        } else if line == "#[cfg(test)]" {
            after_attribute = true;
        } else if after_attribute {
            // Between the attribute and its item there may be more attributes.
            if !line.starts_with("#[") {
                after_attribute = false;
                inside = line.ends_with('{');
            }
        } else if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// First names of all paths that start at the crate's root: by `crate::`, or by as many `super::`
/// as lead up to it.
fn used_rooms(code: &str, depth: usize) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        if starts_a_word(code, at) {
            names.extend(first_names(&code[at + found.len()..]));
        }
    }
    for (at, _) in code.match_indices("super::") {
        if !starts_a_word(code, at) || code[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut climbed = 0;
        while let Some(next) = rest.strip_prefix("super::") {
            rest = next;
            climbed += 1;
        }
        if climbed >= depth {
            names.extend(first_names(rest));
        }
    }
    names
}

fn starts_a_word(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// `a` of `a::b`; `a` and `b` of `{a::{x, y}, b}`; the sign itself of anything else, such as `*`.
fn first_names(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        return vec![first_name(rest)];
    };
    let mut names = Vec::new();
    let mut open = 1;
    let mut item = String::new();
    for character in group.chars() {
        match character {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 || (open == 1 && character == ',') {
            if !item.trim().is_empty() {
                names.push(first_name(item.trim()));
            }
            item.clear();
        } else {
            item.push(character);
        }
        if open == 0 {
            break;
        }
    }
    names
}

fn first_name(path: &str) -> String {
    let is_letter = |c: &char| c.is_alphanumeric() || *c == '_';
    let name: String = path.chars().take_while(is_letter).collect();
    if name.is_empty() {
        path.chars().take(1).collect()
    } else {
        name
    }
}

fn printing_macros(code: &str) -> Vec<&'static str> {
    let is_used = |name: &&str| {
        let mut places = code.match_indices(*name);
        places.any(|(at, _)| starts_a_word(code, at))
    };
    PRINTING_MACROS.iter().copied().filter(is_used).collect()
}

/// The part of a path that is a name for anything.
fn drawer(path: &str) -> Option<&str> {
    path.split('/')
        .map(|part| part.trim_end_matches(".rs"))
        .find(|part| DRAWERS.contains(part))
}
