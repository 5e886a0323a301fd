//! Addresses and networks, as records hold them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8` or `2001:db8::/32`; without a length, the one address. The error says
    /// what is wrong, and holds the network meant where bits are set beyond the length.
    pub(crate) fn parse(text: &str) -> Result<Network, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| format!("`{text}` is no network"))?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => bits_max,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= bits_max).ok_or_else(|| {
                format!("`{text}` is no network: its length must be 0 to {bits_max}")
            })?,
        };
        let first = masked(address, bits);
        if first != address {
            return Err(format!(
                "`{text}` has bits set beyond its length, `{first}/{bits}` is the network"
            ));
        }
        Ok(Network { address, bits })
    }

    /// Whether the address lies in it.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

/// Reads an address as records hold it: octets may have leading zeros (`035.249.253.232`, read as
/// decimal), and an IPv4 address may be written as an IPv6 one (`::ffff:192.0.2.1`).
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let mut octets = [0_u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let decimal = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        *octet = decimal.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then(|| IpAddr::V4(Ipv4Addr::from(octets)))
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn holds_what_lies_in_it() {
        for (network, text, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "198.51.100.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("35.249.253.232", "035.249.253.232", true),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("2001:db8::/32", "2001:db8:1::", true),
            ("::/0", "::1", true),
            ("2001:db8::/32", "2001:db9::", false),
        ] {
            let network = Network::parse(network).unwrap();
            let held = address(text).is_some_and(|a| network.holds(a));
            assert_eq!(held, expected, "{network:?} {text}");
        }
        for bad in
            ["", "sagemaker.amazonaws.com", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4, 5.6.7.8"]
        {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(
            Network::parse("10.0.0.1/8").unwrap_err(),
            "`10.0.0.1/8` has bits set beyond its length, `10.0.0.0/8` is the network"
        );
        assert_eq!(
            Network::parse("10.0.0.0/33").unwrap_err(),
            "`10.0.0.0/33` is no network: its length must be 0 to 32"
        );
        assert_eq!(Network::parse("ten").unwrap_err(), "`ten` is no network");
    }
}
