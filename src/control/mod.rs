//! The Unix socket in the data folder by which commands reach a running host. One JSON line asks, one answers.

mod command;
mod operator;

pub use command::{Command, RecordByHand, Reply};
pub use operator::Operator;

use crate::ledger::folder::Folder;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// The most bytes of a request: an import comes in pieces.
const LINE_SIZE_BYTES_MAX: u64 = 8 * 1024 * 1024;
const CONNECTIONS_MAX: usize = 16;
/// How long a command may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no socket can be made in a folder, if none can: systems bound a socket's path.
pub fn too_long(folder: &Folder) -> Option<String> {
    const PATH_BYTES_MAX: usize = 107;
    let path = folder.control_socket();
    let bytes = path.as_os_str().len();
    (bytes > PATH_BYTES_MAX).then(|| {
        format!(
            "the path of the control socket, {}, has {bytes} bytes, and a socket's path has at most {PATH_BYTES_MAX}: give a shorter --data, such as a relative one",
            path.display()
        )
    })
}

/// Makes the socket, for its owner alone. One that an earlier host left behind is replaced: we hold the folder's lock.
pub fn bind(folder: &Folder) -> std::io::Result<std::os::unix::net::UnixListener> {
    let path = folder.control_socket();
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = std::os::unix::net::UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Carries out what comes over the socket, until shutdown.
pub async fn serve(listener: UnixListener, operator: Arc<Operator>, shutdown: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tasks = TaskTracker::new();
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            break;
        };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match stream {
            Ok((stream, _)) => {
                let operator = operator.clone();
                tasks.spawn(async move {
                    if let Err(error) = converse(stream, &operator).await {
                        debug!(%error, "a control connection ended: {error}");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "a control connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

async fn converse(stream: UnixStream, operator: &Operator) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LINE_SIZE_BYTES_MAX));
    tokio::time::timeout(READ_TIMEOUT, read.read_line(&mut line)).await??;
    let reply = match serde_json::from_str::<Command>(&line) {
        Ok(command) => operator.carry_out(command).await,
        Err(error) => Reply::Refused(format!(
            "the running host does not understand this command; is it another version? ({error})"
        )),
    };
    let mut answer = serde_json::to_vec(&reply)?;
    answer.push(b'\n');
    write.write_all(&answer).await?;
    write.shutdown().await
}

/// Asks the running host; `None` when none is running in the folder.
pub async fn ask(folder: &Folder, command: &Command) -> std::io::Result<Option<Reply>> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    if too_long(folder).is_some() {
        return Ok(None);
    }
    let mut stream = match UnixStream::connect(folder.control_socket()).await {
        Ok(it) => it,
        Err(error) if matches!(error.kind(), NotFound | ConnectionRefused) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_to_string(&mut answer).await?;
    Ok(Some(serde_json::from_str(&answer)?))
}
