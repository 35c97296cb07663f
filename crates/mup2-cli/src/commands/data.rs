//! `mup2 data`: fetches datasets, and draws them.

use crate::arguments::{DataArguments, DataCommand, DataShowArguments, FetchArguments};
use crate::dataset;
use crate::progress::bar;
use crate::terminal::{print, say};
use mup2_scaling::publish::write_atomically;
use mup2_train::config::read_run;
use mup2_train::data::{
    self, DatasetName, SheetLayout, contact_sheet, noisy_labels, sample_indices,
};
use std::process::ExitCode;

pub fn run(arguments: &DataArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        DataCommand::Fetch(arguments) => fetch(arguments),
        DataCommand::Show(arguments) => show(arguments),
    }
}

fn fetch(arguments: &FetchArguments) -> anyhow::Result<ExitCode> {
    let name: DatasetName = arguments.name.parse()?;
    let directory = match &arguments.dir {
        Some(directory) => directory.clone(),
        None => data::data_directory(name)?,
    };
    let bar = bar(
        0,
        "{msg} {bar:30.cyan/dim} {binary_bytes}/{binary_total_bytes} · {binary_bytes_per_sec} · ETA {eta}",
    )?;
    let fetched = data::fetch(name, &directory, &mut |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.received_bytes);
        bar.set_message(progress.file.to_owned());
    });
    bar.finish_and_clear();
    fetched?;
    say(format_args!("{name} is in {}", directory.display()));
    Ok(ExitCode::SUCCESS)
}

fn show(arguments: &DataShowArguments) -> anyhow::Result<ExitCode> {
    /// White pixels between images.
    const GAP: usize = 4;
    let spec = read_run(&arguments.spec, &arguments.overrides)?;
    let data = dataset::open(&spec.data)?;
    let images = &data.train;
    let count = usize::from(arguments.samples);
    let samples = sample_indices(spec.seed, "data-show/samples", images.len(), count);
    let layout = SheetLayout {
        draws: usize::from(arguments.augment),
        zoom: usize::from(arguments.zoom),
        gap: GAP,
        samples,
    };
    let sheet = contact_sheet(
        images,
        &data.normalization,
        &spec.augment,
        spec.seed,
        &layout,
    )?;
    write_atomically(&arguments.out, &sheet.png()?)?;
    let noisy = noisy_labels(
        &images.labels,
        data.classes,
        spec.data.label_noise,
        spec.seed,
    );
    let mut text = String::new();
    for (row, &sample) in layout.samples.iter().enumerate() {
        let (label, trained) = (images.labels[sample], noisy[sample]);
        let noise = match label == trained {
            true => String::new(),
            false => format!(", trained as {trained}"),
        };
        text.push_str(&format!(
            "row {}: image {sample}, label {label}{noise}\n",
            row + 1
        ));
    }
    print(&text)?;
    say(format_args!("{}", arguments.out.display()));
    Ok(ExitCode::SUCCESS)
}
