//! The fan-out core, without I/O: WebSocket frames, channels and their history, what waits for a
//! connection, and the port to what several nodes share.
//!
//! ```
//! use bytes::Bytes;
//! use orrery_realtime::{Bounds, Item, Outbox, Pushed, frame};
//!
//! // framed once, shared by every subscriber
//! let frame: Bytes = frame::text(b"{\"price\":1}");
//! let mut outbox = Outbox::default();
//! assert_eq!(outbox.push(Item::loose(frame.clone()), &Bounds::default()), Pushed::Queued);
//! let mut batch = Vec::new();
//! outbox.take(&mut batch, 64, 65_536);
//! assert_eq!(batch, [frame]);
//! ```

mod broker;
mod channel;
mod channels;
mod decoder;
pub mod frame;
mod history;
mod outbox;

pub use broker::{Appended, Broker, COUNTED_MAX, Keep, Live, Position, Publication, SEATS_HELD, Seats, Sink, Tail};
pub use channel::{BadName, ChannelConfig, ConfigError, Mode, check_name};
pub use channels::{CHANNELS_MAX, ChannelStore, Put};
pub use decoder::{Close, Decoder, FrameError, Message};
pub use history::{HISTORY_BYTES_MAX, History, Recovery};
pub use outbox::{Bounds, Item, Outbox, Pushed};
