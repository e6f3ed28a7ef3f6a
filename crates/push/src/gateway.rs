//! To a push gateway and back: the lane "push" of the outbox.

use std::{sync::Arc, time::Duration};

use http::{StatusCode, header};
use outbound::{Answer, FetchError, Outbound, Post};
use outbox::{Delivered, Lane, Letter, Then};
use pushers::StoredPusher;
use ruma::{api::client::push::PusherKind, push::HttpPusherData};
use serde::Deserialize;
use store::{Snapshot, StoreError};
use url::Url;

use crate::{
    news::{EventNews, News, Reader},
    notification,
    push::Inner,
};

/// How long a gateway may take for one notification.
const DEADLINE: Duration = Duration::from_secs(15);

/// How much of an answer is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The path of every gateway.
const PATH: &str = "/_matrix/push/v1/notify";

/// How this server calls itself to gateways.
pub const USER_AGENT: &str = "Conclave";

/// The longest address of a gateway.
const MAX_URL_BYTES: usize = 2_048;

/// Which gateways are told anything. Cheap to clone.
#[derive(Clone)]
pub struct Gateways {
    outbound: Outbound,
    allow_private: bool,
}

/// Why an address cannot be a gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGateway {
    /// It is no address.
    #[error("a push gateway has an https address of at most {MAX_URL_BYTES} bytes")]
    Address,
    /// It is not protected.
    #[error("a push gateway has an https address")]
    Unprotected,
    /// Its path is another.
    #[error("the path of a push gateway is {PATH}")]
    Path,
    /// Nothing is ever sent there.
    #[error("nothing is sent to this address")]
    Place,
}

impl Gateways {
    /// Gateways that are reached by `outbound`; without protection only where addresses within
    /// the operator's own network are allowed.
    pub fn new(outbound: Outbound, allow_private: bool) -> Self {
        Self {
            outbound,
            allow_private,
        }
    }

    /// Reads the address of a gateway.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as far as that can be told without asking anybody.
    pub fn read(&self, address: &str) -> Result<Url, BadGateway> {
        if address.len() > MAX_URL_BYTES {
            return Err(BadGateway::Address);
        }
        let url = Url::parse(address).map_err(|_| BadGateway::Address)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_private => {}
            _ => return Err(BadGateway::Unprotected),
        }
        if url.path() != PATH {
            return Err(BadGateway::Path);
        }
        Outbound::check(&url).map_err(|_| BadGateway::Place)?;
        Ok(url)
    }
}

/// The lane: each pusher is a target, by its number.
pub(crate) struct ToGateways(pub(crate) Arc<Inner>);

/// What a gateway answered.
enum Told {
    /// It has it.
    Yes,
    /// It does not know the push key any more.
    Rejected,
    /// It will never take this.
    Never(String),
    /// Perhaps later.
    NotNow(String, Option<Duration>),
}

#[derive(Deserialize)]
struct Rejected {
    #[serde(default)]
    rejected: Vec<String>,
}

impl Lane for ToGateways {
    const NAME: &'static str = "push";
    const PATIENCE: Duration = Duration::from_secs(24 * 3_600);
    const TOGETHER: u16 = 16;

    async fn deliver(&self, target: &str, letters: &[Letter]) -> Result<Delivered, StoreError> {
        // Who reads here may need a second snapshot while it holds the first: many at once would
        // wait for each other.
        let reading = self.0.reading.lock().await;
        let snapshot = self.0.log.database().snapshot().await?;
        let Some((pusher, to)) = self.pusher(&snapshot, target).await? else {
            return Ok(Delivered::dropped());
        };
        let reader = Reader::of(&self.0, &snapshot, &pusher).await?;
        let mut news = Vec::with_capacity(letters.len());
        for letter in letters {
            news.push(reader.news(&self.0, &snapshot, letter.pos).await?);
        }
        let unread = reader.unread(&self.0, &snapshot).await?;
        drop(snapshot);
        drop(reading);
        self.tell_all(&pusher, &to, &news, unread).await
    }
}

