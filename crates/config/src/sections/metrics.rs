//! `[metrics]`: where Prometheus reads.

use std::net::SocketAddr;

use super::section;

section! {
    /// Numbers about this server, for Prometheus.
    pub Metrics in "metrics" {
        /// The address on which `/metrics` is served, apart from the public ones.
        /// `""` switches it off.
        listen: Option<SocketAddr> = "127.0.0.1:9008";
    }
}
