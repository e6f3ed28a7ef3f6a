//! End-to-end encryption: device keys, to-device messages, cross-signing and key backup.
