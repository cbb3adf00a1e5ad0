//! A stand-in for Binance's spot market whose books all move: as little of it as the gateway asks for.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message;

/// Levels of each side of a book.
const LEVELS: u64 = 100;
/// Changes of each side in a message.
const CHANGES: u64 = 10;
/// The price in the middle, in cents.
const MIDDLE: u64 = 4_300_000;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16_384;

/// How much it says.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Markets: `C000/USDT` and on.
    pub markets: usize,
    /// Messages of each book a second.
    pub rate: u32,
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a load tool measures")]
pub(crate) fn now_ms() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Starts it on a thread of its own; gives the address of its HTTP side and of its streams.
pub(crate) fn start(load: Load) -> Result<(SocketAddr, SocketAddr)> {
    let listen = || -> Result<_> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    };
    let ((http, asked), (stream, told)) = (listen()?, listen()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let both = async {
                let (asked, told) = (TcpListener::from_std(asked)?, TcpListener::from_std(told)?);
                tokio::join!(answers(asked, load), streams(told, load));
                Ok::<_, std::io::Error>(())
            };
            if let Err(error) = both.await {
                eprintln!("the exchange: {error}");
            }
        });
    });
    Ok((http, stream))
}

#[expect(clippy::disallowed_methods, reason = "tasks of a load tool end with it")]
async fn answers(listener: TcpListener, load: Load) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            // whoever asks goes when it wants to
            let _ = answer(stream, load).await;
        });
    }
}

async fn answer(mut stream: TcpStream, load: Load) -> Result<()> {
    let mut read = Vec::new();
    loop {
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            anyhow::ensure!(read.len() < HEAD_BYTES, "a long head");
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        read.drain(..end + 4);
        let target = head.split(' ').nth(1).context("a target")?;
        let body = body(target, load);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await?;
    }
}

fn body(target: &str, load: Load) -> String {
    match target.split('?').next().unwrap_or_default() {
        "/api/v3/exchangeInfo" => {
            let one = |n| {
                format!(
                    r#"{{"symbol":"C{n:03}USDT","status":"TRADING","baseAsset":"C{n:03}","quoteAsset":"USDT",
                        "isSpotTradingAllowed":true,"permissions":["SPOT"],"filters":[{{"filterType":"PRICE_FILTER",
                        "minPrice":"0.01","maxPrice":"1000000.00","tickSize":"0.01"}},{{"filterType":"LOT_SIZE",
                        "minQty":"0.00001","maxQty":"9000.0","stepSize":"0.00001"}}]}}"#
                )
            };
            format!(r#"{{"symbols":[{}]}}"#, (0..load.markets).map(one).collect::<Vec<_>>().join(","))
        }
        // of an update that is long ago: what follows is taken over it
        "/api/v3/depth" => {
            let side = |rising: bool| {
                let level =
                    |n: u64| format!(r#"["{}","1.00000000"]"#, price(if rising { MIDDLE + n } else { MIDDLE - n }));
                (1..=LEVELS).map(level).collect::<Vec<_>>().join(",")
            };
            format!(r#"{{"lastUpdateId":{},"bids":[{}],"asks":[{}]}}"#, updates(load), side(false), side(true))
        }
        "/api/v3/time" => format!(r#"{{"serverTime":{}}}"#, now_ms()),
        _ => r#"{"symbols":[]}"#.to_owned(),
    }
}

fn price(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Every book's number of its last change: all go on alike, with the time.
fn updates(load: Load) -> u64 {
    now_ms() * u64::from(load.rate) / 1_000
}

#[expect(clippy::disallowed_methods, reason = "tasks of a load tool end with it")]
async fn streams(listener: TcpListener, load: Load) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            // the gateway goes when it wants to
            let _ = tell(stream, load).await;
        });
    }
}

/// A book that a connection is told of.
struct Book {
    name: String,
    /// The number of its last change.
    last: u64,
    seed: u64,
}

async fn tell(stream: TcpStream, load: Load) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    let mut books: Vec<Book> = Vec::new();
    // the books take turns, so that they do not all come at once
    let turns = load.markets.max(1) as u32;
    let mut tick = interval(Duration::from_millis(5));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (begun, mut done) = (tokio::time::Instant::now(), 0_u64);
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => subscribe(&text, &mut books, load),
                Some(Ok(_)) => {}
                _ => return Ok(()),
            },
            _ = tick.tick() => {
                let due = (begun.elapsed().as_secs_f64() * f64::from(load.rate) * f64::from(turns)) as u64;
                while done < due {
                    let place = (done % u64::from(turns)) as usize;
                    done += 1;
                    if let Some(book) = books.get_mut(place) {
                        socket.feed(Message::text(book.next())).await?;
                    }
                }
                socket.flush().await?;
            }
        }
    }
}

/// Takes a frame that asks for streams; others are passed over.
fn subscribe(text: &str, books: &mut Vec<Book>, load: Load) {
    let frame: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    if frame["method"] != "SUBSCRIBE" {
        return;
    }
    for stream in frame["params"].as_array().into_iter().flatten().filter_map(|name| name.as_str()) {
        let name = stream.split('@').next().unwrap_or_default().to_uppercase();
        let seed = name.bytes().map(u64::from).sum();
        books.push(Book { name, last: updates(load), seed });
    }
}

impl Book {
    fn below(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % bound
    }

    fn next(&mut self) -> String {
        let mut sides = [String::new(), String::new()];
        for (side, rising) in sides.iter_mut().zip([false, true]) {
            for n in 0..CHANGES {
                let away = 1 + self.below(LEVELS);
                let price = price(if rising { MIDDLE + away } else { MIDDLE - away });
                let (comma, amount) = (if n > 0 { "," } else { "" }, 1 + self.below(900_000_000));
                let (whole, part) = (amount / 100_000_000, amount % 100_000_000);
                let _ = write!(side, r#"{comma}["{price}","{whole}.{part:08}"]"#);
            }
        }
        let first = self.last + 1;
        self.last = first;
        let [bids, asks] = sides;
        format!(
            r#"{{"e":"depthUpdate","E":{},"s":"{}","U":{first},"u":{first},"b":[{bids}],"a":[{asks}]}}"#,
            now_ms(),
            self.name
        )
    }
}
