//! Where a call comes from: `sourceIPAddress`, and who is behind it.
//!
//! The field holds an address, a service's DNS name, `AWS Internal`, a list `a, b` (the first is the
//! caller), nothing, or octets padded with zeros, which are read as decimal. The user agent is not
//! asked: the caller writes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::field::Fields;
use crate::record::Key;

/// Networks that the caller knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// The organisation's own egress: NAT gateways, offices, VPN. Looked at first.
    pub own: NetworkSet,
    /// AWS's published ranges (`ip-ranges.json`), if the caller has them: without them an address
    /// of AWS is `public`.
    pub aws: NetworkSet,
}

/// Networks to look an address up in: AWS publishes some ten thousand, and nearly every record asks.
///
/// Kept as ranges of addresses, in order, none touching the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSet {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl NetworkSet {
    /// Whether the address lies in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => lies_in(&self.v4, address.to_bits()),
            IpAddr::V6(address) => lies_in(&self.v6, address.to_bits()),
        }
    }
}

impl FromIterator<Network> for NetworkSet {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> NetworkSet {
        let mut set = NetworkSet::default();
        for Network { address, prefix_bits } in networks {
            match address {
                IpAddr::V4(address) => {
                    let host = u32::MAX.checked_shr(u32::from(prefix_bits)).unwrap_or(0);
                    set.v4.push((address.to_bits() & !host, address.to_bits() | host));
                }
                IpAddr::V6(address) => {
                    let host = u128::MAX.checked_shr(u32::from(prefix_bits)).unwrap_or(0);
                    set.v6.push((address.to_bits() & !host, address.to_bits() | host));
                }
            }
        }
        merge(&mut set.v4, |a, b| b <= a.saturating_add(1));
        merge(&mut set.v6, |a, b| b <= a.saturating_add(1));
        set
    }
}

/// Puts ranges in order, and those together that `touch` (the end of one, the start of the next).
fn merge<T: Copy + Ord>(ranges: &mut Vec<(T, T)>, touch: fn(T, T) -> bool) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let joined = touch(before.1, next.0);
        if joined {
            before.1 = before.1.max(next.1);
        }
        joined
    });
}

fn lies_in<T: Copy + Ord>(ranges: &[(T, T)], address: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= address);
    let range = behind.checked_sub(1).and_then(|place| ranges.get(place));
    range.is_some_and(|(_, last)| address <= *last)
}

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// Reads `203.0.113.0/24`, `2001:db8::/32`, or a single address.
    ///
    /// # Errors
    /// In words, where it is neither.
    pub fn parse(text: &str) -> Result<Network, String> {
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let address = address.parse::<IpAddr>().map_err(|_| format!("no network: {text:?}"))?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            "" if !text.contains('/') => bits_max,
            bits => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= bits_max)
                .ok_or_else(|| format!("no prefix of 0 to {bits_max} bits: {text:?}"))?,
        };
        Ok(Network { address, prefix_bits })
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = u32::from(own) ^ u32::from(other);
                differ.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = u128::from(own) ^ u128::from(other);
                differ.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// `203.0.113.0/24`, `2001:db8:1::/48`; none where the source is no address.
pub(super) fn source_network(fields: &Fields<'_, '_>) -> Option<String> {
    Some(match fields.source_address()? {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            let mut network = String::with_capacity("255.255.255.0/24".len());
            for octet in [a, b, c] {
                push_number(&mut network, octet);
                network.push('.');
            }
            network.push_str("0/24");
            network
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    })
}

/// Writes a number in decimal: what `format!` does, at a fraction of the cost, for each record.
fn push_number(text: &mut String, number: u8) {
    let digit = |number: u8| char::from(b'0' + number % 10);
    if number >= 100 {
        text.push(digit(number / 100));
    }
    if number >= 10 {
        text.push(digit(number / 10));
    }
    text.push(digit(number));
}

/// The first that holds: `service` (the caller is a service, or the source a service's name), `own`,
/// `private`, `aws` (`AWS Internal`, or in AWS's ranges), `public`. A source that cannot be read is
/// `service` where `invokedBy` names one, else nothing.
pub(super) fn source_class(fields: &Fields<'_, '_>) -> Option<&'static str> {
    let networks = fields.networks();
    let of_identity = |name| fields.identity().get(name).into_text();
    if of_identity("type").as_deref() == Some("AWSService") {
        return Some("service");
    }
    if let Some(address) = fields.source_address() {
        return Some(match () {
            () if networks.own.contains(address) => "own",
            () if is_private(address) => "private",
            () if networks.aws.contains(address) => "aws",
            () => "public",
        });
    }
    let source = fields.record().text(Key::SourceIpAddress).unwrap_or_default();
    match () {
        () if source.eq_ignore_ascii_case("AWS Internal") => Some("aws"),
        () if is_service_name(&source) => Some("service"),
        () => of_identity("invokedBy").map(|_| "service"),
    }
}

fn is_service_name(source: &str) -> bool {
    let ends_with = |end: &&str| {
        let from = source.len().checked_sub(end.len());
        from.and_then(|from| source.get(from..)).is_some_and(|own| own.eq_ignore_ascii_case(end))
    };
    [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"].iter().any(ends_with)
}

pub(super) fn first_address(source: &str) -> Option<IpAddr> {
    let first = source.split(',').next()?.trim();
    let bare = first.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(first).split('%').next()?;
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => Some(address.to_canonical()),
        Ok(address) => Some(address),
        Err(_) => padded(bare).map(IpAddr::V4),
    }
}

