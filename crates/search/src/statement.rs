//! Statements about many rows at once, in one text for each of a few sizes.

use std::{fmt::Write as _, sync::OnceLock};

use store::Value;

/// How many rows a statement has places for.
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];

/// A statement with a list of rows of integers in it. Those that are left over are NULL.
pub(crate) struct ManyRows {
    before: &'static str,
    behind: &'static str,
    /// How many values a row has.
    width: usize,
    by_size: [OnceLock<String>; SIZES.len()],
}

impl ManyRows {
    /// The list stands between two parts of the text.
    pub(crate) const fn new(before: &'static str, behind: &'static str, width: usize) -> Self {
        Self {
            before,
            behind,
            width,
            by_size: [const { OnceLock::new() }; SIZES.len()],
        }
    }

    /// The statements that these rows need, the last one padded.
    pub(crate) fn padded(
        &'static self,
        mut values: Vec<Value>,
    ) -> impl Iterator<Item = (&'static str, Vec<Value>)> {
        let mut statements = Vec::new();
        while !values.is_empty() {
            let rows = values.len().div_ceil(self.width);
            let size = SIZES.iter().position(|size| rows <= *size);
            let size = size.unwrap_or(SIZES.len() - 1);
            let most = SIZES[size] * self.width;
            let rest = values.split_off(most.min(values.len()));
            values.resize(most, Value::Null);
            statements.push((self.sized(size), values));
            values = rest;
        }
        statements.into_iter()
    }

    fn sized(&'static self, size: usize) -> &'static str {
        self.by_size[size].get_or_init(|| {
            let mut text = self.before.to_owned();
            for row in 0..SIZES[size] {
                text.push_str(if row == 0 { "(" } else { "), (" });
                for column in 0..self.width {
                    let comma = if column == 0 { "" } else { ", " };
                    let number = row * self.width + column + 1;
                    write!(text, "{comma}CAST(${number} AS BIGINT)").expect("a string takes all");
                }
            }
            text + ")" + self.behind
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static READ: ManyRows = ManyRows::new("VALUES ", " END", 2);

    fn integers(count: i64) -> Vec<Value> {
        (0..count).map(Value::Int).collect()
    }

    #[test]
    fn rows_are_padded_to_the_sizes_that_there_are() {
        let statements: Vec<_> = READ.padded(integers(4)).collect();
        let text = "VALUES (CAST($1 AS BIGINT), CAST($2 AS BIGINT)), \
                    (CAST($3 AS BIGINT), CAST($4 AS BIGINT)), ";
        assert!(statements[0].0.starts_with(text) && statements[0].0.ends_with(") END"));
        assert_eq!((statements.len(), statements[0].1.len()), (1, 8));
        assert_eq!(statements[0].1[3..5], [Value::Int(3), Value::Null]);

        let of_reading: Vec<_> = READ
            .padded(integers(1_200))
            .map(|(_, all)| all.len())
            .collect();
        assert_eq!(of_reading, [512, 512, 512]);
    }
}
