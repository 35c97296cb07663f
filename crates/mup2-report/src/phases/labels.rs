//! Places for labels, so that none lies on another, on a marker or on a line.

use crate::figure::svg::text_width;

/// A rectangle of the figure, in its units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rectangle {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Rectangle {
    /// The rectangle of a given size around a centre.
    pub fn around((x, y): (f64, f64), width: f64, height: f64) -> Self {
        Self {
            left: x - width / 2.0,
            top: y - height / 2.0,
            width,
            height,
        }
    }

    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub fn centre(&self) -> (f64, f64) {
        (self.left + self.width / 2.0, self.top + self.height / 2.0)
    }

    pub fn corners(&self) -> [(f64, f64); 4] {
        let (right, bottom) = (self.right(), self.bottom());
        [
            (self.left, self.top),
            (right, self.top),
            (self.left, bottom),
            (right, bottom),
        ]
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right()
            && other.left < self.right()
            && self.top < other.bottom()
            && other.top < self.bottom()
    }

    fn is_within(&self, room: &Self) -> bool {
        self.left >= room.left
            && self.top >= room.top
            && self.right() <= room.right()
            && self.bottom() <= room.bottom()
    }
}

/// Height of a line of text over its font size.
const LINE_HEIGHT: f64 = 1.25;

/// Width and height of lines of text.
pub(super) fn label_size(lines: &[String], font_size: f64) -> (f64, f64) {
    let widths = lines.iter().map(|line| text_width(line, font_size));
    (
        widths.fold(0.0, f64::max) + 2.0,
        lines.len() as f64 * LINE_HEIGHT * font_size,
    )
}

/// One plane's room for labels and what is taken of it.
#[derive(Debug)]
pub(super) struct Board {
    room: Rectangle,
    taken: Vec<Rectangle>,
}

impl Board {
    pub fn new(room: Rectangle) -> Self {
        Self {
            room,
            taken: Vec::new(),
        }
    }

    /// Keeps labels away from a rectangle.
    pub fn take(&mut self, rectangle: Rectangle) {
        self.taken.push(rectangle);
    }

    /// Keeps labels away from a segment.
    pub fn take_line(&mut self, from: (f64, f64), to: (f64, f64), thickness: f64) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let steps = (length / thickness).ceil().max(1.0) as usize;
        for step in 0..=steps {
            let share = step as f64 / steps as f64;
            let x = from.0 + share * (to.0 - from.0);
            let y = from.1 + share * (to.1 - from.1);
            self.take(Rectangle::around((x, y), thickness, thickness));
        }
    }

    /// Takes the first candidate that is free.
    pub fn place(&mut self, candidates: impl IntoIterator<Item = Rectangle>) -> Option<Rectangle> {
        let is_free = |candidate: &Rectangle| {
            let mut taken = self.taken.iter();
            candidate.is_within(&self.room) && !taken.any(|other| other.overlaps(candidate))
        };
        let found = candidates.into_iter().find(is_free)?;
        self.take(found);
        Some(found)
    }
}

/// Rectangles of a size beside a place, the nearest and most readable first.
pub(super) fn beside(
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    gap: f64,
) -> impl Iterator<Item = Rectangle> {
    (0..5).flat_map(move |ring| {
        let gap = gap + 7.0 * f64::from(ring);
        let (across, down) = (gap + width / 2.0, gap + height / 2.0);
        let slant = 0.7 * gap;
        [
            (x + across, y),
            (x + slant + width / 2.0, y - slant - height / 2.0),
            (x - across, y),
            (x - slant - width / 2.0, y - slant - height / 2.0),
            (x, y - down),
            (x, y + down),
            (x + slant + width / 2.0, y + slant + height / 2.0),
            (x - slant - width / 2.0, y + slant + height / 2.0),
        ]
        .map(|centre| Rectangle::around(centre, width, height))
    })
}
