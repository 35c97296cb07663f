//! Means, standard errors and paired differences over seeds.

/// What one run scored: diverged runs count as 0 on both sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    pub selection: f64,
    /// Absent when the test accuracy was not a number between 0 and 1.
    pub test: Option<f64>,
}

/// Runs that count, by ascending seed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scores(Vec<(u64, Score)>);

impl Scores {
    /// Adds a run whose seed is larger than all others.
    pub fn push(&mut self, seed: u64, score: Score) {
        debug_assert!(self.0.last().is_none_or(|last| last.0 < seed));
        self.0.push((seed, score));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn values(&self) -> impl Iterator<Item = &Score> {
        self.0.iter().map(|(_, score)| score)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &Score)> {
        self.0.iter().map(|(seed, score)| (*seed, score))
    }

    pub fn get(&self, seed: u64) -> Option<&Score> {
        let place = self.0.binary_search_by_key(&seed, |run| run.0).ok()?;
        self.0.get(place).map(|(_, score)| score)
    }
}

/// A mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub mean: f64,
    /// Absent for fewer than two values.
    pub stderr: Option<f64>,
}

/// Mean and standard error (sample standard deviation / √n); nothing for no values.
pub(super) fn estimate(values: &[f64]) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let stderr = (values.len() > 1).then(|| {
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        round((squares / (count - 1.0)).sqrt() / count.sqrt())
    });
    Some(Estimate {
        mean: round(mean),
        stderr,
    })
}

/// Differences `left − right` over the seeds that both have; nothing without a common seed.
pub(super) fn paired_difference(
    left: &Scores,
    right: &Scores,
    value: impl Fn(&Score) -> Option<f64>,
) -> Option<Estimate> {
    let differences: Vec<f64> = left
        .iter()
        .filter_map(|(seed, score)| Some(value(score)? - value(right.get(seed)?)?))
        .collect();
    estimate(&differences)
}

/// Rounds to twelve decimals: the last bits of a mean depend on the order of its terms, and equal
/// accuracies must tie.
pub(super) fn round(value: f64) -> f64 {
    // Adding zero turns −0 into 0.
    (value * 1e12).round() / 1e12 + 0.0
}

/// The middle value (the mean of the middle two); nothing for no values.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(round((lower + upper) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_the_sample_deviation_over_root_n() {
        let result = estimate(&[0.80, 0.82, 0.84]).unwrap();
        assert_eq!(result.mean, 0.82);
        // sd = 0.02, so 0.02/√3.
        assert!((result.stderr.unwrap() - 0.011_547_005_383_8).abs() < 1e-12);
    }

    #[test]
    fn one_value_has_no_standard_error_and_none_has_no_mean() {
        assert_eq!(estimate(&[0.5]).unwrap().stderr, None);
        assert_eq!(estimate(&[]), None);
    }

    #[test]
    fn equal_accuracies_tie_whatever_the_order_of_the_seeds() {
        let one = estimate(&[0.1, 0.2, 0.3]).unwrap().mean;
        let other = estimate(&[0.3, 0.2, 0.1]).unwrap().mean;
        assert_eq!(one, other);
    }

    #[test]
    fn pairing_uses_common_seeds_only() {
        let score = |selection| Score {
            selection,
            test: None,
        };
        let left = Scores(vec![(0, score(0.9)), (1, score(0.8)), (2, score(0.1))]);
        let right = Scores(vec![(0, score(0.8)), (1, score(0.6)), (3, score(0.2))]);
        let gain = paired_difference(&left, &right, |score| Some(score.selection)).unwrap();
        assert_eq!(gain.mean, 0.15);
        assert_eq!(gain.stderr, Some(0.05));
        assert_eq!(paired_difference(&left, &right, |score| score.test), None);
    }

    #[test]
    fn the_median_of_an_even_count_is_the_middle_of_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0, 4.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
