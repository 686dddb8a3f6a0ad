//! How much memory a fuzz target may take: bounded by how long its input is.
//!
//! What is measured is the memory of the whole process, so nothing else may run in it that takes much.

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// A bound on the memory that a target takes at any moment.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// How many bytes an input of no bytes may take.
    pub base: usize,
    /// How many more each of its bytes may take.
    pub per_byte: usize,
}

impl Memory {
    /// Runs a target, and panics where it takes more.
    pub fn keep(&self, bytes: &[u8], target: impl FnOnce(&[u8])) {
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        target(bytes);
        let taken = ALLOCATOR.peak_usage().saturating_sub(before);
        let bound = self.base + bytes.len() * self.per_byte;
        assert!(taken <= bound, "{} bytes take {taken} bytes of memory, more than {bound}", bytes.len());
    }
}
