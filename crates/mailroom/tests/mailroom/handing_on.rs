//! What becomes of a mail that was committed.

use std::time::Duration;

use accounts::emails::{EMAIL_PROOF_LIFETIME, EmailPurpose, EmailRequest};
use model::{language::Language, mail_address::MailAddress};
use store::Pos;
use testkit::eventually;

use crate::site::{Node, Site};

macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::site::Site::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::site::Site::postgres().await).await;
            })*
        }
    };
}

on_both_engines! {
    a_mail_arrives_once_and_what_it_says_is_forgotten,
    what_was_committed_before_anybody_worked_arrives,
    a_mail_server_that_is_away_is_tried_again,
    what_is_refused_for_good_is_a_dead_letter_and_holds_nobody_up,
    a_mail_that_waited_longer_than_its_link_is_good_is_not_sent,
    an_address_that_nobody_has_is_sent_nothing,
}

async fn waiting(node: &Node) -> usize {
    let written = node.accounts.mails_written(Pos::START, Pos::new(i64::MAX));
    written.await.unwrap().len()
}

async fn nothing_waits(site: &Site, node: &Node) {
    eventually("nothing waits", || async {
        site.clock.advance(Duration::from_millis(250));
        (waiting(node).await == 0).then_some(())
    })
    .await;
}

async fn a_mail_arrives_once_and_what_it_says_is_forgotten(site: Site) {
    let mut node = site.node().await;
    node.work();
    node.ask("ann", 1).await;
    let mails = site.arrived(1).await;
    let mail = &mails[0];
    assert!(mail.contains("RCPT TO: ann@example.org\r\n"), "{mail}");
    assert!(
        mail.contains("\r\nAuto-Submitted: auto-generated\r\n"),
        "{mail}"
    );
    nothing_waits(&site, &node).await;
    node.ask("ann", 1).await;
    node.ask("bob", 1).await;
    assert_eq!(site.arrived(2).await.len(), 2);
}

async fn what_was_committed_before_anybody_worked_arrives(site: Site) {
    let mut node = site.node().await;
    for name in ["ann", "bob", "eve"] {
        node.ask(name, 1).await;
    }
    node.work();
    site.arrived(3).await;
    nothing_waits(&site, &node).await;
    node.die();
    node.ask("fay", 1).await;
    // Whoever goes on sends what is left, and nothing twice.
    node.work();
    assert_eq!(site.arrived(4).await.len(), 4);
    nothing_waits(&site, &node).await;
}

async fn a_mail_server_that_is_away_is_tried_again(mut site: Site) {
    let mut node = site.node().await;
    site.smtp.stop().unwrap();
    node.work();
    node.ask("ann", 1).await;
    eventually("it was tried", || async {
        let lanes = node.outbox.waiting().await.unwrap();
        lanes.iter().any(|lane| lane.failing == 1).then_some(())
    })
    .await;
    assert_eq!(waiting(&node).await, 1);
    site.smtp.restart().unwrap();
    site.arrived(1).await;
    nothing_waits(&site, &node).await;
}

async fn what_is_refused_for_good_is_a_dead_letter_and_holds_nobody_up(site: Site) {
    let mut node = site.node().await;
    node.work();
    node.ask("refused", 1).await;
    node.ask("ann", 1).await;
    site.arrived(1).await;
    let dead = eventually("it is given up", || async {
        site.clock.advance(Duration::from_millis(250));
        let dead = node.outbox.dead(None, 10).await.unwrap();
        dead.into_iter().next()
    });
    let dead = dead.await;
    assert_eq!(dead.lane, "mail");
    assert!(dead.fault.contains("550"), "{}", dead.fault);
    assert!(!format!("{dead:?}").contains("example.org"), "{dead:?}");
}

async fn a_mail_that_waited_longer_than_its_link_is_good_is_not_sent(site: Site) {
    let mut node = site.node().await;
    node.ask("ann", 1).await;
    site.clock.advance(EMAIL_PROOF_LIFETIME);
    node.work();
    eventually("it is given up", || async {
        site.clock.advance(Duration::from_millis(250));
        let dead = node.outbox.dead(None, 10).await.unwrap();
        (dead.len() == 1).then_some(())
    })
    .await;
    node.ask("ann", 2).await;
    assert_eq!(site.arrived(1).await.len(), 1);
}

async fn an_address_that_nobody_has_is_sent_nothing(site: Site) {
    let mut node = site.node().await;
    node.work();
    let request = EmailRequest {
        purpose: EmailPurpose::ResetPassword,
        address: MailAddress::parse("eve@example.org").unwrap(),
        client_secret: "secret",
        send_attempt: 1,
        next_link: None,
        language: Language::English,
    };
    node.accounts.request_email(request).await.unwrap();
    nothing_waits(&site, &node).await;
    node.ask("ann", 1).await;
    assert_eq!(site.arrived(1).await.len(), 1);
}
