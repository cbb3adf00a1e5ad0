//! The task behind a client.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use url::Url;

use crate::wire::{Ack, AckData, Frame, JoinedData, Message, Position, Sent};
use crate::{Command, Error, Event, Options};

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(10);
/// A refused message that may work later is sent again after this, unless the server says when.
const LATER: Duration = Duration::from_secs(1);
/// Between looks at what is due.
const TICK: Duration = Duration::from_millis(100);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Pending {
    data: Value,
    done: oneshot::Sender<Result<Ack, Error>>,
    sent: bool,
    due: Instant,
}

pub(crate) struct Session {
    url: Url,
    options: Options,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    client_id: String,
    channels: BTreeMap<String, Option<Position>>,
    pending: BTreeMap<u64, Pending>,
    sequence: u64,
    heard: Instant,
    open: bool,
}

/// How a connection ended.
enum Over {
    /// By the client's wish, or nobody is there any more.
    Closed,
    /// It may be tried again.
    Lost { code: u16, reason: String, was_open: bool },
}

/// Close codes after which connecting again by itself is no use.
fn is_final(code: u16) -> bool {
    (4400..=4499).contains(&code) && code != 4429
}

/// Between zero and `most`: clients that lost their server together do not come back together.
fn jitter(most: Duration) -> Duration {
    // the standard library's own random keys are enough for this
    let share = (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64;
    most.mul_f64(share)
}

impl Session {
    pub(crate) fn new(
        url: Url,
        options: Options,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let random = || format!("rs-{:016x}", RandomState::new().hash_one(0));
        Self {
            client_id: options.client_id.clone().unwrap_or_else(random),
            url,
            options,
            commands,
            events,
            channels: BTreeMap::new(),
            pending: BTreeMap::new(),
            sequence: 0,
            heard: Instant::now(),
            open: false,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut attempt = 0_u32;
        let why = loop {
            let over = match self.connect().await {
                Ok(socket) => self.talk(socket).await,
                Err(reason) => Over::Lost { code: 1006, reason, was_open: false },
            };
            let (code, reason, was_open) = match over {
                Over::Closed => break "closed".to_owned(),
                Over::Lost { code, reason, was_open } => (code, reason, was_open),
            };
            if was_open {
                attempt = 0;
                self.tell(Event::Closed { code, reason: reason.clone() }).await;
            }
            let renewable = code == 4401 && attempt == 0;
            if is_final(code) && !renewable {
                break format!("{code} {reason}");
            }
            if attempt >= self.options.max_retries {
                break format!("no connection after {attempt} attempts: {reason}");
            }
            let most = self.options.min_delay.saturating_mul(1 << attempt.min(20)).min(self.options.max_delay);
            attempt += 1;
            if !self.wait(jitter(most)).await {
                break "closed".to_owned();
            }
        };
        for (_, pending) in std::mem::take(&mut self.pending) {
            // whoever waited may be gone
            let _ = pending.done.send(Err(Error::Ended(why.clone())));
        }
        self.tell(Event::Ended(why)).await;
    }

    async fn tell(&self, event: Event) {
        // an error says that nobody listens
        let _ = self.events.send(event).await;
    }

    async fn token(&self) -> Result<Option<String>, String> {
        match &self.options.token {
            Some(source) => source().await.map(Some),
            None => Ok(None),
        }
    }

    async fn connect(&self) -> Result<Socket, String> {
        let mut url = self.url.clone();
        if let Some(token) = self.token().await? {
            url.query_pairs_mut().append_pair("token", &token);
        }
        url.query_pairs_mut().append_pair("client_id", &self.client_id);
        match timeout(CONNECT, connect_async(url.as_str())).await {
            Ok(Ok((socket, _))) => Ok(socket),
            // the library's words hold no URL
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".into()),
        }
    }

    /// Waits, keeping what is asked meanwhile; `false`: close.
    async fn wait(&mut self, delay: Duration) -> bool {
        let until = Instant::now() + delay;
        loop {
            tokio::select! {
                () = sleep_until(until) => return true,
                command = self.commands.recv() => match command {
                    None | Some(Command::Close) => return false,
                    Some(command) => {
                        self.take(command);
                    }
                },
            }
        }
    }

    /// Keeps what is asked; gives what to send at once, if there is a connection.
    fn take(&mut self, command: Command) -> Option<Value> {
        match command {
            Command::Close => None,
            Command::Join { channel, from } => {
                let kept = self.channels.entry(channel.clone()).or_default();
                if from.is_some() {
                    *kept = from;
                }
                self.join_frame(&channel)
            }
            Command::Leave { channel } => {
                self.channels.remove(&channel)?;
                Some(json!({"type": "connection", "action": "disconnect", "data": {"channel": channel}}))
            }
            Command::Send { channel, content, key, done } => {
                if self.pending.len() >= self.options.queue_max {
                    let _ = done.send(Err(Error::QueueFull));
                    return None;
                }
                self.sequence += 1;
                let mut metadata = json!({"sequence": self.sequence});
                if let Some(key) = key {
                    metadata["key"] = key.into();
                }
                let data = json!({"content": content, "channel": channel, "metadata": metadata});
                let due = Instant::now();
                self.pending.insert(self.sequence, Pending { data, done, sent: false, due });
                None
            }
        }
    }

    fn join_frame(&self, channel: &str) -> Option<Value> {
        let data = match self.channels.get(channel)? {
            Some(at) => json!({"channel": channel, "since": at.offset, "epoch": at.epoch}),
            None => json!({"channel": channel}),
        };
        Some(json!({"type": "connection", "action": "connect", "data": data}))
    }

    /// Messages to send now: new ones, and those whose acknowledgement is overdue.
    fn due(&mut self) -> Vec<String> {
        let (now, wait) = (Instant::now(), self.options.ack_timeout);
        let due = self.pending.values_mut().filter(|p| p.due <= now);
        due.map(|pending| {
            let action = if pending.sent { "retry" } else { "send" };
            (pending.sent, pending.due) = (true, now + wait);
            let frame = Sent { kind: "message", action, data: &pending.data };
            // a value always serialises
            serde_json::to_string(&frame).unwrap_or_default()
        })
        .collect()
    }

    async fn talk(&mut self, mut socket: Socket) -> Over {
        self.open = false;
        self.heard = Instant::now();
        let mut tick = tokio::time::interval(TICK);
        let mut pinged = false;
        let lost = |code, reason: &str, was_open| Over::Lost { code, reason: reason.to_owned(), was_open };
        loop {
            let mut frames: Vec<String> = Vec::new();
            tokio::select! {
                command = self.commands.recv() => match command {
                    None | Some(Command::Close) => {
                        let _ = timeout(LATER, socket.close(None)).await;
                        return Over::Closed;
                    }
                    Some(command) => {
                        let frame = self.take(command).filter(|_| self.open);
                        frames.extend(frame.map(|f| f.to_string()));
                    }
                },
                message = socket.next() => {
                    (self.heard, pinged) = (Instant::now(), false);
                    match message {
                        Some(Ok(WsMessage::Text(text))) => frames.extend(self.hear(&text).await),
                        Some(Ok(WsMessage::Close(why))) => {
                            let (code, reason) =
                                why.map_or((1005, String::new()), |c| (c.code.into(), c.reason.to_string()));
                            return lost(code, &reason, self.open);
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return lost(1006, &error.to_string(), self.open),
                        None => return lost(1006, "the connection ended", self.open),
                    }
                }
                _ = tick.tick() => {
                    let silent = self.heard.elapsed();
                    if silent > self.options.ping + self.options.ping / 2 {
                        return lost(1006, "no answer", self.open);
                    }
                    if silent > self.options.ping && !pinged {
                        pinged = true;
                        frames.push(r#"{"type":"ping"}"#.into());
                    }
                }
            }
            if self.open {
                frames.extend(self.due());
            }
            for frame in frames {
                if let Err(error) = socket.send(WsMessage::text(frame)).await {
                    return lost(1006, &error.to_string(), self.open);
                }
            }
        }
    }

    /// Deals with a frame; gives what to send.
    async fn hear(&mut self, text: &str) -> Vec<String> {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else { return Vec::new() };
        match (frame.kind.as_str(), frame.action.as_str()) {
            ("connection", "connect") => return self.joined(frame.data).await,
            ("message", "send") => self.message(frame.data).await,
            ("message", "ack") => self.acknowledged(frame.data),
            ("system", _) => return self.system(frame).await,
            ("error", _) => self.refused(frame).await,
            _ => {}
        }
        Vec::new()
    }

    async fn joined(&mut self, data: Value) -> Vec<String> {
        let Ok(joined) = serde_json::from_value::<JoinedData>(data) else { return Vec::new() };
        let mut frames = Vec::new();
        if !self.open {
            self.open = true;
            self.tell(Event::Open).await;
            for pending in self.pending.values_mut() {
                pending.due = Instant::now();
            }
            let names: Vec<String> =
                self.channels.keys().filter(|c| joined.channel.as_ref() != Some(*c)).cloned().collect();
            frames.extend(names.iter().filter_map(|name| self.join_frame(name)).map(|f| f.to_string()));
        }
        let (Some(channel), Some(epoch), Some(offset)) = (joined.channel, joined.epoch, joined.offset) else {
            return frames;
        };
        let position = Position { epoch, offset };
        if let Some(kept) = self.channels.get_mut(&channel) {
            let lost = kept.as_ref().is_some_and(|at| !joined.recovered && *at != position);
            // what was missed follows and moves the offset on; without it the position is the server's
            if kept.is_none() || !joined.recovered {
                *kept = Some(position.clone());
            }
            if lost {
                self.tell(Event::Gap { channel: channel.clone(), position: position.clone() }).await;
            }
        }
        self.tell(Event::Joined { channel, position, recovered: joined.recovered }).await;
        frames
    }

    async fn message(&mut self, data: Value) {
        let Ok(message) = serde_json::from_value::<Message>(data) else { return };
        let Some(at) = self.channels.get_mut(&message.channel) else { return };
        if !message.metadata.snapshot {
            let new = Position { epoch: message.metadata.epoch.clone(), offset: message.metadata.sequence };
            if at.as_ref().is_some_and(|at| at.epoch == new.epoch && new.offset <= at.offset) {
                return;
            }
            *at = Some(new);
        }
        self.tell(Event::Message(message)).await;
    }

    fn acknowledged(&mut self, data: Value) {
        let Ok(AckData { metadata }) = serde_json::from_value(data) else { return };
        if let Some(pending) = metadata.sequence.and_then(|n| self.pending.remove(&n)) {
            let ack = Ack { offset: metadata.offset, epoch: metadata.epoch, duplicate: metadata.duplicate };
            // whoever waited may be gone
            let _ = pending.done.send(Ok(ack));
        }
    }

    async fn system(&mut self, frame: Frame) -> Vec<String> {
        let mut frames = Vec::new();
        match frame.data["code"].as_str() {
            Some("gap") => {
                let channel = frame.data["channel"].as_str().unwrap_or_default().to_owned();
                let epoch = frame.data["epoch"].as_str().unwrap_or_default().to_owned();
                let position = Position { epoch, offset: frame.data["offset"].as_u64().unwrap_or_default() };
                if let Some(kept) = self.channels.get_mut(&channel) {
                    *kept = Some(position.clone());
                    self.tell(Event::Gap { channel, position }).await;
                }
            }
            Some("token_expiring") => {
                if let Ok(Some(token)) = self.token().await {
                    let refresh = json!({"type": "connection", "action": "refresh", "data": {"token": token}});
                    frames.push(refresh.to_string());
                }
            }
            _ => {}
        }
        self.tell(Event::System(frame.data)).await;
        frames
    }

    async fn refused(&mut self, frame: Frame) {
        let Frame { code, message, details, .. } = frame;
        let Some(sequence) = details.sequence else {
            return self.tell(Event::Refused { code, message }).await;
        };
        if details.temporary {
            if let Some(pending) = self.pending.get_mut(&sequence) {
                pending.due = Instant::now() + details.retry_after_ms.map_or(LATER, Duration::from_millis);
            }
        } else if let Some(pending) = self.pending.remove(&sequence) {
            let _ = pending.done.send(Err(Error::Refused { code, message }));
        }
    }
}
