//! Sending, in each way that a mail server can be reached, and each way it can answer.

use mail::{DEADLINE, Encryption, SendError, Step, Why};
use rustls::RootCertStore;
use testkit::{eventually, servers::SmtpEncryption};

use crate::site::{Site, USER, mail_to};

fn later(error: SendError) -> (Step, Why) {
    match error {
        SendError::Later { step, why } => (step, why),
        SendError::Refused { .. } => panic!("refused for good: {error}"),
    }
}

fn refused(error: SendError) -> (Step, Why) {
    match error {
        SendError::Refused { step, why } => (step, why),
        SendError::Later { .. } => panic!("not for good: {error}"),
    }
}

#[tokio::test]
async fn a_mail_arrives_whichever_way_the_connection_is_protected() {
    for (theirs, ours, user) in [
        (SmtpEncryption::None, Encryption::None, None),
        (SmtpEncryption::StartTls, Encryption::StartTls, None),
        (SmtpEncryption::StartTls, Encryption::StartTls, Some(USER)),
        (SmtpEncryption::Tls, Encryption::Tls, None),
        (SmtpEncryption::Tls, Encryption::Tls, Some(USER)),
    ] {
        let site = Site::start(theirs, user);
        let mailer = site.mailer(ours, user);
        let sent = mailer.send(&mail_to("ann")).await;
        assert!(sent.is_ok(), "{theirs:?} {user:?}: {sent:?}");
        let mails = site.smtp.mails();
        assert_eq!(mails.len(), 1);
        let mail = &mails[0];
        assert!(mail.starts_with("MAIL FROM: chat@example.org\r\nRCPT TO: ann@example.org\r\n"));
        assert_eq!(
            mail.contains("AUTH: PLAIN chat\r\n"),
            user.is_some(),
            "{mail}"
        );
        assert!(
            mail.contains("\r\nAuto-Submitted: auto-generated\r\n"),
            "{mail}"
        );
        // Sent again it is the same mail.
        mailer.send(&mail_to("ann")).await.unwrap();
        let mails = site.smtp.mails();
        assert_eq!(mails[0], mails[1]);
    }
}

#[tokio::test]
async fn encryption_that_is_asked_for_is_never_dropped() {
    let site = Site::start(SmtpEncryption::None, None);
    let unprotected = site.mailer(Encryption::StartTls, None);
    let error = unprotected.send(&mail_to("ann")).await.unwrap_err();
    let not_offered = (Step::Encrypting, Why::NotOffered("STARTTLS"));
    assert_eq!(later(error), not_offered);
    let unprotected = site.mailer(Encryption::Tls, None);
    let (step, _) = later(unprotected.send(&mail_to("ann")).await.unwrap_err());
    assert_eq!(step, Step::Encrypting);
    assert!(site.smtp.mails().is_empty());
}

#[tokio::test]
async fn a_server_for_which_nobody_vouches_gets_no_mail() {
    for (theirs, ours) in [
        (SmtpEncryption::StartTls, Encryption::StartTls),
        (SmtpEncryption::Tls, Encryption::Tls),
    ] {
        let site = Site::start(theirs, Some(USER));
        let mut options = site.options(ours, Some(USER));
        options.roots = RootCertStore::empty();
        let stranger = site.mailer_of(options);
        let (step, why) = later(stranger.send(&mail_to("ann")).await.unwrap_err());
        assert_eq!(step, Step::Encrypting, "{why}");
        // The certificate is for localhost, and for no other name of the same machine.
        let mut options = site.options(ours, Some(USER));
        options.host = "127.0.0.2".to_owned();
        let other = site.mailer_of(options);
        assert!(other.send(&mail_to("ann")).await.is_err());
        assert!(site.smtp.mails().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_password_is_the_operators_to_mend_and_no_mail_is_given_up_for_it() {
    let site = Site::start(SmtpEncryption::StartTls, Some(USER));
    let wrong = site.mailer(Encryption::StartTls, Some(("chat", "wrong")));
    let error = wrong.send(&mail_to("ann")).await.unwrap_err();
    assert_eq!(later(error), (Step::SigningIn, Why::Answer(535)));
    let none = site.mailer(Encryption::StartTls, None);
    let (step, _) = later(none.send(&mail_to("ann")).await.unwrap_err());
    assert_eq!(step, Step::Sender);
    let nobody = Site::start(SmtpEncryption::StartTls, None);
    let unasked = nobody.mailer(Encryption::StartTls, Some(USER));
    let (step, why) = later(unasked.send(&mail_to("ann")).await.unwrap_err());
    assert_eq!(step, Step::SigningIn);
    assert!(matches!(why, Why::NotOffered(_)), "{why}");
}

#[tokio::test]
async fn what_the_server_says_of_a_mail_is_told_apart() {
    let site = Site::start(SmtpEncryption::StartTls, None);
    let mailer = site.mailer(Encryption::StartTls, None);
    let error = mailer.send(&mail_to("refused")).await.unwrap_err();
    assert!(!error.to_string().contains("example.org"), "{error}");
    assert_eq!(refused(error), (Step::Recipient, Why::Answer(550)));
    let error = mailer.send(&mail_to("content")).await.unwrap_err();
    assert_eq!(refused(error), (Step::Content, Why::Answer(554)));
    let error = mailer.send(&mail_to("later")).await.unwrap_err();
    assert_eq!(later(error), (Step::Recipient, Why::Answer(451)));
    for cut in ["cut", "cutlate"] {
        let error = mailer.send(&mail_to(cut)).await.unwrap_err();
        later(error);
    }
    mailer.send(&mail_to("ann")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_is_not_waited_for_for_ever() {
    let mut site = Site::start(SmtpEncryption::StartTls, None);
    let mailer = site.mailer(Encryption::StartTls, None);
    let sending = {
        let mailer = mailer.clone();
        tokio::spawn(async move { mailer.send(&mail_to("slow")).await })
    };
    let clock = site.clock.clone();
    let ended = eventually("the mailer gives up", || {
        clock.advance(DEADLINE / 20);
        let ended = sending.is_finished();
        async move { ended.then_some(()) }
    });
    ended.await;
    let (_, why) = later(sending.await.unwrap().unwrap_err());
    assert_eq!(why, Why::TooSlow);
    site.smtp.stop().unwrap();
    let (step, _) = later(mailer.send(&mail_to("ann")).await.unwrap_err());
    assert_eq!(step, Step::Connecting);
    site.smtp.restart().unwrap();
    mailer.send(&mail_to("ann")).await.unwrap();
}
