//! The parts of a step on one core: each fused layer beside the same layer from the engine's own operations, whole SAM
//! steps, and what a sweep does for each run. `cargo bench --bench parts` prints times of this machine; only those of
//! one run may be compared.
#![allow(clippy::unwrap_used, missing_docs)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use divan::{Bencher, black_box};
use mup2_scaling::workers::one_core_pool;
use mup2_train::config::{RunSpec, parse_run};

fn main() {
    one_core_pool().unwrap().install(divan::main);
}

fn tensor<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|index| (index as f32 * 0.37).sin());
    let data = TensorData::new(values.collect::<Vec<f32>>(), shape);
    Tensor::from_data(data, (&Device::flex().autodiff(), DType::F32)).require_grad()
}

/// Forward and backward of `layer`.
fn both<const D: usize>(bencher: Bencher, layer: impl Fn() -> Tensor<D>) {
    bencher.bench_local(|| black_box(layer().sum().backward()));
}

/// 64 rows and square weights.
mod linear {
    use super::{Bencher, both, tensor};

    const SIDES: [usize; 3] = [64, 256, 1024];

    #[divan::bench(args = SIDES)]
    fn fused(bencher: Bencher, side: usize) {
        let (x, weight) = (tensor([64, side]), tensor([side, side]));
        both(bencher, || mup2::fused::linear(x.clone(), weight.clone()));
    }

    /// Half of the input is zero.
    #[divan::bench(args = SIDES)]
    fn fused_after_a_relu(bencher: Bencher, side: usize) {
        let x = mup2::fused::relu(tensor([64, side])).without_autodiff();
        let (x, weight) = (x.autodiff().require_grad(), tensor([side, side]));
        both(bencher, || mup2::fused::linear(x.clone(), weight.clone()));
    }

    #[divan::bench(args = SIDES)]
    fn engine(bencher: Bencher, side: usize) {
        let (x, weight) = (tensor([64, side]), tensor([side, side]));
        both(bencher, || x.clone().matmul(weight.clone()));
    }
}

/// 64 rows, square weights and a perturbation of rank 64: left as its factors, and made.
mod perturbation {
    use super::{Bencher, both, tensor};
    use mup2::fused::{linear, perturbed_linear};

    const SIDES: [usize; 3] = [256, 384, 1024];

    #[divan::bench(args = SIDES)]
    fn factors(bencher: Bencher, side: usize) {
        let (x, weight) = (tensor([64, side]), tensor([side, side]));
        let [inputs, gradients] =
            [(); 2].map(|()| tensor([64, side]).without_autodiff().autodiff());
        both(bencher, || {
            let (x, weight) = (x.clone(), weight.clone());
            let (inputs, gradients) = (inputs.clone(), gradients.clone());
            perturbed_linear(x, weight, inputs, gradients)
        });
    }

    #[divan::bench(args = SIDES)]
    fn made(bencher: Bencher, side: usize) {
        let (x, weight) = (tensor([64, side]), tensor([side, side]));
        let [inputs, gradients] =
            [(); 2].map(|()| tensor([64, side]).without_autodiff().autodiff());
        both(bencher, || {
            let epsilon = inputs.clone().transpose().matmul(gradients.clone());
            linear(x.clone(), weight.clone() + epsilon)
        });
    }
}

/// 16 images of 32 channels and 16 × 16 pixels; kernels of 3 × 3.
mod convolution {
    use super::{Bencher, both, tensor};
    use mup2::fused::{composite, convolve};

    #[divan::bench]
    fn fused(bencher: Bencher) {
        let (x, kernel) = (tensor([16, 32, 16, 16]), tensor([32, 32, 3, 3]));
        both(bencher, || convolve(x.clone(), kernel.clone(), 1, 1));
    }

    #[divan::bench]
    fn engine(bencher: Bencher) {
        let (x, kernel) = (tensor([16, 32, 16, 16]), tensor([32, 32, 3, 3]));
        both(bencher, || {
            composite::convolve(x.clone(), kernel.clone(), 1, 1)
        });
    }
}

/// With a ReLU, on 16 images of 32 channels and 16 × 16 pixels.
mod batch_normalization {
    use super::{Bencher, both, tensor};
    use mup2::fused::{batch_normalize, composite};

