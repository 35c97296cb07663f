//! A small transformer that learns to write a text character by character, with µP² over AdamW.
//!
//! It is made of Burn's own layers, and grows in heads of one size, so that attention's scale needs no
//! change. η and ρ are those of width 32; the program trains widths 32, 64 and 128 with them, and checks
//! the perturbations:
//!
//! ```console
//! cargo run --release --example transformer
//! ```

use burn::module::Module;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use mup2::check::{ModuleCheckOptions, ModuleTraining, check_module};
use mup2::error::Result;
use mup2::module::{BaseShapes, WeightGain};
use mup2::scaling::workers::Cancel;
use mup2::scaling::{BaseOptimizer, Parameterization, Perturbation, Scheme};
use mup2::shapes::Declarations;
use mup2_report::check::terminal_table;
use mup2_scaling::check::CheckReport;

/// In the public domain: see `text/README.md`.
const TEXT: &str = include_str!("text/declaration-of-independence.txt");

const BASE_WIDTH: usize = 32;
const LEARNING_RATE: f64 = 0.003;
const RHO: f64 = 0.05;
/// Characters are bytes; the text is ASCII.
const SYMBOLS: usize = 128;
const LENGTH: usize = 32;
const BATCH: usize = 8;
const HEAD: usize = 16;

#[derive(Module, Debug)]
struct LanguageModel {
    symbols: Embedding,
    positions: Embedding,
    blocks: TransformerEncoder,
    norm: LayerNorm,
    readout: Linear,
}

impl LanguageModel {
    fn new(width: usize, device: &Device) -> Self {
        let blocks = TransformerEncoderConfig::new(width, 4 * width, width / HEAD, 2)
            .with_norm_first(true)
            .with_dropout(0.0);
        Self {
            symbols: EmbeddingConfig::new(SYMBOLS, width).init(device),
            positions: EmbeddingConfig::new(LENGTH, width).init(device),
            blocks: blocks.init(device),
            norm: LayerNormConfig::new(width).init(device),
            readout: LinearConfig::new(width, SYMBOLS).init(device),
        }
    }

    /// Characters `[batch, length]` to logits of the next ones, `[batch, length, symbols]`.
    fn forward(&self, text: Tensor<2, Int>) -> Tensor<3> {
        let [batch, length] = text.dims();
        let device = text.device();
        let places = Tensor::<1, Int>::arange(0..length as i64, &device).unsqueeze::<2>();
        let x = self.symbols.forward(text) + self.positions.forward(places);
        let mask = generate_autoregressive_mask(batch, length, &device);
        let x = self
            .blocks
            .forward(TransformerEncoderInput::new(x).mask_attn(mask));
        self.readout.forward(self.norm.forward(x))
    }
}

/// Pieces of the text, and the characters that follow each of theirs: `[batch, length]`.
struct Batch {
    text: Tensor<2, Int>,
    next: Tensor<2, Int>,
}

impl Batch {
    /// Pieces that begin at places spread over the text, others at every `step`.
    fn new(step: usize, device: &Device) -> Self {
        let bytes = TEXT.as_bytes();
        let starts =
            (0..BATCH).map(|piece| (step * 7919 + piece * 997) % (bytes.len() - LENGTH - 1));
        let starts: Vec<usize> = starts.collect();
        let pieces = |shift: usize| {
            let values: Vec<i64> = starts
                .iter()
                .flat_map(|start| &bytes[start + shift..start + shift + LENGTH])
                .map(|byte| i64::from(*byte))
                .collect();
            Tensor::from_data(TensorData::new(values, [BATCH, LENGTH]), device)
        };
        Self {
            text: pieces(0),
            next: pieces(1),
        }
    }

    /// Mean cross entropy per character, in nats, and its gradients.
    fn gradient(&self, model: &LanguageModel) -> Result<(Tensor<1>, GradientsParams)> {
        let logits = model
            .forward(self.text.clone())
            .reshape([BATCH * LENGTH, SYMBOLS]);
        let next = self.next.clone().reshape([BATCH * LENGTH, 1]);
        let loss = log_softmax(logits, 1).gather(1, next).mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Ok((loss, gradients))
    }
}

