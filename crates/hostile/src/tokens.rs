//! What clients carry around for this server: tokens of syncs and pages, ids of files.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use client_api::{address::AddressBlock, directory::page_token::PageToken};
use media::MediaId;
use sync::{Boundary, Position, SyncToken};

/// A text, read as each kind of token.
///
/// Nothing panics, and what is understood is written and read again as the same, no longer than
/// what a header or a query carries.
pub fn tokens(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    reads_back::<SyncToken>(text);
    reads_back::<Boundary>(text);
    reads_back::<Position>(text);
    reads_back::<PageToken>(text);
    reads_back::<search::PageToken>(text);
    reads_back::<bus::NodeId>(text);
    reads_back::<blobs::BlobId>(text);
    if let Some(id) = MediaId::parse(text) {
        assert_eq!(id.as_str(), text);
        assert_eq!(MediaId::parse(&id.to_string()), Some(id));
    }
    if let Ok(block) = text.parse::<AddressBlock>() {
        let network = text.split('/').next().unwrap().parse().unwrap();
        assert!(block.contains(network), "{text}");
    }
}

fn reads_back<T: FromStr + Display + PartialEq + Debug>(text: &str)
where
    T::Err: Debug,
{
    let Ok(token) = text.parse::<T>() else {
        return;
    };
    let written = token.to_string();
    assert!(written.len() <= text.len() + 32, "{written}");
    assert_eq!(written.parse::<T>().unwrap(), token, "{text} as {written}");
}
