//! Vanishing perturbations: what the theory says of each tensor, and whether the sweep agrees.

use super::edges::{Direction, Edge, Move, against, compare};
use super::finding::{Evidence, Examination, Finding, Signature, Standing};
use super::gain;
use super::remedy;
use super::subject::Subject;
use super::theory::{Growth, Theory, groups};
use super::words::{factor, list, octaves, points, shortened};
use crate::report::Bound;

/// A move of the sweep's own edge counts from this many octaves on: with the width, very narrow
/// networks come to tolerate up to an octave more under every scheme.
const OWN_MOVE: f64 = 1.5;

/// Looks for perturbations that vanish with the width.
pub(super) fn examine(subject: &Subject) -> Examination {
    let Some(theory) = subject.theory else {
        return Examination::Impossible;
    };
    let groups = groups(theory, |tensor| {
        tensor.effect_exponent.filter(|exponent| *exponent < 0.0)
    });
    if groups.is_empty() {
        return Examination::InOrder(in_order(theory));
    }
    let signs = signs(subject);
    let standing = if signs.seen.is_empty() {
        Standing::Predicted
    } else {
        Standing::Seen
    };
    let data = if signs.seen.is_empty() {
        "The accuracies of this sweep neither show nor exclude it: they see only the effect of all \
         layers together."
            .to_owned()
    } else {
        format!("The sweep agrees: {}.", signs.seen.join("; and "))
    };
    let mut evidence: Vec<Evidence> = groups
        .iter()
        .map(|group| group.evidence(theory, "perturbation"))
        .collect();
    evidence.extend(signs.evidence);
    Examination::Finding(Finding {
        signature: Signature::VanishingPerturbation,
        standing,
        sentence: format!("{} {data}", sentence(theory, &groups)),
        evidence,
        advice: format!(
            "Measure each layer on the real network: {} (with your run file after `check` if the \
             model is not the default); {}.",
            subject.check_command(),
            remedy::clause(subject)
        ),
    })
}

fn in_order(theory: &Theory) -> String {
    let verdict = &theory.table.verdict;
    if !verdict.unstable.is_empty() {
        return "by the theory no layer's perturbation vanishes".to_owned();
    }
    let layers = if verdict.unperturbed.is_empty() {
        "every layer"
    } else {
        "every layer that the rule perturbs"
    };
    format!(
        "by the theory SAM perturbs {layers} as strongly at width {} as at {}",
        theory.width, theory.base_width
    )
}

fn sentence(theory: &Theory, groups: &[Growth]) -> String {
    let shrunk: Vec<String> = groups
        .iter()
        .map(|group| format!("{} in {}", factor(group.factor(theory)), group.names()))
        .collect();
    let verdict = &theory.table.verdict;
    let rest = match (verdict.effective.as_slice(), verdict.unstable.as_slice()) {
        ([], []) => {
            " No layer keeps it, so in wide networks SAM turns into the optimizer without SAM."
                .to_owned()
        }
        ([], growing) => format!(" That of {} grows instead.", shortened(growing, 3)),
        (kept, _) => format!(
            " Only {} {} perturbed as before.",
            shortened(kept, 3),
            if kept.len() == 1 { "is" } else { "are" }
        ),
    };
    format!(
        "By the theory, SAM comes to ignore layers as the network widens: {} the effect of their own \
         perturbation falls to {}.{rest}",
        theory.span(),
        list(&shrunk)
    )
}

/// What the sweep has to say: the signs that agree with the theory, and all numbers looked at.
#[derive(Default)]
struct Signs {
    seen: Vec<String>,
    evidence: Vec<Evidence>,
}

fn signs(subject: &Subject) -> Signs {
    let mut signs = Signs::default();
    if subject.has_several_widths() {
        edge_signs(subject, &mut signs);
        gain_sign(subject, &mut signs);
    }
    signs
}

fn edge_signs(subject: &Subject, signs: &mut Signs) {
    let reference = subject.reference();
    let (narrowest, widest) = (subject.narrowest, subject.widest);
    for (edge, name) in [
        (Edge::Right, "right edge of ρ"),
        (Edge::Instability, "instability edge of ρ"),
    ] {
        let own = compare((subject, narrowest), (subject, widest), edge);
        if let Some((drift, bound)) = own.and_then(|own| own.octaves) {
            signs.evidence.push(Evidence::number(
                format!("{name}, width {narrowest} → {widest}"),
                drift,
                octaves(drift, bound),
            ));
        }
        let Some(reference) = reference else {
            let far = |shift: &Move| {
                shift
                    .octaves
                    .is_some_and(|(drift, bound)| drift >= OWN_MOVE && bound != Bound::AtMost)
            };
            if let Some(own) = own.filter(|own| own.is(Direction::Right) && far(own)) {
                signs.seen.push(format!(
                    "the {name} moves up by {} from width {narrowest} to {widest}, as if less and less \
                     of the network were perturbed",
                    size(&own)
                ));
            }
            continue;
        };
        let other = against(&reference, subject, edge);
        let Some(other) = other else { continue };
        if let Some((drift, bound)) = other.octaves {
            signs.evidence.push(Evidence::number(
                format!("{name} at width {widest}, against {}", reference.scheme),
                drift,
                octaves(drift, bound),
            ));
        }
        // The second edge would repeat the first; it is among the evidence.
        if other.is(Direction::Right) && signs.seen.is_empty() {
            signs.seen.push(format!(
                "at width {widest} its {name} lies {} above that of {}, which perturbs every layer",
                size(&other),
                reference.scheme
            ));
        }
    }
}

/// The size of a move in octaves, without its sign.
fn size(shift: &Move) -> String {
    let Some((drift, bound)) = shift.octaves else {
        return "surely".to_owned();
    };
    let octaves = octaves(drift, bound).replace('+', "");
    format!("{octaves} (a factor of {})", factor(drift.exp2()))
}

/// SAM's gain at the widest width against that at the narrowest.
fn gain_sign(subject: &Subject, signs: &mut Signs) {
    let (narrowest, widest) = (subject.narrowest, subject.widest);
    signs
        .evidence
        .extend(gain::evidence(subject, &[narrowest, widest]));
    if let Some(loss) = gain::lost(subject) {
        signs.seen.push(format!(
            "SAM's gain over SGD falls by {} points from width {narrowest} to {widest}",
            points(loss.mean, loss.stderr)
        ));
    }
}
