//! Which sockets are open, and whose they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use orrery_app::App;
use orrery_app::events::Event;
use orrery_app::market::Quote;
use orrery_kernel::UserId;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::seat::{News, Seat};
use crate::shared::Shared;

/// The table of sockets. Locks are held for a look-up only.
pub(crate) struct Hub {
    sockets_max: usize,
    tables: Mutex<Tables>,
    /// The price, as all are told it.
    pub(crate) price: Shared<Quote>,
}

#[derive(Default)]
struct Tables {
    seats: HashMap<Sid, Arc<Seat>>,
    users: HashMap<UserId, HashMap<Sid, Arc<Seat>>>,
    admins: HashMap<Sid, Arc<Seat>>,
}

impl Hub {
    pub(crate) fn new(sockets_max: usize) -> Self {
        Self { sockets_max, tables: Mutex::default(), price: Shared::default() }
    }

    fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        // every change below is one insert or remove, so a poisoned table is still whole
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a socket its seat; `false` when all are taken.
    pub(crate) fn seat(&self, id: Sid, seat: Arc<Seat>) -> bool {
        let mut tables = self.tables();
        if tables.seats.len() >= self.sockets_max {
            return false;
        }
        tables.seats.insert(id, seat);
        metrics::gauge!("socketio_sockets").set(tables.seats.len() as f64);
        true
    }

    /// The seat of a socket that is to be talked to; once.
    pub(crate) fn take(&self, socket: &SocketRef) -> Option<Arc<Seat>> {
        let seat = self.tables().seats.get(&socket.id)?.clone();
        seat.serve().then_some(seat)
    }

    /// The socket is gone.
    pub(crate) fn leave(&self, id: Sid) {
        let seat = {
            let mut tables = self.tables();
            let seat = tables.seats.remove(&id);
            tables.admins.remove(&id);
            metrics::gauge!("socketio_sockets").set(tables.seats.len() as f64);
            seat
        };
        if let Some(seat) = seat {
            seat.news(News::Gone);
        }
    }

    /// The socket now speaks for `user` (or nobody), no longer for `before`.
    pub(crate) fn identify(&self, id: Sid, before: Option<UserId>, user: Option<UserId>) {
        let mut tables = self.tables();
        if let Some(before) = before
            && let Some(seats) = tables.users.get_mut(&before)
        {
            seats.remove(&id);
            if seats.is_empty() {
                tables.users.remove(&before);
            }
        }
        if let Some(user) = user
            && let Some(seat) = tables.seats.get(&id).cloned()
        {
            tables.users.entry(user).or_default().insert(id, seat);
        }
    }

    /// The socket is (not) an administrator's.
    pub(crate) fn administers(&self, id: Sid, admin: bool) {
        let mut tables = self.tables();
        match tables.seats.get(&id).cloned().filter(|_| admin) {
            Some(seat) => tables.admins.insert(id, seat),
            None => tables.admins.remove(&id),
        };
    }

    fn admins(&self) -> Vec<Arc<Seat>> {
        self.tables().admins.values().cloned().collect()
    }

    fn everybody(&self) -> Vec<Arc<Seat>> {
        self.tables().seats.values().cloned().collect()
    }

    fn of(&self, user: UserId) -> Vec<Arc<Seat>> {
        self.tables().users.get(&user).map(|seats| seats.values().cloned().collect()).unwrap_or_default()
    }
}

/// Marks the sockets that an event concerns, until the server stops; then ends and closes them all.
pub(crate) async fn dispatch(hub: Arc<Hub>, app: Arc<App>, io: SocketIo, stopping: CancellationToken) {
    let mut events = app.events.subscribe();
    loop {
        let event = tokio::select! {
            () = stopping.cancelled() => break,
            event = events.recv() => event,
        };
        let (seats, news) = match event {
            Ok(Event::Price(_)) => (hub.everybody(), &[News::Price][..]),
            Ok(Event::Ledger { user, .. }) => {
                hub.admins().iter().for_each(|seat| seat.news(News::House));
                (hub.of(user), &[News::Ledger][..])
            }
            Ok(Event::Filled { user, order }) => {
                let seats = hub.of(user);
                seats.iter().for_each(|seat| seat.filled(order));
                (seats, &[News::Ledger][..])
            }
            Ok(Event::Plans { user }) => {
                hub.admins().iter().for_each(|seat| seat.news(News::House));
                (hub.of(user), &[News::Plans][..])
            }
            Ok(Event::Settings) => (hub.admins(), &[News::Settings][..]),
            Ok(Event::Channels | Event::Output(_) | Event::Alert(_)) => continue,
            Ok(Event::Access) => (hub.everybody(), &[News::Access][..]),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "fell behind the events; every socket is brought up to date");
                (
                    hub.everybody(),
                    &[News::Price, News::Ledger, News::Access, News::Plans, News::House, News::Settings][..],
                )
            }
            Err(RecvError::Closed) => break,
        };
        for seat in seats {
            for item in news {
                seat.news(*item);
            }
        }
    }
    hub.everybody().iter().for_each(|seat| seat.news(News::Gone));
    io.close().await;
}
