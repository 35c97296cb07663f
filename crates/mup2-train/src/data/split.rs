//! Stratified subsets: each class is taken in its proportion.

use super::order::shuffle;
use crate::random::stream;

/// Chooses `count` of the images with these labels and returns the indices of the chosen and of
/// the others, both ascending.
///
/// Each class gives its proportional share, rounded down; the places left go one each to the
/// classes with the largest remainders (the lower class first among equals). Which images of a
/// class are chosen depends on `purpose` alone, and those chosen for a small count are also among
/// those for a larger share. A count above the number of images counts as all of them.
pub(super) fn stratified(labels: &[u16], count: usize, purpose: &str) -> (Vec<usize>, Vec<usize>) {
    let total = labels.len().max(1);
    let count = count.min(labels.len());
    let classes = labels
        .iter()
        .max()
        .map_or(0, |&label| usize::from(label) + 1);
    let mut by_class = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        by_class[usize::from(label)].push(index);
    }

    // u128: two counts of a 64-bit machine cannot overflow it.
    let share = |indices: &Vec<usize>| indices.len() as u128 * count as u128;
    let mut quotas: Vec<usize> = by_class
        .iter()
        .map(|indices| (share(indices) / total as u128) as usize)
        .collect();
    let mut by_remainder: Vec<usize> = (0..classes).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(share(&by_class[class]) % total as u128));
    let left = count - quotas.iter().sum::<usize>();
    for &class in by_remainder.iter().take(left) {
        quotas[class] += 1;
    }

    let (mut chosen, mut others) = (Vec::new(), Vec::new());
    for (class, (indices, &quota)) in by_class.iter_mut().zip(&quotas).enumerate() {
        // The seed is a constant: all runs share one split, whatever their own seeds.
        shuffle(indices, &mut stream(0, &format!("{purpose}/class-{class}")));
        let (first, rest) = indices.split_at(quota);
        chosen.extend_from_slice(first);
        others.extend_from_slice(rest);
    }
    chosen.sort_unstable();
    others.sort_unstable();
    (chosen, others)
}

#[cfg(test)]
mod tests {
    use super::stratified;
    use proptest::prelude::*;

    #[test]
    fn a_balanced_set_gives_a_balanced_subset() {
        let labels: Vec<u16> = (0..1000).map(|index| index % 10).collect();
        let (chosen, _) = stratified(&labels, 200, "test");
        for class in 0..10 {
            assert_eq!(
                chosen
                    .iter()
                    .filter(|&&index| labels[index] == class)
                    .count(),
                20
            );
        }
    }

    #[test]
    fn different_purposes_choose_different_images() {
        let labels = [0; 100];
        assert_ne!(stratified(&labels, 50, "a"), stratified(&labels, 50, "b"));
        assert_eq!(stratified(&labels, 50, "a"), stratified(&labels, 50, "a"));
    }

    #[test]
    fn nothing_can_be_chosen_from_nothing() {
        assert_eq!(stratified(&[], 5, "test"), (vec![], vec![]));
    }

    proptest! {
        #[test]
        fn the_two_parts_are_disjoint_complete_and_in_proportion(
            labels in proptest::collection::vec(0_u16..6, 0..300), wanted in 0_usize..400
        ) {
            let (chosen, others) = stratified(&labels, wanted, "test");
            let count = wanted.min(labels.len());
            prop_assert_eq!(chosen.len(), count);
            let mut all = [chosen.clone(), others].concat();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..labels.len()));
            for class in 0..6 {
                let of_class = labels.iter().filter(|&&label| label == class).count();
                let found = chosen.iter().filter(|&&index| labels[index] == class).count();
                let share = of_class as f64 * count as f64 / labels.len().max(1) as f64;
                prop_assert!((found as f64 - share).abs() < 1.0);
            }
        }
    }
}
