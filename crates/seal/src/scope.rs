//! What a data key covers, and where a sealed value stands.

use std::fmt;

use model::time::Timestamp;

/// A calendar month (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u8,
}

impl Month {
    /// The month that a moment falls into.
    pub fn of(moment: Timestamp) -> Self {
        // Civil date from days since the epoch, in years that begin on 1 March.
        let days = moment.as_millis().div_euclid(86_400_000) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year: i32::try_from(year).unwrap_or(i32::MAX),
            month: u8::try_from(month).unwrap_or(1),
        }
    }
}

/// What one data key covers: what is destroyed together when the key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A room's content of one month.
    Room {
        /// The room's interned id.
        room: i64,
        /// The month in which it is written.
        month: Month,
    },
    /// What belongs to one user, by interned id.
    User(i64),
    /// What belongs to the deployment, such as its audit records.
    Deployment,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room { room, month } => {
                write!(
                    formatter,
                    "room:{room}:{:04}-{:02}",
                    month.year, month.month
                )
            }
            Self::User(user) => write!(formatter, "user:{user}"),
            Self::Deployment => formatter.write_str("deployment"),
        }
    }
}

/// Where a sealed value stands. It opens only there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's stable id, never its `pos`.
    pub id: &'a str,
}

impl Place<'_> {
    /// The associated data: each part with its length before it, so that no two places collide.
    pub(crate) fn associated_data(&self) -> Vec<u8> {
        let parts = [self.table, self.column, self.id];
        let mut data = Vec::with_capacity(24 + parts.iter().map(|part| part.len()).sum::<usize>());
        for part in parts {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month_of(millis: i64) -> String {
        let month = Month::of(Timestamp::from_millis(millis));
        format!("{:04}-{:02}", month.year, month.month)
    }

    #[test]
    fn months_follow_the_calendar() {
        assert_eq!(month_of(0), "1970-01");
        assert_eq!(month_of(-1), "1969-12");
        assert_eq!(month_of(951_782_399_999), "2000-02"); // 28 February 2000, last millisecond
        assert_eq!(month_of(951_868_799_999), "2000-02"); // 29 February 2000, last millisecond
        assert_eq!(month_of(951_868_800_000), "2000-03");
        assert_eq!(month_of(4_102_444_799_999), "2099-12");
        assert_eq!(month_of(4_102_444_800_000), "2100-01");
    }

    #[test]
    fn places_with_shifted_parts_differ() {
        let one = Place {
            table: "ab",
            column: "c",
            id: "d",
        };
        let other = Place {
            table: "a",
            column: "bc",
            id: "d",
        };
        assert_ne!(one.associated_data(), other.associated_data());
    }
}
