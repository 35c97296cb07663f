//! Points that any framework logged, judged by the rules of our own coordinate check.

use crate::table::without_bare_nan;
use mup2_scaling::check::{CheckReport, CheckSubject, Extent, Point, judge};
use mup2_scaling::error::{Error, Result};
use mup2_scaling::shapes::Layout;
use mup2_scaling::{Role, Scheme, TensorKind, TensorShape, scale};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A longer line is no point.
const LONGEST_LINE: u64 = 1 << 20;

/// Points of a coordinate check that was run elsewhere, and the tensors that they belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignPoints {
    /// One entry a tensor, size, seed and step.
    pub points: Vec<Point>,
    /// The tensors in the order of the file, at the smallest and the largest size.
    pub tensors: Vec<TensorShape>,
    /// The sizes, ascending.
    pub sizes: Vec<usize>,
    /// The seeds, ascending.
    pub seeds: Vec<u64>,
    /// The last step that was measured.
    pub steps: usize,
    /// Where they come from, for messages.
    place: String,
}

/// One line of the file. What was not measured is absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    tensor: String,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    shape: Option<Vec<usize>>,
    #[serde(default)]
    kind: Option<TensorKind>,
    #[serde(alias = "width")]
    size: usize,
    #[serde(default)]
    seed: u64,
    #[serde(default = "first_step")]
    step: usize,
    #[serde(default, deserialize_with = "number")]
    effect: Option<f64>,
    #[serde(default, deserialize_with = "number")]
    update: Option<f64>,
    #[serde(default, deserialize_with = "number")]
    propagated: Option<f64>,
    #[serde(default, deserialize_with = "number")]
    activation: Option<f64>,
    #[serde(default, deserialize_with = "number")]
    norm_share: Option<f64>,
}

fn first_step() -> usize {
    1
}

/// A number, null, or `"NaN"` and its like.
fn number<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Plain(f64),
        Text(String),
        Nothing(()),
    }
    match Number::deserialize(deserializer)? {
        Number::Plain(number) => Ok(Some(number)),
        Number::Text(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
        Number::Nothing(()) => Ok(None),
    }
}

/// What is known of one tensor.
struct Known {
    role: Option<Role>,
    kind: Option<TensorKind>,
    shapes: BTreeMap<usize, Vec<usize>>,
}

/// Reads JSON Lines, one point a line: `tensor`, `role` (`input`, `hidden`, `output`, `fixed`) or
/// `shape` (in PyTorch's layout), `size`, `seed`, `effect` = RMS(ε x), `update` = RMS(ΔW x); and, if
/// they were measured, `step`, `propagated`, `activation`, `norm_share` and `kind`.
///
/// # Errors
/// A line that is no such point, a point that is there twice, a tensor whose role cannot be found, and
/// too few sizes to fit a slope to.
pub fn read_points(path: &Path) -> Result<ForeignPoints> {
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let mut reader = BufReader::new(file);
    let broken = |number: usize, problem: String| {
        let advice = "one object a line with tensor, role or shape, size, seed, effect and update";
        Error::corrupt(path, format!("line {number}: {problem}"), advice)
    };
    let mut lines = Vec::new();
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let mut line = reader.by_ref().take(LONGEST_LINE);
        let count = line
            .read_until(b'\n', &mut text)
            .map_err(Error::io("read", path))?;
        if count == 0 {
            break;
        }
        if count as u64 == LONGEST_LINE && text.last() != Some(&b'\n') {
            return Err(broken(number, "is longer than 1 MiB".to_owned()));
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_slice(&without_bare_nan(&text))
            .map_err(|error| broken(number, error.to_string()))?;
        if line.size == 0 {
            return Err(broken(number, "its size is 0".to_owned()));
        }
        lines.push((number, line));
    }
    let place = path.display().to_string();
    let mut taken = BTreeSet::new();
    let mut order: Vec<String> = Vec::new();
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut points = Vec::with_capacity(lines.len());
    for (number, line) in lines {
        if !taken.insert((line.tensor.clone(), line.size, line.seed, line.step)) {
            let problem = format!(
                "`{}` at size {}, seed {} and step {} is there twice",
                line.tensor, line.size, line.seed, line.step
            );
            return Err(broken(number, problem));
        }
        let own = known.entry(line.tensor.clone()).or_insert_with(|| {
            order.push(line.tensor.clone());
            Known {
                role: None,
                kind: None,
                shapes: BTreeMap::new(),
            }
        });
        if line
            .role
            .is_some_and(|role| own.role.is_some_and(|known| known != role))
        {
            return Err(broken(number, format!("`{}` has two roles", line.tensor)));
        }
        own.role = own.role.or(line.role);
        own.kind = own.kind.or(line.kind);
        if let Some(shape) = line.shape {
            let first = own.shapes.entry(line.size).or_insert_with(|| shape.clone());
            if *first != shape {
                let problem = format!("`{}` has two shapes at one size", line.tensor);
                return Err(broken(number, problem));
            }
        }
        points.push(Point {
            tensor: line.tensor,
            width: line.size,
            seed: line.seed,
            step: line.step,
            effect: line.effect.unwrap_or(f64::NAN),
            update_effect: line.update.unwrap_or(f64::NAN),
            propagated: line.propagated.unwrap_or(f64::NAN),
            activation: line.activation.unwrap_or(f64::NAN),
            norm_share: line.norm_share.unwrap_or(f64::NAN),
            ..unmeasured()
        });
    }
    let sizes: BTreeSet<usize> = points.iter().map(|point| point.width).collect();
    let seeds: BTreeSet<u64> = points.iter().map(|point| point.seed).collect();
    let (Some(&smallest), Some(&largest)) = (sizes.first(), sizes.last()) else {
        return Err(Error::invalid(
            place,
            "has no points",
            "points of at least two sizes",
        ));
    };
    let tensors = order
        .iter()
        .map(|name| tensor(&place, name, &known[name], smallest, largest));
    Ok(ForeignPoints {
        tensors: tensors.collect::<Result<_>>()?,
        steps: points.iter().map(|point| point.step).max().unwrap_or(1),
        points,
        sizes: sizes.into_iter().collect(),
        seeds: seeds.into_iter().collect(),
        place,
    })
}

