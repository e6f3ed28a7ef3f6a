//! The names of other machines: whether each leads to an address.

use std::{collections::BTreeSet, net::IpAddr};

use config::{Config, FilesUrl};
use futures_util::future::join_all;
use store::HostFound;
use tokio::{net::lookup_host, time::timeout};
use url::{Host, Url};

use super::{ANSWER_WITHIN, Findings, Scene};
use crate::storage;

const CHECK: &str = "name";

/// Where people reach the server: not every network leads a machine to its own public name.
const PUBLIC: &str = "server.public_url";

/// A name, and the key of the configuration that holds it.
type Named = (&'static str, String);

/// What became of looking a name up.
type Found = Result<Vec<IpAddr>, String>;

/// Looks all of them up at the same time.
pub(super) async fn examine(scene: &Scene<'_>) -> Findings {
    let mut findings = Findings::default();
    let names = names(&scene.loaded.config);
    let found = join_all(names.iter().map(|(_, host)| look_up(host))).await;
    let all: Vec<(&Named, &Found)> = names.iter().zip(&found).collect();
    for ((key, host), found) in &all {
        match found {
            Ok(addresses) => {
                let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                let says = format_args!("{host} ({key}) is {}", addresses.join(", "));
                findings.ok(CHECK, says);
            }
            Err(why) => {
                let says = format!("{host} ({key}) leads nowhere ({why}): check it, and DNS");
                let mut others = all.iter().filter(|((other, _), _)| other == key);
                if *key == PUBLIC || others.any(|(_, found)| found.is_ok()) {
                    findings.warning(CHECK, says);
                } else {
                    findings.wrong(CHECK, says);
                }
            }
        }
    }
    findings
}

/// The names that are no addresses.
fn names(config: &Config) -> Vec<Named> {
    let mut names = vec![(PUBLIC, host_of(&config.server.public_url))];
    // A URL that is none is told where it is opened.
    let database = HostFound::names(&storage::options(config)).unwrap_or_default();
    names.extend(
        database
            .into_iter()
            .map(|(host, _)| ("database.url", Some(host))),
    );
    let hosts = config.bus.url.iter().flat_map(|url| &url.hosts);
    names.extend(hosts.map(|host| ("bus.url", without_port(host))));
    if let FilesUrl::S3(url) = &config.files.url {
        let host = Url::parse(&url.endpoint).ok().and_then(|url| host_of(&url));
        names.push(("files.url", host));
    }
    let mail = config.mail.host.as_ref().map(|host| host.name());
    names.push(("mail.host", mail));
    let mut seen = BTreeSet::new();
    let names = names.into_iter().filter_map(|(key, host)| {
        let host = host.filter(|host| host.parse::<IpAddr>().is_err())?;
        seen.insert((key, host.clone())).then_some((key, host))
    });
    names.collect()
}

fn host_of(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => Some(name.to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

fn without_port(host: &str) -> Option<String> {
    let (host, _) = host.rsplit_once(':')?;
    Some(host.trim_matches(['[', ']']).to_owned())
}

async fn look_up(host: &str) -> Found {
    match timeout(ANSWER_WITHIN, lookup_host((host, 0))).await {
        Ok(Ok(addresses)) => {
            let addresses: BTreeSet<IpAddr> = addresses.map(|address| address.ip()).collect();
            match addresses.is_empty() {
                true => Err("it has no address".to_owned()),
                false => Ok(addresses.into_iter().collect()),
            }
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "no answer within {} seconds",
            ANSWER_WITHIN.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use config::Sources;

    use super::*;

    fn names_in(text: &str) -> Vec<Named> {
        let sources = Sources::default().with_text("test", text);
        names(&Config::load(sources).unwrap().config)
    }

    #[test]
    fn every_name_of_the_configuration_is_looked_up_once_and_addresses_are_not() {
        let text = "[server]\npublic_url = \"https://chat.example.org\"\n\
             [database]\nurl = \"postgres://me:pw@db1,10.0.0.1:5433,db2:5433/chat\"\n\
             [bus]\nurl = \"nats://me:pw@nats1,nats1:4223,[::1],10.0.0.1\"\n\
             [files]\nurl = \"s3://bucket?endpoint=https://s3.example.org:9000&region=x\"\n\
             access_key_id = \"a\"\nsecret_access_key = \"b\"\n\
             [mail]\nhost = \"mail.example.org\"\nfrom = \"chat@example.org\"\n";
        let expected = [
            ("server.public_url", "chat.example.org"),
            ("database.url", "db1"),
            ("database.url", "db2"),
            ("bus.url", "nats1"),
            ("files.url", "s3.example.org"),
            ("mail.host", "mail.example.org"),
        ];
        let expected = expected.map(|(key, host)| (key, host.to_owned()));
        assert_eq!(names_in(text), expected);
        let sockets = "[database]\nurl = \"postgres://%2Frun%2Fpostgresql/chat\"\n";
        assert_eq!(
            names_in(sockets),
            [("server.public_url", "localhost".to_owned())]
        );
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_told_with_its_reason() {
        assert!(look_up("localhost").await.is_ok());
        look_up("nowhere.invalid").await.unwrap_err();
    }
}