impl ToGateways {
    /// The pusher, if it still counts, and what it told of its gateway.
    async fn pusher(
        &self,
        snapshot: &Snapshot,
        target: &str,
    ) -> Result<Option<(StoredPusher, HttpPusherData)>, StoreError> {
        let pusher = self.0.standing_pusher(snapshot, target).await?;
        Ok(pusher.and_then(|pusher| match &pusher.pusher.kind {
            PusherKind::Http(to) => {
                let to = to.clone();
                Some((pusher, to))
            }
            _ => None,
        }))
    }

    /// Tells what is news, in order, until the gateway does not take it.
    async fn tell_all(
        &self,
        pusher: &StoredPusher,
        to: &HttpPusherData,
        news: &[News],
        unread: u64,
    ) -> Result<Delivered, StoreError> {
        // Who has read on is told with the event that follows, if one does.
        let last_event = news.iter().rposition(|news| matches!(news, News::Event(_)));
        for (done, one) in news.iter().enumerate() {
            let event = match one {
                News::Event(event) => Some(&**event),
                News::HasRead | News::Nothing if last_event.is_none() && done + 1 == news.len() => {
                    if self.knows(pusher, unread) {
                        continue;
                    }
                    None
                }
                News::HasRead | News::Nothing => continue,
            };
            match self.tell(pusher, to, event, unread).await {
                Told::Yes => self.note(pusher, unread),
                Told::Rejected => {
                    self.0.pushers.reject(pusher.id).await?;
                    return Ok(Delivered::dropped());
                }
                Told::Never(fault) => {
                    return Ok(Delivered::given_up(done, fault));
                }
                Told::NotNow(fault, after) => {
                    let then = Then::TryAgain { fault, after };
                    return Ok(Delivered { done, then });
                }
            }
        }
        Ok(Delivered {
            done: news.len(),
            then: Then::GoOn,
        })
    }

    /// Whether this node told the gateway this number last.
    fn knows(&self, pusher: &StoredPusher, unread: u64) -> bool {
        self.0.badges.lock().get(&pusher.id) == Some(&unread)
    }

    fn note(&self, pusher: &StoredPusher, unread: u64) {
        self.0.badges.lock().insert(pusher.id, unread);
    }

    async fn tell(
        &self,
        pusher: &StoredPusher,
        to: &HttpPusherData,
        news: Option<&EventNews>,
        unread: u64,
    ) -> Told {
        let Gateways { outbound, .. } = &self.0.gateways;
        let Ok(url) = self.0.gateways.read(&to.url) else {
            // What was allowed when the pusher was made is not any more.
            return Told::Never("the gateway's address is not allowed".to_owned());
        };
        let json = notification::write(&pusher.pusher, to, news, unread).into();
        let post = Post {
            url: &url,
            json: &json,
            deadline: DEADLINE,
        };
        match outbound.post(post).await {
            Ok(answer) => answered(answer, &pusher.pusher.ids.pushkey).await,
            Err(error) => Told::NotNow(fault_of(&error), None),
        }
    }
}

async fn answered(answer: Answer, pushkey: &str) -> Told {
    let (status, after) = (answer.status, retry_after(&answer));
    if status == StatusCode::BAD_REQUEST || status == StatusCode::PAYLOAD_TOO_LARGE {
        return Told::Never(format!("the gateway answered {status}"));
    }
    if !status.is_success() {
        return Told::NotNow(format!("the gateway answered {status}"), after);
    }
    let body = match answer.read(MAX_ANSWER_BYTES).await {
        Ok(body) if body.is_whole => body,
        Ok(_) => return Told::NotNow("the gateway answered without end".to_owned(), None),
        Err(error) => return Told::NotNow(fault_of(&error), None),
    };
    if body.bytes.is_empty() {
        return Told::Yes;
    }
    match serde_json::from_slice::<Rejected>(&body.bytes) {
        Ok(answer) if answer.rejected.iter().any(|key| key == pushkey) => Told::Rejected,
        Ok(_) => Told::Yes,
        Err(_) => Told::NotNow("the gateway's answer is none".to_owned(), None),
    }
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    let value = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// What an administrator reads: the sentence, and what stands behind it.
fn fault_of(error: &FetchError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