/// A point of which nothing was measured.
fn unmeasured() -> Point {
    Point {
        cross: f64::NAN,
        total: f64::NAN,
        spectral: f64::NAN,
        frobenius: f64::NAN,
        update_propagated: f64::NAN,
        update_spectral: f64::NAN,
        update_frobenius: f64::NAN,
        gradient_norm: f64::NAN,
        ..Point::default()
    }
}

/// A tensor from its role alone, or from its shapes at the smallest and the largest size.
fn tensor(
    place: &str,
    name: &str,
    known: &Known,
    smallest: usize,
    largest: usize,
) -> Result<TensorShape> {
    let place = format!("{place}: tensor `{name}`");
    let shape_at = |size: usize| known.shapes.get(&size);
    let from_shapes = shape_at(smallest).zip(shape_at(largest));
    let (role, shape, fan, base_fan) = match (known.role, from_shapes) {
        (None, None) => {
            return Err(Error::invalid(
                place,
                "has neither a role nor a shape at the smallest and the largest size",
                "a role (input, hidden, output, fixed), or shapes",
            ));
        }
        (_, Some((base, shape))) => {
            if base.len() != shape.len() {
                let problem = format!("has {} sides and {} sides", base.len(), shape.len());
                return Err(Error::invalid(place, problem, "equally many at every size"));
            }
            let layout = Layout::of_pytorch(shape.len());
            let growing: Vec<bool> = base.iter().zip(shape).map(|(a, b)| a != b).collect();
            let role = layout.role(&growing);
            if let Some(given) = known.role.filter(|given| *given != role) {
                let problem = format!("has role {given}, but its shapes grow like {role}");
                return Err(Error::invalid(
                    place,
                    problem,
                    "a role that fits the shapes",
                ));
            }
            match layout.fans(shape).zip(layout.fans(base)) {
                Some((fan, base_fan)) => (role, shape.clone(), fan, base_fan),
                None => return Err(Error::invalid(place, "is too large", "shapes that fit")),
            }
        }
        (Some(role), None) => {
            let (grows_in, grows_out) = role.fan_exponents();
            let fan = |grows: f64, size: usize| if grows > 0.0 { size } else { 1 };
            let fans = |size| (fan(grows_in, size), fan(grows_out, size));
            let (fan, base_fan) = (fans(largest), fans(smallest));
            (role, vec![fan.1, fan.0], fan, base_fan)
        }
    };
    let is_vector = from_shapes.is_some_and(|(_, shape)| shape.len() < 2);
    let by_shape = if is_vector {
        TensorKind::Bias
    } else {
        TensorKind::Weight
    };
    Ok(TensorShape {
        name: name.to_owned(),
        role,
        kind: known.kind.unwrap_or(by_shape),
        shape,
        fan,
        base_fan,
        base_init_std: 1.0,
    })
}

