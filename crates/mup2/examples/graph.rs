//! A graph network that tells the communities of a random graph's nodes, with µP².
//!
//! Its layers are structs of its own with bare parameters, so that their layouts are declared. η and ρ are
//! those of width 16; the program trains widths 16, 64 and 256 with them, and checks the perturbations:
//!
//! ```console
//! cargo run --release --example graph
//! ```

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mup2::check::{ModuleCheckOptions, ModuleTraining, check_module};
use mup2::error::Result;
use mup2::module::BaseShapes;
use mup2::random;
use mup2::scaling::workers::Cancel;
use mup2::scaling::{Parameterization, Perturbation, Scheme, TensorKind};
use mup2::shapes::Declarations;
use mup2::step::{BaseOptimizerConfig, Sgd};
use mup2::trace::Trace;
use mup2_report::check::terminal_table;
use mup2_scaling::check::CheckReport;
use rand::RngExt;

const BASE_WIDTH: usize = 16;
const LEARNING_RATE: f64 = 0.1;
const RHO: f64 = 0.1;
const NODES: usize = 96;
const COMMUNITIES: usize = 4;
const FEATURES: usize = 8;

/// One round of messages: `A x N + x S + b`, with the means over neighbours A x.
#[derive(Module, Debug)]
struct Messages {
    neighbours: Param<Tensor<2>>,
    own: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Messages {
    /// Zeros: `initialize` draws what the layouts are declared for, and keeps the bias.
    fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        let matrix = || Param::from_tensor(Tensor::zeros([inputs, outputs], device));
        Self {
            neighbours: matrix(),
            own: matrix(),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
        }
    }

    fn forward(&self, x: Tensor<2>, adjacency: Tensor<2>) -> Tensor<2> {
        let received = adjacency.matmul(x.clone()).matmul(self.neighbours.val());
        received + x.matmul(self.own.val()) + self.bias.val().unsqueeze::<2>()
    }
}

#[derive(Module, Debug)]
struct GraphNetwork {
    rounds: Vec<Messages>,
}

impl GraphNetwork {
    fn new(width: usize, device: &Device) -> Self {
        let sides = [(FEATURES, width), (width, width), (width, COMMUNITIES)];
        let rounds = sides.map(|(inputs, outputs)| Messages::new(inputs, outputs, device));
        Self {
            rounds: rounds.into(),
        }
    }

    /// Logits `[nodes, communities]`.
    fn forward(&self, mut x: Tensor<2>, adjacency: Tensor<2>) -> Tensor<2> {
        for (index, messages) in self.rounds.iter().enumerate() {
            if index > 0 {
                x = relu(x);
            }
            x = messages.forward(x, adjacency.clone());
        }
        x
    }
}

/// What the shapes of bare parameters do not show.
fn declarations() -> Result<Declarations> {
    let declared = Declarations::default().layout("rounds.*.neighbours", "in out")?;
    let declared = declared.layout("rounds.*.own", "in out")?;
    // A readout of 0 is optional: all widths then begin with the same function.
    let declared = declared.gain("rounds.2.neighbours", 0.0)?;
    let declared = declared.gain("rounds.2.own", 0.0)?;
    Ok(declared.kind("rounds.*.bias", TensorKind::Bias))
}

/// A stochastic block model: nodes of one community are joined more often, and their features lean towards
/// a direction of the community's own.
struct Graph {
    /// Means over neighbours, `[nodes, nodes]`.
    adjacency: Tensor<2>,
    /// `[nodes, features]`.
    features: Tensor<2>,
    /// `[nodes, 1]`.
    communities: Tensor<2, Int>,
}

impl Graph {
    fn new(seed: u64, device: &Device) -> Self {
        let mut random = random::stream(seed, "graph");
        let mut uniform = || random.random::<f32>();
        let community = |node: usize| node % COMMUNITIES;
        let mut joined = vec![0.0_f32; NODES * NODES];
        for one in 0..NODES {
            joined[one * NODES + one] = 1.0;
            for other in 0..one {
                let often = if community(one) == community(other) {
                    0.3
                } else {
                    0.05
                };
                if uniform() < often {
                    joined[one * NODES + other] = 1.0;
                    joined[other * NODES + one] = 1.0;
                }
            }
        }
        for row in joined.chunks_mut(NODES) {
            let degree: f32 = row.iter().sum();
            row.iter_mut().for_each(|entry| *entry /= degree);
        }
        let features: Vec<f32> = (0..NODES * FEATURES)
            .map(|at| {
                let own = at % FEATURES == community(at / FEATURES);
                4.0 * (uniform() - 0.5) + if own { 1.5 } else { 0.0 }
            })
            .collect();
        let communities: Vec<i64> = (0..NODES).map(|node| community(node) as i64).collect();
        let matrix = |values, columns| {
            Tensor::from_data(
                TensorData::new(values, [NODES, columns]),
                (device, DType::F32),
            )
        };
        Self {
            adjacency: matrix(joined, NODES),
            features: matrix(features, FEATURES),
            communities: Tensor::from_data(TensorData::new(communities, [NODES, 1]), device),
        }
    }

