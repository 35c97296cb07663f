//! What may stand in a `[command]` table, and how its runs are named.

use super::output::Output;
use super::trainer::Commands;
use crate::config::{RunId, SweepSpec, parse_sweep};

const SWEEP: &str = r#"
name = "mine"
[command]
argv = ["sh", "-c", "exit 1", "{scheme}", "--width={width}", "--lr={lr}", "{rho}/{seed}", "{decay}"]
metric = "acc"
[grid]
scheme = ["sp", "mup2"]
width = [64, 256]
lr = { log2_from = -4, log2_to = -3 }
rho = [0, 0.05]
seed = [0, 1]
decay = [1e-6, "none", 3]
"#;

fn parsed(text: &str) -> crate::error::Result<SweepSpec> {
    parse_sweep(text, "s.toml", &[], &[super::COMMAND])
}

fn sweep(replacements: &[(&str, &str)]) -> SweepSpec {
    let text = replacements
        .iter()
        .fold(SWEEP.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
    parsed(&text).unwrap()
}

fn error(from: &str, to: &str) -> String {
    assert!(SWEEP.contains(from), "{from}");
    parsed(&SWEEP.replace(from, to)).unwrap_err().to_string()
}

fn ids(sweep: &SweepSpec) -> Vec<RunId> {
    sweep.plan().into_iter().map(|run| run.id).collect()
}

#[test]
fn every_cell_fills_the_placeholders_with_its_values() {
    let sweep = sweep(&[]);
    let plan = sweep.plan();
    assert_eq!(plan.len(), 2 * 2 * 2 * 2 * 2 * 3);
    let commands = Commands::new(&sweep, &[]).unwrap();
    assert_eq!(
        commands.words(&plan[0]),
        [
            "sh",
            "-c",
            "exit 1",
            "sp",
            "--width=64",
            "--lr=0.0625",
            "0/0",
            "1e-6"
        ]
    );
    let last = commands.words(&plan[plan.len() - 1]);
    assert_eq!(
        last[3..],
        ["mup2", "--width=256", "--lr=0.125", "0.05/1", "3"]
    );
}

#[test]
fn values_that_vary_beside_the_scheme_make_series_of_their_own() {
    let names: Vec<String> = sweep(&[])
        .series()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = ["sp, decay=1e-6", "sp, decay=none", "sp, decay=3"];
    assert_eq!(names[..3], expected);
    let one = sweep(&[(r#"[1e-6, "none", 3]"#, "[3]")]);
    assert_eq!(
        one.series().iter().map(|name| &**name).collect::<Vec<_>>(),
        ["sp", "mup2"]
    );
}

#[test]
fn braces_are_written_twice() {
    let sweep = sweep(&[("exit 1", r#"{{\"a\": 1}}"#)]);
    let words = Commands::new(&sweep, &[]).unwrap().words(&sweep.plan()[0]);
    assert_eq!(words[2], r#"{"a": 1}"#);
}

#[test]
fn the_id_sees_template_values_version_and_files_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("train.py");
    std::fs::write(&file, "one").unwrap();
    let files = format!("metric = \"acc\"\nfiles = [{:?}]", file.to_str().unwrap());
    let plain = ids(&sweep(&[]));
    for same in [
        (
            "metric = \"acc\"",
            "metric = \"loss\"\ndirection = \"min\"\ntest = \"x\"\ntimeout = \"1h\"",
        ),
        ("name = \"mine\"", "name = \"yours\"\nunstable_below = 0.5"),
    ] {
        assert_eq!(ids(&sweep(&[same])), plain);
    }
    let others = [
        ids(&sweep(&[("exit 1", "exit 2")])),
        ids(&sweep(&[(
            "metric = \"acc\"",
            "metric = \"acc\"\nversion = \"2\"",
        )])),
        ids(&sweep(&[("metric = \"acc\"", &files)])),
    ];
    for other in &others {
        assert!(other.iter().all(|id| !plain.contains(id)));
    }
    std::fs::write(&file, "two").unwrap();
    assert_ne!(ids(&sweep(&[("metric = \"acc\"", &files)])), others[2]);
    // An id in a results directory must keep its meaning over versions.
    insta::assert_snapshot!(plain[0].to_string(), @"97015a2e8ab92423");
}

#[test]
fn extending_an_axis_keeps_the_ids_of_its_runs() {
    let wider = ids(&sweep(&[("[64, 256]", "[64, 128, 256]"), ("3]", "3, 4]")]));
    assert!(ids(&sweep(&[])).iter().all(|id| wider.contains(id)));
}

#[test]
fn a_sweep_survives_being_written_and_read_with_the_contents_that_its_files_had() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("train.py");
    std::fs::write(&file, "one").unwrap();
    let files = format!("metric = \"acc\"\nfiles = [{:?}]", file.to_str().unwrap());
    let sweep = sweep(&[("metric = \"acc\"", &files)]);
    let text = toml::to_string(&sweep).unwrap();
    std::fs::write(&file, "two").unwrap();
    let again = parsed(&text).unwrap();
    assert_eq!(again, sweep);
    assert_eq!(ids(&again), ids(&sweep));
    let error = Commands::new(&again, &[]).unwrap_err().to_string();
    assert!(
        error.contains("has changed since the sweep was read"),
        "{error}"
    );
}

#[test]
fn axes_that_are_left_out_have_one_value() {
    let text = "name = 'x'\n[command]\nargv = ['true', '{lr}']\nmetric = 'acc'\n[grid]\nlr = [0.5]";
    let plan = parsed(text).unwrap().plan();
    let cell = &plan[0].cell;
    assert_eq!((plan.len(), &*cell.series, cell.width), (1, "command", 1));
    assert_eq!((cell.rho, cell.seed), (0.0, 0));
}

#[test]
fn templates_that_do_not_fit_the_grid_are_named() {
    insta::assert_snapshot!(error("{width}", "{widht}"), @"s.toml: command.argv[4]: holds `{widht}`, which is no axis of the grid; allowed: `{scheme}`, `{width}`, `{lr}`, `{rho}`, `{seed}`, `{decay}`, and `{{` for a brace");
    insta::assert_snapshot!(error("{width}", "64"), @"s.toml: grid.width: is not used: `command.argv` has no `{width}`; allowed: values that `command.argv` names");
    insta::assert_snapshot!(error("{decay}", "3"), @"s.toml: grid.decay: is not used: `command.argv` has no `{decay}`; allowed: values that `command.argv` names");
    insta::assert_snapshot!(error("{width}", "{width"), @"s.toml: command.argv[4]: has a `{` without its `}`; allowed: `{name}` for the value of an axis, and `{{` and `}}` for braces");
    insta::assert_snapshot!(error("{width}", "width}"), @"s.toml: command.argv[4]: has a `}` without its `{`; allowed: `{name}` for the value of an axis, and `{{` and `}}` for braces");
    insta::assert_snapshot!(error("{decay}\"]", "{decay}\", \"{epochs}\"]"), @"s.toml: command.argv[8]: holds `{epochs}` without `command.epochs`; allowed: `{scheme}`, `{width}`, `{lr}`, `{rho}`, `{seed}`, `{decay}`, and `{{` for a brace");
    insta::assert_snapshot!(error("metric", "epochs = 3\nmetric"), @"s.toml: command.epochs: is not used: `command.argv` has no `{epochs}`; allowed: values that `command.argv` names");
    insta::assert_snapshot!(error("\"sh\",", "\"{scheme}\","), @"s.toml: command.argv[0]: is `{scheme}`; allowed: the name of one program for all runs");
    insta::assert_snapshot!(error("metric = \"acc\"", ""), @"s.toml: command: missing field `metric`; allowed: see `mup2 spec`");
    insta::assert_snapshot!(error("\"acc\"", "\"\""), @"s.toml: command.metric: is empty; allowed: the name of a number in the command's result");
    insta::assert_snapshot!(error("metric", "timeout = \"soon\"\nmetric"), @r#"s.toml: command.timeout: is `soon`; allowed: a number above 0 with s, m, h or d, such as "90s" or "2h""#);
    insta::assert_snapshot!(error("metric", "files = [\"absent.py\"]\nmetric"), @"s.toml: command.files[0]: is `absent.py`, which cannot be read (No such file or directory (os error 2)); allowed: files that can be read from the directory in which mup2 is called");
    insta::assert_snapshot!(error("metric", "shell = true\nmetric"), @"s.toml: command.shell: unknown field `shell`; allowed: one of `argv`, `metric`, `test`, `direction`, `version`, `timeout`, `epochs`, `files`");
    insta::assert_snapshot!(error("[64, 256]", "[0, 256]"), @"s.toml: grid.width: holds 0; allowed: whole numbers from 1");
    insta::assert_snapshot!(error("[1e-6, \"none\", 3]", "[]"), @"s.toml: grid.decay: is empty; allowed: at least one value");
    insta::assert_snapshot!(error("[1e-6, \"none\", 3]", "[3, 3]"), @"s.toml: grid.decay: holds 3 twice; allowed: each value once");
    insta::assert_snapshot!(error("[1e-6, \"none\", 3]", "[[3]]"), @"s.toml: grid.decay[0]: is a list; allowed: a number, a text or a boolean");
    insta::assert_snapshot!(error("[1e-6, \"none\", 3]", "3"), @"s.toml: grid.decay: is no list; allowed: a list such as [0.1, 0.2] or { log2_from = -6, log2_to = 0, log2_step = 1 }");
    insta::assert_snapshot!(error("name = \"mine\"", "name = \"mine\"\nselection = \"best-test\""), @"s.toml: selection: stands beside a metric of the runs, `acc`; allowed: one of the two");
}

#[test]
fn a_program_that_is_missing_is_named() {
    for (program, place) in [
        ("no-such-program", "no-such-program"),
        ("./absent", "./absent"),
    ] {
        let sweep = sweep(&[("\"sh\",", &format!("\"{program}\","))]);
        let error = Commands::new(&sweep, &[]).unwrap_err().to_string();
        assert!(
            error.contains(&format!("is `{place}`, which is no program here")),
            "{error}"
        );
    }
}

/// The output of a command that writes `stdout` and `stderr`, and its log.
fn followed(stdout: Vec<u8>, stderr: &'static [u8]) -> (Output, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut output = Output::follow(&log, std::io::Cursor::new(stdout), stderr);
    output.finish(std::time::Duration::from_secs(20));
    (output, std::fs::read(log).unwrap())
}

#[test]
fn the_last_line_that_is_not_blank_is_the_result() {
    let last = |text: &str| followed(text.into(), b"").0.last_line();
    assert_eq!(
        last("epoch 1\n{\"a\": 1}\n\n  \n").as_deref(),
        Some("{\"a\": 1}")
    );
    assert_eq!(last("epoch 1\r\n{\"a\": 1}").as_deref(), Some("{\"a\": 1}"));
    assert_eq!(last("\n\n"), None);
    let long = "x".repeat(2 << 20);
    assert_eq!(last(&long), None);
    assert_eq!(last(&format!("{long}\nshort\n")).as_deref(), Some("short"));
    assert_eq!(last(&format!("short\n{long}\n\n")), None);
}

#[test]
fn a_log_is_all_of_a_short_output_and_both_ends_of_a_long_one() {
    let (output, log) = followed(b"out\n".into(), b"\n one \n\ntwo\nthree\nfour\n");
    assert_eq!(log.len(), 4 + 23);
    assert!(output.quoted().contains("four") && !output.quoted().contains("one"));
    for size in [4 << 20, (4 << 20) + 10, (4 << 20) + (64 << 10), 50 << 20] {
        let bytes: Vec<u8> = (0..size).map(|index: u32| (index % 251) as u8).collect();
        let (_, log) = followed(bytes.clone(), b"");
        let text = b"bytes left out";
        let is_cut = log.windows(text.len()).any(|part| part == text);
        assert_eq!(is_cut, size > (4 << 20) + (64 << 10), "{size}");
        assert_eq!(log[..4 << 20], bytes[..4 << 20]);
        assert!(log.ends_with(&bytes[bytes.len() - 10..]) && log.len() < 5 << 20);
    }
}
