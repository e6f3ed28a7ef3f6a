//! `hostile::image`, run by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // A decoder that panics is caught by the product. libFuzzer sees what is not caught even without
    // its hook, which would end the run before.
    init: drop(std::panic::take_hook()),
    |data: &[u8]| hostile::image(data)
);
