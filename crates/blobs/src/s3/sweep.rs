//! Looking over the bucket: uploads that were never finished, and which blobs are old enough to
//! judge.

use futures_util::TryStreamExt;
use http::{Method, Request};
use model::time::Timestamp;
use object_store::{
    ObjectStore,
    aws::AwsAuthorizer,
    client::{HttpRequestBody, HttpResponseBody, HttpService},
    multipart::MultipartStore,
};

use super::{
    S3,
    said::{Said, said},
    uploads::{LONGEST_LIST_BYTES, ListedUpload, UploadsPage},
};
use crate::{BlobError, BlobId};

/// How many pages of a thousand uploads one sweep reads; the next reads on.
const MOST_PAGES: usize = 100;

impl S3 {
    pub(crate) async fn sweep_temporary(&self, before: Timestamp) -> Result<u64, BlobError> {
        let (mut removed, mut page) = (0, UploadsPage::default());
        for _ in 0..MOST_PAGES {
            page = match self.list_uploads(&page).await {
                Ok(page) => page,
                // Then a rule of the bucket removes them (docs/operate/files.md).
                Err(said) if said.is_refusal() => {
                    let said = said.sentence;
                    tracing::info!(said, "S3 does not list unfinished uploads");
                    return Ok(removed);
                }
                Err(said) => return Err(said.failed("list unfinished blobs")),
            };
            for upload in &page.uploads {
                if upload.is_older(before) && self.abort(upload).await? {
                    removed += 1;
                }
            }
            if !page.is_truncated {
                break;
            }
        }
        Ok(removed)
    }

    /// Removes one upload, and tells whether it was there.
    async fn abort(&self, upload: &ListedUpload) -> Result<bool, BlobError> {
        // Whatever else somebody uploads there is not ours.
        let Some(id) = self.id_at(&upload.key) else {
            return Ok(false);
        };
        let (store, path) = (&self.inner.store, self.path(id));
        match store.abort_multipart(&path, &upload.upload_id).await {
            Ok(()) => Ok(true),
            // Finished, or swept by another node, in this very moment.
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => {
                let said = said(&error);
                if !said.is_refusal() {
                    return Err(said.failed("remove an unfinished blob"));
                }
                let said = said.sentence;
                tracing::warn!(said, "an unfinished blob could not be removed");
                Ok(false)
            }
        }
    }

    /// The library has no call for this.
    async fn list_uploads(&self, after: &UploadsPage) -> Result<UploadsPage, Said> {
        let unheard = |error: &dyn std::fmt::Display| Said::of(&error.to_string());
        let mut query = escaped_query(&[("prefix", &self.prefix_of_all())]);
        if let (Some(key), Some(upload)) = (&after.next_key_marker, &after.next_upload_id_marker) {
            let markers = [("key-marker", key), ("upload-id-marker", upload)];
            query = format!("{query}&{}", escaped_query(&markers));
        }
        let url = format!("{}/?uploads=&{query}", self.inner.bucket_url);
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(url)
            .body(HttpRequestBody::empty())
            .map_err(|error| unheard(&error))?;
        AwsAuthorizer::new(&self.inner.credential, "s3", &self.inner.region)
            .try_authorize(&mut request, None)
            .map_err(|error| said(&error))?;
        let answer = self.inner.wire.call(request).await;
        let (head, body) = answer.map_err(|error| unheard(&error))?.into_parts();
        let body = gathered(body).await?;
        if !head.status.is_success() {
            let body = String::from_utf8_lossy(&body);
            return Err(Said::read(&format!("{}: {body}", head.status)));
        }
        UploadsPage::read(&body).map_err(|wrong| Said::of(&wrong))
    }

    pub(crate) async fn written_before(
        &self,
        before: Timestamp,
        first_byte: u8,
    ) -> Result<Vec<BlobId>, BlobError> {
        let level = self.inner.prefix.clone().join(format!("{first_byte:02x}"));
        let objects = self.inner.store.list(Some(&level));
        let old = objects.try_filter_map(|object| {
            let written = Timestamp::from_millis(object.last_modified.timestamp_millis());
            let id = self.id_at(object.location.as_ref());
            std::future::ready(Ok(id.filter(|_| written < before)))
        });
        old.try_collect()
            .await
            .map_err(|error| said(&error).failed("list blobs"))
    }

    pub(crate) async fn is_empty(&self) -> Result<bool, BlobError> {
        let prefix = &self.inner.prefix;
        let objects = self.inner.store.list(Some(prefix));
        let blobs = objects
            .try_filter_map(|object| std::future::ready(Ok(self.id_at(object.location.as_ref()))));
        let first = std::pin::pin!(blobs).try_next().await;
        let first = first.map_err(|error| said(&error).failed("list blobs"))?;
        Ok(first.is_none())
    }

    /// The blob that stands under a key, if the key is one of ours.
    fn id_at(&self, key: &str) -> Option<BlobId> {
        blob_at(self.inner.prefix.as_ref(), key)
    }

    /// What all keys of ours begin with.
    fn prefix_of_all(&self) -> String {
        match self.inner.prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }
}

/// The blob that stands under a key, if the key is one below a prefix that a blob of ours has.
pub fn blob_at(prefix: &str, key: &str) -> Option<BlobId> {
    let below = match prefix {
        "" => key,
        prefix => key.strip_prefix(prefix)?.strip_prefix('/')?,
    };
    let id: BlobId = key.rsplit('/').next()?.parse().ok()?;
    (id.path_in_folder() == below).then_some(id)
}

/// All of a list, if it is no longer than any.
async fn gathered(body: HttpResponseBody) -> Result<Vec<u8>, Said> {
    let mut pieces = body.bytes_stream();
    let mut all = Vec::new();
    loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => all.extend_from_slice(&piece),
            Ok(None) => return Ok(all),
            Err(error) => return Err(Said::of(&error.to_string())),
        }
        if all.len() > LONGEST_LIST_BYTES {
            return Err(Said::of("the list is longer than any"));
        }
    }
}

/// Writes a query as signatures want it: everything escaped that may be.
fn escaped_query(pairs: &[(&str, &String)]) -> String {
    let escaped = |text: &str| {
        text.bytes()
            .fold(String::new(), |escaped, byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    escaped + char::from(byte).encode_utf8(&mut [0; 4])
                }
                _ => escaped + &format!("%{byte:02X}"),
            })
    };
    let pairs = pairs.iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped_as_signatures_want_it() {
        let query = escaped_query(&[("prefix", &"a b/c~é".to_owned())]);
        assert_eq!(query, "prefix=a%20b%2Fc~%C3%A9");
    }
}
