//! What keeps ordinary work under every mark.
//!
//! Time is cut into slots as long as a rule's window, and in a slot an owner (an actor, an account)
//! may do at most so much. A closed window [T-W, T] meets two slots of W seconds at most, so no
//! window ever holds more than twice the allowance; each allowance is less than half of its mark.

use floodmark_detectors::time::EventTime;

use super::operation::Guard;

/// What is held down: at most `most` in each slot of `slot_secs`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    place: usize,
    most: u32,
    slot_secs: i64,
}

const fn allowance(place: usize, most: u32, slot_secs: i64) -> Allowance {
    Allowance { place, most, slot_secs }
}

/// How many kinds of allowance an actor has, and an account.
const ACTOR_KINDS: usize = 14;
const ACCOUNT_KINDS: usize = 2;

/// Calls of one actor that were throttled: mark 50 in a minute.
pub(super) const THROTTLED: Allowance = allowance(0, 20, 60);
/// Calls of one actor that were denied.
pub(super) const DENIED: Allowance = allowance(1, 9, 60);
/// Instance types one actor was refused: mark 3 in ten minutes.
pub(super) const REFUSED: Allowance = allowance(2, 1, 600);
/// Requests for compute in one account: mark 50 in ten minutes.
pub(super) const COMPUTE: Allowance = allowance(0, 24, 600);
/// Accelerators asked for in one account: mark 32 in an hour.
pub(super) const ACCELERATORS: Allowance = allowance(1, 15, 3_600);

impl Allowance {
    /// What one actor may do of a guarded call. The marks are those of the shipped rules.
    pub(super) fn of(guard: Guard) -> Option<Allowance> {
        Some(match guard {
            // Compute that is no job counts over the account alone.
            Guard::None | Guard::Compute => return None,
            Guard::Job => allowance(3, 9, 600),
            Guard::Endpoint => allowance(4, 4, 600),
            Guard::Destroy => allowance(5, 4, 600),
            Guard::Describe => allowance(6, 12, 600),
            Guard::SignIn => allowance(7, 2, 600),
            Guard::Decrypt => allowance(8, 9, 300),
            Guard::Secret => allowance(9, 9, 300),
            Guard::ParameterRead => allowance(10, 9, 300),
            Guard::ParameterWrite => allowance(11, 9, 300),
            Guard::ParameterDelete => allowance(12, 9, 300),
            Guard::Password => allowance(13, 9, 300),
        })
    }
}

/// What was done in the slot last seen.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    slot: i64,
    amount: u32,
}

/// What everyone has done so far. Calls come in order of time.
pub(super) struct Budgets {
    actors: Vec<[Done; ACTOR_KINDS]>,
    accounts: Vec<[Done; ACCOUNT_KINDS]>,
}

impl Budgets {
    pub(super) fn new(actors: usize, accounts: usize) -> Budgets {
        Budgets {
            actors: vec![[Done::default(); ACTOR_KINDS]; actors],
            accounts: vec![[Done::default(); ACCOUNT_KINDS]; accounts],
        }
    }

    /// Whether an actor may do one more; if so it counts as done.
    pub(super) fn actor(&mut self, actor: u32, allowance: Allowance, time: EventTime) -> bool {
        self.actors[actor as usize][allowance.place].take(allowance, 1, time)
    }

    /// Whether an account has room for so much; if so it counts as done.
    pub(super) fn account(
        &mut self,
        account: u16,
        allowance: Allowance,
        amount: u32,
        time: EventTime,
    ) -> bool {
        self.accounts[usize::from(account)][allowance.place].take(allowance, amount, time)
    }
}

impl Done {
    fn take(&mut self, allowance: Allowance, amount: u32, time: EventTime) -> bool {
        let slot = time.0.div_euclid(allowance.slot_secs);
        if self.slot != slot {
            *self = Done { slot, amount: 0 };
        }
        let fits = self.amount + amount <= allowance.most;
        if fits {
            self.amount += amount;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_holds_more_than_twice_the_allowance() {
        let mut budgets = Budgets::new(1, 1);
        let job = Allowance::of(Guard::Job).expect("jobs are held down");
        let allowed: Vec<i64> =
            (0..5_000).filter(|t| budgets.actor(0, job, EventTime(*t))).collect();
        for begin in 0..5_000 {
            let held = allowed.iter().filter(|t| (begin..=begin + 600).contains(*t)).count();
            assert!(held <= 18, "{held} in [{begin}, {}]", begin + 600);
        }
    }
}
