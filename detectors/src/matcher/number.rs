//! Numbers, wherever a record wrote them as one or as a text.

use std::cmp::Ordering;

/// A finite number. Whole numbers compare exactly up to 64 bits, others as 64-bit floats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number {
    whole: Option<i64>,
    float: f64,
}

/// `gt` and its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Number {
    /// Reads a decimal number; no `inf`, no hexadecimal, no spaces around it.
    pub(crate) fn parse(text: &str) -> Option<Number> {
        let plausible = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        if !text.bytes().all(|byte| plausible(&byte)) {
            return None;
        }
        let float: f64 = text.parse().ok()?;
        float.is_finite().then(|| Number { whole: text.parse().ok(), float })
    }

    /// A whole number.
    pub(crate) fn whole(number: i64) -> Number {
        #[allow(clippy::cast_precision_loss)]
        Number { whole: Some(number), float: number as f64 }
    }

    /// Whether `self` stands to `other` as asked.
    pub(crate) fn is(self, comparison: Comparison, other: Number) -> bool {
        let order = match (self.whole, other.whole) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => self.float.partial_cmp(&other.float),
        };
        match comparison {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_and_compares() {
        let is = |a: &str, c, b: &str| Number::parse(a).unwrap().is(c, Number::parse(b).unwrap());
        assert!(is("20", Comparison::Equal, "20.0"));
        assert!(is("2e1", Comparison::Equal, "20"));
        assert!(is("9007199254740993", Comparison::Greater, "9007199254740992"));
        assert!(is("0.5", Comparison::Less, "1"));
        assert!(is("1", Comparison::LessOrEqual, "1"));
        assert!(is("-1", Comparison::GreaterOrEqual, "-1.5"));
        for bad in ["", "inf", "NaN", " 1", "0x10", "1,0", "1e999", "e", "-"] {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
    }
}
