//! The task that talks to one socket until it is gone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orrery_api_bittrade as render;
use orrery_app::{App, Ctx};
use orrery_identity::{Caller, Role};
use orrery_kernel::{Error, ErrorCode, Timestamp, UserId};
use orrery_ledger::Seq;
use orrery_protocol::Rupees;
use orrery_protocol::socketio::{
    ADMIN_DCA_PLANS_UPDATE, ADMIN_METRICS_UPDATE, ADMIN_SETTINGS_UPDATE, ADMIN_TRANSACTION_UPDATE, ADMIN_USER_UPDATE,
    AUTHENTICATION_ERROR, AUTHENTICATION_SUCCESS, AuthenticationError, AuthenticationSuccess, BTC_PRICE_UPDATE,
    BalanceUpdate, CONNECTED, CONNECTION_ESTABLISHED, Connected, ConnectionEstablished, ERROR, FEATURES, NOTIFICATION,
    ORDER_EXECUTED, OrderAmounts, OrderExecuted, PONG, Pong, SUBSCRIBED, Stamped, TOPIC_MESSAGE,
    TRANSACTIONS_IN_ADMIN_UPDATE, TRANSACTIONS_IN_UPDATE, TopicError, TopicName, TransactionUpdate, UNSUBSCRIBED,
    USER_BALANCE_UPDATE, USER_DCA_PLANS_UPDATE, USER_TRANSACTION_UPDATE,
};
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError, TransportType};
use tokio::time::{Instant, sleep_until};

use crate::hub::Hub;
use crate::lean::Opening;
use crate::seat::{Args, Command, News, Seat};
use crate::topics::{self, Topics};

/// How long a client may leave its buffer full before it is closed.
const FULL_MAX: Duration = Duration::from_secs(10);
const FULL_POLL: Duration = Duration::from_millis(20);
/// Administrators are told at most this often: each time costs a look at all users.
const HOUSE_PERIOD: Duration = Duration::from_secs(1);

/// The client can no longer be reached.
struct Gone;

struct Talk {
    socket: SocketRef,
    app: Arc<App>,
    hub: Arc<Hub>,
    opening: Option<Arc<Opening>>,
    identity: Option<Identity>,
    /// Does the socket speak for an administrator?
    admin: bool,
    /// Is there something new for administrators?
    house_due: bool,
    /// Before this they are told nothing.
    house_after: Instant,
}

struct Identity {
    token: String,
    user: UserId,
    /// When the token ends.
    until: Option<Timestamp>,
}

/// Talks to one socket until it is gone.
pub(crate) async fn run(seat: Arc<Seat>, socket: SocketRef, app: Arc<App>, hub: Arc<Hub>) {
    let opening = socket.req_parts().extensions.get::<Arc<Opening>>().cloned();
    // of a socket that began with long polling this is another connection's
    let direct = match socket.transport_type() {
        TransportType::Websocket => opening.as_ref().and_then(|opening| opening.direct.clone()),
        TransportType::Polling => None,
    };
    let mut topics = Topics::new(&app, socket.id, direct);
    let house_after = Instant::now();
    let mut talk = Talk { socket, app, hub, opening, identity: None, admin: false, house_due: false, house_after };
    let _: Result<(), Gone> = talk.serve(&seat, &mut topics).await;
    talk.forget();
}

