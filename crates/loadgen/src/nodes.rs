//! Where a server is reached.

use std::fmt;

use anyhow::{Context, Result};
use url::Url;

/// The addresses of one server: one, or one for each node of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    first: Url,
    others: Vec<Url>,
}

impl Nodes {
    pub(crate) fn new(urls: &[Url]) -> Result<Self> {
        let (first, others) = urls.split_first().context("a server without an address")?;
        Ok(Self {
            first: first.clone(),
            others: others.to_vec(),
        })
    }

    /// Where everything is done that is done once.
    pub(crate) fn first(&self) -> &Url {
        &self.first
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Url> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// One for each of many connections, in turn.
    pub(crate) fn spread(&self) -> impl Iterator<Item = &Url> {
        self.all().cycle()
    }

    /// The same without the first, unless that is alone.
    pub(crate) fn spread_beyond_first(&self) -> impl Iterator<Item = &Url> {
        let alone = self.is_alone().then_some(&self.first);
        alone.into_iter().chain(&self.others).cycle()
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.others.is_empty()
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.first)?;
        self.others
            .iter()
            .try_for_each(|other| write!(formatter, " {other}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(names: &[&str]) -> Result<Nodes> {
        let urls = names.iter().map(|name| format!("http://{name}").parse());
        Nodes::new(&urls.collect::<Result<Vec<Url>, _>>()?)
    }

    fn four<'a>(urls: impl Iterator<Item = &'a Url>) -> String {
        let hosts = urls.take(4).map(|url| url.host_str().unwrap());
        hosts.collect()
    }

    #[test]
    fn connections_go_to_each_node_in_turn() {
        let three = nodes(&["a", "b", "c"]).unwrap();
        assert_eq!(four(three.spread()), "abca");
        assert_eq!(four(three.spread_beyond_first()), "bcbc");
        assert_eq!(three.to_string(), "http://a/ http://b/ http://c/");
        assert!(!three.is_alone());
    }

    #[test]
    fn one_node_has_all_connections() {
        let one = nodes(&["a"]).unwrap();
        assert_eq!(four(one.spread()), "aaaa");
        assert_eq!(four(one.spread_beyond_first()), "aaaa");
        assert!(one.is_alone());
        assert!(nodes(&[]).is_err());
    }
}
