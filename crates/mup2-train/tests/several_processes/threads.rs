//! Processes played by threads: what the library does with several, without MPI.

use mup2_scaling::error::{Error, Result};
use mup2_train::collective::Collective;
use std::sync::{Arc, Condvar, Mutex};

/// What one rank gave to a round: which method it called, and the bytes.
type Given = (&'static str, Vec<u8>);

#[derive(Default)]
struct Round {
    given: Vec<Option<Given>>,
    all: Option<Arc<Vec<Given>>>,
    taken: usize,
    gone: bool,
}

struct Meeting {
    round: Mutex<Round>,
    changed: Condvar,
    size: usize,
}

/// One rank; the others' calls fail when it is dropped.
pub struct Rank {
    meeting: Arc<Meeting>,
    rank: usize,
}

/// The ranks of one computation.
pub fn ranks(size: usize) -> Vec<Rank> {
    let meeting = Arc::new(Meeting {
        round: Mutex::new(Round {
            given: vec![None; size],
            ..Round::default()
        }),
        changed: Condvar::new(),
        size,
    });
    let rank = |rank| Rank {
        meeting: Arc::clone(&meeting),
        rank,
    };
    (0..size).map(rank).collect()
}

impl Rank {
    /// What all ranks give, in their order.
    fn gather(&self, method: &'static str, bytes: Vec<u8>) -> Result<Arc<Vec<Given>>> {
        let Meeting {
            round,
            changed,
            size,
        } = &*self.meeting;
        let mut round = round.lock().unwrap();
        // The round before may not have been taken by all.
        while round.all.is_some() {
            round = changed.wait(round).unwrap();
        }
        round.given[self.rank] = Some((method, bytes));
        if round.given.iter().all(Option::is_some) {
            let all = round.given.iter_mut().filter_map(Option::take).collect();
            round.all = Some(Arc::new(all));
            changed.notify_all();
        }
        while round.all.is_none() {
            if round.gone {
                return Err(Error::invalid("a rank", "is gone", "ranks that stay"));
            }
            round = changed.wait(round).unwrap();
        }
        let all = Arc::clone(round.all.as_ref().unwrap());
        round.taken += 1;
        if round.taken == *size {
            round.taken = 0;
            round.all = None;
            changed.notify_all();
        }
        for (other, _) in all.iter() {
            assert_eq!(*other, method, "ranks call different methods");
        }
        Ok(all)
    }
}

impl Drop for Rank {
    fn drop(&mut self) {
        self.meeting.round.lock().unwrap().gone = true;
        self.meeting.changed.notify_all();
    }
}

impl Collective for Rank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.meeting.size
    }

    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<()> {
        let bytes = values.iter().flat_map(|value| value.to_ne_bytes());
        let all = self.gather("sum of f32", bytes.collect())?;
        values.fill(0.0);
        for (_, bytes) in all.iter() {
            assert_eq!(bytes.len(), 4 * values.len(), "slices of different lengths");
            for (sum, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
                *sum += f32::from_ne_bytes(bytes.try_into().unwrap());
            }
        }
        Ok(())
    }

    fn all_reduce_sum_f64(&self, values: &mut [f64]) -> Result<()> {
        let bytes = values.iter().flat_map(|value| value.to_ne_bytes());
        let all = self.gather("sum of f64", bytes.collect())?;
        values.fill(0.0);
        for (_, bytes) in all.iter() {
            assert_eq!(bytes.len(), 8 * values.len(), "slices of different lengths");
            for (sum, bytes) in values.iter_mut().zip(bytes.chunks_exact(8)) {
                *sum += f64::from_ne_bytes(bytes.try_into().unwrap());
            }
        }
        Ok(())
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        *bytes = self.gather("broadcast", bytes.clone())?[0].1.clone();
        Ok(())
    }
}