    fn gradient(&self, model: &GraphNetwork) -> Result<(Tensor<1>, GradientsParams)> {
        let logits = model.forward(self.features.clone(), self.adjacency.clone());
        let likelihood = log_softmax(logits, 1).gather(1, self.communities.clone());
        let loss = likelihood.mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Ok((loss, gradients))
    }

    /// Share of the nodes whose community is found.
    fn accuracy(&self, model: &GraphNetwork) -> f64 {
        let logits = model.forward(self.features.clone(), self.adjacency.clone());
        let right = logits.argmax(1).equal(self.communities.clone()).int().sum();
        f64::from(right.into_scalar::<i32>()) / NODES as f64
    }
}

fn prepare(scheme: &Scheme, width: usize, seed: u64) -> Result<ModuleTraining<GraphNetwork>> {
    let device = Device::flex().autodiff();
    let network = |width| GraphNetwork::new(width, &device);
    let shapes = BaseShapes::compare(
        &network(BASE_WIDTH),
        &network(2 * BASE_WIDTH),
        &declarations()?,
    )?;
    let scaled = shapes.scale(scheme, &network(width))?;
    let model = scaled.initialize(network(width), seed)?;
    let sgd = Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
    };
    let graph = Graph::new(0, &device);
    Ok(ModuleTraining {
        optimizer: scaled.optimizer(BaseOptimizerConfig::Sgd(sgd), &model)?,
        sam: scaled.sam(&model)?,
        scaled,
        model,
        learning_rate: LEARNING_RATE,
        rho: RHO,
        gradient: Box::new(move |model, _| graph.gradient(model)),
    })
}

/// Accuracy on another graph of the same kind, after 100 steps on one.
fn train(width: usize) -> Result<f64> {
    let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let mut training = prepare(&scheme, width, 0)?;
    for _ in 0..100 {
        let gradient = |model: &GraphNetwork| (training.gradient)(model, &mut Trace::off());
        let (model, _) = training.sam.step(
            &mut training.optimizer,
            training.model,
            LEARNING_RATE,
            RHO,
            gradient,
        )?;
        training.model = model;
    }
    Ok(Graph::new(1, &Device::flex().autodiff()).accuracy(&training.model))
}

fn check(scheme: &Scheme, widths: &[usize]) -> Result<CheckReport> {
    let options = ModuleCheckOptions {
        widths: widths.to_vec(),
        seeds: vec![0, 1, 2],
        steps: 3,
        tolerance: 0.2,
        workers: 2,
    };
    let training = |width, seed| prepare(scheme, width, seed);
    check_module(&options, training, &Cancel::default(), |_| {})
}

fn main() -> Result<()> {
    println!("η = {LEARNING_RATE} and ρ = {RHO}, tuned at width {BASE_WIDTH}; 100 steps:");
    for width in [16, 64, 256] {
        println!(
            "width {width:4}: accuracy {:.2} on another graph",
            train(width)?
        );
    }
    let mup2 = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let report = check(&mup2, &[64, 128, 256, 512])?;
    println!("\n{}", terminal_table(&report, false));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_parameter_is_perturbed_at_every_width_with_mup2_and_not_without() {
        let widths = [64, 128, 256, 512];
        let mup2 = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
        let report = check(&mup2, &widths).unwrap();
        assert!(report.pass, "{}", terminal_table(&report, false));
        let naive = Scheme::new(Parameterization::Sp, Perturbation::Naive);
        let report = check(&naive, &widths).unwrap();
        assert!(!report.pass, "{}", terminal_table(&report, false));
    }

    #[test]
    fn a_wide_network_learns_with_the_narrow_ones_hyperparameters() {
        for width in [16, 128] {
            let accuracy = train(width).unwrap();
            assert!(accuracy > 0.5, "width {width}: {accuracy}");
        }
    }
}
