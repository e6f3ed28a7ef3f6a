//! Where a request comes from, seen through the proxies that the operator trusts.

use std::{
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client itself; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// A block of addresses such as `10.0.0.0/8` or `fd00::/8`; a bare address is a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    network: IpAddr,
    prefix_bits: u8,
}

/// Why a text is not an [`AddressBlock`].
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is neither an IP address nor a block like 10.0.0.0/8")]
pub struct InvalidAddressBlock(String);

impl AddressBlock {
    /// Whether the address lies in this block; an IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix_bits);
                (network.to_bits() ^ address.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix_bits);
                (network.to_bits() ^ address.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl FromStr for AddressBlock {
    type Err = InvalidAddressBlock;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAddressBlock(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| invalid())?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| invalid())?,
            None => width,
        };
        if prefix_bits > width {
            return Err(invalid());
        }
        Ok(Self {
            network,
            prefix_bits,
        })
    }
}

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<AddressBlock>);

impl TrustedProxies {
    /// Makes the list from its blocks; an empty one believes nobody.
    pub fn new(blocks: Vec<AddressBlock>) -> Self {
        Self(blocks)
    }

    /// The address of the client behind `peer`, the other end of the connection.
    ///
    /// `X-Forwarded-For` is read from its end, where the nearest proxy wrote, and only as long
    /// as each writer is trusted: whatever stands before that, a client can invent. Without a
    /// known peer the address is unspecified.
    pub fn client_address(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> ClientAddress {
        let Some(peer) = peer else {
            return ClientAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        };
        let mut nearest = peer.to_canonical();
        let entries: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("").split(','))
            .map(str::trim)
            .collect();
        for entry in entries.into_iter().rev() {
            if !self.trusts(nearest) {
                break;
            }
            let Some(address) = parse_entry(entry) else {
                break;
            };
            nearest = address.to_canonical();
        }
        ClientAddress(nearest)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|block| block.contains(address))
    }
}

/// Some proxies write a port: `192.0.2.1:5000`, `[2001:db8::1]:5000`.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    entry
        .parse()
        .ok()
        .or_else(|| Some(entry.parse::<std::net::SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> AddressBlock {
        text.parse().unwrap()
    }

    fn seen_as(peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::new(vec![block("10.0.0.0/8"), block("fd00::/8")]);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let peer = Some(peer.parse().unwrap());
        proxies.client_address(peer, &headers).0.to_string()
    }

    #[test]
    fn a_block_holds_its_addresses_and_no_others() {
        assert!(block("10.0.0.0/8").contains("10.255.0.1".parse().unwrap()));
        assert!(!block("10.0.0.0/8").contains("11.0.0.1".parse().unwrap()));
        assert!(block("0.0.0.0/0").contains("8.8.8.8".parse().unwrap()));
        assert!(block("::/0").contains("2001:db8::1".parse().unwrap()));
        assert!(block("192.0.2.7").contains("::ffff:192.0.2.7".parse().unwrap()));
        assert!(!block("192.0.2.7").contains("192.0.2.6".parse().unwrap()));
        assert!(!block("::/0").contains("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn a_block_that_cannot_be_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "example.org",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<AddressBlock>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        assert_eq!(seen_as("198.51.100.9", &["192.0.2.1"]), "198.51.100.9");
        assert_eq!(seen_as("10.0.0.1", &["6.6.6.6, 192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn a_chain_of_trusted_proxies_is_followed_to_the_client() {
        assert_eq!(seen_as("10.0.0.1", &["192.0.2.1, 10.0.0.2"]), "192.0.2.1");
        assert_eq!(seen_as("10.0.0.1", &["192.0.2.1", "10.0.0.2"]), "192.0.2.1");
        assert_eq!(seen_as("fd00::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(seen_as("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(seen_as("10.0.0.1", &[]), "10.0.0.1");
    }
}
