//! Letters reach their targets: in order, again and again, or not at all, and an administrator sees
//! which. On both engines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod post;

use std::{sync::Arc, time::Duration};

use model::time::Timestamp;
use outbox::Lane;
use testkit::eventually;

use self::post::{Mood, Post, Server};

/// Runs each test on both engines.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::post::Server::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::post::Server::postgres().await).await;
            })*
        }
    };
}

on_both_engines! {
    letters_of_a_target_arrive_in_order_and_once,
    a_letter_that_is_put_twice_is_one,
    what_fails_is_tried_again_later_each_time,
    a_target_that_asks_for_time_is_given_it,
    what_fails_for_too_long_is_given_up,
    who_waits_for_the_time_has_not_failed,
    what_is_refused_is_given_up_and_the_next_goes_on,
    dead_letters_can_be_tried_again_or_forgotten,
    a_target_that_is_gone_takes_its_letters_with_it,
    a_slow_target_holds_up_no_other,
    a_clock_that_jumps_back_holds_up_nothing,
    whoever_goes_on_delivers_all_that_was_not_noted,
}

async fn letters_of_a_target_arrive_in_order_and_once(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::Takes));
    let carrying = node.carry(&post).await;
    for pos in 1..=50 {
        node.put(&[("ada", pos), ("ben", pos)]).await;
    }
    post.has("ada", (1..=50).collect()).await;
    post.has("ben", (1..=50).collect()).await;
    node.is_empty().await;
    carrying.abort();
}

async fn a_letter_that_is_put_twice_is_one(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::Takes));
    let carrying = node.carry(&post).await;
    node.write(&[("ada", 1), ("ada", 1), ("ada", 2)]).await;
    node.put(&[("ada", 2)]).await;
    post.has("ada", vec![1, 2]).await;
    carrying.abort();
}

async fn what_fails_is_tried_again_later_each_time(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::IsAway(None)));
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1), ("ada", 2)]).await;
    for failures in 1..=8 {
        let rest = node.rest("ada", failures).await;
        let whole = Duration::from_secs(1 << (failures - 1));
        assert!((whole / 2..=whole).contains(&rest), "{failures}: {rest:?}");
        server.clock.advance(rest);
        eventually("it is tried again", || async {
            if i64::from(post.tries()) > failures {
                return Some(());
            }
            server.clock.advance(Duration::from_secs(1));
            None
        })
        .await;
    }
    post.is(Mood::Takes);
    eventually("it is delivered", || async {
        server.clock.advance(Duration::from_secs(60));
        (post.took("ada") == [1, 2]).then_some(())
    })
    .await;
    node.is_empty().await;
    carrying.abort();
}

async fn a_target_that_asks_for_time_is_given_it(server: Server) {
    let node = server.node().await;
    let asked = Duration::from_secs(90);
    let post = Arc::new(Post::new(Mood::IsAway(Some(asked))));
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1)]).await;
    assert_eq!(node.rest("ada", 1).await, asked);
    carrying.abort();
}

async fn what_fails_for_too_long_is_given_up(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::IsAway(None)));
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1)]).await;
    node.rest("ada", 1).await;
    server.clock.advance(Post::PATIENCE / 2);
    eventually("ada has failed 2 times", || async {
        server.clock.advance(Duration::from_millis(10));
        node.resting("ada", 2).await
    })
    .await;
    node.put(&[("ada", 2)]).await;
    server
        .clock
        .advance(Post::PATIENCE / 2 + Duration::from_secs(1));
    eventually("the old letter dies", || async {
        server.clock.advance(Duration::from_secs(1));
        (node.dead().await == [("ada".to_owned(), 1, "away".to_owned())]).then_some(())
    })
    .await;
    post.is(Mood::Takes);
    eventually("the young one is delivered", || async {
        server.clock.advance(Duration::from_secs(10));
        (post.took("ada") == [2]).then_some(())
    })
    .await;
    carrying.abort();
}

/// However long it takes: nothing is given up for it, and each hour it is asked whether it is time.
async fn who_waits_for_the_time_has_not_failed(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::Waits(Post::PATIENCE * 3)));
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1), ("ada", 2)]).await;
    for asked in 1..=3 {
        eventually("it is asked whether it is time", || async {
            server.clock.advance(Duration::from_secs(10));
            (post.tries() >= asked).then_some(())
        })
        .await;
        let rest = eventually("it rests", || async {
            let rest = node.rest("ada", 0).await;
            (!rest.is_zero()).then_some(rest)
        })
        .await;
        assert!(rest <= Duration::from_secs(3_600), "{rest:?}");
        server.clock.advance(Duration::from_secs(3_000));
        assert_eq!(post.tries(), asked);
        server.clock.advance(Duration::from_secs(600));
    }
    assert!(node.dead().await.is_empty());
    post.is(Mood::Takes);
    eventually("it is delivered", || async {
        server.clock.advance(Duration::from_secs(60));
        (post.took("ada") == [1, 2]).then_some(())
    })
    .await;
    node.is_empty().await;
    carrying.abort();
}

