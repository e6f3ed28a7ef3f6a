//! A range of IP addresses in CIDR notation.

use std::{fmt, net::IpAddr};

use super::{Raw, Rejection, Value, quoted};

/// A range of IP addresses; a single address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpNetwork {
    address: IpAddr,
    prefix_bits: u8,
}

impl IpNetwork {
    /// Tells whether the address is in the range.
    ///
    /// An IPv4 address that arrived over an IPv6 socket (`::ffff:10.0.0.1`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (bits, width) = as_bits(address);
        let (network, network_width) = as_bits(self.address);
        width == network_width && (bits ^ network) & mask(width, self.prefix_bits) == 0
    }

    fn parse_text(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (_, width) = as_bits(address);
        let prefix_bits = match prefix {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= width)?
            }
            Some(_) => return None,
            None => width,
        };
        Some(Self {
            address,
            prefix_bits,
        })
    }
}

/// The address as an integer, and how many bits it has.
fn as_bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The bits of an address that a prefix fixes.
fn mask(width: u8, prefix_bits: u8) -> u128 {
    u128::MAX
        .checked_shl(u32::from(width - prefix_bits))
        .unwrap_or(0)
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

impl Value for IpNetwork {
    fn accepts() -> String {
        "an IP address or a range such as \"10.0.0.0/8\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let network = Self::parse_text(raw.text()?)
            .ok_or_else(|| Rejection::new("is not an IP address or range"))?;
        let (bits, width) = as_bits(network.address);
        // `10.0.0.1/8` trusts sixteen million machines; whoever wrote it may have meant one.
        if bits & !mask(width, network.prefix_bits) != 0 {
            return Err(Rejection::new("has address bits set beyond its prefix"));
        }
        Ok(network)
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{IpNetwork, Raw, Value};

    fn network(text: &str) -> Option<IpNetwork> {
        IpNetwork::parse(&Raw::Text(text.to_owned())).ok()
    }

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.1", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
        ] {
            let range = network(range).expect(range);
            assert!(
                range.contains(inside.parse().expect(inside)),
                "{range} holds {inside}"
            );
            assert!(
                !range.contains(outside.parse().expect(outside)),
                "{range} lacks {outside}"
            );
        }
    }

    #[test]
    fn a_range_that_is_wider_than_its_address_says_is_refused() {
        for text in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "",
            "x",
        ] {
            assert!(network(text).is_none(), "{text}");
        }
    }
}
