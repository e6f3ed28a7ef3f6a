//! `hostile::s3_answer`, run by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::s3_answer(data));
