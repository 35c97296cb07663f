//! No gain over SGD: SAM's best against SGD's best at the widest width, paired over seeds.

use super::finding::{Evidence, Examination, Finding, Signature, Standing};
use super::judgement::{Difference, FEWEST_SEEDS, Reading, SMALLEST_DIFFERENCE};
use super::remedy;
use super::subject::Subject;
use super::words::{beyond_edge, field, percent, plain_points, points, signed_points};

/// SAM − SGD at one width, each at its own optimum: on the test set, on which neither was selected,
/// or on the selection set where the report has no test accuracies.
pub(super) fn difference(subject: &Subject, width: usize) -> Option<Difference> {
    let row = subject.baseline(width)?;
    let (mean, stderr) = match row.test_gain {
        Some(mean) => (mean, row.test_gain_stderr),
        None => (row.gain?, row.gain_stderr),
    };
    let optimum = subject.optimum(width)?;
    let sam = subject.cell(width, optimum.lr?, optimum.rho?)?;
    let sgd = subject.cell(width, row.sgd_lr?, 0.0)?;
    Some(Difference {
        mean,
        stderr,
        seeds: sam.seeds.min(sgd.seeds),
    })
}

/// By how much the gain at the narrowest width exceeds that at the widest, where the noise allows
/// to tell it.
pub(super) fn lost(subject: &Subject) -> Option<Difference> {
    let narrow = difference(subject, subject.narrowest)?;
    let wide = difference(subject, subject.widest)?;
    // Runs of two widths share seeds but neither weights nor updates; their errors are independent.
    let stderr = narrow.stderr.zip(wide.stderr);
    let loss = Difference {
        mean: narrow.mean - wide.mean,
        stderr: stderr.map(|(left, right)| left.hypot(right)),
        seeds: narrow.seeds.min(wide.seeds),
    };
    Some(loss).filter(|loss| subject.noise.read(loss) == Reading::Present)
}

/// The gains at some widths as evidence.
pub(super) fn evidence(subject: &Subject, widths: &[usize]) -> Vec<Evidence> {
    let gains = widths
        .iter()
        .filter_map(|width| Some((width, difference(subject, *width)?)));
    gains
        .map(|(width, gain)| Evidence {
            stderr: gain.stderr,
            ..Evidence::number(
                format!("gain of SAM over SGD at width {width}"),
                gain.mean,
                format!("{} points", signed_points(gain.mean, gain.stderr)),
            )
        })
        .collect()
}

/// Looks for a missing gain.
pub(super) fn examine(subject: &Subject) -> Examination {
    let widest = subject.widest;
    let Some(gain) = difference(subject, widest) else {
        return Examination::Impossible;
    };
    let numbers = signed_points(gain.mean, gain.stderr);
    let loss = lost(subject).filter(|_| subject.has_several_widths());
    let (standing, sentence) = match subject.noise.read(&gain) {
        Reading::Present if at_edge(subject) => (
            Standing::CannotTell,
            format!(
                "SAM gains {numbers} points over SGD at width {widest}, but SGD's best η lies on the \
                 edge of its {}: SGD may be better than it looks.",
                field(subject.report)
            ),
        ),
        Reading::Present => {
            return Examination::InOrder(format!(
                "SAM gains {numbers} points over SGD at width {widest}"
            ));
        }
        Reading::Open => (
            Standing::CannotTell,
            format!(
                "Whether SAM is better than SGD at width {widest} cannot be told: it gains {numbers} \
                 points, and {}.",
                subject.noise.reason(&gain)
            ),
        ),
        Reading::Absent => (Standing::Seen, absent(subject, &gain, loss.as_ref())),
    };
    let mut evidence = evidence(subject, &subject.widths());
    evidence.extend(accuracies(subject));
    Examination::Finding(Finding {
        signature: Signature::NoGainOverSgd,
        standing,
        sentence,
        evidence,
        advice: advice(subject, &gain, loss.is_some()),
    })
}

fn absent(subject: &Subject, gain: &Difference, loss: Option<&Difference>) -> String {
    let numbers = signed_points(gain.mean, gain.stderr);
    match loss {
        Some(loss) => format!(
            "SAM's gain over SGD is lost as the network widens: {numbers} points at width {}, {} less \
             than at width {}.",
            subject.widest,
            points(loss.mean, loss.stderr),
            subject.narrowest
        ),
        None => format!(
            "SAM gains nothing over SGD at width {} that this sweep can see: {numbers} points, where \
             more than {} would have counted.",
            subject.widest,
            plain_points(
                subject
                    .noise
                    .margin(gain)
                    .unwrap_or_default()
                    .max(SMALLEST_DIFFERENCE)
            )
        ),
    }
}

fn at_edge(subject: &Subject) -> bool {
    let row = subject.baseline(subject.widest);
    subject.report.confidence.has_several_lrs() && row.is_some_and(|row| row.sgd_at_edge)
}

fn accuracies(subject: &Subject) -> Vec<Evidence> {
    let Some(row) = subject.baseline(subject.widest) else {
        return Vec::new();
    };
    let pairs = [
        ("SGD", row.sgd_test_accuracy, row.sgd_test_stderr),
        ("SAM", row.sam_test_accuracy, row.sam_test_stderr),
    ];
    let known = pairs
        .into_iter()
        .filter_map(|(name, accuracy, stderr)| Some((name, accuracy?, stderr)));
    known
        .map(|(name, accuracy, stderr)| Evidence {
            stderr,
            ..Evidence::number(
                format!("test accuracy of {name} at width {}", subject.widest),
                accuracy,
                percent(accuracy, stderr),
            )
        })
        .collect()
}

fn advice(subject: &Subject, gain: &Difference, is_lost: bool) -> String {
    let mut advice = Vec::new();
    match subject.noise.read(gain) {
        Reading::Present => {}
        Reading::Open => advice.push(more_seeds(subject, gain)),
        Reading::Absent if is_lost => advice.push(format!(
            "SAM helps the narrow network and no longer the wide one: {}.",
            remedy::clause(subject)
        )),
        Reading::Absent => advice.push(
            "SAM pays where a network overfits: noisy labels, little data, long training. If it gains \
             under no scheme and at no width, the task is the reason, and SGD does at half the cost."
                .to_owned(),
        ),
    }
    if at_edge(subject) {
        advice.push(beyond_edge(
            subject.report,
            "Extend the grid of η (`grid.lr`; finished runs are kept): SGD's best lies on its edge.",
        ));
    }
    advice.join(" ")
}

/// How many seeds would settle a gain of the observed size.
fn more_seeds(subject: &Subject, gain: &Difference) -> String {
    // The margin shrinks with the square root of the number of seeds.
    let needed = |margin: f64, size: f64| (gain.seeds as f64 * (margin / size).powi(2)).ceil();
    let enough = match subject.noise.margin(gain) {
        None => format!("a standard error needs {FEWEST_SEEDS} or more"),
        Some(margin) if gain.mean >= SMALLEST_DIFFERENCE => format!(
            "about {} would settle a gain of this size",
            needed(margin, gain.mean)
        ),
        Some(margin) => format!(
            "about {} would show a gain of 1 point",
            needed(margin, 0.01)
        ),
    };
    format!("Add seeds (`grid.seed`; finished runs are kept): {enough}.")
}
