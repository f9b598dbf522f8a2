//! The desk: where the books are. A thread of their own keeps a block while the players go on with the next one.
//!
//! What belongs here: handing the books over and getting them back. What does not: what is done with them (`books`), and
//! when (`engine`). It is always the same thread: of a pool, another one would take each block in turn, and none would
//! have the memory at hand that the last block was packed in.

use super::books::{Books, Entered};
use super::engine_error::EngineError;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::mpsc as awaited;

/// Orders that may wait for the clerk: there is one set of books, so there is never another.
const ORDERS_WAITING_MAX: usize = 1;

/// What is done with the books.
type Work = Box<dyn FnOnce(&mut Books) -> Done + Send>;

/// What was done with the books elsewhere.
#[derive(Debug)]
pub enum Done {
    /// The last block was entered.
    Entered(Box<Result<Entered, EngineError>>),
    /// The next one was begun.
    Opened,
}

/// See the file.
#[derive(Debug)]
pub struct Desk {
    /// None while they are away.
    here: Option<Box<Books>>,
    /// Comes with the first work.
    clerk: Option<Clerk>,
}

impl Desk {
    /// The books, here.
    pub const fn new(books: Box<Books>) -> Self {
        Self { here: Some(books), clerk: None }
    }

    /// Lets the clerk do something with the books, if they are here.
    pub fn send(&mut self, work: impl FnOnce(&mut Books) -> Done + Send + 'static) {
        if let Some(books) = self.here.take() {
            self.clerk.get_or_insert_with(Clerk::hire).take_on(books, Box::new(work));
        }
    }

    /// Whether nobody would wait for them.
    pub fn is_at_hand(&self) -> bool {
        self.here.is_some() || self.clerk.as_ref().is_some_and(Clerk::is_done)
    }

    /// Waits for the books, and says what was done with them if they were away.
    pub async fn fetch(&mut self) -> Option<Done> {
        if self.here.is_some() {
            return None;
        }
        let clerk = self.clerk.as_mut().expect("they are away with the clerk");
        match clerk.results.recv().await {
            Some((books, done)) => {
                self.here = Some(books);
                Some(done)
            }
            None => self.clerk.take().expect("there is one").mourn(),
        }
    }

    /// The books, which are here, for good.
    pub fn into_books(self) -> Box<Books> {
        self.here.expect("they are away only within a run")
    }

    /// The books, which are here.
    pub fn here(&self) -> &Books {
        self.here.as_ref().expect("they are away only within a run")
    }

    /// The books, which are here.
    pub fn here_mut(&mut self) -> &mut Books {
        self.here.as_mut().expect("they were fetched before")
    }
}

/// The thread that keeps the books; it ends with the desk.
#[derive(Debug)]
struct Clerk {
    orders: SyncSender<Order>,
    results: awaited::Receiver<(Box<Books>, Done)>,
    thread: JoinHandle<()>,
}

/// The books, and what to do with them.
struct Order {
    books: Box<Books>,
    work: Work,
}

impl Clerk {
    fn hire() -> Self {
        let (orders, take) = sync_channel(ORDERS_WAITING_MAX);
        let (give, results) = awaited::channel(ORDERS_WAITING_MAX);
        let thread = std::thread::Builder::new().name("books".to_owned());
        let thread = thread.spawn(move || serve(&take, &give)).expect("the system has a thread");
        Self { orders, results, thread }
    }

    /// One that is gone is noticed when the books are fetched.
    fn take_on(&self, books: Box<Books>, work: Work) {
        self.orders.send(Order { books, work }).ok();
    }

    fn is_done(&self) -> bool {
        !self.results.is_empty() || self.results.is_closed()
    }

    /// Its panic goes on in this thread.
    fn mourn(self) -> ! {
        drop(self.orders);
        match self.thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the clerk stays as long as the desk"),
        }
    }
}

fn serve(take: &Receiver<Order>, give: &awaited::Sender<(Box<Books>, Done)>) {
    for Order { mut books, work } in take {
        let done = work(&mut books);
        if give.blocking_send((books, done)).is_err() {
            return;
        }
    }
}
