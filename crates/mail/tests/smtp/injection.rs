//! A man in the middle, who adds to what a mail server says before the connection is encrypted.

use std::sync::Arc;

use mail::{Encryption, Mailer, SendError, Step, Why};
use model::time::Clock;
use testkit::clock::FakeClock;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use crate::site::{mail_to, options};

/// A server that says these answers, one for each line that it hears, after its greeting.
async fn server_that_says(answers: &'static [&'static str]) -> (u16, FakeClock) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        for answer in answers {
            stream.write_all(answer.as_bytes()).await.unwrap();
            let mut heard = String::new();
            stream.read_line(&mut heard).await.unwrap();
        }
    });
    (port, FakeClock::default())
}

async fn send_to(answers: &'static [&'static str]) -> (Step, Why) {
    let (port, clock) = server_that_says(answers).await;
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let mailer = Mailer::new(options(port, Encryption::StartTls, None), clock).unwrap();
    match mailer.send(&mail_to("ann")).await.unwrap_err() {
        SendError::Later { step, why } => (step, why),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_is_said_before_the_encryption_is_not_read_after_it() {
    let injected = send_to(&[
        "220 mx\r\n",
        "250-mx\r\n250 STARTTLS\r\n",
        "220 go on\r\n250-mx\r\n250 AUTH LOGIN\r\n",
    ]);
    assert_eq!(injected.await, (Step::Encrypting, Why::NoAnswer));
    let twice = send_to(&["220 mx\r\n220 mx\r\n"]);
    assert_eq!(twice.await, (Step::Greeting, Why::NoAnswer));
}

#[tokio::test]
async fn an_offer_that_was_taken_away_ends_the_conversation() {
    let stripped = send_to(&["220 mx\r\n", "250-mx\r\n250 XSTARTTLS\r\n"]);
    let not_offered = (Step::Encrypting, Why::NotOffered("STARTTLS"));
    assert_eq!(stripped.await, not_offered);
    let refused = send_to(&[
        "220 mx\r\n",
        "250 STARTTLS\r\n",
        "454 TLS not available\r\n",
    ]);
    assert_eq!(refused.await, (Step::Encrypting, Why::Answer(454)));
    let busy = send_to(&["554 no mail today\r\n"]);
    assert_eq!(busy.await, (Step::Greeting, Why::Answer(554)));
}
