//! What is said in clear before a connection is encrypted (STARTTLS, [RFC 3207]).
//!
//! It is said here and not by lettre, because whoever stands in between may add to what a server
//! says in clear: whatever was received beyond the answer to `STARTTLS` would be read as if it had
//! come encrypted. Here it ends the conversation.
//!
//! [RFC 3207]: https://www.rfc-editor.org/rfc/rfc3207

use lettre::transport::smtp::extension::ClientId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{SendError, Step, Why};

/// The most that a server may say in one answer.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// An answer of the server: its code, and what stands behind it in each line.
struct Answer {
    code: u16,
    lines: Vec<String>,
}

/// Asks a server that was just connected to for encryption. When this is done the server waits for
/// the handshake, and nothing else was received from it.
pub(crate) async fn ask_for_encryption(
    stream: &mut TcpStream,
    hello: &ClientId,
) -> Result<(), SendError> {
    expect(read(stream, Step::Greeting).await?, Step::Greeting, 220)?;
    say(stream, &format!("EHLO {hello}\r\n")).await?;
    let offer = expect(read(stream, Step::Greeting).await?, Step::Greeting, 250)?;
    let offers = |line: &String| line.trim().eq_ignore_ascii_case("STARTTLS");
    if !offer.lines.iter().any(offers) {
        let why = Why::NotOffered("STARTTLS");
        return Err(SendError::later(Step::Encrypting, why));
    }
    say(stream, "STARTTLS\r\n").await?;
    expect(read(stream, Step::Encrypting).await?, Step::Encrypting, 220)?;
    Ok(())
}

fn expect(answer: Answer, step: Step, code: u16) -> Result<Answer, SendError> {
    match answer.code == code {
        true => Ok(answer),
        false => Err(SendError::answered(step, answer.code)),
    }
}

async fn say(stream: &mut TcpStream, command: &str) -> Result<(), SendError> {
    let said = stream.write_all(command.as_bytes()).await;
    said.map_err(|error| SendError::broken(Step::Encrypting, &error))
}

/// Reads one answer, and refuses whatever comes with it.
async fn read(stream: &mut TcpStream, step: Step) -> Result<Answer, SendError> {
    let mut received = Vec::new();
    loop {
        let mut part = [0; 1024];
        let count = stream.read(&mut part).await;
        let count = count.map_err(|error| SendError::broken(step, &error))?;
        if count == 0 {
            let why = Why::Connection("the mail server ended the connection".to_owned());
            return Err(SendError::later(step, why));
        }
        received.extend_from_slice(&part[..count]);
        if received.len() > MAX_ANSWER_BYTES {
            return Err(SendError::later(step, Why::NoAnswer));
        }
        match parse(&received) {
            Parsed::Whole(answer) => return Ok(answer),
            Parsed::Part => {}
            Parsed::Nonsense => return Err(SendError::later(step, Why::NoAnswer)),
        }
    }
}

enum Parsed {
    Whole(Answer),
    Part,
    Nonsense,
}

/// Reads `250-first`, `250-second`, `250 last`, and not a byte more.
fn parse(received: &[u8]) -> Parsed {
    let mut lines = Vec::new();
    let mut rest = received;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let (line, behind) = (&rest[..end], &rest[end + 2..]);
        rest = behind;
        let Ok(line) = std::str::from_utf8(line) else {
            return Parsed::Nonsense;
        };
        let (Some(code), Some(mark)) = (line.get(..3), line.get(3..4).or(Some(" "))) else {
            return Parsed::Nonsense;
        };
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        let (true, Ok(code)) = (digits, code.parse()) else {
            return Parsed::Nonsense;
        };
        lines.push(line.get(4..).unwrap_or_default().to_owned());
        match mark {
            "-" => {}
            " " if rest.is_empty() => return Parsed::Whole(Answer { code, lines }),
            // Nobody has asked for more.
            _ => return Parsed::Nonsense,
        }
    }
    Parsed::Part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(received: &str) -> Option<(u16, Vec<String>)> {
        match parse(received.as_bytes()) {
            Parsed::Whole(answer) => Some((answer.code, answer.lines)),
            Parsed::Part => Some((0, Vec::new())),
            Parsed::Nonsense => None,
        }
    }

    #[test]
    fn an_answer_ends_where_it_says_so_and_nothing_may_follow() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        for (received, answer) in [
            ("220 ready\r\n", Some((220, lines(&["ready"])))),
            ("220\r\n", Some((220, lines(&[""])))),
            (
                "250-mx\r\n250 STARTTLS\r\n",
                Some((250, lines(&["mx", "STARTTLS"]))),
            ),
            ("250-mx\r\n", Some((0, lines(&[])))),
            ("22", Some((0, lines(&[])))),
            ("220 ready\r\n250 injected\r\n", None),
            ("220 ready\r\n2", None),
            ("hello\r\n", None),
            ("+20 x\r\n", None),
            ("220_x\r\n", None),
            ("é\r\n", None),
        ] {
            assert_eq!(read_of(received), answer, "{received:?}");
        }
    }
}
