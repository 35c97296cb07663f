//! How the optimum moves with the size: an exponent for each series, with its error.
//!
//! At each size a parabola in log₂ of the hyperparameter is laid through the points around the best
//! one; its vertex is the optimum. The exponent is the least-squares slope of log₂ of the optimum over
//! log₂ of the size. `scripts/reference/optimum_fit.py` computes the same with NumPy.

use super::cells::{Cells, Group};
use super::statistics::{Scores, round};
use super::{MetricKind, Scale};
use mup2_scaling::number::{ABSENT, two_decimals};
use mup2_scaling::random::stream;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Points within so many octaves of the best one are under the parabola, where the grid is fine, and
/// so many points on each side where it is coarse.
const OCTAVES: f64 = 1.5;
const POINTS: usize = 2;
/// Times that the seeds are drawn again.
const DRAWS: usize = 400;

/// How the optimum of one hyperparameter moves with the size, in one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The series.
    pub scheme: String,
    /// The hyperparameter's symbol, or its name.
    pub hyperparameter: String,
    /// The sizes' optima; a size whose optimum cannot be fitted is not among them.
    pub optima: Vec<FittedOptimum>,
    /// Sizes that were left out, since no optimum lies between other points.
    pub left_out: Vec<usize>,
    /// Exponent p of optimum ~ size^p; absent for fewer than two fitted sizes.
    pub exponent: Option<f64>,
    /// Its standard error: the largest one of three, since each rests on few numbers. What drawing the
    /// seeds again shows; what the noise of the points shows (over seeds, and around the parabolas);
    /// what the distances from the line show. Absent where there is none of them.
    pub stderr: Option<f64>,
    /// The finding in a sentence.
    pub sentence: String,
}

impl Fit {
    /// The exponent with its error: `−0.48 ± 0.05`.
    pub fn exponent_in_words(&self) -> String {
        let error = self
            .stderr
            .map_or(String::new(), |stderr| format!(" ± {stderr:.2}"));
        let number = self.exponent.map_or(ABSENT.to_owned(), two_decimals);
        format!("{number}{error}")
    }
}

/// The optimum at one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedOptimum {
    /// The size.
    pub width: usize,
    /// log₂ of the hyperparameter at the parabola's vertex.
    pub log2: f64,
    /// Its standard error, the larger one of what the seeds and the noise of the points show.
    pub stderr: Option<f64>,
}

/// The fits of all series, for each hyperparameter with a logarithmic axis.
pub(super) fn fits(cells: &Cells) -> Vec<Fit> {
    let axes = &cells.axes;
    let mut fits = Vec::new();
    for scheme in &cells.schemes {
        let sizes = cells.widths(scheme);
        if sizes.len() < 2 {
            continue;
        }
        if axes.x.scale == Scale::Log2 {
            let words = Words {
                name: &axes.x.name,
                symbol: &axes.x.symbol,
            };
            fits.extend(fit(cells, scheme, &sizes, words, |group| group.cell.lr));
        }
        if let Some(y) = axes.y.as_ref().filter(|axis| axis.scale == Scale::Log2) {
            let words = Words {
                name: &y.name,
                symbol: &y.symbol,
            };
            fits.extend(fit(cells, scheme, &sizes, words, |group| group.cell.rho));
        }
    }
    fits
}

#[derive(Clone, Copy)]
struct Words<'a> {
    name: &'a str,
    symbol: &'a str,
}

fn fit(
    cells: &Cells,
    scheme: &str,
    sizes: &[usize],
    words: Words,
    value: impl Fn(&Group) -> f64,
) -> Option<Fit> {
    let mut peaks = Vec::new();
    let mut left_out = Vec::new();
    let mut has_several = false;
    for &size in sizes {
        let profile = profile(cells, scheme, size, &value);
        has_several |= profile.len() > 1;
        match Peak::of(cells, size, &profile) {
            Some(peak) => peaks.push(peak),
            None => left_out.push(size),
        }
    }
    // A hyperparameter of one value was not tuned.
    if !has_several {
        return None;
    }
    let line = line(
        &peaks
            .iter()
            .map(|peak| (peak.log2_size, peak.vertex))
            .collect::<Vec<_>>(),
    );
    let purpose = format!("bootstrap/{}/{scheme}", words.symbol);
    let drawn = drawn(&peaks, &purpose);
    let by_seeds = deviation(&drawn.slopes);
    let noise = noise(&peaks);
    let stderr = [
        by_seeds,
        noise.and_then(|noise| slope_noise(&peaks, noise)),
        line.and_then(|line| line.1),
    ];
    let stderr = stderr.into_iter().flatten().reduce(f64::max).map(round);
    let exponent = line.map(|line| round(line.0));
    let optima = peaks.iter().zip(&drawn.vertices);
    let optima = optima.map(|(peak, vertices)| FittedOptimum {
        width: peak.size,
        log2: round(peak.vertex),
        stderr: {
            let noise = noise.map(|noise| noise * peak.leverage);
            let errors = [deviation(vertices), noise];
            errors.into_iter().flatten().reduce(f64::max).map(round)
        },
    });
    Some(Fit {
        scheme: scheme.to_owned(),
        hyperparameter: words.symbol.to_owned(),
        optima: optima.collect(),
        sentence: sentence(cells, scheme, words, exponent, stderr, &left_out),
        left_out,
        exponent,
        stderr,
    })
}

