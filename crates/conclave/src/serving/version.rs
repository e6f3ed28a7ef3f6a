//! Which version of HTTP a connection begins with, found out from what is read of it first.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What every HTTP/2 connection begins with ([RFC 9113]).
///
/// [RFC 9113]: https://www.rfc-editor.org/rfc/rfc9113#section-3.4
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much is read at first: more than most heads of requests are long.
const FIRST_BYTES: usize = 4 * 1024;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A connection of which something was read: it is read again, and then the rest.
pub(super) struct Begun<IO> {
    first: Bytes,
    io: IO,
}

/// Waits for the first bytes of a connection.
///
/// They are handed on together. Whoever is handed the first few and then the rest, as by hyper's
/// own way to find out, needs twice the memory for as long as the connection lasts.
pub(super) async fn begin<IO>(mut io: IO) -> io::Result<(Version, Begun<IO>)>
where
    IO: AsyncRead + Unpin,
{
    let mut first = BytesMut::with_capacity(FIRST_BYTES);
    loop {
        let ended = io.read_buf(&mut first).await? == 0;
        let version = match first.starts_with(PREFACE) {
            true => Version::Two,
            false => Version::One,
        };
        let may_be_two = first.len() < PREFACE.len() && PREFACE.starts_with(&first);
        if ended || !may_be_two {
            let first = first.freeze();
            return Ok((version, Begun { first, io }));
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Begun<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(context, buffer);
        }
        let count = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..count]);
        self.first.advance(count);
        if self.first.is_empty() {
            // Its memory is not needed any more.
            self.first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Begun<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    /// What is found out of parts that arrive one after the other, and all that is read then.
    async fn begun(parts: &[&[u8]]) -> (Version, Vec<u8>) {
        let (mut client, server) = duplex(1);
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        let writing = tokio::spawn(async move {
            for part in parts {
                client.write_all(&part).await.unwrap();
            }
        });
        let (version, mut io) = begin(server).await.unwrap();
        let mut all = Vec::new();
        io.read_to_end(&mut all).await.unwrap();
        writing.await.unwrap();
        (version, all)
    }

    #[tokio::test]
    async fn the_preface_tells_the_version_however_it_arrives_and_nothing_is_lost() {
        let request = b"POST /x HTTP/1.1\r\n\r\n".as_slice();
        assert_eq!(begun(&[request]).await, (Version::One, request.to_vec()));
        let two = [PREFACE, b"frames"].concat();
        assert_eq!(begun(&[PREFACE, b"frames"]).await, (Version::Two, two));
        for broken in [b"PRI".as_slice(), b"PRI * HTTP/1.1\r\n", b"", b"\0"] {
            assert_eq!(begun(&[broken]).await, (Version::One, broken.to_vec()));
        }
    }

    #[tokio::test]
    async fn the_first_bytes_are_read_in_one_piece() {
        let (mut client, server) = duplex(64);
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let (_, mut io) = begin(server).await.unwrap();
        let mut buffer = [0; 64];
        assert_eq!(io.read(&mut buffer).await.unwrap(), 16);
        assert!(io.first.is_empty());
    }
}
