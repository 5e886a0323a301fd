//! Repeatable chance: one stream of numbers for each concern.
//!
//! The algorithm is named (xoshiro256++, seeded through SplitMix64) because a feed has to be the
//! same bytes for a seed on every machine and after every update. For the same reason nothing here
//! touches a floating-point function, and numbers are drawn in a range by multiplication instead
//! of by `rand`, which does not promise the same values from one release to the next.

use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

/// What a stream is for. Drawing more numbers for one concern leaves the others as they were.
#[derive(Debug, Clone, Copy)]
pub(super) enum Concern {
    /// Accounts and actors.
    Organisation,
    /// Who calls what, when.
    Background,
    /// When a scene begins, and what varies in it.
    Scene,
    /// The contents of one record.
    Record,
    /// How long one record is on its way.
    Delay,
    /// What an actor's session is called, and where it comes from.
    Session,
    /// What happened before the feed.
    History,
}

/// One stream.
#[derive(Debug, Clone)]
pub(super) struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The stream of a concern, and of one `number` within it (a record, a scene).
    pub(super) fn of(seed: u64, concern: Concern, number: u64) -> Random {
        let seed = mix(mix(seed, concern as u64 + 1), number);
        Random(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which is at least 1.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True `times` in `of`.
    pub(super) fn chance(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    /// One of `choices`, which is not empty.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// A number that depends on both of these, and evenly (SplitMix64).
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut state = SplitMix64::seed_from_u64(a.rotate_left(32) ^ b);
    state.next_u64() ^ b.rotate_left(17)
}

/// Places drawn by weight.
#[derive(Debug)]
pub(super) struct Weighted {
    /// The sums of the weights up to and with each place.
    sums: Vec<u64>,
}

impl Weighted {
    /// Of weights that are not all 0.
    pub(super) fn new(weights: impl Iterator<Item = u64>) -> Weighted {
        let sums = weights
            .scan(0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        Weighted { sums }
    }

    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let total = *self.sums.last().expect("weights are not empty");
        let at = random.below(total);
        self.sums.partition_point(|sum| *sum <= at)
    }
}

/// A quantile function that is linear between its points `(of 10,000, value)`.
pub(super) fn quantile(points: &[(u64, u64)], random: &mut Random) -> u64 {
    let at = random.below(10_000);
    let next =
        points.iter().position(|(share, _)| *share > at).expect("the last point is at 10,000");
    let ((s0, v0), (s1, v1)) = (points[next - 1], points[next]);
    v0 + (v1 - v0) * (at - s0) / (s1 - s0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut random = Random::of(7, Concern::Record, 3);
        let drawn: Vec<u64> = (0..4).map(|_| random.below(1_000_000)).collect();
        assert_eq!(drawn, [916_794, 989_498, 213_288, 797_841], "this changes every feed");
    }

    #[test]
    fn weights_are_kept() {
        let weighted = Weighted::new([0, 3, 0, 1].into_iter());
        let mut random = Random::of(1, Concern::Background, 0);
        let mut drawn = [0_u32; 4];
        for _ in 0..4_000 {
            drawn[weighted.draw(&mut random)] += 1;
        }
        assert_eq!((drawn[0], drawn[2]), (0, 0));
        assert!((2_850..3_150).contains(&drawn[1]), "{drawn:?}");
    }
}
