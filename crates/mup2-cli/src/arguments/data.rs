//! The arguments of `mup2 data`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct DataArguments {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Download, verify and unpack a dataset
    #[command(after_help = "Examples:
  mup2 data fetch fashion-mnist
  mup2 data fetch cifar10 --dir /data/cifar10

Goes to $MUP2_DATA/NAME, else ~/.cache/mup2/NAME. An interrupted download is resumed.")]
    Fetch(FetchArguments),
    /// Draw training images, and what a run's augmentation makes of them
    #[command(after_help = "Examples:
  mup2 data show RUN.toml --out sheet.png
  mup2 data show RUN.toml --set augment.flip=true --set augment.crop_padding=4 --augment 6 --out sheet.png

A row an image, with its number and label on stdout; the first column is the image itself, each further one
what an epoch makes of it.")]
    Show(DataShowArguments),
}

#[derive(Debug, Args)]
pub struct DataShowArguments {
    /// The run's TOML file: data, augmentation and seed
    #[arg(value_name = "RUN.toml")]
    pub spec: PathBuf,
    /// Replace one value, such as augment.cutout=16; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// The PNG file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Images, drawn by the run's seed
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub samples: u16,
    /// Epochs of augmentation to show beside each image
    #[arg(long, value_name = "EPOCHS", default_value = "0", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub augment: u16,
    /// Pixels of the sheet for each pixel of an image
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub zoom: u16,
}

#[derive(Debug, Args)]
pub struct FetchArguments {
    /// Dataset
    #[arg(value_parser = ["fashion-mnist", "mnist", "cifar10", "cifar100"])]
    pub name: String,
    /// Directory for its files
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