/// An IPv4 address whose octets are padded with zeros: decimal, as CloudTrail means it.
fn padded(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let digits =
            !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
        *octet = part.parse().ok().filter(|_| digits)?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// Addresses that no one on the internet has (IANA special-purpose address registries).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let shared = a == 100 && (64..128).contains(&b);
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || shared
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::derive::{compute, tests::derived};
    use crate::record::{Record, Value};

    fn class(members: &str) -> Vec<String> {
        derived("source_class", members)
    }

    fn from(source: &str) -> String {
        format!(r#""sourceIPAddress":"{source}""#)
    }

    #[test]
    fn networks_of_what_real_feeds_hold() {
        for (source, network) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("035.249.253.232", "35.249.253.0/24"),
            ("203.0.113.77, 10.0.0.1", "203.0.113.0/24"),
            ("2001:db8:1:2::9", "2001:db8:1::/48"),
            ("[2001:db8:1:2::9]", "2001:db8:1::/48"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ] {
            assert_eq!(derived("source_network", &from(source)), [network], "{source}");
        }
        for none in [
            "",
            "AWS Internal",
            "rds.amazonaws.com",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.+4",
            "1.2.3.0004",
        ] {
            assert!(derived("source_network", &from(none)).is_empty(), "{none}");
        }
        assert!(derived("source_network", r#""sourceIPAddress":null"#).is_empty());
    }

    #[test]
    fn classes() {
        for (source, wanted) in [
            ("203.0.113.77", "public"),
            ("2001:db8::1", "public"),
            ("10.1.2.3", "private"),
            ("100.64.0.1", "private"),
            ("172.31.0.1", "private"),
            ("fd00::1", "private"),
            ("AWS Internal", "aws"),
            ("cloudformation.amazonaws.com", "service"),
        ] {
            assert_eq!(class(&from(source)), [wanted], "{source}");
        }
        assert_eq!(class(r#""userIdentity":{"type":"AWSService"}"#), ["service"]);
        assert_eq!(class(r#""userIdentity":{"type":"Root","invokedBy":"x"}"#), ["service"]);
        assert!(class(&from("")).is_empty());
        assert!(class(&from("somewhere")).is_empty());
        // What the caller writes does not make it AWS.
        let agent = format!(r#"{},"userAgent":"AWS Internal""#, from("203.0.113.77"));
        assert_eq!(class(&agent), ["public"]);
    }

    fn set(networks: &[&str]) -> NetworkSet {
        networks.iter().map(|network| Network::parse(network).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn a_set_holds_what_one_of_its_networks_holds(
            v4 in prop::collection::vec((any::<u32>(), 0_u8..=32), 0..12),
            v6 in prop::collection::vec((any::<u128>(), 0_u8..=128), 0..6),
            // Near a network's ends as well as anywhere.
            address in any::<(prop::sample::Index, u32, i8)>(),
        ) {
            let v4 = v4.into_iter().map(|(address, prefix_bits)| Network {
                address: IpAddr::V4(address.into()),
                prefix_bits,
            });
            let v6 = v6.into_iter().map(|(address, prefix_bits)| Network {
                address: IpAddr::V6(address.into()),
                prefix_bits,
            });
            let networks: Vec<Network> = v4.chain(v6).collect();
            let set: NetworkSet = networks.iter().copied().collect();
            let (at, other, by) = address;
            let near = match networks.get(at.index(networks.len().max(1))).map(|n| n.address) {
                None => IpAddr::V4(other.into()),
                Some(IpAddr::V4(near)) => {
                    IpAddr::V4(near.to_bits().wrapping_add_signed(i32::from(by)).into())
                }
                Some(IpAddr::V6(near)) => {
                    IpAddr::V6(near.to_bits().wrapping_add_signed(i128::from(by)).into())
                }
            };
            for address in [near, IpAddr::V4(other.into())] {
                let held = networks.iter().any(|network| network.contains(address));
                prop_assert_eq!(set.contains(address), held, "{}", address);
            }
        }
    }

    #[test]
    fn own_comes_before_private_and_aws_before_public() {
        let networks = Networks {
            own: set(&["10.9.0.0/16", "203.0.113.5"]),
            aws: set(&["52.0.0.0/8", "2600:1f00::/24"]),
        };
        for (source, wanted) in [
            ("10.9.1.1", "own"),
            ("203.0.113.5", "own"),
            ("203.0.113.6", "public"),
            ("10.8.1.1", "private"),
            ("52.1.2.3", "aws"),
            ("2600:1fff::1", "aws"),
            ("2600:2000::1", "public"),
        ] {
            let json = format!(r#"{{"eventTime":"2026-11-07T10:00:00Z",{}}}"#, from(source));
            let record = Record::decode(json.as_bytes()).unwrap();
            let class = compute("source_class", &record, &networks);
            assert_eq!(class.first(), Some(&Value::Text(wanted.into())), "{source}");
        }
    }

    #[test]
    fn networks_that_are_none_are_refused() {
        let everything = Network::parse("0.0.0.0/0").unwrap();
        assert!(everything.contains("255.1.2.3".parse().unwrap()));
        assert!(!everything.contains("::1".parse().unwrap()));
        for bad in ["", "1.2.3.4/", "1.2.3.4/33", "::/129", "1.2.3/8", "x/8", "1.2.3.4/-1"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }
}
