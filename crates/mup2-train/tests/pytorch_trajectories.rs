//! Twenty SAM steps of PyTorch with the Python file of `mup2 scale --format torch`, taken by our own
//! models from the same weights on the same batches.
//!
//! The fixtures are those of `scripts/reference/pytorch_groups.py`; `fixtures/pytorch/README.md` says
//! what they hold, and how near f32 can come to them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mup2::step::{AsamOptions, BaseOptimizerConfig, Sam, SamConfig, ScaledOptimizer, Sgd, Sharing};
use mup2_scaling::{AsamBias, Rule, ScalingTable, scale};
use mup2_train::checkpoint::Weights;
use mup2_train::config::ModelKind;
use mup2_train::config::{RunSpec, parse_run};
use mup2_train::data::ImageShape;
use mup2_train::model::{Network, NetworkConfig, Pass};
use mup2_train::pytorch::{State, StateEntry, from_pytorch, state_entries, to_pytorch};
use mup2_train::train::{effective_weights, network_config, with_effective_weights};
use safetensors::SafeTensors;
use std::path::PathBuf;

/// Of a tensor's largest entry, which counts 1e-2 at least.
const TOLERANCE: f32 = 1e-4;

struct Fixture {
    state: State,
    labels: Vec<i64>,
}

fn fixture(name: &str) -> Fixture {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch");
    let bytes = std::fs::read(directory.join(format!("{name}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut state = State::new();
    for (name, tensor) in file.tensors() {
        if tensor.dtype() == safetensors::Dtype::F32 {
            let values = tensor.data().chunks_exact(4);
            let values = values.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
            let (shape, values) = (tensor.shape().to_vec(), values.collect());
            state.insert(name, Weights { shape, values });
        }
    }
    let labels = file.tensor("labels").unwrap();
    let labels = labels.data().chunks_exact(8);
    let labels = labels.map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()));
    Fixture {
        labels: labels.collect(),
        state,
    }
}

impl Fixture {
    fn below(&self, prefix: &str) -> State {
        let named = self.state.iter().filter_map(|(name, weights)| {
            Some((name.strip_prefix(prefix)?.to_owned(), weights.clone()))
        });
        named.collect()
    }

    /// Images and labels of batch `number`, counted round and round.
    fn batch(&self, number: usize, device: &Device) -> (Tensor<4>, Tensor<2, Int>) {
        let inputs = &self.state["inputs"];
        let (batches, size) = (inputs.shape[0], inputs.shape[1]);
        let number = number % batches;
        let values = inputs.values.len() / batches;
        let images = inputs.values[number * values..][..values].to_vec();
        // The MLP's inputs are rows of features.
        let mut shape = [size, 1, 1, 1];
        for (side, &length) in shape[1..].iter_mut().zip(&inputs.shape[2..]) {
            *side = length;
        }
        let labels = self.labels[number * size..][..size].to_vec();
        (
            Tensor::from_data(TensorData::new(images, shape), device),
            Tensor::from_data(TensorData::new(labels, [size, 1]), device),
        )
    }
}

/// Names and layouts of PyTorch's side.
enum Names {
    /// Ours, but matrices are `[out, in]`.
    Turned,
    Of(Vec<StateEntry>),
}

fn turned(weights: State) -> State {
    let turn = |weights: Weights| match weights.shape[..] {
        [rows, columns] => {
            let entry = |place: usize| weights.values[place % rows * columns + place / rows];
            Weights {
                values: (0..rows * columns).map(entry).collect(),
                shape: vec![columns, rows],
            }
        }
        _ => weights,
    };
    weights
        .into_iter()
        .map(|(name, weights)| (name, turn(weights)))
        .collect()
}

impl Names {
    fn ours(&self, theirs: &State) -> State {
        match self {
            Self::Turned => turned(theirs.clone()),
            Self::Of(entries) => from_pytorch(entries, theirs).unwrap(),
        }
    }

    fn theirs(&self, ours: State) -> State {
        match self {
            Self::Turned => turned(ours),
            Self::Of(entries) => to_pytorch(entries, &ours).unwrap(),
        }
    }
}

struct Trajectory {
    fixture: Fixture,
    spec: RunSpec,
    config: NetworkConfig,
    names: Names,
    name: &'static str,
}

impl Trajectory {
    fn network(&self, table: &ScalingTable, device: &Device) -> Network {
        let network = self.config.init(table, 0, device, DType::F32).unwrap();
        let ours = self.names.ours(&self.fixture.below("param/"));
        with_effective_weights(network, &self.config, table, ours).unwrap()
    }

    fn is_followed(&self, rule: Rule, rho: f64, learning_rate: f64, sgd: Sgd) {
        let device = Device::flex().autodiff();
        let mut scheme = self.spec.scheme();
        scheme.rule = rule;
        let table = scale(&scheme, &self.config.tensor_shapes()).unwrap();
        let mut network = self.network(&table, &device);
        let mut optimizer =
            ScaledOptimizer::new(BaseOptimizerConfig::Sgd(sgd), &network, &table).unwrap();
        let sam = SamConfig {
            rule,
            asam: AsamOptions {
                eta: 0.01,
                bias: AsamBias::One,
            },
            every: 1,
            ascent_steps: 1,
            clip_norm: None,
            seed: 0,
        };
        let mut sam = Sam::new(sam, &network, &table).unwrap();
        let below = |part: &str| self.fixture.state[&format!("{rule}/{part}")].values.clone();
        let (losses, norms) = (below("losses"), below("norms"));
        for step in 0..losses.len() {
            let (images, labels) = self.fixture.batch(step, &device);
            let mut pass = Pass::training(0, step as u64).observing();
            let gradient = |network: &Network, pass: &mut Pass| {
                let logits = network.forward(images.clone(), pass);
                let loss = log_softmax(logits, 1)
                    .gather(1, labels.clone())
                    .mean()
                    .neg();
                Ok((loss.clone(), pass.gradients(loss.backward(), network)))
            };
            let passes = &mut Sharing::new(&mut pass, gradient);
            let report;
            (network, report) = sam
                .step_by(passes, &mut optimizer, network, learning_rate, rho)
                .unwrap();
            network.absorb(&pass.into_statistics());
            let what = format!("{} under {rule}, step {step}", self.name);
            assert_close(&what, &[report.loss as f32], &losses[step..=step]);
            assert_close(
                &what,
                &[report.perturbation_norm as f32],
                &norms[step..=step],
            );
        }
        let after = effective_weights(&network, &self.config, &table).unwrap();
        let after = self.names.theirs(after);
        let expected = self.fixture.below(&format!("{rule}/after/"));
        assert!(expected.len() >= after.len(), "{rule}");
        for (name, found) in &after {
            assert_close(
                &format!("{rule}/after/{name}"),
                &found.values,
                &expected[name].values,
            );
        }
    }
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected
        .iter()
        .fold(1e-2_f32, |most, value| most.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= TOLERANCE * largest;
        assert!(
            near,
            "{what}[{index}]: {found}, PyTorch {expected}, largest {largest}"
        );
    }
}

fn trajectory(name: &'static str, toml: &str, image: [usize; 3], classes: usize) -> Trajectory {
    let spec = parse_run(toml, name, &[]).unwrap();
    let [channels, height, width] = image;
    let image = ImageShape {
        channels,
        height,
        width,
    };
    let config = network_config(&spec, image, classes).unwrap();
    let names = match spec.model.kind() {
        ModelKind::Mlp => Names::Turned,
        _ => {
            let (shapes, layers) = (config.tensor_shapes(), config.batch_norm_layers());
            let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
            Names::Of(state_entries(spec.model.kind(), &shapes, &layers, None).unwrap())
        }
    };
    Trajectory {
        fixture: fixture(name),
        spec,
        config,
        names,
        name,
    }
}

#[test]
fn pytorchs_multilayer_perceptron_takes_our_steps() {
    let toml = "[model]\nwidth = 24\nbase_width = 8\nbias = true\n";
    let trajectory = trajectory("trajectory_mlp", toml, [12, 1, 1], 5);
    let sgd = Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.01,
    };
    for (rule, rho) in [(Rule::Sam, 0.2), (Rule::Asam, 0.3)] {
        trajectory.is_followed(rule, rho, 0.1, sgd);
    }
}

#[test]
fn torchvisions_resnet_takes_our_steps() {
    let toml = "[model]\nkind = \"resnet\"\nwidth = 2\nbase_width = 1\n";
    let trajectory = trajectory("trajectory_resnet", toml, [3, 12, 12], 10);
    let sgd = Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    for (rule, rho) in [(Rule::Sam, 0.05), (Rule::Asam, 0.2), (Rule::SamOn, 0.2)] {
        trajectory.is_followed(rule, rho, 0.02, sgd);
    }
}