/// The best cell at each value of one hyperparameter, by ascending value: its place and the cell.
fn profile<'cells>(
    cells: &'cells Cells,
    scheme: &str,
    size: usize,
    value: impl Fn(&Group) -> f64,
) -> Vec<(f64, &'cells Group)> {
    let metric = &cells.axes.metric;
    let mut best: BTreeMap<u64, (f64, f64, &Group)> = BTreeMap::new();
    for group in cells.all_of(scheme, size) {
        let is_whole = metric.kind == MetricKind::Share || group.cell.diverged == 0;
        let Some(mean) = group.cell.accuracy.filter(|_| is_whole) else {
            continue;
        };
        if cells.axes.is_baseline(group.cell.rho) {
            continue;
        }
        let (own, goodness) = (value(group), metric.goodness(mean));
        let known = best
            .entry(own.to_bits())
            .or_insert((own.log2(), goodness, group));
        if goodness > known.1 {
            *known = (own.log2(), goodness, group);
        }
    }
    best.into_values()
        .map(|(place, _, group)| (place, group))
        .collect()
}

/// The points around the best one of a size.
struct Peak<'cells> {
    size: usize,
    log2_size: f64,
    /// Places of the points, relative to the best one, which keeps the sums small.
    places: Vec<f64>,
    centre: f64,
    scores: Vec<&'cells Scores>,
    /// All seeds, ascending.
    seeds: Vec<u64>,
    sign: f64,
    vertex: f64,
    /// Standard deviation of the vertex where that of each point's mean is 1.
    leverage: f64,
    /// Sum of squares of the means' noise, and its degrees of freedom.
    squares: f64,
    freedom: f64,
}

