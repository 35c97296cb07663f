//! The pages of docs/ and the README: every command that they show runs and prints what they show,
//! every link leads somewhere, and the reference is what the program says.
//!
//! A page's commands are the lines of its `console` blocks that begin with `$ `. They run in order in
//! one scratch directory, with `mup2` on the path and with the files that the page shows by then: blocks
//! whose first line is a comment with nothing but the file's name, and what lies in a directory named as
//! the page. After a comma the block says what a reader need not: `exit-1`, the exit code of its last
//! command, or `no-run`. What is printed is compared without its numbers, which depend on the machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A fenced block of a page.
#[derive(Debug)]
struct Block {
    line: usize,
    language: String,
    flags: Vec<String>,
    text: Vec<String>,
}

/// A command as shown, with what is shown below it.
#[derive(Debug)]
struct Shown {
    command: String,
    output: Vec<String>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// README.md and every page below docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![repository().join("README.md")];
    let mut directories = vec![repository().join("docs")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// The blocks of a page, and the page without them.
fn blocks(page: &Path) -> (Vec<Block>, String) {
    let mut blocks: Vec<Block> = Vec::new();
    let mut prose = String::new();
    let mut open = false;
    for (index, line) in fs::read_to_string(page).unwrap().lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => {
                let mut words = info.split(',').map(|word| word.trim().to_owned());
                blocks.push(Block {
                    line: index + 1,
                    language: words.next().unwrap_or_default(),
                    flags: words.collect(),
                    text: Vec::new(),
                });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => blocks.last_mut().unwrap().text.push(line.to_owned()),
            (None, false) => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    assert!(!open, "{}: a block is not closed", page.display());
    (blocks, prose)
}

impl Block {
    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|other| other == flag)
    }

    /// The name of the file that the block shows: all of its first line, as a comment.
    fn file(&self) -> Option<&str> {
        let name = self.text.first()?.strip_prefix("# ")?;
        let is_name = name.contains('.') && !name.ends_with('.') && !name.contains(' ');
        (is_name && self.language != "console").then_some(name)
    }

    fn commands(&self) -> Vec<Shown> {
        let mut commands: Vec<Shown> = Vec::new();
        for line in &self.text {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push(Shown {
                    command: command.to_owned(),
                    output: Vec::new(),
                }),
                (None, Some(last)) if last.output.is_empty() && last.command.ends_with('\\') => {
                    last.command.push('\n');
                    last.command.push_str(line);
                }
                (None, Some(last)) => last.output.push(line.clone()),
                (None, None) => panic!("line {}: output without a command: {line}", self.line),
            }
        }
        commands
    }

    /// The exit code that the block's last command is to have.
    fn code(&self) -> i32 {
        let code = self
            .flags
            .iter()
            .find_map(|flag| flag.strip_prefix("exit-"));
        code.map_or(0, |code| code.parse().unwrap())
    }
}

/// The words of a line of output; numbers, and signs about them, are one `#` wherever they stand together.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        let is_number = word == "–"
            || word
                .chars()
                .any(|c| c.is_numeric() || "⁰¹²³⁴⁵⁶⁷⁸⁹".contains(c));
        match (word, is_number) {
            ("±" | "<" | "≥", _) => {}
            (_, true) if words.last() == Some(&"#") => {}
            (_, true) => words.push("#"),
            (word, false) => words.push(word),
        }
    }
    words
}

/// Whether `printed` is what `shown` says; a shown line may end in `…` where it was cut.
fn is_line(shown: &str, printed: &str) -> bool {
    match shown.trim_end().strip_suffix('…') {
        Some(beginning) => words(printed).starts_with(&words(beginning)),
        None => words(printed) == words(shown),
    }
}

/// The first shown line that is not printed after the ones before it.
fn missing<'a>(shown: &'a [String], printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines();
    let shown = shown
        .iter()
        .filter(|line| !line.trim().is_empty() && line.trim() != "…");
    shown
        .map(String::as_str)
        .find(|line| !printed.any(|other| is_line(line, other)))
}

/// Runs a page's commands; returns what is not as the page says.
fn run(page: &Path) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let beside = page.with_extension("");
    if beside.is_dir() {
        for entry in fs::read_dir(beside).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, scratch.path().join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let program = Path::new(env!("CARGO_BIN_EXE_mup2"));
    let search_path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut wrong = Vec::new();
    for block in blocks(page).0 {
        if let Some(name) = block.file() {
            let text = block.text.join("\n") + "\n";
            fs::write(scratch.path().join(name), text).unwrap();
        }
        if block.language != "console" || block.has("no-run") {
            continue;
        }
        let commands = block.commands();
        let last = commands.len().saturating_sub(1);
        for (index, shown) in commands.iter().enumerate() {
            let script = format!("set -o pipefail\n{{ {}\n}} 2>&1", shown.command);
            let output = Command::new("bash")
                .args(["-c", &script])
                .current_dir(scratch.path())
                .env("PATH", &search_path)
                .env("NO_COLOR", "1")
                .env("COLUMNS", "100")
                .env_remove("MUP2_DATA")
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&output.stdout);
            let expected = if index == last { block.code() } else { 0 };
            let place = format!(
                "{}, block at line {}: `{}`",
                page.display(),
                block.line,
                shown.command
            );
            if output.status.code() != Some(expected) {
                let code = output.status.code();
                wrong.push(format!(
                    "{place} exits with {code:?}, not {expected}:\n{printed}"
                ));
            } else if let Some(line) = missing(&shown.output, &printed) {
                wrong.push(format!("{place} does not print\n{line}\nbut\n{printed}"));
            }
        }
    }
    wrong
}

