//! The checks are in `tests/`; there is nothing to link.
