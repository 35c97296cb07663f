//! A sweep's file with a `[command]` table: whether the grid and the command's arguments fit together.

use super::arguments::CommandSpec;
use crate::config::{Axis, Given, GivenGrid, Grid, GridOfRuns};
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the scheme is called where the grid has none.
const NO_SCHEME: &str = "command";
/// The width where the grid has none.
const NO_WIDTH: usize = 1;

/// Makes the grid and the runs of a file.
pub(super) fn read(given: Given) -> Result<GridOfRuns> {
    let Given {
        table,
        grid,
        search,
        place,
    } = given;
    let Some(table) = table else {
        return Err(Error::invalid(place, "has no `[command]` table", "one"));
    };
    let mut command: CommandSpec = table.parse(place, "command")?;
    let axes = given_axes(&grid, search.is_some());
    check_template(&command, &axes, place)?;
    check_names(&command, place)?;
    command.limit(place)?;
    command.files.look(place)?;
    let GivenGrid {
        scheme,
        width,
        lr,
        rho,
        seed,
        further,
    } = grid;
    let no_radius = || (search.is_none()).then(|| Axis::List(vec![0.0]));
    let grid = Grid {
        scheme: scheme.unwrap_or_else(|| vec![NO_SCHEME.to_owned()]),
        width: width.unwrap_or_else(|| vec![NO_WIDTH]),
        lr,
        rho: rho.or_else(no_radius),
        seed: seed.unwrap_or_else(|| vec![0]),
        further,
    };
    Ok((grid, Arc::new(command)))
}

/// The axes of the file, each with whether the command has to be given it: one that says no more than
/// its absence would, has not.
fn given_axes(grid: &GivenGrid, has_search: bool) -> Vec<(String, bool)> {
    let mut axes = Vec::new();
    let mut add = |name: &str, is_given: bool, is_needed: bool| {
        if is_given {
            axes.push((name.to_owned(), is_needed));
        }
    };
    let scheme = grid.scheme.as_ref();
    add(
        "scheme",
        scheme.is_some(),
        scheme.is_some_and(|names| *names != [NO_SCHEME]),
    );
    let width = grid.width.as_ref();
    add(
        "width",
        width.is_some(),
        width.is_some_and(|widths| *widths != [NO_WIDTH]),
    );
    add("lr", has_search || grid.lr.is_some(), true);
    let is_zero = grid.rho == Some(Axis::List(vec![0.0]));
    add("rho", has_search || grid.rho.is_some(), !is_zero);
    let seed = grid.seed.as_ref();
    add(
        "seed",
        seed.is_some(),
        seed.is_some_and(|seeds| *seeds != [0]),
    );
    for (name, _) in &grid.further.0 {
        add(name, true, true);
    }
    axes
}

fn check_template(command: &CommandSpec, axes: &[(String, bool)], place: &str) -> Result<()> {
    let templates = command.templates(place)?;
    let Some(program) = templates.first() else {
        return Err(Error::invalid(
            format!("{place}: command.argv"),
            "is empty",
            "a program and its arguments, such as [\"python3\", \"train.py\", \"--lr={lr}\"]",
        ));
    };
    if program.names().next().is_some() || command.argv[0].is_empty() {
        return Err(Error::invalid(
            format!("{place}: command.argv[0]"),
            format!("is `{}`", command.argv[0]),
            "the name of one program for all runs",
        ));
    }
    let mut known: Vec<&str> = axes.iter().map(|(name, _)| name.as_str()).collect();
    if command.epochs.is_some() {
        known.push("epochs");
    }
    let mut used = BTreeSet::new();
    for (index, template) in templates.iter().enumerate() {
        for name in template.names() {
            if !known.contains(&name) {
                let problem = match name {
                    "epochs" => "holds `{epochs}` without `command.epochs`".to_owned(),
                    name => format!("holds `{{{name}}}`, which is no axis of the grid"),
                };
                let known: Vec<String> = known.iter().map(|name| format!("`{{{name}}}`")).collect();
                let allowed = format!("{}, and `{{{{` for a brace", known.join(", "));
                let place = format!("{place}: command.argv[{index}]");
                return Err(Error::invalid(place, problem, allowed));
            }
            used.insert(name.to_owned());
        }
    }
    let unused = |key: String, name: &str| {
        Err(Error::invalid(
            key,
            format!("is not used: `command.argv` has no `{{{name}}}`"),
            "values that `command.argv` names",
        ))
    };
    if let Some((name, _)) = axes
        .iter()
        .find(|(name, is_needed)| *is_needed && !used.contains(name))
    {
        return unused(format!("{place}: grid.{name}"), name);
    }
    match command.epochs {
        Some(_) if !used.contains("epochs") => unused(format!("{place}: command.epochs"), "epochs"),
        Some(0) => Err(Error::invalid(
            format!("{place}: command.epochs"),
            "is 0",
            "whole numbers from 1",
        )),
        _ => Ok(()),
    }
}

fn check_names(command: &CommandSpec, place: &str) -> Result<()> {
    let names = [
        ("metric", Some(&command.metric)),
        ("test", command.test.as_ref()),
    ];
    for (key, name) in names {
        if name.is_some_and(String::is_empty) {
            return Err(Error::invalid(
                format!("{place}: command.{key}"),
                "is empty",
                "the name of a number in the command's result",
            ));
        }
    }
    Ok(())
}