async fn what_is_refused_is_given_up_and_the_next_goes_on(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::Refuses(3)));
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1), ("ada", 2), ("ada", 3), ("ada", 4)])
        .await;
    post.has("ada", vec![1, 2, 4]).await;
    node.is_empty().await;
    // The fault is kept, as far as anybody would read it.
    assert_eq!(node.dead().await, [("ada".to_owned(), 3, "no".repeat(100))]);
    carrying.abort();
}

async fn dead_letters_can_be_tried_again_or_forgotten(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::Refuses(1)));
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1), ("ben", 1), ("carl", 1)]).await;
    eventually("three letters die", || async {
        (node.dead().await.len() == 3).then_some(())
    })
    .await;
    let waiting = node.outbox.waiting().await.unwrap();
    assert_eq!((waiting[0].letters, waiting[0].dead), (0, 3));
    post.is(Mood::Takes);
    assert_eq!(node.outbox.replay("post", Some("ada")).await.unwrap(), 1);
    server.clock.advance(Duration::from_secs(10));
    post.has("ada", vec![1]).await;
    assert_eq!(node.outbox.forget("post", Some("ben")).await.unwrap(), 1);
    assert_eq!(node.dead().await.len(), 1);
    assert_eq!(node.outbox.replay("nobody's", None).await.unwrap(), 0);
    // From page to page.
    let first = node.outbox.dead(None, 1).await.unwrap();
    assert_eq!(first[0].target, "carl");
    assert!(node.outbox.dead(first.first(), 1).await.unwrap().is_empty());
    carrying.abort();
}

async fn a_target_that_is_gone_takes_its_letters_with_it(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::Takes));
    post.is_for("ada", Mood::IsGone);
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1), ("ada", 2), ("ben", 1)]).await;
    post.has("ben", vec![1]).await;
    node.is_empty().await;
    assert!(node.dead().await.is_empty());
    assert!(post.took("ada").is_empty());
    carrying.abort();
}

async fn a_slow_target_holds_up_no_other(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::Takes));
    post.is_for("ada", Mood::Hesitates);
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1)]).await;
    for pos in 1..=20 {
        node.put(&[("ben", pos)]).await;
    }
    post.has("ben", (1..=20).collect()).await;
    assert!(post.took("ada").is_empty());
    post.go_on();
    post.has("ada", vec![1]).await;
    carrying.abort();
}

async fn a_clock_that_jumps_back_holds_up_nothing(server: Server) {
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::IsAway(None)));
    server.clock.set(Timestamp::from_millis(10_000_000_000_000));
    let carrying = node.carry(&post).await;
    node.put(&[("ada", 1)]).await;
    node.rest("ada", 1).await;
    server.clock.set(Timestamp::from_millis(1_000_000_000_000));
    post.is(Mood::Takes);
    eventually("it is delivered", || async {
        server.clock.advance(Duration::from_secs(1));
        (post.took("ada") == [1]).then_some(())
    })
    .await;
    carrying.abort();
}

/// However often the node dies while ten thousand letters wait, all arrive, each target's in order.
async fn whoever_goes_on_delivers_all_that_was_not_noted(server: Server) {
    const TARGETS: i64 = 20;
    const LETTERS: i64 = 500;
    let node = server.node().await;
    let post = Arc::new(Post::new(Mood::IsAway(None)));
    let carrying = node.carry(&post).await;
    let names: Vec<String> = (0..TARGETS).map(|target| format!("t{target}")).collect();
    for name in &names {
        let letters: Vec<_> = (1..=LETTERS).map(|pos| (name.as_str(), pos)).collect();
        node.write(&letters).await;
    }
    carrying.abort();
    post.is(Mood::Takes);
    let total = |post: &Post| {
        names
            .iter()
            .map(|name| post.took(name).len())
            .sum::<usize>()
    };
    for life in 1..=20 {
        let carrying = node.carry(&post).await;
        let wanted = usize::try_from(life * TARGETS * LETTERS / 25).unwrap();
        eventually("letters are taken", || async {
            server.clock.advance(Duration::from_secs(1));
            (total(&post) >= wanted).then_some(())
        })
        .await;
        carrying.abort();
    }
    let carrying = node.carry(&post).await;
    eventually("all letters are taken", || async {
        server.clock.advance(Duration::from_secs(1));
        let waiting = node.outbox.waiting().await.unwrap();
        waiting.iter().all(|lane| lane.letters == 0).then_some(())
    })
    .await;
    carrying.abort();
    for name in &names {
        let mut took = post.took(name);
        // What came twice came again from where it was not noted: never a gap.
        let mut highest = 0;
        for pos in &took {
            assert!(*pos <= highest + 1, "{name}: {pos} after {highest}");
            highest = highest.max(*pos);
        }
        took.sort_unstable();
        took.dedup();
        assert_eq!(took, (1..=LETTERS).collect::<Vec<_>>(), "{name}");
    }
}
