//! Lots that fall the same for the same seed.
//!
//! After: Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators* (2014).

/// Draws numbers.
pub(crate) struct Lots(u64);

impl Lots {
    pub(crate) fn new(seed: u64) -> Lots {
        Lots(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("it is below a usize")
    }

    /// Whether something happens that does so many times in a hundred.
    pub(crate) fn hit(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
