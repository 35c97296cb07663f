//! What helps a scheme that does not fit wide networks, and what this sweep shows of it.

use super::shift;
use super::subject::Subject;
use super::words::loses;

/// From this base width on, the edges of `mup2` hardly move in the README's experiments.
const WIDE_ENOUGH: usize = 64;

/// Whether the scheme is `mup2`, with whatever rule.
fn has_mup2(subject: &Subject) -> bool {
    subject.scheme.split('+').next() == Some("mup2")
}

/// The remedy as a clause: what to do, in the imperative.
pub(super) fn clause(subject: &Subject) -> &'static str {
    if subject.is_effective() {
        "look at what the theory leaves out (the base width, the length of training)"
    } else if has_mup2(subject) {
        "leave out the exponents of your own (`scaling.exponents`)"
    } else {
        "use scheme `mup2` for wide networks"
    }
}

/// The remedy of all of a scheme's findings, with the numbers of a scheme that has it.
pub(super) fn remedy(subject: &Subject) -> String {
    if subject.is_effective() {
        let base = subject.report.base_width;
        let narrow = if base < WIDE_ENOUGH {
            format!(
                "a base width as small as {base}, far from the limit (try {WIDE_ENOUGH} or more), "
            )
        } else {
            String::new()
        };
        return format!(
            "The theory finds nothing wrong with this scheme, so look at what it leaves out: \
             {narrow}long training, or a tensor with the wrong role (`mup2 scale` prints the roles)."
        );
    }
    if has_mup2(subject) {
        return "Leave out the exponents of your own (`scaling.exponents`): those of `mup2` keep every \
                layer effectively perturbed at every width."
            .to_owned();
    }
    let numbers = subject.reference().and_then(|reference| {
        let theirs = shift::difference(&reference)?;
        let own = shift::difference(subject)?;
        Some(format!(
            " In this sweep, at width {} with the optimum of width {}, {} {} and {} {}.",
            subject.widest,
            subject.narrowest,
            subject.scheme,
            loses(own.mean, own.stderr),
            reference.scheme,
            loses(theirs.mean, theirs.stderr)
        ))
    });
    format!(
        "Scheme `mup2` (`grid.scheme = [\"mup2\"]`) scales learning rate and radius layer by layer, so \
         that by the theory nothing vanishes and nothing blows up.{}",
        numbers.unwrap_or_default()
    )
}
