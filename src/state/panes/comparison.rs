//! A conversation that was held in several panes side by side: what each pane shows of it.

use std::cmp::Reverse;

use super::MAX_PANES;
use crate::domain::history::Exchange;

/// Whether a conversation was held in several panes.
pub(in crate::state) fn is_one(exchanges: &[Exchange]) -> bool {
    let mut panes = exchanges.iter().map(|exchange| exchange.pane);
    let first = panes.next();
    panes.any(|pane| Some(pane) != first)
}

/// The exchanges of each pane from the left, its newest last, with those of other panes that they follow. Of more panes
/// than there can be the latest are taken; what was said in the others is among the first one's, on its other branches.
pub(super) fn by_pane(exchanges: &[Exchange]) -> Vec<Vec<Exchange>> {
    // Sorted: those that the conversation began in have no name of their own, and are the first.
    let mut panes: Vec<Option<u64>> = exchanges.iter().map(|exchange| exchange.pane).collect();
    panes.sort_unstable();
    panes.dedup();
    let newest = |pane: &Option<u64>| {
        let own = exchanges.iter().filter(|exchange| exchange.pane == *pane);
        own.map(|exchange| exchange.id).max()
    };
    let mut latest = panes.clone();
    latest.sort_unstable_by_key(|pane| Reverse(newest(pane)));
    latest.truncate(MAX_PANES);
    panes.retain(|pane| latest.contains(pane));
    let is_left_over = |exchange: &&Exchange| !latest.contains(&exchange.pane);
    let with_followed = |(place, pane): (usize, &Option<u64>)| {
        let own = exchanges.iter().filter(|exchange| exchange.pane == *pane);
        let mut all = followed(exchanges, *pane);
        if place == 0 {
            let others = exchanges.iter().filter(is_left_over);
            all.extend(
                others
                    .filter(|other| !all.contains(other))
                    .collect::<Vec<_>>(),
            );
        }
        all.into_iter().chain(own).cloned().collect()
    };
    panes.iter().enumerate().map(with_followed).collect()
}

/// What a pane's exchanges follow in other panes: it began with a copy of their conversation.
fn followed(exchanges: &[Exchange], pane: Option<u64>) -> Vec<&Exchange> {
    let by_id = |id: u64| exchanges.iter().find(|exchange| exchange.id == id);
    let own = exchanges.iter().filter(|exchange| exchange.pane == pane);
    let mut found: Vec<&Exchange> = Vec::new();
    for exchange in own {
        let mut child = exchange;
        // What is followed is older: a file that was meddled with must not send us in circles.
        while let Some(parent) = child.parent.filter(|id| *id < child.id).and_then(by_id) {
            if parent.pane != pane && !found.contains(&parent) {
                found.push(parent);
            }
            child = parent;
        }
    }
    found.sort_by_key(|exchange| exchange.id);
    found
}

/// The exchanges of one pane, its newest last, with those of other panes that they follow. All of them where the
/// conversation was held in one pane.
pub(in crate::state) fn of_pane(exchanges: &[Exchange], pane: Option<u64>) -> Vec<Exchange> {
    if !is_one(exchanges) {
        return exchanges.to_vec();
    }
    let own = exchanges.iter().filter(|exchange| exchange.pane == pane);
    let followed = followed(exchanges, pane).into_iter();
    followed.chain(own).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::history::conversations::tests::exchange;

    fn in_pane(id: u64, pane: Option<u64>, parent: Option<u64>) -> Exchange {
        Exchange {
            id,
            pane,
            parent,
            ..exchange()
        }
    }

    fn ids(parts: &[Vec<Exchange>]) -> Vec<Vec<u64>> {
        let of = |part: &Vec<Exchange>| part.iter().map(|exchange| exchange.id).collect();
        parts.iter().map(of).collect()
    }

    #[test]
    fn each_pane_has_its_own_and_what_it_was_a_copy_of() {
        let all = [
            in_pane(1, None, None),
            in_pane(2, Some(2), None),
            in_pane(3, None, Some(1)),
            in_pane(4, Some(4), Some(3)),
            in_pane(5, Some(2), Some(2)),
            in_pane(6, Some(4), Some(4)),
        ];
        assert!(is_one(&all) && !is_one(&all[..1]));
        assert_eq!(
            ids(&by_pane(&all)),
            [vec![1, 3], vec![2, 5], vec![1, 3, 4, 6]]
        );
    }

    #[test]
    fn of_more_panes_than_there_can_be_nothing_is_lost() {
        let all: Vec<Exchange> = (1..=6)
            .map(|id| in_pane(id, Some(id).filter(|id| *id > 1), None))
            .collect();
        let parts = by_pane(&all);
        assert_eq!(ids(&parts), [vec![1, 2, 3], vec![4], vec![5], vec![6]]);
        assert_eq!(parts[0].last().map(|last| last.pane), Some(Some(3)));
    }
}
