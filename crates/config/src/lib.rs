//! The configuration file: sections, defaults, validation.
