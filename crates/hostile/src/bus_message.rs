//! Messages of the bus, which whoever may publish on NATS can have written.

use bus::wire::{decode, encode};

/// A message.
///
/// Nothing panics, and what is understood is written and read again as the same.
pub fn bus_message(data: &[u8]) {
    let Ok(heard) = decode(data) else {
        return;
    };
    let written = encode(heard.from, &heard.signal);
    let written = written.expect("what fits into a message fits into one again");
    assert_eq!(decode(&written).as_ref(), Ok(&heard));
}
