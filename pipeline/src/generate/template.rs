//! Pieces of records with holes in them: `{"instanceId":"i-0<hex:16>"}`.
//!
//! A template is taken apart once; filling it then is a walk over pieces that appends bytes, which
//! is why a record costs about a microsecond and no allocation.

/// Text and holes in turn.
#[derive(Debug)]
pub(super) struct Template(pub(super) Vec<Piece>);

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it stands.
    Text(&'static str),
    /// What the record fills in.
    Hole(Hole),
}

/// What a record fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hole {
    /// The account's number.
    Account,
    /// `aws`, or `aws-us-gov`.
    Partition,
    /// The region of the call.
    Region,
    /// The name of the acting role, user or service.
    Actor,
    /// The name of the thing the call is about, made from its number.
    Resource,
    /// An instance type.
    Machine,
    /// How many instances, jobs or the like.
    Count,
    /// A tenth of it, at least 1.
    Tenth,
    /// The account's Studio domain.
    Domain,
    /// The time of the call.
    Time,
    /// One of the account's buckets.
    Bucket,
    /// The key of an object.
    Key,
    /// The address the call comes from.
    Address,
    /// One of the few encryption keys that the actor uses.
    KmsKey,
    /// One of the few roles that the actor assumes.
    Peer,
    /// A UUID.
    Uuid,
    /// So many hexadecimal digits.
    Hex(u16),
    /// So many capital letters and digits.
    Base(u16),
    /// So many characters of what looks like base64: tokens, keys, ciphertext.
    Blob(u16),
    /// A decimal number below this.
    Number(u16),
    /// A policy, escaped into a text: mostly short, sometimes very long.
    Policy,
    /// A list of objects, mostly short.
    Items,
}

impl Template {
    /// Takes a template apart. Holes are named in the source of this crate, so a wrong one is a
    /// fault of ours.
    pub(super) fn parse(text: &'static str) -> Template {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, from_hole)) = rest.split_once('<') {
            let (hole, after) = from_hole.split_once('>').expect("a hole ends with >");
            if !before.is_empty() {
                pieces.push(Piece::Text(before));
            }
            pieces.push(Piece::Hole(Hole::parse(hole)));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        Template(pieces)
    }
}

impl Hole {
    fn parse(text: &str) -> Hole {
        let (name, size) = text.split_once(':').unwrap_or((text, "0"));
        let size = size.parse().expect("the size of a hole is a number");
        match name {
            "account" => Hole::Account,
            "partition" => Hole::Partition,
            "region" => Hole::Region,
            "actor" => Hole::Actor,
            "resource" => Hole::Resource,
            "machine" => Hole::Machine,
            "count" => Hole::Count,
            "tenth" => Hole::Tenth,
            "domain" => Hole::Domain,
            "time" => Hole::Time,
            "bucket" => Hole::Bucket,
            "key" => Hole::Key,
            "address" => Hole::Address,
            "kms_key" => Hole::KmsKey,
            "peer" => Hole::Peer,
            "uuid" => Hole::Uuid,
            "hex" => Hole::Hex(size),
            "base" => Hole::Base(size),
            "blob" => Hole::Blob(size),
            "number" => Hole::Number(size),
            "policy" => Hole::Policy,
            "items" => Hole::Items,
            _ => panic!("no hole is called {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_holes_in_turn() {
        let template = Template::parse(r#"{"a":"<hex:4>","b":<count>}"#);
        assert_eq!(
            template.0,
            [
                Piece::Text("{\"a\":\""),
                Piece::Hole(Hole::Hex(4)),
                Piece::Text("\",\"b\":"),
                Piece::Hole(Hole::Count),
                Piece::Text("}"),
            ]
        );
    }
}
