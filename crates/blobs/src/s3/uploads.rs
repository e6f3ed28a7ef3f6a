//! A list of uploads that were never finished, as S3 writes it.

use std::time::UNIX_EPOCH;

use model::time::Timestamp;
use serde::Deserialize;

/// The longest list: a page has a thousand uploads, and a key 1,024 bytes.
pub(super) const LONGEST_LIST_BYTES: usize = 8 * 1_048_576;

/// A page of the uploads that are not finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UploadsPage {
    /// Whether there are more.
    #[serde(default)]
    pub is_truncated: bool,
    /// The key from which on the next page goes on.
    #[serde(default)]
    pub next_key_marker: Option<String>,
    /// The upload of that key from which on it does.
    #[serde(default)]
    pub next_upload_id_marker: Option<String>,
    /// The uploads.
    #[serde(default, rename = "Upload")]
    pub uploads: Vec<ListedUpload>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedUpload {
    /// Where the object would stand.
    pub key: String,
    /// S3's name for the upload.
    pub upload_id: String,
    /// When it was begun.
    pub initiated: String,
}

impl UploadsPage {
    /// Reads what S3 answered.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(answer: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(answer);
        quick_xml::de::from_str(&text).map_err(|error| error.to_string())
    }
}

impl ListedUpload {
    /// Whether it was begun before a moment; what tells no time was not.
    pub fn is_older(&self, moment: Timestamp) -> bool {
        let Ok(begun) = humantime::parse_rfc3339(&self.initiated) else {
            return false;
        };
        let since_epoch = begun.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(0).plus(since_epoch) < moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_uploads_is_read() {
        let page = UploadsPage::read(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Bucket>b</Bucket><KeyMarker/><NextKeyMarker>k</NextKeyMarker>\
             <NextUploadIdMarker>u</NextUploadIdMarker><IsTruncated>true</IsTruncated>\
             <Upload><Key>a/b</Key><UploadId>1</UploadId><Owner><ID>x</ID></Owner>\
             <Initiated>1970-01-01T00:00:01.000Z</Initiated></Upload>\
             <Upload><Key>c</Key><UploadId>2</UploadId><Initiated>never</Initiated></Upload>\
             </ListMultipartUploadsResult>",
        )
        .unwrap();
        assert!(page.is_truncated);
        assert_eq!(page.next_key_marker.as_deref(), Some("k"));
        let older = |moment| {
            let moment = Timestamp::from_millis(moment);
            let older = page.uploads.iter().map(|upload| upload.is_older(moment));
            older.collect::<Vec<_>>()
        };
        assert_eq!(older(1_000), [false, false]);
        assert_eq!(older(1_001), [true, false]);
    }
}
