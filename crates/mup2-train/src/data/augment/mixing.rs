//! Mixing the images of a batch in pairs: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019).

use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};

use super::super::images::ImageShape;
use super::super::order::shuffle;
use super::PLACE;
use super::draws::coin;
use super::region::Region;
use super::spec::AugmentSpec;
use crate::error::{Error, Result};
use crate::random::stream;

/// Draws how batches are mixed, by seed and step.
#[derive(Clone, Copy, Debug)]
pub struct Mixer {
    seed: u64,
    shape: ImageShape,
    techniques: Techniques,
}

#[derive(Clone, Copy, Debug)]
enum Techniques {
    Mixup(Beta<f64>),
    Cutmix(Beta<f64>),
    Either { mixup: Beta<f64>, cutmix: Beta<f64> },
}

impl Mixer {
    /// The mixing of `spec` under one seed for images of `shape`; `None` if `mixup` and `cutmix` are
    /// both 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a value of the spec is out of its range.
    pub fn new(spec: &AugmentSpec, shape: ImageShape, seed: u64) -> Result<Option<Self>> {
        spec.validate(PLACE)?;
        let beta = |key: &str, alpha: f64| {
            if alpha == 0.0 {
                return Ok(None);
            }
            Beta::new(alpha, alpha).map(Some).map_err(|error| {
                let place = format!("{PLACE}.{key}");
                Error::invalid(place, format!("{alpha}: {error}"), "a positive number")
            })
        };
        let techniques = match (beta("mixup", spec.mixup)?, beta("cutmix", spec.cutmix)?) {
            (None, None) => return Ok(None),
            (Some(mixup), None) => Techniques::Mixup(mixup),
            (None, Some(cutmix)) => Techniques::Cutmix(cutmix),
            (Some(mixup), Some(cutmix)) => Techniques::Either { mixup, cutmix },
        };
        Ok(Some(Self {
            seed,
            shape,
            techniques,
        }))
    }

    /// How the batch of `size` images of a step is mixed; steps count from 0 over the whole run.
    /// Technique, partners, share and box are drawn from streams of their own.
    pub fn draw(&self, step: u64, size: usize) -> Mixing {
        let mut partners: Vec<usize> = (0..size).collect();
        shuffle(&mut partners, &mut self.stream(step, "partners"));
        let share = |beta: Beta<f64>| beta.sample(&mut self.stream(step, "share"));
        let mixup = |beta| (MixingKind::Mixup, share(beta));
        let cutmix = |beta| {
            let region = self.region(share(beta), &mut self.stream(step, "box"));
            let outside = self.shape.plane() - region.area();
            let share = outside as f64 / self.shape.plane() as f64;
            (MixingKind::Cutmix(region), share)
        };
        let (kind, own_share) = match self.techniques {
            Techniques::Mixup(beta) => mixup(beta),
            Techniques::Cutmix(beta) => cutmix(beta),
            Techniques::Either { mixup: beta, .. } if coin(&mut self.stream(step, "technique")) => {
                mixup(beta)
            }
            Techniques::Either { cutmix: beta, .. } => cutmix(beta),
        };
        Mixing::new(self.shape, kind, own_share, partners)
    }

    /// A box with the image's proportions and a share of 1 − `own_share` of its area, around a pixel
    /// drawn uniformly; what leaves the image is cut off.
    fn region(&self, own_share: f64, random: &mut ChaCha8Rng) -> Region {
        let side = (1.0 - own_share).sqrt();
        let cut = |length: usize| (length as f64 * side) as usize;
        let ImageShape { height, width, .. } = self.shape;
        Region::around_a_pixel(cut(height), cut(width), self.shape, random)
    }

    fn stream(&self, step: u64, what: &str) -> ChaCha8Rng {
        stream(self.seed, &format!("mix/{step}/{what}"))
    }
}

/// How one batch is mixed: every image keeps a share of itself and takes the rest from its partner.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixing {
    shape: ImageShape,
    kind: MixingKind,
    own_share: f64,
    partners: Vec<usize>,
}

/// What an image takes from its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixingKind {
    /// A share of every pixel.
    Mixup,
    /// All pixels of one box, the same for the whole batch; it may be empty.
    Cutmix(Region),
}

