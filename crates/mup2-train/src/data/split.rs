//! Stratified subsets: each class is taken in its proportion.

use super::order::shuffle;
use crate::random::stream;

/// Which part must have an image of every class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// The chosen images, where there are as many as classes.
    Chosen,
    /// The others; where a class has one image only, it is among them.
    Others,
}

/// Chooses `count` of the images with these labels and returns the indices of the chosen and of
/// the others, both ascending.
///
/// Each class gives its proportional share, rounded down; the places left go one each to the
/// classes with the largest remainders (the lower class first among equals). Which images of a
/// class are chosen depends on `purpose` alone, and those chosen for a small count are also among
/// those for a larger share, unless a class would otherwise be missing. A count above the number of
/// images counts as all of them; fewer are chosen where the others could not be `whole` else.
pub(super) fn stratified(
    labels: &[u16],
    count: usize,
    purpose: &str,
    whole: Whole,
) -> (Vec<usize>, Vec<usize>) {
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
    let sizes: Vec<usize> = by_class.iter().map(Vec::len).collect();
    match whole {
        Whole::Chosen => give_each_class_one(&mut quotas, &sizes),
        Whole::Others => leave_each_class_one(&mut quotas, &sizes, &by_remainder),
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

/// Takes a place from the largest quota for each class that has none, as long as there is one.
fn give_each_class_one(quotas: &mut [usize], sizes: &[usize]) {
    for class in 0..quotas.len() {
        if quotas[class] > 0 || sizes[class] == 0 {
            continue;
        }
        let largest = quotas.iter().enumerate().rev();
        let largest = largest.max_by_key(|(_, quota)| **quota);
        if let Some((largest, _)) = largest.filter(|(_, quota)| **quota > 1) {
            quotas[largest] -= 1;
            quotas[class] = 1;
        }
    }
}

/// Lowers each quota below the size of its class and gives the places to classes with more images,
/// in this order, as long as there are any.
fn leave_each_class_one(quotas: &mut [usize], sizes: &[usize], order: &[usize]) {
    let most = |class: usize| sizes[class].saturating_sub(1);
    let mut free = 0;
    for (class, quota) in quotas.iter_mut().enumerate() {
        let excess = quota.saturating_sub(most(class));
        *quota -= excess;
        free += excess;
    }
    while free > 0 {
        let before = free;
        for &class in order {
            if free > 0 && quotas[class] < most(class) {
                quotas[class] += 1;
                free -= 1;
            }
        }
        if free == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Whole::{Chosen, Others};
    use super::stratified;
    use proptest::prelude::*;

    #[test]
    fn a_balanced_set_gives_a_balanced_subset() {
        let labels: Vec<u16> = (0..1000).map(|index| index % 10).collect();
        let (chosen, _) = stratified(&labels, 200, "test", Others);
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
        assert_ne!(
            stratified(&labels, 50, "a", Others),
            stratified(&labels, 50, "b", Others)
        );
        assert_eq!(
            stratified(&labels, 50, "a", Others),
            stratified(&labels, 50, "a", Others)
        );
    }

    #[test]
    fn nothing_can_be_chosen_from_nothing() {
        assert_eq!(stratified(&[], 5, "test", Chosen), (vec![], vec![]));
    }

    #[test]
    fn no_class_is_lost_where_images_are_left_for_it() {
        // Class 0 has 30 images; classes 1 to 20 have one each.
        let labels: Vec<u16> = (0..50)
            .map(|index| u16::from(index > 29) * (index - 29))
            .collect();
        for count in [5, 10, 25, 29] {
            let (_, others) = stratified(&labels, count, "test", Others);
            for class in 0..=20 {
                assert!(
                    others.iter().any(|&index| labels[index] == class),
                    "{count} {class}"
                );
            }
            assert_eq!(50 - others.len(), count);
        }
        assert_eq!(stratified(&labels, 40, "test", Others).0.len(), 29);
        for count in [21, 25, 40] {
            let (chosen, _) = stratified(&labels, count, "test", Chosen);
            assert_eq!(chosen.len(), count);
            for class in 0..=20 {
                assert!(
                    chosen.iter().any(|&index| labels[index] == class),
                    "{count} {class}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn the_two_parts_are_disjoint_complete_and_in_proportion(
            labels in proptest::collection::vec(0_u16..6, 0..300), wanted in 0_usize..400
        ) {
            let (chosen, others) = stratified(&labels, wanted, "test", Chosen);
            let count = wanted.min(labels.len());
            prop_assert_eq!(chosen.len(), count);
            let mut all = [chosen.clone(), others].concat();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..labels.len()));
            for class in 0..6 {
                let of_class = labels.iter().filter(|&&label| label == class).count();
                let found = chosen.iter().filter(|&&index| labels[index] == class).count();
                let share = of_class as f64 * count as f64 / labels.len().max(1) as f64;
                // A place may go to a class that has none, one for each of the others.
                prop_assert!((found as f64 - share).abs() < 6.0);
                prop_assert!(found > 0 || of_class == 0 || count < 6);
            }
        }
    }
}