impl<'cells> Peak<'cells> {
    /// Nothing where the best point is on the edge, or the points around it have no maximum between
    /// them.
    fn of(cells: &Cells, size: usize, profile: &[(f64, &'cells Group)]) -> Option<Self> {
        let metric = &cells.axes.metric;
        let goodness = |group: &Group| {
            let value = group.cell.accuracy.map(|value| metric.goodness(value));
            value.unwrap_or(f64::NEG_INFINITY)
        };
        let best = (0..profile.len()).max_by(|left, right| {
            let value = |place: &usize| goodness(profile[*place].1);
            value(left).total_cmp(&value(right)).then(right.cmp(left))
        })?;
        if best == 0 || best + 1 >= profile.len() {
            return None;
        }
        let centre = profile.get(best)?.0;
        let first = profile.partition_point(|(place, _)| *place < centre - OCTAVES - 1e-9);
        let end = profile.partition_point(|(place, _)| *place <= centre + OCTAVES + 1e-9);
        let first = first.min(best.saturating_sub(POINTS));
        let around = first..end.max(best + POINTS + 1).min(profile.len());
        let around = profile.get(around)?;
        let scores: Vec<&Scores> = around.iter().map(|(_, group)| &group.scores).collect();
        let mut seeds: Vec<u64> = Vec::new();
        for own in &scores {
            seeds.extend(own.iter().map(|(seed, _)| seed));
        }
        seeds.sort_unstable();
        seeds.dedup();
        let mut peak = Self {
            size,
            log2_size: (size as f64).log2(),
            places: around.iter().map(|(place, _)| place - centre).collect(),
            centre,
            scores,
            seeds,
            sign: metric.goodness(1.0),
            vertex: 0.0,
            leverage: 0.0,
            squares: 0.0,
            freedom: 0.0,
        };
        let means: Vec<f64> = around.iter().map(|(_, group)| goodness(group)).collect();
        let (low, high) = (*peak.places.first()?, *peak.places.last()?);
        let is_inside = |parabola: &Parabola| (low..=high).contains(&parabola.vertex);
        let parabola = Parabola::of(&peak.places, &means).filter(is_inside)?;
        peak.vertex = centre + parabola.vertex;
        peak.leverage = parabola.leverage;
        peak.squares = parabola.residuals;
        peak.freedom = means.len() as f64 - 3.0;
        for (_, group) in around {
            if let Some(stderr) = group.cell.stderr {
                let freedom = group.scores.len() as f64 - 1.0;
                peak.squares += freedom * stderr.powi(2);
                peak.freedom += freedom;
            }
        }
        Some(peak)
    }

    /// The vertex with other weights of the seeds: how often each was drawn.
    fn redrawn(&self, weights: &[u32]) -> f64 {
        let means: Vec<f64> = self
            .scores
            .iter()
            .map(|scores| {
                let (mut sum, mut count) = (0.0, 0.0);
                for (seed, score) in scores.iter() {
                    let weight = self.seeds.binary_search(&seed).ok();
                    let weight = weight.and_then(|place| weights.get(place));
                    let weight = f64::from(weight.copied().unwrap_or(0));
                    sum += weight * score.selection;
                    count += weight;
                }
                // None of this point's seeds was drawn: its own mean is all there is.
                if count > 0.0 {
                    self.sign * sum / count
                } else {
                    let all = scores.values().map(|score| score.selection);
                    self.sign * all.sum::<f64>() / scores.len().max(1) as f64
                }
            })
            .collect();
        let highest = || {
            let pairs = self.places.iter().zip(&means);
            let best = pairs.max_by(|left, right| left.1.total_cmp(right.1));
            best.map_or(0.0, |(place, _)| *place)
        };
        let parabola = Parabola::of(&self.places, &means);
        let vertex = parabola.map_or_else(highest, |parabola| parabola.vertex);
        match (self.places.first(), self.places.last()) {
            (Some(low), Some(high)) => self.centre + vertex.clamp(*low, *high),
            _ => self.centre,
        }
    }
}

/// The least-squares parabola through some points.
struct Parabola {
    /// Place of the maximum.
    vertex: f64,
    /// Standard deviation of the vertex where that of each height is 1, to first order.
    leverage: f64,
    /// Sum of the squares of the points' distances from it.
    residuals: f64,
}

impl Parabola {
    /// Nothing for fewer than three points, or if it opens upwards.
    fn of(places: &[f64], heights: &[f64]) -> Option<Self> {
        if places.len() < 3 {
            return None;
        }
        // Orthogonal polynomials: 1, x, and a quadratic without constant and linear part.
        let count = places.len() as f64;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
        let middle = mean(places);
        let x: Vec<f64> = places.iter().map(|place| place - middle).collect();
        let square: f64 = x.iter().map(|x| x * x).sum();
        let tilt = x.iter().map(|x| x.powi(3)).sum::<f64>() / square;
        let q: Vec<f64> = x
            .iter()
            .map(|x| x * x - tilt * x - square / count)
            .collect();
        let q_square: f64 = q.iter().map(|q| q * q).sum();
        if !(square > 0.0 && q_square > 0.0) {
            return None;
        }
        let dot = |left: &[f64]| left.iter().zip(heights).map(|(l, r)| l * r).sum::<f64>();
        let (slope, curve) = (dot(&x) / square, dot(&q) / q_square);
        // slope·x + curve·(x² − tilt·x − …) is highest where its derivative is 0.
        let vertex = middle + (tilt - slope / curve) / 2.0;
        let height = mean(heights);
        let parts = || x.iter().zip(&q);
        let residuals = parts()
            .zip(heights)
            .map(|((x, q), own)| (own - height - slope * x - curve * q).powi(2));
        // How the vertex moves with each height.
        let moves =
            parts().map(|(x, q)| (slope * q / (curve * q_square) - x / square) / (2.0 * curve));
        (curve < 0.0 && vertex.is_finite()).then(|| Self {
            vertex,
            leverage: moves.map(|one| one * one).sum::<f64>().sqrt(),
            residuals: residuals.sum(),
        })
    }
}

/// The standard deviation of a point's mean, pooled over all sizes.
fn noise(peaks: &[Peak]) -> Option<f64> {
    let sum = |of: fn(&Peak) -> f64| peaks.iter().map(of).sum::<f64>();
    let freedom = sum(|peak| peak.freedom);
    (freedom > 0.0).then(|| (sum(|peak| peak.squares) / freedom).sqrt())
}

/// The standard error of the slope from the noise of the points.
fn slope_noise(peaks: &[Peak], noise: f64) -> Option<f64> {
    let middle = peaks.iter().map(|peak| peak.log2_size).sum::<f64>() / peaks.len() as f64;
    let spread: f64 = peaks
        .iter()
        .map(|peak| (peak.log2_size - middle).powi(2))
        .sum();
    let parts = peaks
        .iter()
        .map(|peak| ((peak.log2_size - middle) * peak.leverage).powi(2));
    (spread > 0.0).then(|| noise * parts.sum::<f64>().sqrt() / spread)
}

/// Slope and its standard error from the residuals, which two points do not have.
fn line(points: &[(f64, f64)]) -> Option<(f64, Option<f64>)> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if points.len() < 2 || spread <= 0.0 {
        return None;
    }
    let products = points.iter().map(|point| (point.0 - x) * (point.1 - y));
    let slope = products.sum::<f64>() / spread;
    let residuals = points
        .iter()
        .map(|point| (point.1 - y - slope * (point.0 - x)).powi(2));
    let residuals: f64 = residuals.sum();
    let stderr = (points.len() > 2).then(|| (residuals / (count - 2.0) / spread).sqrt());
    Some((slope, stderr))
}

/// What drawing the seeds again gave.
struct Drawn {
    slopes: Vec<f64>,
    /// By size.
    vertices: Vec<Vec<f64>>,
}

/// Draws the seeds of each size again, with replacement; nothing where a size has one seed only.
///
/// The means of n drawn seeds vary less than those of n new ones, by √((n − 1)/n); the vertices are
/// spread by as much.
fn drawn(peaks: &[Peak], purpose: &str) -> Drawn {
    let mut drawn = Drawn {
        slopes: Vec::new(),
        vertices: vec![Vec::new(); peaks.len()],
    };
    if peaks.iter().any(|peak| peak.seeds.len() < 2) {
        return drawn;
    }
    let mut random = stream(0, purpose);
    for _ in 0..DRAWS {
        let mut points = Vec::with_capacity(peaks.len());
        for (peak, vertices) in peaks.iter().zip(&mut drawn.vertices) {
            let seeds = peak.seeds.len();
            let mut weights = vec![0; seeds];
            for _ in 0..seeds {
                // The product's upper half is uniform on the seeds, to one part in 2⁶⁴.
                let place = (u128::from(random.next_u64()) * seeds as u128) >> 64;
                weights[place as usize] += 1;
            }
            let wider = (seeds as f64 / (seeds as f64 - 1.0)).sqrt();
            let vertex = peak.vertex + wider * (peak.redrawn(&weights) - peak.vertex);
            vertices.push(vertex);
            points.push((peak.log2_size, vertex));
        }
        drawn.slopes.extend(line(&points).map(|line| line.0));
    }
    drawn
}

/// The standard deviation; nothing for fewer than two values.
fn deviation(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt())
}