/// The two labels of a mixed image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixedLabel {
    /// The image's own class.
    pub own: u16,
    /// The class of its partner; may be the same.
    pub partner: u16,
    /// λ, the weight of its own class, 0 to 1; the partner's is 1 − λ.
    pub own_share: f64,
}

impl Mixing {
    pub(super) fn new(
        shape: ImageShape,
        kind: MixingKind,
        own_share: f64,
        partners: Vec<usize>,
    ) -> Self {
        Self {
            shape,
            kind,
            own_share,
            partners,
        }
    }

    /// Mixup or CutMix.
    pub fn kind(&self) -> MixingKind {
        self.kind
    }

    /// λ, the share that each image keeps of itself, 0 to 1; with CutMix exactly the share of its
    /// pixels outside the box.
    pub fn own_share(&self) -> f64 {
        self.own_share
    }

    /// For each image the place in the batch of its partner: a permutation, in which an image may
    /// be its own partner.
    pub fn partners(&self) -> &[usize] {
        &self.partners
    }

    /// Mixes a batch in place: a row of channels · height · width values for each image.
    ///
    /// # Panics
    /// If there are fewer values than that.
    pub fn apply(&self, pixels: &mut [f32]) {
        let values = self.shape.values();
        let mut first = vec![0.0; values];
        let mut is_mixed = vec![false; self.partners.len()];
        // Along each cycle of the permutation, an image's partner is mixed after the image, so only
        // the cycle's first image has to be kept.
        for start in 0..self.partners.len() {
            if is_mixed[start] {
                continue;
            }
            first.copy_from_slice(&pixels[start * values..][..values]);
            let mut image = start;
            loop {
                is_mixed[image] = true;
                let partner = self.partners[image];
                if partner == start {
                    self.mix(&mut pixels[image * values..][..values], &first);
                    break;
                }
                let (own, other) = pair(pixels, image * values, partner * values, values);
                self.mix(own, other);
                image = partner;
            }
        }
    }

    fn mix(&self, own: &mut [f32], partner: &[f32]) {
        match self.kind {
            MixingKind::Mixup => {
                let (share, rest) = (self.own_share as f32, (1.0 - self.own_share) as f32);
                for (own, partner) in own.iter_mut().zip(partner) {
                    *own = share * *own + rest * partner;
                }
            }
            MixingKind::Cutmix(region) => {
                let plane = self.shape.plane();
                let planes = own.chunks_exact_mut(plane).zip(partner.chunks_exact(plane));
                for (own, partner) in planes {
                    for row in region.rows(self.shape) {
                        own[row.clone()].copy_from_slice(&partner[row]);
                    }
                }
            }
        }
    }

    /// The labels of the mixed images, from those of the batch.
    ///
    /// # Panics
    /// If there are fewer labels than images.
    pub fn labels(&self, labels: &[u16]) -> Vec<MixedLabel> {
        let pairs = self.partners.iter().enumerate();
        pairs
            .map(|(image, &partner)| MixedLabel {
                own: labels[image],
                partner: labels[partner],
                own_share: self.own_share,
            })
            .collect()
    }

    /// Replaces `out` by the soft targets of the mixed images: a row of `classes` probabilities for
    /// each, which sum to 1.
    ///
    /// # Panics
    /// If there are fewer labels than images, or a label is not below `classes`.
    pub fn targets(&self, labels: &[u16], classes: usize, out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.partners.len() * classes, 0.0);
        for (row, label) in self.labels(labels).into_iter().enumerate() {
            let row = &mut out[row * classes..][..classes];
            row[usize::from(label.own)] += label.own_share as f32;
            row[usize::from(label.partner)] += (1.0 - label.own_share) as f32;
        }
    }
}

/// The images of `values` values at two different places.
fn pair(pixels: &mut [f32], own: usize, other: usize, values: usize) -> (&mut [f32], &[f32]) {
    if own < other {
        let (before, after) = pixels.split_at_mut(other);
        (&mut before[own..][..values], &after[..values])
    } else {
        let (before, after) = pixels.split_at_mut(own);
        (&mut after[..values], &before[other..][..values])
    }
}
