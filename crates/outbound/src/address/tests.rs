//! The rule, address by address, and what holds of every address.

use proptest::prelude::*;

use super::*;

fn judged(text: &str) -> Place {
    place(text.parse().unwrap())
}

/// Of each network its first and last address; beside it what is next to it and outside.
#[test]
fn each_special_network_is_refused_from_its_first_address_to_its_last() {
    for (first, last, before, after) in [
        ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
        (
            "10.0.0.0",
            "10.255.255.255",
            Some("9.255.255.255"),
            Some("11.0.0.0"),
        ),
        (
            "100.64.0.0",
            "100.127.255.255",
            Some("100.63.255.255"),
            Some("100.128.0.0"),
        ),
        (
            "127.0.0.0",
            "127.255.255.255",
            Some("126.255.255.255"),
            Some("128.0.0.0"),
        ),
        (
            "169.254.0.0",
            "169.254.255.255",
            Some("169.253.255.255"),
            Some("169.255.0.0"),
        ),
        (
            "172.16.0.0",
            "172.31.255.255",
            Some("172.15.255.255"),
            Some("172.32.0.0"),
        ),
        (
            "192.0.0.0",
            "192.0.0.255",
            Some("191.255.255.255"),
            Some("192.0.1.0"),
        ),
        (
            "192.0.2.0",
            "192.0.2.255",
            Some("192.0.1.255"),
            Some("192.0.3.0"),
        ),
        (
            "192.31.196.0",
            "192.31.196.255",
            Some("192.31.195.255"),
            Some("192.31.197.0"),
        ),
        (
            "192.88.99.0",
            "192.88.99.255",
            Some("192.88.98.255"),
            Some("192.88.100.0"),
        ),
        (
            "192.168.0.0",
            "192.168.255.255",
            Some("192.167.255.255"),
            Some("192.169.0.0"),
        ),
        (
            "192.175.48.0",
            "192.175.48.255",
            Some("192.175.47.255"),
            Some("192.175.49.0"),
        ),
        (
            "198.18.0.0",
            "198.19.255.255",
            Some("198.17.255.255"),
            Some("198.20.0.0"),
        ),
        (
            "198.51.100.0",
            "198.51.100.255",
            Some("198.51.99.255"),
            Some("198.51.101.0"),
        ),
        (
            "203.0.113.0",
            "203.0.113.255",
            Some("203.0.112.255"),
            Some("203.0.114.0"),
        ),
        (
            "224.0.0.0",
            "255.255.255.255",
            Some("223.255.255.255"),
            None,
        ),
        (
            "168.63.129.16",
            "168.63.129.16",
            Some("168.63.129.15"),
            Some("168.63.129.17"),
        ),
        (
            "::",
            "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            None,
            Some("2000::"),
        ),
        (
            "2001::",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("2000:ffff::"),
            Some("2001:200::"),
        ),
        (
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("2001:db7:ffff::"),
            Some("2001:db9::"),
        ),
        (
            "2002::",
            "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("2001:ffff::"),
            Some("2003::"),
        ),
        (
            "2620:4f:8000::",
            "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
            Some("2620:4f:7fff::"),
            Some("2620:4f:8001::"),
        ),
        (
            "3fff::",
            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("3ffe:ffff::"),
            Some("3fff:1000::"),
        ),
        (
            "4000::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("3fff:ffff::"),
            None,
        ),
    ] {
        assert_ne!(judged(first), Outside, "{first}");
        assert_ne!(judged(last), Outside, "{last}");
        for neighbour in [before, after].into_iter().flatten() {
            assert_eq!(judged(neighbour), Outside, "{neighbour}");
        }
    }
}

#[test]
fn an_operator_may_allow_what_is_inside_and_nothing_else() {
    for inside in [
        "127.0.0.1",
        "127.8.9.10",
        "10.1.2.3",
        "172.20.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "::1",
        "fd12:3456::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
    ] {
        assert!(matches!(judged(inside), Inside(_)), "{inside}");
    }
    for nowhere in [
        // Credentials of machines.
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "240.0.0.1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
        "5f00::1",
        // What leads to an IPv4 address by way of somebody else.
        "::10.0.0.1",
        "::8.8.8.8",
        "64:ff9b::10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::8.8.8.8",
        "2002:a00:1::",
        "2002:808:808::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2a00:1450::5efe:a00:1",
        "2a00:1450::200:5efe:a00:1",
    ] {
        assert!(matches!(judged(nowhere), Nowhere(_)), "{nowhere}");
    }
}

#[test]
fn what_is_outside_is_outside() {
    for outside in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "2606:4700:4700::1111",
        "2a00:1450:4001:80f::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ] {
        assert_eq!(judged(outside), Outside, "{outside}");
    }
}

proptest! {
    #[test]
    fn nothing_that_the_standard_library_calls_special_is_outside(bits: u32) {
        let address = Ipv4Addr::from_bits(bits);
        let is_special = address.is_private()
            || address.is_loopback()
            || address.is_link_local()
            || address.is_broadcast()
            || address.is_documentation()
            || address.is_unspecified()
            || address.is_multicast();
        prop_assert!(!is_special || place(address.into()) != Outside);
    }

    #[test]
    fn an_address_is_no_further_outside_in_any_disguise(bits: u32) {
        let address = Ipv4Addr::from_bits(bits);
        let plain = place(address.into());
        let [high, low] = [(bits >> 16) as u16, bits as u16];
        prop_assert_eq!(place(address.to_ipv6_mapped().into()), plain);
        for disguised in [
            v6([0x64, 0xff9b, 0, 0, 0, 0, high, low]),
            v6([0, 0, 0, 0, 0, 0, high, low]),
            v6([0x2002, high, low, 0, 0, 0, 0, 1]),
            v6([0x2001, 0, high, low, 0, 0, !high, !low]),
            v6([0x2a00, 0, 0, 0, 0, 0x5efe, high, low]),
        ] {
            prop_assert!(plain == Outside || place(disguised.into()) != Outside, "{}", disguised);
        }
    }

    #[test]
    fn only_global_unicast_is_outside(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        if place(address.into()) == Outside {
            prop_assert!(bits >> 125 == 1);
            prop_assert!(!address.is_unique_local() && !address.is_unicast_link_local());
        }
    }
}
