//! Evidence: the very bytes, and a verification that notices one changed bit.
