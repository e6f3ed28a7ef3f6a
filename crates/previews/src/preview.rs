//! What is told of a page, as clients read it ([OpenGraph], with what Matrix adds).
//!
//! [OpenGraph]: https://ogp.me/

use ruma::OwnedMxcUri;
use serde::Serialize;

/// What is told of a page; of one that tells nothing of itself it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// What it is called.
    #[serde(rename = "og:title", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is about.
    #[serde(rename = "og:description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the site is called.
    #[serde(rename = "og:site_name", skip_serializing_if = "Option::is_none")]
    pub site_name: Option<String>,
    /// What kind of thing it is: `article`, `video.other`.
    #[serde(rename = "og:type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its picture.
    #[serde(flatten)]
    pub picture: Option<Picture>,
}

/// A picture that is stored here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Where.
    #[serde(rename = "og:image")]
    pub address: OwnedMxcUri,
    /// Its content type.
    #[serde(rename = "og:image:type")]
    pub content_type: &'static str,
    /// How wide it is, in pixels.
    #[serde(rename = "og:image:width")]
    pub width: u32,
    /// How high it is, in pixels.
    #[serde(rename = "og:image:height")]
    pub height: u32,
    /// How large its file is.
    #[serde(rename = "matrix:image:size")]
    pub size_bytes: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_what_the_specification_shows() {
        let preview = Preview {
            title: Some("Matrix Blog Post".to_owned()),
            description: Some("This is a really cool blog post".to_owned()),
            picture: Some(Picture {
                address: "mxc://example.com/ascERGshawAWawugaAcauga".into(),
                content_type: "image/png",
                width: 48,
                height: 48,
                size_bytes: 102_400,
            }),
            ..Preview::default()
        };
        let shown = json!({
            "og:title": "Matrix Blog Post",
            "og:description": "This is a really cool blog post",
            "og:image": "mxc://example.com/ascERGshawAWawugaAcauga",
            "og:image:type": "image/png",
            "og:image:height": 48,
            "og:image:width": 48,
            "matrix:image:size": 102_400
        });
        assert_eq!(serde_json::to_value(preview).unwrap(), shown);
        let nothing = serde_json::to_value(Preview::default()).unwrap();
        assert_eq!(nothing, json!({}));
    }
}
