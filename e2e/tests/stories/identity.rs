//! A sensor speaks only for itself.
