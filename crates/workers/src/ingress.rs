//! The port by which scripts answer requests (`Deno.serve`): who may listen where is decided by the node.

use async_trait::async_trait;

/// Most bytes of a request's body; a larger one is answered 413.
pub const REQUEST_BYTES_MAX: usize = 1_024 * 1_024;
/// Most bytes of an answer's body.
pub const ANSWER_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// Ports that scripts may listen at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    from: u16,
    to: u16,
    /// Those of the node itself.
    except: Vec<u16>,
}

impl Ports {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self { from: 1, to: 0, except: Vec::new() }
    }

    /// Those of a text: `8000-8999`, `8080`, or `none`.
    ///
    /// ```
    /// use orrery_workers::ingress::Ports;
    ///
    /// let ports = Ports::parse("8000-8002").unwrap().without([8001]);
    /// assert!(ports.admit(8000) && !ports.admit(8001) && !ports.admit(80));
    /// assert_eq!(Ports::parse("80-90").unwrap_err(), "ports are 1024 to 65535");
    /// ```
    ///
    /// Errors: what is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "none" {
            return Ok(Self::none());
        }
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| "must be ports such as 8000-8999, or none");
        let (from, to) = (port(from)?, port(to)?);
        if from < 1_024 {
            return Err("ports are 1024 to 65535");
        }
        if from > to {
            return Err("the first port is above the last");
        }
        Ok(Self { from, to, except: Vec::new() })
    }

    /// Without these, which the node needs for itself.
    #[must_use]
    pub fn without(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.except.extend(ports);
        self
    }

    /// May a script listen there?
    #[must_use]
    pub fn admit(&self, port: u16) -> bool {
        (self.from..=self.to).contains(&port) && !self.except.contains(&port)
    }
}

/// A request that a script is to answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressRequest {
    /// By which it is answered.
    pub id: u64,
    /// In capital letters.
    pub method: String,
    /// Whole: `http://127.0.0.1:8000/path?query`, with the host that the client named.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Whole.
    pub body: Vec<u8>,
    /// Address of the client.
    pub from: String,
}

/// What a script answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressAnswer {
    /// 200 to 599.
    pub status: u16,
    /// Names and values; those that belong to the connection are left out.
    pub headers: Vec<(String, String)>,
    /// Whole.
    pub body: Vec<u8>,
}

/// Listening or answering failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngressError {
    /// Scripts may not listen there.
    #[error("port {0} is not among those that scripts may listen at (workers.serve_ports of this node)")]
    Refused(u16),
    /// Somebody listens there already.
    #[error("somebody listens at port {0} already")]
    InUse(u16),
    /// There are too many listeners.
    #[error("{0}")]
    Full(&'static str),
    /// It cannot be sent.
    #[error("{0}")]
    Invalid(&'static str),
    /// The operating system refused.
    #[error("{0}")]
    Broken(String),
}

/// A port that a script listens at. Dropping it closes it, and the connections with it.
#[async_trait]
pub trait IngressListener: Send + Sync {
    /// Address, as a client on this machine reaches it.
    fn address(&self) -> std::net::SocketAddr;

    /// The next request; waits for it. Dropping the future loses none. `None`: it was closed.
    async fn next(&self) -> Option<IngressRequest>;

    /// Answers a request. One that nobody waits for any more is passed over.
    ///
    /// Errors: [`IngressError::Invalid`] for what cannot be sent.
    async fn answer(&self, id: u64, answer: IngressAnswer) -> Result<(), IngressError>;

    /// Ends: no request comes any more, and whoever waits for one learns it.
    fn close(&self);
}

/// Where scripts listen.
#[async_trait]
pub trait Ingress: Send + Sync {
    /// Begins to listen; port 0 is any port that is admitted and free.
    ///
    /// Errors: see [`IngressError`].
    async fn listen(&self, port: u16) -> Result<Box<dyn IngressListener>, IngressError>;
}

/// No script listens anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIngress;

#[async_trait]
impl Ingress for NoIngress {
    async fn listen(&self, port: u16) -> Result<Box<dyn IngressListener>, IngressError> {
        Err(IngressError::Refused(port))
    }
}
