//! The socket in the data directory, through which the command line reaches a running server.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{
    Administration, Answer, LINE_BYTES, Order,
    place::{SOCKET, ShortDirectory},
};
use crate::serving::Ends;

/// How many commands may be carried out at once.
const AT_ONCE: usize = 8;

/// How long a command may take to say what it wants.
const ASK_WITHIN: Duration = Duration::from_secs(10);

/// A bound socket; its file is removed when this is dropped.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Makes the socket, for the owner of the process alone, in place of one that a crash left.
    pub(crate) fn bind(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(SOCKET);
        let listener = bind(data_dir)
            .with_context(|| format!("the socket {} cannot be made", path.display()))?;
        Ok(Self { listener, path })
    }

    /// Carries out what is asked through it, for as long as it is polled.
    ///
    /// What takes long ends when the node stops, or when whoever asked for it goes away; the rest
    /// has as long as requests have.
    pub(crate) async fn serve(self, administration: Administration, ends: Ends) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Boxed: making a copy has much to remember.
                    let work = answer(stream, administration.clone(), ends.stop.clone());
                    let work = Box::pin(work);
                    let abort = ends.abort.clone();
                    ends.tasks.spawn(async move {
                        abort.run_until_cancelled(work).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a command could not be accepted");
                    administration.pause().await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Whoever finds none opens the database directly; one that is left over is replaced.
        drop(fs::remove_file(&self.path));
    }
}

/// Bound in a directory that only this user can enter, and moved when its mode is right: nobody
/// else can connect in between.
fn bind(data_dir: &Path) -> io::Result<UnixListener> {
    const PRIVATE: &str = "control.new";
    let private = data_dir.join(PRIVATE);
    match fs::remove_dir_all(&private) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir(&private)?;
    fs::set_permissions(&private, Permissions::from_mode(0o700))?;
    let listener = UnixListener::bind(ShortDirectory::of(&private)?.entry(SOCKET))?;
    let made = private.join(SOCKET);
    fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    fs::rename(&made, data_dir.join(SOCKET))?;
    fs::remove_dir(&private)?;
    Ok(listener)
}

async fn answer(stream: UnixStream, administration: Administration, stop: CancellationToken) {
    let (reader, mut writer) = stream.into_split();
    let mut line = Zeroizing::new(Vec::new());
    let mut reader = BufReader::new(reader.take(LINE_BYTES));
    let read = timeout(ASK_WITHIN, reader.read_until(b'\n', &mut line)).await;
    if !matches!(read, Ok(Ok(_))) || !line.ends_with(b"\n") {
        return;
    }
    let answer = match serde_json::from_slice::<Order>(&line) {
        Ok(order @ Order::Backup { .. }) => {
            tokio::select! {
                answer = long(order, &administration, &mut writer) => answer,
                // Nothing more is said: a byte, or none, is the end.
                _ = reader.read_u8() => return,
                () = stop.cancelled() => Answer::Refused {
                    sentence: "the copy was not finished: the server is stopping".to_owned(),
                },
            }
        }
        Ok(order) => administration.carry_out(order, &|_| {}).await,
        // What does not parse may hold a password: it is not repeated.
        Err(_) => Answer::Refused {
            sentence: "the running server does not know this command: use the program of the \
                       version that is running"
                .to_owned(),
        },
    };
    if let Err(error) = say(&mut writer, &answer).await {
        tracing::warn!(%error, "a command went away before its answer");
    }
}

/// Carries out what takes long, and says meanwhile how far it is.
async fn long(
    order: Order,
    administration: &Administration,
    writer: &mut OwnedWriteHalf,
) -> Answer {
    let (told, mut heard) = mpsc::unbounded_channel();
    let tell = move |text: &str| drop(told.send(text.to_owned()));
    let mut work = pin!(administration.carry_out(order, &tell));
    loop {
        tokio::select! {
            answer = &mut work => return answer,
            Some(sentence) = heard.recv() => {
                // Whoever has gone is noticed where their side is read.
                drop(say(writer, &Answer::Progress { sentence }).await);
            }
        }
    }
}

async fn say(writer: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).expect("strings and numbers always serialise");
    line.push(b'\n');
    writer.write_all(&line).await
}
