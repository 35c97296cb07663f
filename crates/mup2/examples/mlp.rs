//! The multilayer perceptron of Burn's guide, 28×28 images to ten classes, with µP².
//!
//! η and ρ are those of width 32. The program trains widths 32, 128 and 512 with them, and then checks that
//! every parameter is perturbed as effectively at each:
//!
//! ```console
//! cargo run --release --example mlp
//! ```

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mup2::check::{ModuleCheckOptions, ModuleTraining, check_module};
use mup2::error::{Error, Result};
use mup2::module::BaseShapes;
use mup2::scaling::workers::Cancel;
use mup2::scaling::{Parameterization, Perturbation, Scheme};
use mup2::shapes::Declarations;
use mup2::step::{BaseOptimizerConfig, Sgd};
use mup2_report::check::terminal_table;
use mup2_scaling::check::CheckReport;
use mup2_train::data::{BatchOrder, DataSpec, Dataset, load};

const BASE_WIDTH: usize = 32;
const LEARNING_RATE: f64 = 0.05;
const RHO: f64 = 0.1;
const BATCH: usize = 64;

/// Your model: it knows nothing of widths, multipliers or SAM.
#[derive(Module, Debug)]
struct Mlp {
    input: Linear,
    hidden: Linear,
    readout: Linear,
}

impl Mlp {
    fn new(width: usize, device: &Device) -> Self {
        Self {
            input: LinearConfig::new(28 * 28, width).init(device),
            hidden: LinearConfig::new(width, width).init(device),
            readout: LinearConfig::new(width, 10).init(device),
        }
    }

    /// `[batch, 784]` to logits `[batch, 10]`.
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let x = relu(self.input.forward(images));
        self.readout.forward(relu(self.hidden.forward(x)))
    }
}

/// Images `[batch, 784]` and labels `[batch, 1]`.
struct Batch {
    images: Tensor<2>,
    labels: Tensor<2, Int>,
}

impl Batch {
    fn new(data: &Dataset, indices: &[usize], device: &Device) -> Result<Self> {
        let (mut pixels, mut values) = (Vec::new(), Vec::new());
        data.train.fill(indices, &mut pixels)?;
        data.normalization
            .apply(&pixels, data.train.shape, &mut values);
        let labels: Vec<i64> = indices
            .iter()
            .map(|&i| data.train.labels[i].into())
            .collect();
        let count = indices.len();
        let images = TensorData::new(values, [count, 28 * 28]);
        Ok(Self {
            images: Tensor::from_data(images, (device, DType::F32)),
            labels: Tensor::from_data(TensorData::new(labels, [count, 1]), device),
        })
    }

    /// Cross entropy and its gradients: all that SAM asks of a model.
    fn gradient(&self, model: &Mlp) -> Result<(Tensor<1>, GradientsParams)> {
        let likelihood = log_softmax(model.forward(self.images.clone()), 1);
        let loss = likelihood.gather(1, self.labels.clone()).mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Ok((loss, gradients))
    }
}

/// The model with its multipliers: four lines, and an optimizer.
fn prepare(scheme: &Scheme, width: usize, seed: u64, batch: Batch) -> Result<ModuleTraining<Mlp>> {
    let device = Device::flex().autodiff();
    let (base, wide) = (
        Mlp::new(BASE_WIDTH, &device),
        Mlp::new(2 * BASE_WIDTH, &device),
    );
    // A readout of 0 is optional: all widths then begin with the same function.
    let declared = Declarations::default().gain("readout.weight", 0.0)?;
    let shapes = BaseShapes::compare(&base, &wide, &declared)?;
    let scaled = shapes.scale(scheme, &Mlp::new(width, &device))?;
    let model = scaled.initialize(Mlp::new(width, &device), seed)?;
    let sgd = Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
    };
    Ok(ModuleTraining {
        optimizer: scaled.optimizer(BaseOptimizerConfig::Sgd(sgd), &model)?,
        sam: scaled.sam(&model)?,
        scaled,
        model,
        learning_rate: LEARNING_RATE,
        rho: RHO,
        gradient: Box::new(move |model, _| batch.gradient(model)),
    })
}

/// Losses of the first and of the last batch of an epoch.
fn train(data: &Dataset, width: usize) -> Result<(f64, f64)> {
    let device = Device::flex().autodiff();
    let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let order = BatchOrder::new(0, data.train.len(), BATCH)?;
    let batches = order.epoch(0);
    let first = Batch::new(data, &batches[..BATCH], &device)?;
    let mut training = prepare(&scheme, width, 0, first)?;
    let mut losses = Vec::new();
    for indices in batches.chunks_exact(BATCH) {
        let batch = Batch::new(data, indices, &device)?;
        let (model, report) = training.sam.step(
            &mut training.optimizer,
            training.model,
            LEARNING_RATE,
            RHO,
            |model| batch.gradient(model),
        )?;
        training.model = model;
        losses.push(report.loss);
    }
    match losses[..] {
        [first, .., last] => Ok((first, last)),
        _ => Err(Error::invalid("data", "fill no two batches", "more images")),
    }
}

fn check(data: &Dataset, scheme: &Scheme, widths: &[usize]) -> Result<CheckReport> {
    let options = ModuleCheckOptions {
        widths: widths.to_vec(),
        seeds: vec![0, 1],
        steps: 3,
        tolerance: 0.2,
        workers: 2,
    };
    let training = |width, seed| {
        let indices: Vec<usize> = (0..BATCH).collect();
        let batch = Batch::new(data, &indices, &Device::flex().autodiff())?;
        prepare(scheme, width, seed, batch)
    };
    check_module(&options, training, &Cancel::default(), |_| {})
}

fn main() -> Result<()> {
    let data = load(&DataSpec::default())?;
    println!("η = {LEARNING_RATE} and ρ = {RHO}, tuned at width {BASE_WIDTH}; one epoch:");
    for width in [32, 128, 512] {
        let (first, last) = train(&data, width)?;
        println!("width {width:4}: loss {first:.3} → {last:.3}");
    }
    let mup2 = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let report = check(&data, &mup2, &[64, 128, 256, 512])?;
    println!("\n{}", terminal_table(&report, false));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_parameter_is_perturbed_at_every_width_with_mup2_and_not_without() {
        let data = load(&DataSpec::default()).unwrap();
        let widths = [64, 128, 256, 512];
        let mup2 = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
        let report = check(&data, &mup2, &widths).unwrap();
        assert!(report.pass, "{}", terminal_table(&report, false));
        let naive = Scheme::new(Parameterization::Sp, Perturbation::Naive);
        let report = check(&data, &naive, &widths).unwrap();
        assert!(!report.pass, "{}", terminal_table(&report, false));
    }

    #[test]
    fn a_wide_network_learns_with_the_narrow_ones_hyperparameters() {
        let data = load(&DataSpec::default()).unwrap();
        for width in [32, 256] {
            let (first, last) = train(&data, width).unwrap();
            assert!(last < 0.6 * first, "width {width}: {first} → {last}");
        }
    }
}
