//! Chance that repeats itself: everything that is left to chance here is drawn from one of these.
//!
//! After: Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators* (2014).

/// A sequence of numbers that looks random and is the same for each seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// Dice of their own for one concern: how often one is thrown changes nothing for the others, so that leaving a
    /// fault out leaves everything before it as it was.
    pub(crate) fn fork(&mut self) -> Dice {
        Dice(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place in something of this length.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        (self.next() % length as u64) as usize
    }

    /// A number from `low` to `high`, both possible.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Whether something happens that does so many times in a hundred.
    pub(crate) fn hit(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.place(from.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_throw_alike_and_forks_stand_alone() {
        let throws = |dice: &mut Dice| -> Vec<u64> { (0..20).map(|_| dice.below(1000)).collect() };
        let (mut one, mut other) = (Dice::new(7), Dice::new(7));
        assert_eq!(throws(&mut one), throws(&mut other));
        let (mut fork, mut same) = (one.fork(), other.fork());
        throws(&mut one);
        assert_eq!(throws(&mut fork), throws(&mut same));
    }
}
