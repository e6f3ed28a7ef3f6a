//! What an answer has wrong, compared with what was written.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// What reading back found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faults {
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) reordered: usize,
    pub(crate) altered: usize,
    /// What belongs to no such answer.
    pub(crate) foreign: usize,
}

impl Faults {
    /// Compares what was told with what was written, which has an order.
    pub(crate) fn in_order(written: &[String], told: &[String]) -> Self {
        let places = written.iter().enumerate();
        let places: HashMap<&str, usize> = places.map(|(place, id)| (id.as_str(), place)).collect();
        let mut faults = Self::default();
        let mut seen = HashSet::new();
        let mut last = None;
        for id in told {
            match places.get(id.as_str()) {
                None => faults.foreign += 1,
                Some(place) if !seen.insert(place) => faults.doubled += 1,
                Some(place) => {
                    faults.reordered += usize::from(last > Some(place));
                    last = Some(place);
                }
            }
        }
        faults.lost = places.len() - seen.len();
        faults
    }

    /// Compares what was told with what was written, in whichever order.
    pub(crate) fn in_any_order(written: &[String], told: &[String]) -> Self {
        Self {
            reordered: 0,
            ..Self::in_order(written, told)
        }
    }

    /// Compares two numbers of the same things.
    pub(crate) fn in_number(written: usize, told: usize) -> Self {
        Self {
            lost: written.saturating_sub(told),
            foreign: told.saturating_sub(written),
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.altered += other.altered;
        self.foreign += other.foreign;
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn found(written: &str, told: &str) -> [usize; 4] {
        let faults = Faults::in_order(&ids(written), &ids(told));
        assert_eq!(faults.altered, 0);
        [
            faults.lost,
            faults.doubled,
            faults.reordered,
            faults.foreign,
        ]
    }

    #[test]
    fn what_is_as_it_was_written_has_no_fault() {
        assert!(Faults::in_order(&ids("a b c"), &ids("a b c")).is_none());
        assert!(Faults::in_order(&[], &[]).is_none());
        assert!(Faults::in_any_order(&ids("a b c"), &ids("c a b")).is_none());
        assert!(Faults::in_number(3, 3).is_none());
    }

    #[test]
    fn each_fault_is_counted_as_what_it_is() {
        assert_eq!(found("a b c", "a c"), [1, 0, 0, 0]);
        assert_eq!(found("a b c", "a b b b c"), [0, 2, 0, 0]);
        assert_eq!(found("a b c", "b a c"), [0, 0, 1, 0]);
        assert_eq!(found("a b c", "a b x c"), [0, 0, 0, 1]);
        assert_eq!(found("a b c d", "x d a a"), [2, 1, 1, 1]);
        assert_eq!(found("a b", ""), [2, 0, 0, 0]);
    }

    #[test]
    fn numbers_differ_in_two_directions() {
        assert_eq!(Faults::in_number(5, 3).lost, 2);
        assert_eq!(Faults::in_number(3, 5).foreign, 2);
    }

    #[test]
    fn faults_add_up() {
        let mut faults = Faults::in_order(&ids("a b"), &ids("b a"));
        faults.add(Faults::in_order(&ids("a b"), &ids("a a x")));
        let expected = Faults {
            lost: 1,
            doubled: 1,
            reordered: 1,
            altered: 0,
            foreign: 1,
        };
        assert_eq!(faults, expected);
        assert!(!faults.is_none());
    }
}
