//! Asks the job `inventory` of a cluster from another program, and books something: `cargo run --example ask`.
//!
//! `watershed submit inventory --parallelism 3 --set orders=1_000_000 --set rate=2000` has one run on the cluster of the
//! first page, whose addresses these are.
//!
//! A session is one reader's and writer's thread of time: it keeps the token of its newest answer and shows it with each
//! question, so that it sees its own updates and never goes back, whichever node answers.

// README: ask
use std::time::Duration;

use watershed::client::{Client, ClientError, Level};

fn main() -> Result<(), ClientError> {
    let client = Client::new(["http://127.0.0.1:7181", "http://127.0.0.1:7182"])?;
    let mut session = client.session("inventory");
    session.update("stock", &7, &25)?; // 25 more of article 7
    let stock: Option<i64> = session.get("stock", &7, Level::Causal)?;
    println!("in stock: {stock:?}");
    session.await_durable(Duration::from_secs(30)) // from here on no failure undoes it
}
// README: end