fn prepare(
    perturbation: (Parameterization, Perturbation),
    width: usize,
    seed: u64,
) -> Result<ModuleTraining<LanguageModel>> {
    let device = Device::flex().autodiff();
    let model = |width| LanguageModel::new(width, &device);
    let mut scheme = Scheme::new(perturbation.0, perturbation.1);
    scheme.optimizer = BaseOptimizer::Adam;
    let none = Declarations::default();
    let shapes = BaseShapes::compare(&model(BASE_WIDTH), &model(2 * BASE_WIDTH), &none)?
        .with_gain(WeightGain::LeCun);
    let scaled = shapes.scale(&scheme, &model(width))?;
    let model = scaled.initialize(model(width), seed)?;
    // Any optimizer of Burn's: here AdamW, whose decay is per tensor.
    let optimizer = scaled.optimizer_with(BaseOptimizer::Adam, &model, |row, slot| {
        let decay = (0.01 * row.wd_mult) as f32;
        slot.fill(AdamWConfig::new().with_weight_decay(decay).build())
    })?;
    let batch = Batch::new(0, &device);
    Ok(ModuleTraining {
        optimizer,
        sam: scaled.sam(&model)?,
        scaled,
        model,
        learning_rate: LEARNING_RATE,
        rho: RHO,
        gradient: Box::new(move |model, _| batch.gradient(model)),
    })
}

const MUP2: (Parameterization, Perturbation) = (Parameterization::Mup, Perturbation::Mup2);

/// Losses of the first and the last batch.
fn train(width: usize, steps: usize) -> Result<(f64, f64)> {
    let device = Device::flex().autodiff();
    let mut training = prepare(MUP2, width, 0)?;
    let (mut first, mut last) = (None, f64::NAN);
    for step in 0..steps {
        let batch = Batch::new(step, &device);
        let (model, report) = training.sam.step(
            &mut training.optimizer,
            training.model,
            LEARNING_RATE,
            RHO,
            |model| batch.gradient(model),
        )?;
        training.model = model;
        first.get_or_insert(report.loss);
        last = report.loss;
    }
    Ok((first.unwrap_or(f64::NAN), last))
}

fn check(perturbation: (Parameterization, Perturbation), widths: &[usize]) -> Result<CheckReport> {
    let options = ModuleCheckOptions {
        widths: widths.to_vec(),
        seeds: vec![0, 1, 2],
        steps: 2,
        tolerance: 0.25,
        workers: 2,
    };
    let training = |width, seed| prepare(perturbation, width, seed);
    check_module(&options, training, &Cancel::default(), |_| {})
}

fn main() -> Result<()> {
    println!("η = {LEARNING_RATE} and ρ = {RHO}, tuned at width {BASE_WIDTH}; 100 steps:");
    for width in [32, 64, 128] {
        let (first, last) = train(width, 100)?;
        println!("width {width:4}: loss {first:.2} → {last:.2} nats a character");
    }
    let report = check(MUP2, &[32, 64, 128, 256])?;
    println!("\n{}", terminal_table(&report, false));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_parameter_is_perturbed_at_every_width_with_mup2_and_not_without() {
        let widths = [32, 64, 128, 256];
        let report = check(MUP2, &widths).unwrap();
        assert!(report.pass, "{}", terminal_table(&report, false));
        let naive = (Parameterization::Sp, Perturbation::Naive);
        let report = check(naive, &widths).unwrap();
        assert!(!report.pass, "{}", terminal_table(&report, false));
    }

    #[test]
    fn a_wide_model_learns_with_the_narrow_ones_hyperparameters() {
        for width in [32, 64] {
            let (first, last) = train(width, 30).unwrap();
            assert!(last < 0.8 * first, "width {width}: {first} → {last}");
        }
    }
}