impl Talk {
    /// Every socket has one of these for as long as it lives: what is rare and large is in boxes.
    async fn serve(&mut self, seat: &Seat, topics: &mut Topics) -> Result<(), Gone> {
        let mut batch = Vec::new();
        Box::pin(self.welcome()).await?;
        loop {
            let news = seat.take_news();
            if news != 0 {
                Box::pin(self.tell(news, seat.take_filled(), topics)).await?;
            } else if let Some(command) = seat.take_command() {
                Box::pin(self.command(command, topics)).await?;
            } else {
                tokio::select! {
                    biased;
                    () = seat.wake.notified() => {}
                    more = topics.next(&mut batch) => {
                        Box::pin(self.topic_messages(&mut batch, more.is_some())).await?;
                    }
                    () = self.due() => Box::pin(self.on_time()).await?,
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    async fn command(&mut self, command: Command, topics: &mut Topics) -> Result<(), Gone> {
        match command {
            Command::Authenticate(args) => {
                self.authenticate(&args).await?;
                let caller = self.caller().await?;
                topics.identify(caller.as_ref()).await;
                Ok(())
            }
            Command::Subscribe(args) => self.subscribe(&args, topics).await,
            Command::Unsubscribe(args) => {
                for topic in topics::named(args.0.first()).unwrap_or_default() {
                    topics.unsubscribe(&topic).await;
                    self.emit(UNSUBSCRIBED, &TopicName { topic: &topic }).await?;
                }
                Ok(())
            }
            Command::Ping(args) => {
                let echo = args.0.first().and_then(|a| a.get("echo")).cloned();
                let echo = echo.unwrap_or_else(|| serde_json::json!({}));
                self.emit(PONG, &Pong { timestamp: self.now().iso(), echo }).await
            }
        }
    }

    async fn subscribe(&mut self, args: &Args, topics: &mut Topics) -> Result<(), Gone> {
        let named = match topics::named(args.0.first()) {
            Ok(named) => named,
            Err(message) => return self.emit(ERROR, &TopicError { message: message.into() }).await,
        };
        // the token is checked once more: it may have ended since
        let caller = self.caller().await?;
        topics.identify(caller.as_ref()).await;
        for topic in named {
            match topics.subscribe(&topic, caller.as_ref()).await {
                Ok(()) => self.emit(SUBSCRIBED, &TopicName { topic: &topic }).await?,
                Err(error) => {
                    let message = match error.code {
                        ErrorCode::UnauthenticatedMissing => format!("Authentication required for topic: {topic}"),
                        _ => error.public.into_owned(),
                    };
                    self.emit(ERROR, &TopicError { message }).await?;
                }
            }
        }
        Ok(())
    }

    /// Passes on what the hub queued.
    async fn topic_messages(&self, batch: &mut Vec<Bytes>, more: bool) -> Result<(), Gone> {
        for frame in batch.drain(..) {
            let Ok(message) = serde_json::from_slice::<&RawValue>(&frame) else { continue };
            self.emit(TOPIC_MESSAGE, message).await?;
            if let Some(notification) = notification(&frame) {
                self.emit(NOTIFICATION, notification).await?;
            }
        }
        if more {
            return Ok(());
        }
        self.close();
        Err(Gone)
    }

    async fn welcome(&self) -> Result<(), Gone> {
        let hello = ConnectionEstablished { message: "Connected to BitTrade WebSocket", timestamp: self.now().iso() };
        self.emit(CONNECTION_ESTABLISHED, &hello).await?;
        let connected =
            Connected { client_id: self.socket.id.to_string(), server_time: self.now().iso(), features: FEATURES };
        self.emit(CONNECTED, &connected).await?;
        self.price().await
    }

    async fn price(&self) -> Result<(), Gone> {
        match self.app.market.quote() {
            Some(quote) => self.emit(BTC_PRICE_UPDATE, &render::price_update(&quote, self.now())).await,
            None => Ok(()),
        }
    }

    /// The price changed. What all are told is written once; the socket's part is to pass it on.
    async fn price_changed(&self) -> Result<(), Gone> {
        let Some(quote) = self.app.market.quote() else { return Ok(()) };
        match self.hub.price.json(&quote, |quote| render::price_update(quote, self.now())) {
            Ok(json) => self.emit(BTC_PRICE_UPDATE, &*json).await,
            Err(error) => {
                tracing::error!(%error, "the price could not be written");
                Ok(())
            }
        }
    }

    async fn tell(&mut self, news: u8, filled: Vec<Seq>, topics: &mut Topics) -> Result<(), Gone> {
        let has = |item: News| news & item as u8 != 0;
        if has(News::Gone) {
            return Err(Gone);
        }
        if has(News::Flooded) {
            tracing::warn!("a client sent more than its queue holds; closing its socket");
            self.close();
            return Err(Gone);
        }
        if has(News::Access) {
            self.recheck().await?;
        }
        if has(News::Price) {
            self.price_changed().await?;
        }
        if has(News::Ledger) {
            self.executed(filled).await?;
            self.account().await?;
        }
        if has(News::Plans) {
            self.plans().await?;
        }
        if has(News::Settings) {
            self.settings().await?;
        }
        if has(News::House) && self.admin {
            self.house_due = true;
        }
        if has(News::Access) {
            let caller = self.caller().await?;
            topics.identify(caller.as_ref()).await;
        }
        Ok(())
    }

    /// Tells the owner which of their orders were executed.
    async fn executed(&mut self, orders: Vec<Seq>) -> Result<(), Gone> {
        if orders.is_empty() {
            return Ok(());
        }
        let Some(ctx) = self.ctx().await? else { return Ok(()) };
        for order in orders {
            let line = match self.app.trading.transaction(&ctx, order).await {
                Ok(Some(line)) => line,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(%error, "could not read an executed order for its socket");
                    continue;
                }
            };
            let executed = OrderExecuted {
                order_id: order,
                user_id: ctx.caller.as_ref().map_or(0, |c| c.user.0),
                kind: line.kind.into(),
                amounts: OrderAmounts {
                    btc_amount: line.btc,
                    inr_amount: Rupees(line.inr),
                    execution_price: Rupees(line.rate),
                    timestamp: line.executed_at.unwrap_or(ctx.now).iso(),
                },
            };
            self.emit(ORDER_EXECUTED, &executed).await?;
        }
        Ok(())
    }

    async fn plans(&mut self) -> Result<(), Gone> {
        let Some(ctx) = self.ctx().await? else { return Ok(()) };
        match self.app.plans.list(&ctx).await {
            Ok(views) => self.stamped(USER_DCA_PLANS_UPDATE, render::plans(&views), &ctx).await,
            Err(error) => {
                tracing::warn!(%error, "could not read plans for their socket");
                Ok(())
            }
        }
    }

    async fn settings(&mut self) -> Result<(), Gone> {
        let Some(ctx) = self.ctx().await?.filter(|_| self.admin) else { return Ok(()) };
        match self.app.admin.settings(&ctx).await {
            Ok(settings) => self.stamped(ADMIN_SETTINGS_UPDATE, render::settings_body(&settings), &ctx).await,
            Err(_) => Ok(()),
        }
    }

    /// Sends what administrators see: users, transactions, plans, figures.
    async fn house(&mut self) -> Result<(), Gone> {
        (self.house_due, self.house_after) = (false, Instant::now() + HOUSE_PERIOD);
        let Some(ctx) = self.ctx().await?.filter(|_| self.admin) else { return Ok(()) };
        let read = async {
            let users = render::users_reply(&self.app, &ctx, UserId(0)).await?;
            let transactions = render::transactions_reply(&self.app, &ctx, TRANSACTIONS_IN_ADMIN_UPDATE).await?;
            let plans = render::plans_reply(&self.app, &ctx).await?;
            let metrics = render::metrics_body(&self.app.admin.metrics(&ctx).await?);
            Ok::<_, Error>((users, transactions, plans, metrics))
        };
        let (users, transactions, plans, metrics) = match read.await {
            Ok(read) => read,
            Err(error) => {
                tracing::debug!(%error, "could not read the house for an administrator's socket");
                return Ok(());
            }
        };
        self.stamped(ADMIN_USER_UPDATE, users, &ctx).await?;
        self.stamped(ADMIN_TRANSACTION_UPDATE, transactions, &ctx).await?;
        self.stamped(ADMIN_DCA_PLANS_UPDATE, plans, &ctx).await?;
        self.stamped(ADMIN_METRICS_UPDATE, metrics, &ctx).await
    }

    async fn stamped(&self, event: &'static str, content: impl Serialize + Sync, ctx: &Ctx) -> Result<(), Gone> {
        self.emit(event, &Stamped { content, timestamp: ctx.now.iso() }).await
    }

    async fn authenticate(&mut self, args: &Args) -> Result<(), Gone> {
        // whoever this socket spoke for, it no longer does
        self.forget();
        let token = match args.0.first() {
            Some(serde_json::Value::String(token)) if !token.is_empty() => token.clone(),
            None | Some(serde_json::Value::Null | serde_json::Value::String(_)) => {
                return self.refuse("jwt must be provided").await;
            }
            Some(_) => return self.refuse("jwt must be a string").await,
        };
        let now = self.now();
        if let Some(opening) = &self.opening
            && let Err(error) = self.app.limits.address(opening.address, now).await
        {
            return self.refuse(&error.public).await;
        }
        let caller = match self.app.auth.authenticate(&token, now).await {
            Ok(caller) => caller,
            Err(error) => return self.refuse(why(&error, &token)).await,
        };
        let (user, email) = (caller.user, caller.email.clone());
        self.identity = Some(Identity { until: self.app.auth.expiry(&token), token, user });
        self.hub.identify(self.socket.id, None, Some(user));
        self.admin = caller.role == Role::Admin;
        self.hub.administers(self.socket.id, self.admin);
        self.account().await?;
        self.plans().await?;
        if self.identity.is_none() {
            return Ok(());
        }
        let success = AuthenticationSuccess { message: "WebSocket authenticated successfully", user_id: user.0, email };
        self.emit(AUTHENTICATION_SUCCESS, &success).await
    }

    /// Sends the user's balances and newest transactions as they are now.
    async fn account(&mut self) -> Result<(), Gone> {
        let Some(ctx) = self.ctx().await? else { return Ok(()) };
        let read = async {
            let (sheet, _) = self.app.trading.balance(&ctx).await?;
            let statement = self.app.trading.transactions(&ctx, 1, TRANSACTIONS_IN_UPDATE, None).await?;
            Ok::<_, Error>((sheet, statement))
        };
        let (sheet, statement) = match read.await {
            Ok(read) => read,
            Err(error) if error.code == ErrorCode::Forbidden => return self.end(&error.public).await,
            Err(error) => {
                tracing::warn!(%error, "could not read an account for its socket");
                return Ok(());
            }
        };
        let timestamp = ctx.now.iso();
        let balance = BalanceUpdate { balance: render::balance(&sheet), timestamp: timestamp.clone() };
        self.emit(USER_BALANCE_UPDATE, &balance).await?;
        let transactions = statement.lines.iter().map(render::transaction).collect();
        self.emit(USER_TRANSACTION_UPDATE, &TransactionUpdate { transactions, timestamp }).await
    }

    /// The circumstances of a call as this socket's user, after the token was checked once more;
    /// `None` when there is none (any more).
    async fn ctx(&mut self) -> Result<Option<Ctx>, Gone> {
        let Some(identity) = &self.identity else { return Ok(None) };
        let now = self.now();
        match self.app.auth.authenticate(&identity.token, now).await {
            Ok(caller) => {
                if self.admin != (caller.role == Role::Admin) {
                    self.admin = caller.role == Role::Admin;
                    self.hub.administers(self.socket.id, self.admin);
                }
                let unknown = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
                Ok(Some(Ctx {
                    caller: Some(caller),
                    address: self.opening.as_ref().map_or(unknown, |o| o.address),
                    agent: self.opening.as_ref().map(|o| o.agent.to_string()).unwrap_or_default(),
                    request_id: format!("socket-{}", self.socket.id),
                    now,
                }))
            }
            Err(error) if is_refusal(&error) => {
                let text = why(&error, &identity.token).to_owned();
                self.end(&text).await?;
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(%error, "could not check a socket's token");
                Ok(None)
            }
        }
    }

    /// Whom the socket speaks for, checked now: its user, or for topics the operator at the machine itself, if that is
    /// where the socket is from.
    async fn caller(&mut self) -> Result<Option<Caller>, Gone> {
        let caller = self.ctx().await?.and_then(|ctx| ctx.caller);
        let here = self.opening.as_ref().is_some_and(|opening| opening.here);
        Ok(caller.or_else(|| self.app.auth.local_operator().filter(|_| here)))
    }

    /// Ends a socket whose token ran out or was revoked.
    async fn recheck(&mut self) -> Result<(), Gone> {
        self.ctx().await.map(|_| ())
    }

    async fn end(&mut self, text: &str) -> Result<(), Gone> {
        self.forget();
        self.refuse(text).await?;
        self.close();
        Err(Gone)
    }

    async fn refuse(&self, text: &str) -> Result<(), Gone> {
        let error = AuthenticationError { message: "Authentication failed", error: text.into() };
        self.emit(AUTHENTICATION_ERROR, &error).await
    }

    fn forget(&mut self) {
        if let Some(identity) = self.identity.take() {
            self.hub.identify(self.socket.id, Some(identity.user), None);
            self.hub.administers(self.socket.id, false);
            (self.admin, self.house_due) = (false, false);
        }
    }

    fn close(&self) {
        // an error says that it is closed already
        let _ = self.socket.clone().disconnect();
    }

    /// Resolves when the token runs out or administrators are to be told, whichever comes first.
    fn due(&self) -> impl Future<Output = ()> + use<> {
        let left = self.identity.as_ref().and_then(|i| i.until).map(|until| until.since(self.now()));
        // a moment more, so that the check that follows finds it run out
        let expiry = left.map(|left| Instant::now() + left + Duration::from_millis(5));
        let first = expiry.into_iter().chain(self.house_due.then_some(self.house_after)).min();
        async move {
            match first {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn on_time(&mut self) -> Result<(), Gone> {
        if self.house_due && self.house_after <= Instant::now() { self.house().await } else { self.recheck().await }
    }

    /// Sends, waiting while the client's buffer is full, but not for ever.
    async fn emit<T: Serialize + ?Sized>(&self, event: &str, data: &T) -> Result<(), Gone> {
        let mut waited = Duration::ZERO;
        loop {
            match self.socket.emit(event, data) {
                Ok(()) => return Ok(()),
                Err(SendError::Socket(SocketError::InternalChannelFull)) if waited < FULL_MAX => {
                    tokio::time::sleep(FULL_POLL).await;
                    waited += FULL_POLL;
                }
                Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                    metrics::counter!("socketio_slow_closed_total").increment(1);
                    self.close();
                    return Err(Gone);
                }
                Err(SendError::Socket(_)) => return Err(Gone),
                Err(SendError::Serialize(error)) => {
                    tracing::error!(event, %error, "could not serialise an event");
                    return Ok(());
                }
            }
        }
    }
}

/// The `data` of a topic message, if its topic is `notifications`.
fn notification(frame: &[u8]) -> Option<&RawValue> {
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        topic: &'a str,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let message: Message<'_> = serde_json::from_slice(frame).ok()?;
    (message.topic == "notifications").then_some(message.data)
}

fn is_refusal(error: &Error) -> bool {
    matches!(
        error.code,
        ErrorCode::UnauthenticatedMissing
            | ErrorCode::UnauthenticatedInvalid
            | ErrorCode::UnauthenticatedExpired
            | ErrorCode::Forbidden
    )
}

/// The words that the documented server's token library uses.
fn why<'a>(error: &'a Error, token: &str) -> &'a str {
    match error.code {
        ErrorCode::UnauthenticatedExpired => "jwt expired",
        ErrorCode::UnauthenticatedInvalid if token.split('.').count() != 3 => "jwt malformed",
        ErrorCode::UnauthenticatedInvalid => "invalid token",
        _ => &error.public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_socket_waits_in_little_memory() {
        let bytes = room(run);
        assert!(bytes <= 700, "a socket's task takes {bytes} bytes: is something large awaited outside of a box?");
    }
}