fn sentence(
    cells: &Cells,
    scheme: &str,
    words: Words,
    exponent: Option<f64>,
    stderr: Option<f64>,
    left_out: &[usize],
) -> String {
    let size = &cells.axes.size;
    let name = words.name;
    let Some(exponent) = exponent else {
        return format!(
            "{scheme}: the exponent of the best {name} cannot be fitted, since at fewer than two \
             values of {size} an optimum of {} lies between other points.",
            words.symbol
        );
    };
    let number = two_decimals(exponent);
    let error = stderr.map_or(String::new(), |stderr| format!(" ± {stderr:.2}"));
    let is_level = stderr.is_some_and(|stderr| exponent.abs() <= 2.0 * stderr);
    let moves = match exponent {
        _ if is_level => "does not move beyond its error: it goes",
        down if down < 0.0 => "falls",
        _ => "grows",
    };
    let reference = if size == "width" && words.symbol == "η" {
        "µP predicts 0"
    } else {
        "0 is transfer"
    };
    let mut text =
        format!("{scheme}: the best {name} {moves} as {size}^{number}{error}; {reference}");
    if stderr.is_none() {
        text.push_str(" (with too few points for an error)");
    }
    if !left_out.is_empty() {
        let sizes: Vec<String> = left_out.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            " ({size} {} left out: no optimum between other points)",
            sizes.join(", ")
        ));
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertex_and_slope_are_those_of_numpys_polyfit() {
        // scripts/reference/optimum_fit.py
        let places = [-2.0, -1.0, 0.0, 1.0, 2.5];
        let heights = [0.70, 0.79, 0.83, 0.80, 0.60];
        let found = Parabola::of(&places, &heights).unwrap().vertex;
        assert!((found - VERTEX).abs() < 1e-9, "{found}");
        let points = [(6.0, -3.1), (7.0, -3.45), (8.0, -4.1), (9.0, -4.4)];
        let (slope, stderr) = line(&points).unwrap();
        assert!((slope - SLOPE).abs() < 1e-9, "{slope}");
        assert!((stderr.unwrap() - STDERR).abs() < 1e-9, "{stderr:?}");
    }

    const VERTEX: f64 = -0.041_813_639_035_862_25;
    const SLOPE: f64 = -0.455;
    const STDERR: f64 = 0.046_636_895_265_443_97;

    #[test]
    fn a_parabola_that_opens_upwards_has_no_maximum() {
        assert!(Parabola::of(&[-1.0, 0.0, 1.0], &[1.0, 0.5, 1.0]).is_none());
        assert!(Parabola::of(&[0.0, 1.0], &[1.0, 0.5]).is_none());
    }
}
