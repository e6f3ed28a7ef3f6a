//! Requests without a client library: what a client would never send, or never show.

use anyhow::{Context as _, Result, ensure};
use reqwest::{Client, Method};
use serde_json::Value;

/// Sends requests to one server, with or without an access token.
#[derive(Clone, Debug)]
pub struct Plain {
    http: Client,
    server: String,
    token: Option<String>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    request: String,
    status: u16,
    body: Value,
}

impl Plain {
    /// Sends requests to `server`, as nobody.
    #[must_use]
    pub fn new(server: &str) -> Self {
        Self {
            http: Client::default(),
            server: server.to_owned(),
            token: None,
        }
    }

    /// Sends requests to `server` with this access token.
    #[must_use]
    pub fn with_token(server: &str, token: String) -> Self {
        Self {
            token: Some(token),
            ..Self::new(server)
        }
    }

    /// Sends a GET request.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, or does not answer in JSON.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// Sends a POST request.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, or does not answer in JSON.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends a PUT request.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, or does not answer in JSON.
    pub async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// Downloads what is at `path`.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or refuses.
    pub async fn download(&self, path: &str) -> Result<Vec<u8>> {
        let context = || format!("cannot download {path}");
        let response = self.request(Method::GET, path).send().await;
        let response = response.with_context(context)?;
        let response = response.error_for_status().with_context(context)?;
        Ok(response.bytes().await.with_context(context)?.to_vec())
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer> {
        let name = format!("{method} {path}");
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await;
        let response = response.with_context(|| format!("no answer to {name}"))?;
        let status = response.status().as_u16();
        let body = response.json().await;
        Ok(Answer {
            body: body.with_context(|| format!("{name} was not answered in JSON"))?,
            request: name,
            status,
        })
    }
}

impl Answer {
    /// The body, when the request succeeded.
    ///
    /// # Errors
    ///
    /// When it did not.
    pub fn granted(self) -> Result<Value> {
        let Self {
            request,
            status,
            body,
        } = self;
        ensure!(status == 200, "{request} got {status}: {body}");
        Ok(body)
    }

    /// Checks that the request was refused, and how.
    ///
    /// # Errors
    ///
    /// When it was granted, refused in another way, or refused without a word.
    pub fn refused(self, status: u16, errcode: &str) -> Result<()> {
        let Self {
            request,
            status: given,
            body,
        } = self;
        ensure!(
            given == status && body["errcode"] == errcode,
            "{request} should get {status} {errcode}, but got {given}: {body}"
        );
        let sentence = body["error"].as_str().unwrap_or_default();
        ensure!(!sentence.is_empty(), "{request} was refused without a word");
        Ok(())
    }

    /// Checks that the server wants the password before it does what was asked.
    ///
    /// # Errors
    ///
    /// When it did it, refused it, or asks for anything else.
    pub fn asks_for_the_password(self) -> Result<()> {
        let Self {
            request,
            status,
            body,
        } = self;
        let stages = &body["flows"][0]["stages"];
        ensure!(
            status == 401 && stages[0] == "m.login.password",
            "{request} should ask for the password, but got {status}: {body}"
        );
        Ok(())
    }
}
