//! [`Wire`]: a connection to a mail server, as lettre takes it over.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// What stands for the greeting of a server that has greeted already: lettre waits for one.
const GREETING: &[u8] = b"220 go on\r\n";

/// A connection, in clear or encrypted.
#[derive(Debug)]
pub(crate) struct Wire {
    /// What is read before anything that the server says.
    before: &'static [u8],
    stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    peer: SocketAddr,
}

impl Wire {
    /// A connection in clear, on which nothing was said yet.
    pub(crate) fn clear(stream: TcpStream, peer: SocketAddr) -> Self {
        Self {
            before: b"",
            stream: Either::Left(stream),
            peer,
        }
    }

    /// An encrypted connection; `greeted` tells whether the server has greeted before it was.
    pub(crate) fn encrypted(stream: TlsStream<TcpStream>, peer: SocketAddr, greeted: bool) -> Self {
        Self {
            before: if greeted { GREETING } else { b"" },
            stream: Either::Right(Box::new(stream)),
            peer,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let (now, later) = self
                .before
                .split_at(self.before.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.before = later;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
