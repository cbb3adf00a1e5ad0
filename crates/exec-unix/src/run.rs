//! The port of runs.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orrery_exec::{Command, Ending, Finished, Heard, Input, Layer, Layers, Limits, Output, RunError, Runner, Stream};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::Instant;

use crate::Unix;

/// Read at once.
const READ_BYTES: usize = 64 * 1_024;
/// Beyond the grace: then the keeper is given up, and its loss ends the run.
const LATE: Duration = Duration::from_secs(10);
/// How long output is waited for once everything of the run is gone; it is there by then.
const REST: Duration = Duration::from_secs(2);

fn unavailable(error: impl Into<std::io::Error>) -> RunError {
    RunError::Unavailable(error.into().kind().to_string())
}

/// A pipe that is written outside and read here.
fn from_run() -> Result<(Receiver, OwnedFd), RunError> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(unavailable)?;
    Ok((Receiver::from_owned_fd(reader).map_err(unavailable)?, writer))
}

/// The input of a run, already in its pipe.
async fn input(input: Input) -> Result<OwnedFd, RunError> {
    match input {
        Input::Closed => {
            rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(unavailable)
        }
        Input::Bytes(bytes) => {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(unavailable)?;
            let mut writer = Sender::from_owned_fd(writer).map_err(unavailable)?;
            // it fits: see `Input`
            writer.write_all(bytes.expose()).await.map_err(unavailable)?;
            Ok(reader)
        }
    }
}

/// Reads a stream to its end; what is beyond its bound is dropped.
async fn capture(mut from: Receiver, into: &mut Output, stream: Stream, heard: Option<&Arc<dyn Heard>>) {
    let mut bytes = vec![0; READ_BYTES];
    loop {
        match from.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                let bytes = bytes.get(..n).unwrap_or_default();
                into.push(bytes);
                if let Some(heard) = heard {
                    heard.heard(stream, bytes);
                }
            }
        }
    }
}

#[async_trait]
impl Runner for Unix {
    async fn run(&self, command: Command, limits: Limits, heard: Option<Arc<dyn Heard>>) -> Result<Finished, RunError> {
        let ((out, out_writer), (err, err_writer)) = (from_run()?, from_run()?);
        let input = input(command.input.clone()).await?;
        // a short run may be over before its start is told
        let started = Instant::now();
        let control = self.start(&command, limits, [input, out_writer, err_writer], None).await?;
        let (mut stdout, mut stderr) = (Output::new(limits.output), Output::new(limits.output));
        let (ending, took) = {
            let streams = async {
                tokio::join!(
                    capture(out, &mut stdout, Stream::Out, heard.as_ref()),
                    capture(err, &mut stderr, Stream::Err, heard.as_ref())
                )
            };
            tokio::pin!(streams);
            let ended = async {
                let wall = async {
                    match limits.wall {
                        Some(wall) => tokio::time::sleep(wall).await,
                        None => std::future::pending().await,
                    }
                };
                let ending = tokio::select! {
                    exit = control.ended() => Ending::Exited(exit?),
                    () = wall => {
                        control.end().await;
                        match tokio::time::timeout(LATE, control.ended()).await {
                            Ok(ended) => ended.map(|_| Ending::TimedOut)?,
                            Err(_) => return Err(RunError::RunnerGone),
                        }
                    }
                };
                Ok((ending, started.elapsed()))
            };
            tokio::pin!(ended);
            let mut whole = false;
            let ended = loop {
                tokio::select! {
                    ended = &mut ended => break ended,
                    _ = &mut streams, if !whole => whole = true,
                }
            };
            if !whole {
                let _ = tokio::time::timeout(REST, streams).await;
            }
            ended?
        };
        Ok(Finished { ending, stdout: stdout.finish(), stderr: stderr.finish(), took })
    }

    async fn layers(&self) -> Layers {
        match self.found().await {
            Ok(layers) => layers.clone(),
            Err(error) => {
                let mut layers = Layers::default();
                layers.set(Layer::Runner, Err(error.to_string()));
                layers
            }
        }
    }
}
