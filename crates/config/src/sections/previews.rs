//! `[previews]`: what stands behind links.

use super::section;

section! {
    /// Previews of links in messages. `docs/previews.md` says what is fetched, from where, and
    /// with what bounds.
    pub Previews in "previews" {
        /// Whether this server looks behind links for its people. Off, because it then asks
        /// whatever address anybody writes, whose owner learns that somebody here reads of it; and
        /// because clients that want a preview of a link in an encrypted room tell this server the
        /// link, which it would not know otherwise.
        enabled: bool = "false";
        /// Whether it also looks at addresses of this machine and of private networks (10.0.0.0/8,
        /// 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7). Whoever has an account then
        /// sees titles and pictures of all that this machine can reach there without a password.
        allow_private_addresses: bool = "false";
    }
}
