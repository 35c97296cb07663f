//! Our models against PyTorch's: one forward and backward pass on the same weights and batch, in
//! f32, and their state dictionaries read and written.
//!
//! The fixtures are those of `scripts/reference/pytorch_models.py`; `fixtures/pytorch/README.md`
//! says what they hold and what PyTorch's own f32 differs by. They run on the processor, or on the device
//! that the variable MUP2_TEST_DEVICE names, if the tests were built with its feature.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mup2::step::{flat_gradients, parameters};
use mup2_scaling::{ScalingTable, scale};
use mup2_train::checkpoint::{Weights, read_weights};
use mup2_train::config::{TrainingDevice, parse_run};
use mup2_train::data::ImageShape;
use mup2_train::model::{Network, NetworkConfig, Pass};
use mup2_train::pytorch::{State, StateEntry, from_pytorch, state_entries, to_pytorch};
use mup2_train::train::{
    effective_weights, network_config, open_device, tensor_shapes, with_effective_weights,
};
use safetensors::SafeTensors;
use std::path::PathBuf;

/// Relative to the largest entry of a tensor, which is at least 1e-3.
const TOLERANCE: f32 = 1e-4;

fn path(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch");
    directory.join(format!("{name}.safetensors"))
}

/// A fixture, and our model with its weights.
struct Case {
    state: State,
    labels: Vec<i64>,
    entries: Vec<StateEntry>,
    config: NetworkConfig,
    table: ScalingTable,
    network: Network,
}

fn device() -> Device {
    let asked = std::env::var("MUP2_TEST_DEVICE");
    let device = asked.map_or(TrainingDevice::Flex, |name| name.parse().unwrap());
    open_device(device).unwrap().autodiff()
}