impl ForeignPoints {
    /// Judges the points of the last step as [`judge`] does our own: `scheme` says which slopes to
    /// expect, and a slope within `tolerance` of 0 counts as 0.
    ///
    /// # Errors
    /// Too few sizes and seeds for a slope, and shapes that contradict each other.
    pub fn judge(self, name: &str, scheme: &Scheme, tolerance: f64) -> Result<CheckReport> {
        let extent = Extent {
            widths: &self.sizes,
            seeds: &self.seeds,
            steps: self.steps,
            tolerance,
        };
        extent.validate()?;
        let table = scale(scheme, &self.tensors)?;
        let earlier = self
            .points
            .iter()
            .filter(|point| point.step < self.steps)
            .count();
        let mut settings = vec![
            ("Points".to_owned(), self.place),
            ("Tensors".to_owned(), self.tensors.len().to_string()),
        ];
        if earlier > 0 {
            let text = format!(
                "{} (the fits use it; {earlier} points are of earlier steps)",
                self.steps
            );
            settings.push(("Last step".to_owned(), text));
        }
        let subject = CheckSubject {
            scheme: name.to_owned(),
            base_width: None,
            settings,
        };
        Ok(judge(subject, &extent, &table, self.points, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mup2_scaling::check::SlopeVerdict;
    use mup2_scaling::{Parameterization, Perturbation};

    fn read(text: &str) -> Result<ForeignPoints> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("points.jsonl");
        std::fs::write(&path, text).unwrap();
        read_points(&path)
    }

    /// A hidden tensor whose effect vanishes like size^−½ and a readout whose effect stays.
    fn points() -> String {
        let mut text = String::new();
        for size in [64_usize, 128, 256, 512] {
            for seed in 0..2 {
                let noise = 1.0 + 0.01 * f64::from(seed);
                let effect = noise / (size as f64).sqrt();
                text += &format!(
                    "{{\"tensor\":\"h\",\"shape\":[{size},{size}],\"size\":{size},\"seed\":{seed},\"effect\":{effect},\"update\":{noise}}}\n"
                );
                text += &format!(
                    "{{\"tensor\":\"out\",\"role\":\"output\",\"width\":{size},\"seed\":{seed},\"effect\":{noise},\"update\":{noise}}}\n"
                );
            }
        }
        text + "{\"tensor\":\"out\",\"role\":\"output\",\"size\":64,\"seed\":9,\"effect\":NaN}\n"
    }

    #[test]
    fn points_of_any_framework_are_judged_by_the_same_rules() {
        let points = read(&points()).unwrap();
        assert_eq!(points.tensors[0].role, Role::Hidden);
        let scheme = Scheme::new(Parameterization::Mup, Perturbation::Global);
        let report = points.judge("mup-global", &scheme, 0.2).unwrap();
        assert!(!report.pass && report.stable);
        assert_eq!(report.tensors[0].verdict, SlopeVerdict::Vanishing);
        assert!((report.tensors[0].effect_slope.unwrap() + 0.5).abs() < 1e-9);
        assert_eq!(report.tensors[1].verdict, SlopeVerdict::Effective);
        assert_eq!(report.tensors[0].update_verdict, SlopeVerdict::Effective);
        assert_eq!(report.tensors[0].norm_share, None);
        let page = crate::check::html(&report);
        assert!(page.contains("vanishing") && !page.contains("NaN"));
        assert!(!crate::check::terminal_table(&report, false).contains("NaN"));
    }

    #[test]
    fn points_that_cannot_be_judged_are_refused_in_one_sentence() {
        let message = |text: &str| {
            let found = read(text).and_then(|points| {
                let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
                points.judge("mup2", &scheme, 0.2)
            });
            found.unwrap_err().to_string()
        };
        let line = "{\"tensor\":\"h\",\"role\":\"hidden\",\"size\":64,\"effect\":1}\n";
        assert!(message("").contains("has no points"));
        assert!(message("x").contains("line 1"));
        assert!(message(&line.repeat(2)).contains("there twice"));
        assert!(message(line).contains("too few to fit"));
        assert!(message(&line.replace("hidden", "wide")).contains("unknown variant"));
        assert!(message(&line.replace("effect", "efect")).contains("unknown field `efect`"));
        assert!(message(&line.replace("64", "0")).contains("size is 0"));
        let no_role = line.replace("\"role\":\"hidden\",", "");
        assert!(message(&no_role).contains("neither a role nor a shape"));
        let other = line.replace("64", "65").replace("hidden", "output");
        assert!(message(&format!("{line}{other}")).contains("two roles"));
    }
}
