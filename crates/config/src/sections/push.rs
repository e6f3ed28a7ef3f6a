//! `[push]`: telling phones.

use super::section;

section! {
    /// Telling push gateways, which wake people's phones, of what notifies them.
    /// `docs/operate/push.md` says what they are told.
    pub Push in "push" {
        /// Whether gateways may also stand on this machine or in private networks (10.0.0.0/8,
        /// 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7), as an organisation's own does,
        /// and be reached without TLS. Whoever has an account can then make this server send
        /// notifications to any address there, on the path of push gateways.
        allow_private_addresses: bool = "false";
    }
}
