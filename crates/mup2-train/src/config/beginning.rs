//! The first epochs of a run as a run of its own.

use super::run::RunSpec;
use mup2_sweep::config::RunId;

impl RunSpec {
    /// The first epochs of this run as a run of its own: the same steps, bit for bit.
    pub fn cut_short(&self, epochs: usize) -> Self {
        let mut spec = self.clone();
        if epochs != self.train.epochs {
            spec.train.schedule_epochs = Some(self.train.schedule_length());
            spec.train.epochs = epochs;
        }
        spec
    }

    /// Whether the steps of `longer` begin with those of this run, and go on where they end.
    pub fn is_beginning_of(&self, longer: &Self) -> bool {
        self.train.epochs < longer.train.epochs
            && RunId::of(&longer.cut_short(self.train.epochs)) == RunId::of(self)
    }
}
