//! How inputs are written: lines, so that a finding can be read and changed by hand.

use ruma::RoomVersionId;

/// Every room version.
pub(crate) const VERSIONS: [RoomVersionId; 12] = [
    RoomVersionId::V1,
    RoomVersionId::V2,
    RoomVersionId::V3,
    RoomVersionId::V4,
    RoomVersionId::V5,
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

/// The room version that a byte names; every byte names one, `1` the first and `<` the twelfth.
pub(crate) fn version_named(byte: u8) -> &'static RoomVersionId {
    &VERSIONS[usize::from(byte.wrapping_sub(b'1')) % VERSIONS.len()]
}

/// The first line without its end, and what follows it.
pub(crate) fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}
