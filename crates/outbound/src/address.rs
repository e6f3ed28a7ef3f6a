//! Which addresses are outside: a pure rule over the registries of special addresses ([IPv4],
//! [IPv6]).
//!
//! [IPv4]: https://www.iana.org/assignments/iana-ipv4-special-registry/
//! [IPv6]: https://www.iana.org/assignments/iana-ipv6-special-registry/

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To anybody's machine on the internet.
    Outside,
    /// Into the operator's own network, or to this machine: an operator may allow it. The text
    /// completes the sentence "it is …".
    Inside(&'static str),
    /// Where no request has any business, whatever an operator allows.
    Nowhere(&'static str),
}

use Place::{Inside, Nowhere, Outside};

/// What hands out credentials to whoever asks from the right machine. Most of them are also in a
/// network below; these are named because no operator means them by "private addresses".
const METADATA: &str = "where a cloud keeps the credentials of its machines";

const V4: [(Ipv4Addr, u32, Place); 21] = [
    (Ipv4Addr::new(168, 63, 129, 16), 32, Nowhere(METADATA)),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Nowhere(METADATA)),
    (Ipv4Addr::new(192, 0, 0, 192), 32, Nowhere(METADATA)),
    (Ipv4Addr::new(169, 254, 169, 254), 32, Nowhere(METADATA)),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Inside("this machine")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Inside("private")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Inside("private")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Inside("private")),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        Inside("shared by the customers of a carrier"),
    ),
    (Ipv4Addr::new(0, 0, 0, 0), 8, Nowhere("unspecified")),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Nowhere("link-local")),
    (
        Ipv4Addr::new(192, 0, 0, 0),
        24,
        Nowhere("for protocols alone"),
    ),
    (
        Ipv4Addr::new(192, 0, 2, 0),
        24,
        Nowhere("for documentation"),
    ),
    (
        Ipv4Addr::new(192, 31, 196, 0),
        24,
        Nowhere("a sink for lost questions"),
    ),
    (
        Ipv4Addr::new(192, 88, 99, 0),
        24,
        Nowhere("a relay of tunnels"),
    ),
    (
        Ipv4Addr::new(192, 175, 48, 0),
        24,
        Nowhere("a sink for lost questions"),
    ),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Nowhere("for benchmarks")),
    (
        Ipv4Addr::new(198, 51, 100, 0),
        24,
        Nowhere("for documentation"),
    ),
    (
        Ipv4Addr::new(203, 0, 113, 0),
        24,
        Nowhere("for documentation"),
    ),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Nowhere("multicast")),
    // With the broadcast address.
    (Ipv4Addr::new(240, 0, 0, 0), 4, Nowhere("reserved")),
];

/// Asked in this order. What none of them names is outside where it is global unicast (2000::/3),
/// and nowhere else.
const V6: [(Ipv6Addr, u32, Place); 12] = [
    (
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),
        128,
        Nowhere(METADATA),
    ),
    (
        v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),
        128,
        Nowhere(METADATA),
    ),
    (Ipv6Addr::LOCALHOST, 128, Inside("this machine")),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0]), 7, Inside("private")),
    (Ipv6Addr::UNSPECIFIED, 128, Nowhere("unspecified")),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, Nowhere("link-local")),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, Nowhere("multicast")),
    // Teredo, benchmarks, identifiers that are no places.
    (
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0]),
        23,
        Nowhere("for protocols alone"),
    ),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]),
        32,
        Nowhere("for documentation"),
    ),
    // A tunnel to an IPv4 address, which may be any.
    (
        v6([0x2002, 0, 0, 0, 0, 0, 0, 0]),
        16,
        Nowhere("the end of a tunnel"),
    ),
    (
        v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0]),
        48,
        Nowhere("a sink for lost questions"),
    ),
    (
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0]),
        20,
        Nowhere("for documentation"),
    ),
];

const fn v6(segments: [u16; 8]) -> Ipv6Addr {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Addr::new(a, b, c, d, e, f, g, h)
}

/// Says where an address leads.
pub fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(address) => place_v4(address),
        IpAddr::V6(address) => place_v6(address),
    }
}

fn place_v4(address: Ipv4Addr) -> Place {
    let bits = address.to_bits();
    let holds = |(base, length, _): &&(Ipv4Addr, u32, Place)| {
        (bits ^ base.to_bits()) >> (u32::BITS - length) == 0
    };
    V4.iter()
        .find(holds)
        .map_or(Outside, |(_, _, place)| *place)
}

fn place_v6(address: Ipv6Addr) -> Place {
    // The system connects to the IPv4 address.
    if let Some(inner) = address.to_ipv4_mapped() {
        return place_v4(inner);
    }
    let segments = address.segments();
    // NAT64: a gateway connects to the IPv4 address, and sees another network than this machine.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = segments {
        let inner = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
        return match place_v4(inner) {
            Outside => Outside,
            Inside(what) | Nowhere(what) => Nowhere(what),
        };
    }
    let bits = address.to_bits();
    let holds = |(base, length, _): &&(Ipv6Addr, u32, Place)| {
        (bits ^ base.to_bits()) >> (u128::BITS - length) == 0
    };
    if let Some((_, _, place)) = V6.iter().find(holds) {
        return *place;
    }
    let is_global_unicast = segments[0] >> 13 == 1;
    // ISATAP: the last half names an IPv4 address in the network of whoever has the first.
    let is_tunnel = matches!(segments[4..6], [0 | 0x200, 0x5efe]);
    match (is_global_unicast, is_tunnel) {
        (true, false) => Outside,
        (true, true) => Nowhere("the end of a tunnel"),
        (false, _) => Nowhere("reserved"),
    }
}

#[cfg(test)]
mod tests;
