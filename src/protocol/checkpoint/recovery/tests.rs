//! Single behaviours against literal effects.
