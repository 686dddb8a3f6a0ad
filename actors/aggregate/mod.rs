//! What a window keeps of the records it saw.
