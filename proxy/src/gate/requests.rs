//! How do plain HTTP requests go on, each judged by itself?

use std::time::Duration;

use bottle_policy::Reason;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::first::PIECE;
use super::pending::{Held, Pending, Ticket};
use super::session::Judge;
use crate::Refusal;
use crate::http::{Answer, Answers, Body, Head, Requests, Step, without_upgrade};
use crate::relay::{Flow, Stop, read_some, write_all};

/// One request whose head was judged and rewritten.
#[derive(Debug)]
pub(super) struct Single {
    /// The head as it goes on.
    pub(super) head: Vec<u8>,
    /// How its body ends.
    pub(super) body: Body,
    /// What the client sent after the head.
    pub(super) rest: Vec<u8>,
    /// What counts both until they go on.
    pub(super) held: Held,
}

/// Between the two directions of a connection: whether the server agreed to another protocol.
pub(super) struct Switch(watch::Sender<State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No request went on yet.
    Open,
    /// The first request offered it.
    Offered,
    /// The server agreed.
    Switched,
    /// It will not happen on this connection.
    Stayed,
}

impl Default for Switch {
    fn default() -> Switch {
        Switch(watch::Sender::new(State::Open))
    }
}

impl Switch {
    /// Nothing will be offered.
    pub(super) fn stay(&self) {
        self.settle(State::Stayed);
    }

    fn settle(&self, state: State) {
        self.0.send_if_modified(|now| {
            let open = matches!(*now, State::Open | State::Offered);
            *now = if open { state } else { *now };
            open
        });
    }

    /// Offers it, if this is the first request and the server has not spoken yet.
    fn offer(&self) -> bool {
        self.0.send_if_modified(|now| {
            let open = *now == State::Open;
            *now = if open { State::Offered } else { *now };
            open
        })
    }

    async fn answer(&self) -> State {
        let settled = |state: &State| matches!(state, State::Switched | State::Stayed);
        match self.0.subscribe().wait_for(settled).await {
            Ok(state) => *state,
            Err(_) => State::Stayed,
        }
    }
}

/// The server's side: watches for its agreement where one was asked for, then only copies.
pub(super) async fn watched(down: Flow<'_>, switch: &Switch) -> Result<(), Stop> {
    let mut answers = Answers::default();
    loop {
        let mut piece = Vec::new();
        if read_some(down.from, &mut piece, PIECE).await.map_err(Stop::Source)? == 0 {
            switch.stay();
            return down.finish();
        }
        let offered = *switch.0.borrow() == State::Offered;
        let answer = if offered { answers.push(&piece) } else { Answer::Stayed };
        down.send(&piece).await?;
        match answer {
            Answer::Waiting => continue,
            Answer::Switched => switch.settle(State::Switched),
            Answer::Stayed => switch.stay(),
        }
        return down.copy().await;
    }
}

/// The client's side: every head is judged before it goes on.
pub(super) async fn each_request(
    up: Flow<'_>,
    judge: &Judge<'_>,
    switch: &Switch,
    mut bytes: Vec<u8>,
    pending: &Pending,
    limit: Duration,
) -> Result<(), Stop> {
    let mut requests = Requests::default();
    let mut begun = None;
    loop {
        let step = requests.step(&bytes).map_err(wrong)?;
        match step {
            Step::NeedMore => {
                if !bytes.is_empty() {
                    begun.get_or_insert_with(|| Begun::new(pending, bytes.len(), limit));
                }
                if !more(up, &mut bytes, begun.as_ref()).await? {
                    return if requests.at_head() && bytes.is_empty() {
                        up.finish()
                    } else {
                        Err(wrong("ended within a request"))
                    };
                }
            }
            Step::Head(end) => {
                begun = None;
                let head = Head::parse(&bytes[..end]).map_err(wrong)?;
                judge.allows(&head.seen())?;
                let offered = head.websocket && head.body == Body::Empty && switch.offer();
                if head.upgrade && !offered {
                    up.send(&without_upgrade(&bytes[..end])).await?;
                } else {
                    up.send(&bytes[..end]).await?;
                }
                bytes.drain(..end);
                if !offered {
                    // Whatever the first request was, a later one offers nothing.
                    switch.stay();
                } else if switch.answer().await == State::Switched {
                    up.send(&bytes).await?;
                    drop(bytes);
                    return up.copy().await;
                }
                requests.begin(head.body);
            }
            Step::Body(count) => {
                up.send(&bytes[..count]).await?;
                bytes.drain(..count);
            }
            Step::Wrong(what) => return Err(wrong(what)),
        }
    }
}

/// The client's side where there is one request only: its head and body go on, and nothing after them.
pub(super) async fn one_request(up: Flow<'_>, single: Single) -> Result<(), Stop> {
    let Single { head, body, mut rest, held } = single;
    up.send(&head).await?;
    drop((head, held));
    let mut requests = Requests::default();
    requests.begin(body);
    while !requests.at_head() {
        if rest.is_empty() && read_some(up.from, &mut rest, PIECE).await.map_err(Stop::Source)? == 0 {
            return Err(wrong("ended within a request"));
        }
        if let Step::Body(count) = requests.step(&rest).map_err(wrong)? {
            write_all(up.to, &rest[..count], up.count).await.map_err(Stop::Sink)?;
            rest.drain(..count);
        }
    }
    Ok(())
}

/// A head of which a part is there: it is pending, and must be complete in time.
struct Begun {
    ticket: Ticket,
    deadline: Instant,
}

impl Begun {
    fn new(pending: &Pending, bytes: usize, limit: Duration) -> Begun {
        let ticket = pending.enter();
        ticket.grow(bytes);
        Begun { ticket, deadline: Instant::now() + limit }
    }
}

/// Reads on; false at the end of file.
async fn more(up: Flow<'_>, bytes: &mut Vec<u8>, begun: Option<&Begun>) -> Result<bool, Stop> {
    let reading = read_some(up.from, bytes, PIECE);
    let Some(Begun { ticket, deadline }) = begun else {
        return Ok(reading.await.map_err(Stop::Source)? > 0);
    };
    let count = tokio::select! {
        read = reading => read.map_err(Stop::Source)?,
        () = sleep_until(*deadline) => return Err(wrong("a request head that does not end")),
        () = ticket.evicted() => {
            return Err(Stop::Denied(Refusal::denied(Reason::Limit, "too many requests are pending")));
        }
    };
    ticket.grow(count);
    Ok(count > 0)
}

fn wrong(what: impl std::fmt::Display) -> Stop {
    Stop::Denied(Refusal::denied(Reason::Unparsable, what))
}
