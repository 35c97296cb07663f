//! Weights from our streams, for modules that were made with Burn's.

use super::nets::{BASE, Perceptron, Zoo, device, mup2, numbers, scaled};
use burn::module::Module;
use burn::tensor::DType;
use mup2::initialization::Initializer;
use mup2::module::{BaseShapes, WeightGain};
use mup2::shapes::Declarations;
use mup2::step::{flat_parameters, parameters};

#[test]
fn weights_depend_on_the_seed_and_not_on_what_the_module_was_made_with() {
    let scaled = scaled(&mup2(), 16);
    let draw = |seed| numbers(&scaled.initialize(Perceptron::new(16), seed).unwrap());
    assert_eq!(draw(0), draw(0));
    assert_ne!(draw(0), draw(1));
}

#[test]
fn weights_are_those_of_the_streams_and_keep_ids_and_gradients() {
    let scaled = scaled(&mup2(), 16);
    let before = Perceptron::new(16);
    let model = scaled.initialize(before.clone(), 3).unwrap();
    assert_eq!(parameters(&model), parameters(&before));
    assert!(parameters(&model).iter().all(|parameter| parameter.trained));
    let initializer = Initializer::new(scaled.table(), 3, &device(), DType::F32);
    let expected = initializer.gaussian::<2>("hidden.weight").unwrap().val();
    assert_eq!(model.hidden.weight.val().into_data(), expected.into_data());
    let bias = model.hidden.bias.unwrap().val().into_data();
    assert_eq!(bias.try_to_vec::<f32>().unwrap(), vec![0.0; 16]);
}

#[test]
fn gains_start_at_one_and_a_bare_vector_keeps_its_values() {
    let shapes = BaseShapes::compare(&Zoo::new(4), &Zoo::new(8), &Declarations::default()).unwrap();
    let mut model = Zoo::new(16);
    // As if it had been trained before.
    model.norms[0].gamma = model.norms[0]
        .gamma
        .clone()
        .map(|gain| gain.mul_scalar(3.0).detach());
    let scaled = shapes.scale(&mup2(), &model).unwrap();
    let values = flat_parameters(&scaled.initialize(model, 0).unwrap());
    let of = |name: &str| {
        values[name]
            .clone()
            .into_data()
            .try_to_vec::<f32>()
            .unwrap()
    };
    assert_eq!(of("norms.0.gamma"), [1.0; 16]);
    assert_eq!(of("batch_norm.beta"), [0.0; 16]);
    assert_eq!(of("gain"), [0.5; 16]);
    let mean_square = |name: &str| {
        let values = of(name);
        values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32
    };
    let embedding = mean_square("embedding.weight").sqrt();
    assert!((embedding - 0.02).abs() < 0.005, "{embedding}");
    let hidden = mean_square("hidden.weight") * 16.0;
    assert!((hidden - 2.0).abs() < 0.4, "{hidden}");
    let lecun = shapes.with_gain(WeightGain::LeCun);
    let row = lecun.scale(&mup2(), &Zoo::new(16)).unwrap().table().tensors[9].clone();
    assert!((row.init_std - 0.25).abs() < 1e-12, "{}", row.init_std);
}

#[test]
fn a_frozen_layer_has_no_role_and_stays_as_it_is() {
    let frozen = |width| {
        let mut model = Perceptron::new(width);
        model.input = model.input.no_grad();
        model
    };
    let shapes =
        BaseShapes::compare(&frozen(BASE), &frozen(2 * BASE), &Declarations::default()).unwrap();
    assert_eq!(shapes.parameters().len(), 4);
    let before = frozen(32);
    let scaled = shapes.scale(&mup2(), &before).unwrap();
    let after = scaled.initialize(before.clone(), 0).unwrap();
    assert_eq!(
        after.input.weight.val().into_data(),
        before.input.weight.val().into_data()
    );
    scaled.sam(&after).unwrap();
}

#[test]
fn another_model_than_the_scaled_one_is_not_initialized() {
    let scaled = scaled(&mup2(), 16);
    let wider = scaled.initialize(Perceptron::new(32), 0).unwrap_err();
    assert_eq!(
        wider.to_string(),
        "parameter `input.weight`: has shape [6, 32]; allowed: the shape [6, 16] of the model that \
         was scaled"
    );
    let mut fewer = Perceptron::new(16);
    fewer.readout.bias = None;
    let message = scaled.initialize(fewer, 0).unwrap_err().to_string();
    assert!(message.contains("has 5 of the 6 parameters"), "{message}");
}
