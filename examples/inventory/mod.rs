//! Keeps the stock of a shop and its reservations, booked on all nodes at once, and adds them up exactly in the end.
//!
//! ```text
//!  orders ── by number ─▶ book ── by customer ─▶ settle ── by article ─▶ report, at the end
//!                          │                       │                        │
//!                          ▼                       ▼                        ▼
//!               shared state "stock" (counters), "reservations" (sets), on every node
//! ```
//!
//! Orders are dealt out by their numbers, so what concerns one article is booked on all nodes at the same time, and nobody asks
//! anybody first. That goes well because of what the states are:
//!
//! * **Stock is a [`Counter`]**: it is told *by how much* it changes and never *to what*, so that of two bookings that know
//!   nothing of each other both count. Had somebody read the stock and written back one less, one of them would be lost.
//! * **Reservations are an [`AddSet`]**: who removes one removes what it has seen of it, so somebody else's new reservation stays,
//!   whichever comes first.
//!
//! Two things are to be done in their order, and nothing in this file sees to it. A reservation is made by `book` and ended by
//! `settle`, mostly on another node: it would remove nothing if it had not seen the reservation yet. And `report` adds up
//! what others have booked. Both are right because a record carries what its sender has seen of shared state: when an order
//! comes to `settle`, and when it has come to `report`, what was booked for it is there. The report needs no pause, no lock and
//! no last round of messages.
//!
//! Clients can book too while the job runs, through any node:
//!
//! ```sh
//! watershed submit inventory --parallelism 3 --set orders=1_000_000 --set rate=2000
//! watershed query inventory stock 7              # how many there are of article 7
//! watershed update inventory stock 7 25          # 25 more
//! watershed query inventory reservations 7       # the orders that wait for it
//! ```
//!
//! [`Counter`]: watershed::actors::resolver::Counter
//! [`AddSet`]: watershed::actors::resolver::AddSet

mod order;
mod steps;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use watershed::prelude::*;

use order::Shop;
use steps::{Book, Report, Settle};

/// What can be set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
struct Parameters {
    /// Orders to book.
    orders: u64,
    /// How many of them a second; as many as possible where there is none.
    rate: Option<f64>,
    /// Articles.
    articles: u32,
    /// Customers.
    customers: u32,
    /// What decides about the orders.
    seed: u64,
    /// The folder of the results.
    output: PathBuf,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            orders: 20_000,
            rate: None,
            articles: 20,
            customers: 500,
            seed: 1,
            output: "out/inventory".into(),
        }
    }
}

impl Parameters {
    fn check(&self) -> Result<(), watershed::Error> {
        if self.articles == 0 || self.customers == 0 {
            return Err("there must be an article and a customer".into());
        }
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err("the rate must be a number above 0".into());
        }
        Ok(())
    }
}

fn inventory(pipeline: &Pipeline, p: Parameters) -> Result<(), watershed::Error> {
    p.check()?;
    let Parameters { orders, rate, articles, customers, seed, output } = p;
    let shop = Shop { articles, customers };
    let stock = pipeline.shared("stock", resolver::Counter);
    let reservations = pipeline.shared("reservations", resolver::AddSet);

    let mut source = Generator::new(seed, move |n, dice| shop.order(n, dice)).take(orders);
    if let Some(rate) = rate {
        source = source.per_second(rate);
    }
    let orders = pipeline.source(source).uid("orders").shared();
    orders
        .branch()
        .map(order::Line::from)
        .gather()
        .sink(sink::Files::csv(output.join("orders.csv")))
        .uid("lines");
    orders
        .branch()
        .key_by(|order| order.id)
        .process(Book { stock: stock.clone(), reservations: reservations.clone() })
        .uid("book")
        .key_by(|order| order.customer)
        .process(Settle { stock: stock.clone(), reservations: reservations.clone() })
        .uid("settle")
        .key_by(|order| order.article)
        .process(Report { stock, reservations })
        .uid("report")
        .gather()
        .sink(sink::Files::csv(output.join("report.csv")))
        .uid("rows");
    Ok(())
}

/// Registers the pipeline.
pub(crate) fn register(app: App) -> App {
    app.pipeline("inventory", "Keeps stock and reservations, booked on all nodes at once", inventory)
}
