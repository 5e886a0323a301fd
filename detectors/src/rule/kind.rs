//! What a window must hold.

use serde::{Deserialize, Serialize};

use super::{Level, SUM_UNIT};

/// A comparison of a window's measure with numbers, Sigma's `condition: {gte: 5, lt: 9}`: all hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Threshold {
    /// At least (for sums in millionths).
    pub gte: Option<u64>,
    /// At most.
    pub lte: Option<u64>,
    /// Exactly.
    pub eq: Option<u64>,
    /// Anything but.
    pub neq: Option<u64>,
}

impl Threshold {
    /// `gte: n`.
    #[must_use]
    pub fn at_least(n: u64) -> Threshold {
        Threshold { gte: Some(n), ..Threshold::default() }
    }

    /// Whether `measure` satisfies it.
    #[must_use]
    pub fn holds(&self, measure: u64) -> bool {
        self.gte.is_none_or(|n| measure >= n)
            && self.lte.is_none_or(|n| measure <= n)
            && self.eq.is_none_or(|n| measure == n)
            && self.neq.is_none_or(|n| measure != n)
    }

    /// Whether more samples can only help: then it is decided at once, else at the watermark.
    #[must_use]
    pub fn is_monotone(&self) -> bool {
        self.lte.is_none() && self.eq.is_none() && self.neq.is_none()
    }
}

/// Which members of a temporal rule must be in the window; members by bit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Members {
    /// The member with this bit (0 to 63).
    One(u8),
    /// All of these.
    And(Vec<Members>),
    /// Any of these.
    Or(Vec<Members>),
    /// Not this (decided at the watermark).
    Not(Box<Members>),
    /// All of the members 0 to n, each with a value that no other of them has
    /// (`floodmark.differ`). A sample's value is then made by [`Members::apart`].
    Apart(u8),
}

impl Members {
    /// Most members of which each must differ from all others.
    pub const APART_MAX: u8 = 8;

    /// A sample's value for [`Members::Apart`]: the member, and a hash of what must differ.
    #[must_use]
    pub fn apart(member: u8, hash: u64) -> u64 {
        hash << 6 | u64::from(member & 63)
    }

    /// Which member, and what must differ, of such a value.
    #[must_use]
    pub fn of_apart(value: u64) -> (usize, u64) {
        ((value & 63) as usize, value >> 6)
    }
}

/// What a window must hold, and how it is measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// `event_count`, and a single-record rule (at least 1).
    Count(Threshold),
    /// `value_count`.
    Distinct(Threshold),
    /// `value_sum`, in millionths.
    Sum(Threshold),
    /// `temporal`.
    Temporal(Members),
    /// `temporal_ordered` over members 0..n, in this order.
    Ordered(u8),
    /// A value not seen under the key in `memory_secs`, once the key is `warmup_secs` old.
    FirstSeen {
        /// How long a value is remembered.
        memory_secs: i64,
        /// How old a key's history must be before it speaks.
        warmup_secs: i64,
    },
    /// A closed bin that towers over the bins before it.
    Surge {
        /// Bin length; bins are aligned to the epoch.
        bucket_secs: i64,
        /// How many whole bins before it make the baseline.
        buckets: u32,
        /// How many of them must lie after the key's first sample.
        buckets_min: u32,
        /// Thousandths: 10_000 is ten times the mean.
        factor_milli: u64,
        /// Least count that is a surge.
        floor: u64,
    },
    /// A key active in every slot, then nothing.
    Silence {
        /// How long nothing.
        quiet_secs: i64,
        /// Slot length; slots are aligned to the epoch.
        slot_secs: i64,
        /// How many slots before the last sample must each hold one.
        slots: u32,
    },
}

impl Kind {
    /// How much of the measure is one of what people count in.
    #[must_use]
    pub fn unit(&self) -> u64 {
        if matches!(self, Kind::Sum(_)) { SUM_UNIT } else { 1 }
    }

    /// Whether a late sample could undo what this kind says, so that it waits for the watermark.
    #[must_use]
    pub fn waits(&self) -> bool {
        match self {
            Kind::Count(t) | Kind::Distinct(t) | Kind::Sum(t) => !t.is_monotone(),
            Kind::Temporal(members) => has_not(members),
            Kind::Ordered(_) => false,
            Kind::FirstSeen { .. } | Kind::Surge { .. } | Kind::Silence { .. } => true,
        }
    }
}

fn has_not(members: &Members) -> bool {
    match members {
        Members::One(_) | Members::Apart(_) => false,
        Members::And(all) | Members::Or(all) => all.iter().any(has_not),
        Members::Not(_) => true,
    }
}

/// A further mark on the same samples: raises the level of a burst, makes no further burst.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// Level of a burst that satisfies it.
    pub level: Level,
    /// At least so much (for sums in millionths).
    pub gte: u64,
    /// Within so many seconds.
    pub timespan_secs: i64,
}
