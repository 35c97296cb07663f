//! Burn's `Learner` makes SAM's steps: two epochs of it and of a loop over `Sam::step` end with the same bits. This is
//! the program behind the lines about the `Learner` in docs/guides/your-model.md.
//!
//! ```console
//! cargo run --manifest-path scripts/learner/Cargo.toml
//! ```

use burn::data::dataloader::{DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::metric::{Adaptor, LossInput, LossMetric};
use burn::train::{InferenceStep, ItemLazy, Learner, SupervisedTraining, TrainOutput, TrainStep};
use mup2::error::Result;
use mup2::module::BaseShapes;
use mup2::scaling::{Parameterization, Perturbation, Scheme};
use mup2::shapes::Declarations;
use mup2::step::{BaseOptimizerConfig, Sam, Sgd};

const INPUTS: usize = 8;
const CLASSES: usize = 3;
const ITEMS: usize = 64;
const BATCH: usize = 16;
const EPOCHS: usize = 2;
const LEARNING_RATE: f64 = 0.125;
const RHO: f64 = 0.25;

#[derive(Module, Debug)]
struct Net {
    input: Linear,
    hidden: Linear,
    readout: Linear,
}

impl Net {
    fn new(width: usize, device: &Device) -> Self {
        Self {
            input: LinearConfig::new(INPUTS, width).init(device),
            hidden: LinearConfig::new(width, width).init(device),
            readout: LinearConfig::new(width, CLASSES).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = relu(self.input.forward(x));
        self.readout.forward(relu(self.hidden.forward(x)))
    }

    fn loss(&self, batch: &Batch) -> Tensor<1> {
        let likelihood = log_softmax(self.forward(batch.x.clone()), 1);
        likelihood.gather(1, batch.labels.clone()).mean().neg()
    }
}

fn loss_and_gradients(net: &Net, batch: &Batch) -> Result<(Tensor<1>, GradientsParams)> {
    let loss = net.loss(batch);
    let gradients = GradientsParams::from_grads(loss.backward(), net);
    Ok((loss, gradients))
}

/// What the learner trains: the network, and how it is perturbed.
#[derive(Module, Debug)]
struct WithSam {
    net: Net,
    #[module(skip)]
    sam: Sam,
    #[module(skip)]
    rho: f64,
}

impl TrainStep for WithSam {
    type Input = Batch;
    type Output = Loss;

    fn step(&self, batch: Batch) -> TrainOutput<Loss> {
        let gradient = |net: &Net| loss_and_gradients(net, &batch);
        // The learner's interface knows no failure; this closure has none.
        let (grads, report) = match self.sam.gradients(&self.net, self.rho, gradient) {
            Ok(computed) => computed,
            Err(error) => panic!("{error}"),
        };
        TrainOutput {
            grads,
            item: Loss(report.loss),
        }
    }
}

impl InferenceStep for WithSam {
    type Input = Batch;
    type Output = Loss;

    fn step(&self, batch: Batch) -> Loss {
        Loss(self.net.loss(&batch).into_scalar::<f64>())
    }
}

/// The loss of a batch, as the learner's metrics read it.
struct Loss(f64);

impl ItemLazy for Loss {
    fn sync(self) -> std::result::Result<Self, burn::tensor::ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<LossInput> for Loss {
    fn adapt(&self) -> LossInput {
        LossInput::new(Tensor::from_data([self.0 as f32], &Device::flex()))
    }
}

#[derive(Clone, Debug)]
struct Batch {
    x: Tensor<2>,
    labels: Tensor<2, Int>,
}

#[derive(Clone, Debug)]
struct Item {
    x: Vec<f32>,
    label: i64,
}

#[derive(Clone)]
struct Rows;

impl Batcher<Item, Batch> for Rows {
    fn batch(&self, items: Vec<Item>, device: &Device) -> Batch {
        let count = items.len();
        let labels: Vec<i64> = items.iter().map(|item| item.label).collect();
        let x: Vec<f32> = items.into_iter().flat_map(|item| item.x).collect();
        Batch {
            x: Tensor::from_data(TensorData::new(x, [count, INPUTS]), device),
            labels: Tensor::from_data(TensorData::new(labels, [count, 1]), device),
        }
    }
}

fn items() -> Vec<Item> {
    let value = |item: usize, input: usize| ((item * INPUTS + input) as f32 * 0.7).sin();
    let items = (0..ITEMS).map(|item| Item {
        x: (0..INPUTS).map(|input| value(item, input)).collect(),
        label: (item % CLASSES) as i64,
    });
    items.collect()
}

fn bits(net: &Net) -> Vec<u32> {
    let weights = [&net.input, &net.hidden, &net.readout].map(|layer| layer.weight.val());
    let values = weights.into_iter().flat_map(|weight| {
        let data = weight.without_autodiff().into_data();
        data.iter::<f32>().map(f32::to_bits).collect::<Vec<u32>>()
    });
    values.collect()
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let (base, wide) = (Net::new(16, &device), Net::new(32, &device));
    let shapes = BaseShapes::compare(&base, &wide, &Declarations::default())?;
    let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let scaled = shapes.scale(&scheme, &Net::new(64, &device))?;
    let net = scaled.initialize(Net::new(64, &device), 0)?;
    let sgd = BaseOptimizerConfig::Sgd(Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    });

    let mut ours = net.clone();
    let mut optimizer = scaled.optimizer(sgd, &ours)?;
    let mut sam = scaled.sam(&ours)?;
    for _ in 0..EPOCHS {
        for chunk in items().chunks(BATCH) {
            let batch = Rows.batch(chunk.to_vec(), &device);
            let gradient = |net: &Net| loss_and_gradients(net, &batch);
            (ours, _) = sam.step(&mut optimizer, ours, LEARNING_RATE, RHO, gradient)?;
        }
    }

    let loader = || {
        let builder = DataLoaderBuilder::new(Rows).batch_size(BATCH);
        builder
            .set_device(device.clone())
            .build(InMemDataset::new(items()))
    };
    let model = WithSam {
        sam: scaled.sam(&net)?,
        rho: RHO,
        net: net.clone(),
    };
    let learner = Learner::new(model, scaled.optimizer(sgd, &net)?, LEARNING_RATE);
    let directory = tempfile::tempdir()?;
    let trained = SupervisedTraining::new(directory.path(), loader(), loader())
        .metric_train_numeric(LossMetric::new())
        .num_epochs(EPOCHS)
        .launch(learner);

    if bits(&net) == bits(&ours) {
        return Err("nothing was trained".into());
    }
    if bits(&trained.model.net) != bits(&ours) {
        return Err("the Learner ends with other weights than Sam::step".into());
    }
    println!("the Learner and Sam::step end with the same bits");
    Ok(())
}
