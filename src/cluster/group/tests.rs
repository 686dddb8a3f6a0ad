//! What is kept on the disk is what consensus needs of it.

mod storage;
