//! The paths of before access tokens were asked for.

use super::client::{content, get, upload};
use crate::server::{Server, User, on_both_engines};

on_both_engines! { shared_postgres;
    the_old_paths_give_files_to_anybody_where_they_are_opened,
    the_old_paths_know_no_file_where_they_are_closed,
}

fn nobody() -> User {
    User {
        user_id: String::new(),
        token: String::new(),
    }
}

fn paths(place: &str) -> Vec<String> {
    let of = |version: &str| {
        [
            format!("/_matrix/media/{version}/download{place}"),
            format!("/_matrix/media/{version}/download{place}/other.png"),
        ]
    };
    ["v3", "r0"].into_iter().flat_map(of).collect()
}

async fn the_old_paths_give_files_to_anybody_where_they_are_opened(mut server: Server) {
    server.deployment.allow_unauthenticated_files = true;
    let node = server.node().await;
    let alice = node.join("alice.open").await;
    let plain = content(70_000);
    let place = upload(&node, &alice, "image/png", &plain).await;
    for path in paths(&place) {
        let got = get(&node, &nobody(), &path, &[]).await;
        assert!(got.status == 200 && got.bytes == plain, "{path}");
        assert!(
            got.header("content-security-policy")
                .starts_with("sandbox;")
        );
        let named = got.header("content-disposition").contains("other.png");
        assert_eq!(named, path.ends_with("other.png"), "{path}");
        let part = get(&node, &nobody(), &path, &[("Range", "bytes=9-10")]).await;
        assert!(part.status == 206 && part.bytes == plain[9..11], "{path}");
    }
}

async fn the_old_paths_know_no_file_where_they_are_closed(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.closed").await;
    let place = upload(&node, &alice, "image/png", b"x").await;
    let mut paths = paths(&place);
    paths.push(format!(
        "/_matrix/media/v3/thumbnail{place}?width=9&height=9"
    ));
    for path in paths {
        for who in [&alice, &nobody()] {
            let got = get(&node, who, &path, &[]).await;
            assert_eq!(got.refusal(), (404, "M_NOT_FOUND".to_owned()), "{path}");
        }
    }
}