    #[divan::bench]
    fn fused(bencher: Bencher) {
        let (x, gain, bias) = (tensor([16, 32, 16, 16]), tensor([32]), tensor([32]));
        both(bencher, || {
            batch_normalize(x.clone(), gain.clone(), bias.clone(), 1e-5, true).0
        });
    }

    #[divan::bench]
    fn engine(bencher: Bencher) {
        let (x, gain, bias) = (tensor([16, 32, 16, 16]), tensor([32]), tensor([32]));
        both(bencher, || {
            composite::batch_normalize(x.clone(), gain.clone(), bias.clone(), 1e-5, true).0
        });
    }
}

/// 1024 rows of 192.
mod layer_normalization {
    use super::{Bencher, both, tensor};
    use mup2::fused::{composite, normalize_rows};

    #[divan::bench]
    fn fused(bencher: Bencher) {
        let (x, gain, bias) = (tensor([1024, 192]), tensor([192]), tensor([192]));
        both(bencher, || {
            normalize_rows(x.clone(), gain.clone(), bias.clone(), 1e-6)
        });
    }

    #[divan::bench]
    fn engine(bencher: Bencher) {
        let (x, gain, bias) = (tensor([1024, 192]), tensor([192]), tensor([192]));
        both(bencher, || {
            composite::normalize_rows(x.clone(), gain.clone(), bias.clone(), 1e-6)
        });
    }
}

/// 1024 rows of 192.
mod gelu {
    use super::{Bencher, both, tensor};

    #[divan::bench]
    fn fused(bencher: Bencher) {
        let x = tensor([1024, 192]);
        both(bencher, || mup2::fused::gelu(x.clone()));
    }

    #[divan::bench]
    fn engine(bencher: Bencher) {
        let x = tensor([1024, 192]);
        both(bencher, || mup2::fused::composite::gelu(x.clone()));
    }
}

/// 48 heads of 65 tokens.
mod softmax {
    use super::{Bencher, both, tensor};

    #[divan::bench]
    fn fused(bencher: Bencher) {
        let x = tensor([16, 3, 65, 65]);
        both(bencher, || mup2::fused::softmax(x.clone()));
    }

    #[divan::bench]
    fn engine(bencher: Bencher) {
        let x = tensor([16, 3, 65, 65]);
        both(bencher, || burn::tensor::activation::softmax(x.clone(), 3));
    }
}

fn run(width: usize) -> RunSpec {
    parse_run("", "bench", &[format!("model.width={width}")]).unwrap()
}

/// Twenty SAM steps of a perceptron, with what makes it ready.
mod twenty_steps {
    use super::{Bencher, black_box, run};
    use mup2_scaling::workers::Cancel;
    use mup2_train::config::TrainingDevice;
    use mup2_train::data::load;
    use mup2_train::train::{ThroughputOptions, throughput};

    #[divan::bench(args = [64, 256, 1024], sample_count = 10)]
    fn perceptron(bencher: Bencher, width: usize) {
        let spec = run(width);
        let data = load(&spec.data).unwrap();
        let options = ThroughputOptions {
            device: TrainingDevice::Flex,
            workers: 1,
            threads: 1,
            warmup: 1,
            steps: 19,
        };
        bencher.bench_local(|| {
            black_box(throughput(&spec, &data, &options, &Cancel::default()).unwrap())
        });
    }
}

/// What a sweep does for each of its runs before it trains it.
mod plan {
    use super::{Bencher, black_box, run};
    use mup2_scaling::scale;
    use mup2_sweep::config::RunId;
    use mup2_train::data::load;
    use mup2_train::train::tensor_shapes;

    #[divan::bench]
    fn scaling_table(bencher: Bencher) {
        let spec = run(1024);
        let data = load(&spec.data).unwrap();
        let shapes = tensor_shapes(&spec, data.train.shape, data.classes).unwrap();
        bencher.bench_local(|| scale(&spec.scheme(), black_box(&shapes)).unwrap());
    }

    #[divan::bench]
    fn run_id(bencher: Bencher) {
        let spec = run(1024);
        bencher.bench_local(|| RunId::of(black_box(&spec)));
    }
}
