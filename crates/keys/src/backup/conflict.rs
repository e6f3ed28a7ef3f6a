//! Which of two keys of one session is the better one.

/// What decides between two keys of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank {
    pub(crate) is_verified: bool,
    pub(crate) first_message_index: i64,
    pub(crate) forwarded_count: i64,
}

impl Rank {
    /// Whether a key of this rank replaces the stored one.
    ///
    /// A verified key replaces one that is not; among equals the one that opens more messages
    /// does, and then the one that was forwarded less often. Otherwise the stored one stays.
    pub(crate) fn replaces(self, stored: Self) -> bool {
        if self.is_verified != stored.is_verified {
            return self.is_verified;
        }
        (self.first_message_index, self.forwarded_count)
            < (stored.first_message_index, stored.forwarded_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(is_verified: bool, first_message_index: i64, forwarded_count: i64) -> Rank {
        Rank {
            is_verified,
            first_message_index,
            forwarded_count,
        }
    }

    #[test]
    fn the_better_key_stays() {
        let table = [
            // stored, given, whether the given one replaces it
            (rank(false, 5, 5), rank(true, 9, 9), true),
            (rank(true, 9, 9), rank(false, 0, 0), false),
            (rank(true, 5, 5), rank(true, 4, 9), true),
            (rank(true, 5, 5), rank(true, 6, 0), false),
            (rank(false, 5, 5), rank(false, 4, 9), true),
            (rank(false, 5, 5), rank(false, 6, 0), false),
            (rank(false, 5, 5), rank(false, 5, 4), true),
            (rank(false, 5, 5), rank(false, 5, 6), false),
            (rank(true, 5, 5), rank(true, 5, 5), false),
            (rank(false, 0, 0), rank(false, 0, 0), false),
        ];
        for (stored, given, expected) in table {
            assert_eq!(
                given.replaces(stored),
                expected,
                "{given:?} over {stored:?}"
            );
        }
    }
}
