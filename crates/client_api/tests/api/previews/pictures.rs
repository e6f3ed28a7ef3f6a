//! Pictures of pages: whose they are, and how long they stay.

use std::{sync::Arc, time::Duration};

use media::Usage;
use ruma::{UserId, server_name};
use testkit::eventually;

use super::{download, looking, pages::Pages, told};
use crate::server::{Server, on_both_engines};

// Each with a database of its own: pictures of one database are forgotten together.
on_both_engines! {
    a_picture_counts_against_nobody_and_goes_after_a_week,
}

async fn a_picture_counts_against_nobody_and_goes_after_a_week(mut server: Server) {
    let (node, alice) = looking(&mut server).await;
    let pages = Pages::open().await;
    let preview = told(&node, &alice, &pages.url("/minutes")).await;
    let user_id = UserId::parse(&alice.user_id).unwrap();
    let usage = node.parts.media.usage(&user_id).await.unwrap();
    assert_eq!(usage, Usage::default());

    let clock = server.deployment.clock.clone();
    let (media, of_pictures) = (node.parts.media.clone(), Arc::new(clock.clone()));
    let forgetting = tokio::spawn(async move {
        let name = server_name!("localhost");
        previews::forget_pictures_regularly(media, of_pictures, name).await;
    });
    let path = download(&preview);
    let status = async || node.ask(&alice.token, "GET", &path, "").await.0.as_u16();
    clock.advance(previews::KEPT_FOR - Duration::from_secs(6 * 3_600));
    assert_eq!(status().await, 200);
    eventually("the picture is gone", || {
        clock.advance(Duration::from_secs(6 * 3_600));
        let status = status();
        async move { (status.await == 404).then_some(()) }
    })
    .await;
    forgetting.abort();
    // Who asks later gets a new one.
    let again = told(&node, &alice, &pages.url("/minutes")).await;
    assert_ne!(again["og:image"], preview["og:image"]);
}
