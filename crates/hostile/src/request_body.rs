//! Requests: any body and query, to any endpoint, from somebody who is signed in.

use std::{cell::RefCell, sync::LazyLock};

use axum::body::Body;
use client_api::routes;
use http::{HeaderName, Request, header};

use crate::{
    node::{Answer, Node, Place, at_node},
    text::first_line,
};

thread_local! {
    static NODE: Place = const { RefCell::new(None) };
}

/// What is served beside the Matrix API.
const PAGES: [(&str, &str); 3] = [
    ("GET", "/_conclave/setup"),
    ("POST", "/_conclave/setup"),
    ("GET", "/_conclave/pages.css"),
];

/// Every endpoint: its method, and its path with names in the places of arguments.
static ENDPOINTS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let pages = PAGES.iter();
    let pages = pages.map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    let routes = routes::inventory().into_iter();
    let routes = routes.map(|route| (route.method, route.path));
    routes.chain(pages).collect()
});

/// The first lines are an endpoint as the inventory writes it (`PUT /_matrix/client/…/{room_id}`),
/// what stands in the places of its path with tabs between, the query, and headers (`name: value`) with
/// tabs between; the rest is the body. `<room>`, `<alias>`, `<event>`, `<filter>`, `<since>`,
/// `<file>`, `<version>`, `<setup>` and `<token>` stand for what is there, as do empty places of the
/// path.
///
/// Nothing panics; every answer comes and is below 500; what is refused is refused with an
/// `errcode` and a sentence; JSON is JSON; no page has a script in it; and the node goes on.
pub fn request_body(data: &[u8]) {
    at_node(&NODE, |node| {
        let Some(request) = request(node, data) else {
            return;
        };
        let shown = format!("{} {}", request.method(), request.uri());
        let answer = node.ask(request);
        check(&shown, &answer);
    });
}

fn check(shown: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    assert!(status < 500, "{shown}: {status} {}", answer.json());
    let content_type = answer.headers.get(header::CONTENT_TYPE);
    let is_json = content_type.is_some_and(|kind| kind == "application/json");
    let is_page = content_type.is_some_and(|kind| kind == "text/html; charset=utf-8");
    let told = answer.json();
    if is_page {
        let page = String::from_utf8_lossy(&answer.body).to_lowercase();
        assert!(!page.contains("<script"), "{shown}: {page}");
    } else if status >= 400 {
        let errcode = told["errcode"].as_str().unwrap_or_default();
        let sentence = told["error"].as_str().unwrap_or_default();
        // What user-interactive authentication asks for has no sentence at first.
        let is_challenge = status == 401 && told["flows"].is_array();
        let is_told = errcode.starts_with("M_") && !sentence.is_empty();
        assert!(is_told || is_challenge, "{shown}: {status} {told}");
    } else if is_json && status == 200 {
        assert!(!told.is_null(), "{shown}: {:?}", answer.body);
    }
}

fn request(node: &Node, data: &[u8]) -> Option<Request<Body>> {
    let (route, rest) = first_line(data);
    let (arguments, rest) = first_line(rest);
    let (query, rest) = first_line(rest);
    let (headers, body) = first_line(rest);
    let (method, template) = endpoint_named(route);
    let mut uri = path(node, template, &node.filled(arguments));
    if !query.is_empty() {
        uri.push('?');
        let is_legal = |byte: u8| byte.is_ascii_graphic() && !b"\"<>#`{}".contains(&byte);
        escape_into(&mut uri, &node.filled(query), is_legal);
    }
    let mut request = Request::builder()
        .method(method.as_str())
        .uri(uri)
        .header(header::AUTHORIZATION, format!("Bearer {}", node.token));
    for line in headers.split(|byte| *byte == b'\t') {
        let colon = line.windows(2).position(|pair| pair == b": ");
        let (name, value) = line.split_at(colon.unwrap_or(0));
        if let Ok(name) = HeaderName::from_bytes(name) {
            request = request.header(name, &node.filled(&value[2..])[..]);
        }
    }
    request.body(node.filled(body).into()).ok()
}

/// The endpoint of this name, or else one that the name stands for by chance, always the same.
fn endpoint_named(name: &[u8]) -> &'static (String, String) {
    let named = |(method, path): &&(String, String)| name == format!("{method} {path}").as_bytes();
    ENDPOINTS.iter().find(named).unwrap_or_else(|| {
        let fold = |sum: usize, byte: &u8| sum.wrapping_mul(31).wrapping_add(usize::from(*byte));
        &ENDPOINTS[name.iter().fold(7, fold) % ENDPOINTS.len()]
    })
}

/// The path with its places filled; an empty argument stands for what is there.
fn path(node: &Node, template: &str, arguments: &[u8]) -> String {
    let mut arguments = arguments.split(|byte| *byte == b'\t');
    let mut path = String::new();
    for segment in template.split('/').skip(1) {
        path.push('/');
        match segment
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            None => path.push_str(segment),
            Some(name) => {
                let given = arguments.next().filter(|given| !given.is_empty());
                let usual = || node.filled(usual(name).as_bytes());
                let argument = given.map_or_else(usual, <[u8]>::to_vec);
                let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                escape_into(&mut path, &argument, is_legal);
            }
        }
    }
    path
}

/// What most often stands in a place of this name.
fn usual(name: &str) -> &'static str {
    match name {
        "room_id" | "room_id_or_alias" => "<room>",
        "room_alias" => "<alias>",
        "event_id" => "<event>",
        "user_id" => "@alice:localhost",
        "device_id" => "PHONE",
        "filter_id" => "<filter>",
        "media_id" => "<file>",
        "server_name" => "localhost",
        "version" => "<version>",
        "event_type" => "m.room.message",
        "receipt_type" => "m.read",
        "kind" => "content",
        _ => "x",
    }
}

fn escape_into(uri: &mut String, bytes: &[u8], is_legal: impl Fn(u8) -> bool) {
    for byte in bytes {
        match is_legal(*byte) {
            true => uri.push(char::from(*byte)),
            false => uri.push_str(&format!("%{byte:02x}")),
        }
    }
}
