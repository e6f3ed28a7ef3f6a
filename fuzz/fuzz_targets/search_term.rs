//! `hostile::search_term`, run by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::search_term(data));
