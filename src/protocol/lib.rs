//! Every protocol of Watershed as a pure state machine.
