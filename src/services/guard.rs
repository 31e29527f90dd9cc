//! Which addresses may be dialled.
//!
//! The lists follow the IANA special-purpose address registries (RFC 6890 and what was registered since) and add the
//! addresses at which clouds hand out a machine's credentials. They are policy, and short enough to be read.

use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A service's leave to reach addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guard {
    pub(super) private_network: bool,
}

impl Guard {
    /// Says why this address must not be dialled.
    pub(super) fn check(self, address: IpAddr) -> Result<(), String> {
        match kind(address) {
            Kind::Public => Ok(()),
            Kind::Private(_) if self.private_network => Ok(()),
            Kind::Private(what) => Err(format!(
                "{address} is {what}; if this service is meant to be there, write `private_network = true` for it \
                 in handlers.toml"
            )),
            Kind::Never(what) => Err(format!(
                "{address} is {what}, and such addresses are never called"
            )),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    /// For services that say `private_network = true`.
    Private(&'static str),
    /// For nobody.
    Never(&'static str),
}

fn kind(address: IpAddr) -> Kind {
    // An IPv4 address in IPv6 clothes (`::ffff:127.0.0.1`) reaches the IPv4 address.
    match address.to_canonical() {
        IpAddr::V4(it) => kind_v4(it),
        IpAddr::V6(it) => kind_v6(it),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    let holds = |(net, _): &&(Ipv4Net, &'static str)| net.contains(&address);
    // The order matters: one cloud's metadata address lies in shared space.
    if let Some((_, what)) = NEVER_V4.iter().find(holds) {
        return Kind::Never(what);
    }
    match PRIVATE_V4.iter().find(holds) {
        Some((_, what)) => Kind::Private(what),
        None => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    let holds = |(net, _): &&(Ipv6Net, &'static str)| net.contains(&address);
    if let Some((_, what)) = NEVER_V6.iter().find(holds) {
        return Kind::Never(what);
    }
    if let Some((_, what)) = PRIVATE_V6.iter().find(holds) {
        return Kind::Private(what);
    }
    if NAT64.contains(&address) {
        // A translator reaches the IPv4 address in the last 32 bits.
        let [.., a, b, c, d] = address.octets();
        return kind_v4(Ipv4Addr::new(a, b, c, d));
    }
    if !GLOBAL_V6.contains(&address) {
        return Kind::Never("in no range that is given to hosts");
    }
    if let [.., 0x0000 | 0x0200, 0x5efe, _, _] = address.segments() {
        return Kind::Never("a tunnel to an IPv4 address (ISATAP)");
    }
    Kind::Public
}

const METADATA: &str = "a cloud's metadata address, where a machine's credentials are given out";
const LINK_LOCAL: &str = "a link-local address (cloud metadata is there)";
const DOCUMENTATION: &str = "an address for examples in documents";

const NEVER_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "an address of \"this network\""),
    (v4(100, 100, 100, 200, 32), METADATA), // Alibaba Cloud
    (v4(168, 63, 129, 16, 32), METADATA),   // Azure's wire server
    (v4(169, 254, 0, 0, 16), LINK_LOCAL),
    (
        v4(192, 0, 0, 0, 24),
        "an address for protocols (cloud metadata is there)",
    ), // 192.0.0.192: Oracle
    (v4(192, 0, 2, 0, 24), DOCUMENTATION),
    (v4(192, 88, 99, 0, 24), "a relay to IPv6"),
    (v4(198, 51, 100, 0, 24), DOCUMENTATION),
    (v4(203, 0, 113, 0, 24), DOCUMENTATION),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"), // broadcast too
];

const PRIVATE_V4: &[(Ipv4Net, &str)] = &[
    (v4(10, 0, 0, 0, 8), "a private address"),
    (
        v4(100, 64, 0, 0, 10),
        "an address of a provider's shared network",
    ),
    (v4(127, 0, 0, 0, 8), "this machine itself"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "an address for measuring networks"),
];

const NEVER_V6: &[(Ipv6Net, &str)] = &[
    (v6(0x0064, 0xff9b, 1, 0, 48), "a local translator's address"),
    (
        v6(0x2001, 0, 0, 0, 23),
        "an address for protocols and tunnels",
    ), // Teredo, ORCHID, AMT
    (v6(0x2001, 0x0db8, 0, 0, 32), DOCUMENTATION),
    (
        v6(0x2002, 0, 0, 0, 16),
        "a tunnel to an IPv4 address (6to4)",
    ),
    (v6(0x3fff, 0, 0, 0, 20), DOCUMENTATION),
    (host_v6([0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042]), METADATA), // Scaleway
    (
        host_v6([0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
        METADATA,
    ), // Oracle
    (v6(0xfd00, 0x0ec2, 0, 0, 32), METADATA),                     // AWS
    (host_v6([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254]), METADATA), // Google
    (v6(0xfe80, 0, 0, 0, 10), LINK_LOCAL),
    (v6(0xff00, 0, 0, 0, 8), "a multicast address"),
];

const PRIVATE_V6: &[(Ipv6Net, &str)] = &[
    (host_v6([0, 0, 0, 0, 0, 0, 0, 1]), "this machine itself"),
    (v6(0xfc00, 0, 0, 0, 7), "a private address"),
    (v6(0xfec0, 0, 0, 0, 10), "a private address"),
];

const NAT64: Ipv6Net = v6(0x0064, 0xff9b, 0, 0, 96);
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 0, 3);

const fn v4(a: u8, b: u8, c: u8, d: u8, length_bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length_bits)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, length_bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length_bits)
}

const fn host_v6([a, b, c, d, e, f, g, h]: [u16; 8]) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), 128)
}