fn case(name: &str, toml: &str) -> Case {
    let bytes = std::fs::read(path(name)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let labels = file.tensor("labels").unwrap();
    let labels = labels.data().chunks_exact(8);
    let labels = labels
        .map(|b| i64::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let mut state = State::new();
    for (name, tensor) in file.tensors() {
        if tensor.dtype() != safetensors::Dtype::F32 {
            continue;
        }
        let values = tensor.data().chunks_exact(4);
        let values = values.map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        let shape = tensor.shape().to_vec();
        state.insert(
            name,
            Weights {
                shape,
                values: values.collect(),
            },
        );
    }
    let spec = parse_run(toml, name, &[]).unwrap();
    let (image, classes) = (&state["input"].shape, state["logits_eval"].shape[1]);
    let image = ImageShape {
        channels: image[1],
        height: image[2],
        width: image[3],
    };
    let config = network_config(&spec, image, classes).unwrap();
    let table = scale(&spec.scheme(), &config.tensor_shapes()).unwrap();
    let network = config.init(&table, 0, &device(), DType::F32).unwrap();
    let layers: Vec<String> = network
        .running_statistics()
        .iter()
        .map(|(layer, _)| (*layer).to_owned())
        .collect();
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    let shapes = config.tensor_shapes();
    let entries = state_entries(spec.model.kind(), &shapes, &layers, config.patches()).unwrap();
    let ours = from_pytorch(&entries, &below(&state, "param/")).unwrap();
    let network = with_effective_weights(network, &config, &table, ours).unwrap();
    Case {
        state,
        labels,
        entries,
        config,
        table,
        network,
    }
}

fn below(state: &State, prefix: &str) -> State {
    let named = state.iter().filter_map(|(name, weights)| {
        let name = name.strip_prefix(prefix)?;
        Some((name.to_owned(), weights.clone()))
    });
    named.collect()
}

fn assert_close(what: &str, found: &[f32], expected: &Weights) {
    assert_eq!(found.len(), expected.values.len(), "{what}");
    let largest = expected
        .values
        .iter()
        .fold(1e-3_f32, |most, value| most.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(&expected.values).enumerate() {
        assert!(
            (found - expected).abs() <= TOLERANCE * largest,
            "{what}[{index}]: {found}, PyTorch {expected}, largest {largest}"
        );
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

impl Case {
    fn input(&self, device: &Device) -> Tensor<4> {
        let input = &self.state["input"];
        Tensor::from_data(
            TensorData::new(input.values.clone(), input.shape.clone()),
            device,
        )
    }

    fn agrees(mut self) {
        let device = device();
        let mut pass = Pass::training(0, 0).observing();
        let logits = self.network.forward(self.input(&device), &mut pass);
        let count = self.labels.len();
        let labels = TensorData::new(self.labels.clone(), [count, 1]);
        let labels: Tensor<2, Int> = Tensor::from_data(labels, &device);
        let loss = log_softmax(logits.clone(), 1)
            .gather(1, labels)
            .mean()
            .neg();
        assert_close("logits_train", &values(logits), &self.state["logits_train"]);
        assert_close("loss", &values(loss.clone()), &self.state["loss"]);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let mut ours = flat_gradients(&self.network, gradients);
        let gradients: State = parameters(&self.network)
            .into_iter()
            .map(|parameter| {
                let values = values(ours.remove(&parameter.name).unwrap());
                let shape = parameter.shape;
                (parameter.name, Weights { shape, values })
            })
            .collect();
        let is_parameter = |entry: &&StateEntry| gradients.contains_key(&entry.ours);
        let entries: Vec<StateEntry> = self.entries.iter().filter(is_parameter).cloned().collect();
        let theirs = to_pytorch(&entries, &gradients).unwrap();
        let expected = below(&self.state, "grad/");
        assert_eq!(theirs.len(), expected.len());
        for (name, expected) in &expected {
            assert_close(&format!("grad/{name}"), &theirs[name].values, expected);
        }
        self.network.absorb(&pass.into_statistics());
        let logits = self
            .network
            .forward(self.input(&device), &mut Pass::evaluation());
        assert_close("logits_eval", &values(logits), &self.state["logits_eval"]);
        let ours = effective_weights(&self.network, &self.config, &self.table).unwrap();
        let theirs = to_pytorch(&self.entries, &ours).unwrap();
        for (name, expected) in below(&self.state, "buffer_after/") {
            assert_close(&name, &theirs[&name].values, &expected);
        }
    }
}

const RESNET18: &str = "[model]\nkind = \"resnet\"\nwidth = 3\nbase_width = 3\n";
const RESNET50: &str = "[model]\nkind = \"resnet\"\nwidth = 2\nbase_width = 2\n\
    [model.resnet]\nlayers = 50\nstem = \"imagenet\"\nnorm = \"group\"\ngroups = 2\n";
const VIT: &str = "[model]\nkind = \"vit\"\nwidth = 16\nbase_width = 16\n\
    [model.vit]\npatch = 4\ndepth = 2\nheads = 2\n";
const VIT_MEAN: &str = "[model]\nkind = \"vit\"\nwidth = 16\nbase_width = 16\n\
    [model.vit]\npatch = 4\ndepth = 2\nheads = 2\npool = \"mean\"\nqk_norm = true\n";
const GRU: &str = "[model]\nkind = \"gru\"\nwidth = 12\nbase_width = 12\n";

const CASES: [(&str, &str); 5] = [
    ("resnet18_cifar", RESNET18),
    ("resnet50_imagenet_groupnorm", RESNET50),
    ("vit_class_token", VIT),
    ("vit_mean_pool_qk_norm", VIT_MEAN),
    ("gru_rows", GRU),
];

#[test]
fn a_resnet_18_with_batch_normalization_computes_what_torchvisions_does() {
    case("resnet18_cifar", RESNET18).agrees();
}

#[test]
fn a_resnet_50_with_group_normalization_computes_what_torchvisions_does() {
    case("resnet50_imagenet_groupnorm", RESNET50).agrees();
}

#[test]
fn a_vision_transformer_with_a_class_token_computes_what_timms_does() {
    case("vit_class_token", VIT).agrees();
}

#[test]
fn a_vision_transformer_with_mean_pooling_and_qk_norm_computes_what_timms_does() {
    case("vit_mean_pool_qk_norm", VIT_MEAN).agrees();
}

#[test]
fn a_gru_computes_what_torchs_does() {
    case("gru_rows", GRU).agrees();
}

#[test]
fn a_state_dictionary_is_read_and_written_without_changing_a_bit() {
    for (name, toml) in CASES {
        let case = case(name, toml);
        let file = read_weights(&path(&format!("{name}_state_dict"))).unwrap();
        let ours = from_pytorch(&case.entries, &file).unwrap();
        let network =
            with_effective_weights(case.network, &case.config, &case.table, ours).unwrap();
        let ours = effective_weights(&network, &case.config, &case.table).unwrap();
        assert_eq!(to_pytorch(&case.entries, &ours).unwrap(), file, "{name}");
    }
}

#[test]
fn weights_keep_their_function_at_another_width_scheme_and_multiplier() {
    // The a-form and the output multiplier store other numbers for the same function.
    let toml = RESNET18.replace("base_width = 3", "base_width = 1\noutput_multiplier = 4.0")
        + "[scaling]\nweight_multipliers = true\n";
    let case = case("resnet18_cifar", &toml);
    let logits = case
        .network
        .forward(case.input(&device()), &mut Pass::training(0, 0));
    assert_close("logits_train", &values(logits), &case.state["logits_train"]);
}

#[test]
fn published_networks_have_the_published_number_of_parameters() {
    let count = |toml: &str, channels, side, classes| {
        let spec = parse_run(toml, "test", &[]).unwrap();
        let image = ImageShape {
            channels,
            height: side,
            width: side,
        };
        let shapes = tensor_shapes(&spec, image, classes).unwrap();
        shapes
            .iter()
            .map(|shape| shape.shape.iter().product::<usize>())
            .sum::<usize>()
    };
    // Numbers of fixtures/pytorch/README.md.
    let resnet = |layers: u16, stem: &str, classes| {
        let toml = format!(
            "[model]\nkind = \"resnet\"\nwidth = 64\nbase_width = 64\n[model.resnet]\n\
             layers = {layers}\nstem = \"{stem}\"\n"
        );
        count(&toml, 3, 224, classes)
    };
    assert_eq!(resnet(18, "imagenet", 1000), 11_689_512);
    assert_eq!(resnet(34, "imagenet", 1000), 21_797_672);
    assert_eq!(resnet(50, "imagenet", 1000), 25_557_032);
    assert_eq!(resnet(18, "cifar", 10), 11_173_962);
    let vit = "[model]\nkind = \"vit\"\nwidth = 384\nbase_width = 384\n[model.vit]\npatch = 16\n\
               depth = 12\nhead_dim = 64\n";
    assert_eq!(count(vit, 3, 224, 1000), 22_050_664);
}

#[test]
fn dropout_and_stochastic_depth_act_in_training_only() {
    let toml = format!("{VIT}dropout = 0.3\nstochastic_depth = 0.3\n");
    let case = case("vit_class_token", &toml);
    let input = case.input(&device());
    let trained = case
        .network
        .forward(input.clone(), &mut Pass::training(0, 0));
    assert_ne!(values(trained), case.state["logits_train"].values);
    let evaluated = case.network.forward(input, &mut Pass::evaluation());
    assert_close(
        "logits_eval",
        &values(evaluated),
        &case.state["logits_eval"],
    );
}
