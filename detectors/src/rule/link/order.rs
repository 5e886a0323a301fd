//! Which rule comes before which: what counts others comes behind them.

use super::super::fault::Problem;
use super::Linker;

impl Linker<'_> {
    /// Drafts with windows, members before the correlations that name them.
    pub(super) fn order(&mut self) -> Vec<usize> {
        let waits_for = |linker: &Self, at: usize| -> usize {
            let members = linker.members.get(at).map(Vec::as_slice).unwrap_or_default();
            let named = members.iter().flatten();
            named.filter(|m| linker.correlation(**m).is_some()).count()
        };
        let mut order: Vec<usize> = (0..self.drafts.len())
            .filter(|at| self.correlation(*at).is_none() && self.has_window(*at))
            .collect();
        let mut open: Vec<usize> = (0..self.drafts.len()).map(|at| waits_for(self, at)).collect();
        let mut ready: Vec<usize> = (0..self.drafts.len())
            .filter(|at| self.correlation(*at).is_some() && open.get(*at) == Some(&0))
            .rev()
            .collect();
        let mut done = 0;
        while let Some(at) = ready.pop() {
            order.push(at);
            done += 1;
            for parent in self.parents.get(at).cloned().unwrap_or_default() {
                if let Some(count) = open.get_mut(parent) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        ready.push(parent);
                    }
                }
            }
        }
        let all = (0..self.drafts.len()).filter(|at| self.correlation(*at).is_some());
        if done < all.count() {
            self.tell_cycles(&open);
        }
        order.retain(|at| self.has_window(*at));
        for (place, at) in order.iter().enumerate() {
            if let Some(slot) = self.rule_of.get_mut(*at) {
                *slot = Some(place);
            }
        }
        order
    }

    /// A correlation that waits for itself; those that merely wait for it are not at fault.
    fn tell_cycles(&mut self, open: &[usize]) {
        for start in 0..self.drafts.len() {
            let waiting = |at: &usize| open.get(*at).is_some_and(|count| *count > 0);
            if !waiting(&start) {
                continue;
            }
            let mut seen = vec![false; self.drafts.len()];
            let mut next = vec![start];
            let mut reaches_itself = false;
            while let Some(at) = next.pop() {
                for member in self.members.get(at).into_iter().flatten().flatten() {
                    reaches_itself |= *member == start;
                    if let Some(seen) = seen.get_mut(*member)
                        && !*seen
                        && waiting(member)
                    {
                        *seen = true;
                        next.push(*member);
                    }
                }
            }
            if reaches_itself && let Some(draft) = self.drafts.get(start) {
                let line = self.correlation(start).map_or(draft.line, |c| c.line);
                let reason = format!("rule `{}` counts itself, by way of `rules`", draft.label());
                self.fault(start, Problem::new(line, reason));
            }
        }
    }
}
