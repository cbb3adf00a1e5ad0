//! The one who publishes.

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::AbortHandle;

use crate::client::{connect, expect, masked, message};
use crate::{Args, Kind};

pub(crate) struct Publisher {
    kind: Kind,
    writer: OwnedWriteHalf,
    /// Reads what is answered, so that the server is never held up by us.
    reader: AbortHandle,
    bytes: usize,
    keys: u64,
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Publisher {
    pub(crate) async fn open(args: &Args) -> anyhow::Result<Self> {
        let stream = match args.kind {
            Kind::Plain => connect(args, "/?pub").await?.0,
            Kind::Nats => {
                let (mut stream, mut rest) = connect(args, "/").await?;
                expect(&mut stream, &mut rest, "INFO").await?;
                stream.write_all(&masked(2, b"CONNECT {\"verbose\":false}\r\nPING\r\n")).await?;
                expect(&mut stream, &mut rest, "PONG").await?;
                stream
            }
            Kind::Channels | Kind::Topics => {
                let (mut stream, mut rest) = connect(args, &format!("/ws?token={}", args.token)).await?;
                expect(&mut stream, &mut rest, r#"{"type":"connection","action":"connect""#).await?;
                stream
            }
            Kind::Socketio => {
                let (mut stream, mut rest) = connect(args, "/socket.io/?EIO=4&transport=websocket").await?;
                expect(&mut stream, &mut rest, "0").await?;
                stream.write_all(&masked(1, b"40")).await?;
                expect(&mut stream, &mut rest, "40").await?;
                stream
            }
        };
        stream.set_nodelay(true)?;
        let (mut reader, writer) = stream.into_split();
        let reader = tokio::task::spawn_local(async move {
            let mut some = vec![0; 65_536];
            while reader.read(&mut some).await.is_ok_and(|n| n > 0) {}
        });
        let (bytes, keys) = (args.bytes as usize, u64::from(args.keys));
        Ok(Self { kind: args.kind, writer, reader: reader.abort_handle(), bytes, keys })
    }

    pub(crate) async fn send(&mut self, number: u64, at: u64) -> anyhow::Result<()> {
        let text = message(number, at, self.bytes);
        let bytes = match self.kind {
            Kind::Plain => masked(1, text.as_bytes()),
            Kind::Nats => masked(2, format!("PUB load {}\r\n{text}\r\n", text.len()).as_bytes()),
            Kind::Channels | Kind::Topics => {
                let channel = if self.kind == Kind::Topics { "topic/performance_metrics" } else { "load" };
                let key = match self.keys {
                    0 => String::new(),
                    keys => format!(r#","metadata":{{"key":"symbol-{}"}}"#, number % keys),
                };
                let frame = format!(
                    r#"{{"type":"message","action":"send","data":{{"content":"{text}","channel":"{channel}"{key}}}}}"#
                );
                masked(1, frame.as_bytes())
            }
            Kind::Socketio => masked(1, format!(r#"42["publish","{text}"]"#).as_bytes()),
        };
        if self.reader.is_finished() {
            bail!("the server closed the publisher's connection");
        }
        self.writer.write_all(&bytes).await.context("the publisher's connection is gone")
    }
}