#[test]
fn every_command_that_a_page_shows_runs_and_prints_what_is_shown() {
    let pages = pages();
    let is_run = |block: &Block| block.language == "console" && !block.has("no-run");
    let with_commands: Vec<&PathBuf> = pages
        .iter()
        .filter(|page| blocks(page).0.iter().any(is_run))
        .collect();
    assert!(with_commands.len() >= 5, "{with_commands:?}");
    // A page after the other: the cores are the other tests'.
    let wrong: Vec<String> = with_commands
        .into_iter()
        .flat_map(|page| run(page))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_page_hides_a_command_from_this_test() {
    for page in pages() {
        for block in blocks(&page).0 {
            let is_console = block.language == "console";
            let is_help = page.ends_with("reference/cli.md");
            for line in &block.text {
                // In a `console` block such a line would be taken for output, and missed.
                let is_command = line.trim_start().starts_with("mup2 ");
                assert!(
                    !is_command || is_console || is_help,
                    "{}: `{line}` belongs in a `console` block, after `$ `",
                    page.display()
                );
            }
            let known = |flag: &String| flag == "no-run" || flag == "exit-1" || flag == "exit-2";
            assert!(
                !is_console || block.flags.iter().all(known),
                "{}: {:?}; allowed: no-run, exit-1, exit-2",
                page.display(),
                block.flags
            );
        }
    }
}

#[test]
fn the_reference_is_what_the_program_says() {
    let output = Command::new("python3")
        .arg(repository().join("scripts/docs/make_reference"))
        .args(["--mup2", env!("CARGO_BIN_EXE_mup2"), "--check"])
        .output()
        .unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{problem}");
}

/// The identifier that mdBook and GitHub give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.collect()
}

fn headings(page: &Path) -> BTreeSet<String> {
    let prose = blocks(page).1;
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

/// What stands in `](…)`, without links to other sites.
fn links(page: &Path) -> Vec<String> {
    let prose = blocks(page).1.replace('\n', " ");
    let targets = prose.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let docs = repository().join("docs");
    for page in pages() {
        for link in links(&page) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            let place = format!("{}: link to {link}", page.display());
            let target = target.canonicalize();
            let target = target.unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(
                heading.is_empty() || headings(&target).contains(heading),
                "{place}: no such heading"
            );
            // The book is made of docs/ alone.
            assert!(
                !page.starts_with(&docs) || target.starts_with(&docs),
                "{place}: leads out of docs/"
            );
        }
    }
}

#[test]
fn every_page_is_in_the_books_summary() {
    let docs = repository().join("docs");
    let summary = docs.join("SUMMARY.md");
    let listed: BTreeSet<PathBuf> = links(&summary).iter().map(|link| docs.join(link)).collect();
    let mut written: BTreeSet<PathBuf> = pages().into_iter().collect();
    written.retain(|page| page.starts_with(&docs) && *page != summary);
    assert_eq!(listed, written);
}

/// Every name of an object's fields, and of those of objects within it.
fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                // What a sweep or a run is made of has pages of its own.
                if name != "spec" && name != "run" && name != "grid" {
                    names(value, found);
                }
                found.insert(name.clone());
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

#[test]
fn the_page_on_file_formats_names_every_field_of_the_files() {
    let directory = crate::workspace(crate::TINY);
    let output = crate::run_sweep(directory.path(), "out", &[]);
    assert!(output.status.success(), "{}", crate::stderr(&output));
    let out = directory.path().join("out");
    let mut files = vec![out.join("sweep.json"), out.join("report.json")];
    for run in fs::read_dir(out.join("runs")).unwrap() {
        files.push(run.unwrap().path().join("result.json"));
    }
    let page = repository().join("docs/reference/file-formats.md");
    let page = fs::read_to_string(page).unwrap();
    for file in files {
        let mut fields = BTreeSet::new();
        let text = fs::read(&file).unwrap();
        names(&serde_json::from_slice(&text).unwrap(), &mut fields);
        assert!(fields.len() >= 3, "{}: {fields:?}", file.display());
        for field in fields {
            let is_named = page.contains(&format!("`{field}`"))
                || page.contains(&format!("[].{field}`"))
                || page.contains(&format!("\"{field}\""));
            assert!(is_named, "{}: `{field}` is not on the page", file.display());
        }
    }
}
