//! SageMaker's instance types: what accelerators they hold, what an hour of one costs.

use std::sync::LazyLock;

use super::rows;
use crate::sample::millionths;

/// An instance type in its parts: `ml.p4d.24xlarge` is family `p4d`, size `24xlarge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceType<'a> {
    /// Generation and kind: `p4d`.
    pub family: &'a str,
    /// Size within the family: `24xlarge`.
    pub size: &'a str,
}

/// Numbers by size, of one family.
struct Family {
    name: &'static str,
    by_size: Vec<(&'static str, u64)>,
}

/// Numbers of accelerators.
static ACCELERATORS: LazyLock<Vec<Family>> =
    LazyLock::new(|| families(include_str!("accelerators.tsv"), |number| number.parse().ok()));

/// Prices, millionths of a US dollar an hour.
static PRICES: LazyLock<Vec<Family>> =
    LazyLock::new(|| families(include_str!("prices.tsv"), millionths));

/// Classes (the letters before the generation) of which every family is accelerated.
const CLASSES_ACCELERATED: &[&str] = &["p", "g", "gr", "trn", "inf", "dl"];

/// Classes of which no family is.
const CLASSES_PLAIN: &[&str] =
    &["t", "m", "c", "r", "x", "i", "d", "h", "z", "a", "u", "im", "is", "hpc"];

impl<'a> InstanceType<'a> {
    /// Takes an instance type apart; the leading `ml.` may be missing. Not `system`, Studio's
    /// word for no instance of one's own.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<InstanceType<'a>> {
        let text = match text.split_once('.') {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("ml") => rest,
            _ => text,
        };
        let (family, size) = text.split_once('.')?;
        (!family.is_empty() && !size.is_empty()).then_some(InstanceType { family, size })
    }

    /// How many GPUs, Trainium, Inferentia or Gaudi chips one instance holds.
    ///
    /// Of an accelerated family or class whose size is not in the table, one: at least that
    /// many. None where not even the class is known.
    #[must_use]
    pub fn accelerators(&self) -> Option<u64> {
        if let Some(family) = find(&ACCELERATORS, self.family) {
            return Some(family.of(self.size).unwrap_or(1));
        }
        let class = self.family.split(|c: char| !c.is_ascii_alphabetic()).next()?;
        let generation = self.family.strip_prefix(class)?;
        if !generation.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let among = |classes: &[&str]| classes.iter().any(|c| c.eq_ignore_ascii_case(class));
        match (among(CLASSES_ACCELERATED), among(CLASSES_PLAIN)) {
            (true, _) => Some(1),
            (false, true) => Some(0),
            (false, false) => None,
        }
    }

    /// What an hour of one costs, millionths of a US dollar: on demand, us-east-1, an estimate.
    /// None where the table does not say.
    #[must_use]
    pub fn hourly_cost_millionths(&self) -> Option<u64> {
        find(&PRICES, self.family)?.of(self.size)
    }
}

impl Family {
    fn of(&self, size: &str) -> Option<u64> {
        let found = self.by_size.iter().find(|(name, _)| name.eq_ignore_ascii_case(size));
        found.map(|(_, number)| *number)
    }
}

fn find<'f>(families: &'f [Family], name: &str) -> Option<&'f Family> {
    families.iter().find(|f| f.name.eq_ignore_ascii_case(name))
}

/// Reads a table whose first column is the family and whose last is `size=number size=number`.
fn families(table: &'static str, number: fn(&str) -> Option<u64>) -> Vec<Family> {
    let family = |mut row: std::str::Split<'static, char>| {
        let name = row.next()?;
        let sizes = row.next_back()?.split(' ');
        let by_size = sizes
            .filter_map(|one| {
                let (size, text) = one.split_once('=')?;
                Some((size, number(text)?))
            })
            .collect();
        Some(Family { name, by_size })
    };
    rows(table).filter_map(family).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn accelerators(text: &str) -> Option<u64> {
        InstanceType::parse(text)?.accelerators()
    }

    #[test]
    fn accelerators_by_table_then_by_class() {
        assert_eq!(accelerators("ml.p4d.24xlarge"), Some(8));
        assert_eq!(accelerators("ML.P5.48XLARGE"), Some(8));
        assert_eq!(accelerators("g5.12xlarge"), Some(4));
        assert_eq!(accelerators("ml.trn1.32xlarge"), Some(16));
        assert_eq!(accelerators("ml.p6-b200.48xlarge"), Some(8));
        assert_eq!(accelerators("ml.g7e.48xlarge"), Some(8));
        assert_eq!(accelerators("ml.m5.large"), Some(0));
        assert_eq!(accelerators("ml.c7gn.4xlarge"), Some(0));
        // Known family, unknown size; unknown family of a known class.
        assert_eq!(accelerators("ml.p4d.96xlarge"), Some(1));
        assert_eq!(accelerators("ml.p9.48xlarge"), Some(1));
        assert_eq!(accelerators("ml.quantum1.large"), None);
        for nothing in ["system", "", "ml.", "ml.p4d", "ml.p4d.", ".", "ml..", "p.large"] {
            assert_eq!(accelerators(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn cost_only_where_the_table_says() {
        let cost = |text| InstanceType::parse(text).unwrap().hourly_cost_millionths();
        assert_eq!(cost("ml.m5.xlarge"), Some(230_000));
        assert_eq!(cost("ml.p4d.24xlarge"), Some(25_251_288));
        assert_eq!(cost("ml.m5.96xlarge"), None);
        assert_eq!(cost("ml.x9.large"), None);
    }

    #[test]
    fn every_row_of_the_tables_is_read() {
        for (families, table) in [
            (&ACCELERATORS, include_str!("accelerators.tsv")),
            (&PRICES, include_str!("prices.tsv")),
        ] {
            let numbers: usize = families.iter().map(|f| f.by_size.len()).sum();
            let written: usize =
                rows(table).map(|mut r| r.next_back().unwrap().split(' ').count()).sum();
            assert_eq!(numbers, written);
            assert_eq!(families.len(), rows(table).count());
        }
    }
}
