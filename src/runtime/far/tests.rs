//! Bodies of frames, written and read.
