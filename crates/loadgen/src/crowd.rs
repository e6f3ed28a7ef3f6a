//! Many connections that do one job together.

use anyhow::Result;
use futures_util::future::try_join_all;
use url::Url;

use crate::http::Connection;

/// How many connections set a stage.
pub(crate) const HANDS: usize = 64;

/// Does a job for each index below `count`, over so many connections at once.
///
/// A connection does every `hands`th index, one after another. What comes back is in the order of
/// the indices.
pub(crate) async fn share_out<T>(
    url: &Url,
    hands: usize,
    count: usize,
    job: impl AsyncFn(&mut Connection, usize) -> Result<T>,
) -> Result<Vec<T>> {
    let shares = (0..hands.min(count)).map(|hand| {
        let job = &job;
        async move {
            let mut connection = Connection::open(url).await?;
            let mut done = Vec::new();
            for index in (hand..count).step_by(hands) {
                done.push(job(&mut connection, index).await?);
            }
            anyhow::Ok(done)
        }
    });
    Ok(interleaved(try_join_all(shares).await?))
}

/// The first of each share, then the second of each, and so on.
fn interleaved<T>(shares: Vec<Vec<T>>) -> Vec<T> {
    let longest = shares.iter().map(Vec::len).max().unwrap_or_default();
    let mut shares: Vec<_> = shares.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    for _ in 0..longest {
        all.extend(shares.iter_mut().filter_map(Iterator::next));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shared_out_comes_back_in_order() {
        for (hands, count) in [(1, 5), (3, 7), (4, 4), (4, 8), (9, 2)] {
            let share = |hand: usize| (hand..count).step_by(hands).collect();
            let shares = (0..hands.min(count)).map(share).collect();
            let expected: Vec<usize> = (0..count).collect();
            assert_eq!(interleaved(shares), expected);
        }
        assert!(interleaved::<usize>(Vec::new()).is_empty());
    }
}
