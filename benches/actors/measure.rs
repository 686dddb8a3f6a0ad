//! How long an ask takes, and how many messages arrive each second.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How many messages are told before the other process is asked how many have arrived: that many are under way at most.
const WINDOW: u64 = 10_000;

/// How long the other process may take to count what it was told, before that counts as lost.
const COUNTED_WITHIN: Duration = Duration::from_secs(10);

/// The sizes of what is told, in bytes.
const PAYLOADS: [usize; 2] = [16, 1_024];

/// How much is asked and told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Load {
    /// How many asks are timed, one at a time.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) asks: usize,
    /// How many asks come before these.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) warm_up: usize,
    /// How many messages of each size are told.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) tells: u64,
    /// How long messages of one size are told at most, in seconds: a slow system is told fewer.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds_max: u64,
}

impl Load {
    /// The same as words of a command line.
    pub(crate) fn to_arguments(&self) -> [String; 4] {
        let Load { asks, warm_up, tells, seconds_max } = self;
        [
            format!("--asks={asks}"),
            format!("--warm-up={warm_up}"),
            format!("--tells={tells}"),
            format!("--seconds-max={seconds_max}"),
        ]
    }
}

/// What was measured of one system.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// How long half of the asks took at most, in microseconds.
    pub(crate) ask_p50_us: f64,
    /// How long 99 of 100 took at most.
    pub(crate) ask_p99_us: f64,
    /// How many messages arrived each second, by [`PAYLOADS`].
    pub(crate) tells_per_second: [f64; 2],
}

/// An actor of another process.
pub(crate) trait Remote {
    /// Asks it for the number that it is asked with.
    async fn ask(&self, number: u64) -> Result<u64, String>;
    /// Sends it messages of some bytes.
    async fn tell(&self, messages: u64, bytes: usize) -> Result<(), String>;
    /// Asks it how many messages it has been told.
    async fn arrived(&self) -> Result<u64, String>;
}

/// Asks one after the other; how long half of the asks and 99 of 100 took at most, in microseconds.
pub(crate) async fn ask(remote: &impl Remote, load: &Load) -> Result<(f64, f64), String> {
    let mut times = Vec::with_capacity(load.asks);
    for number in 0..load.warm_up + load.asks.max(1) {
        let begun = Instant::now();
        let answer = remote.ask(number as u64).await?;
        if answer != number as u64 {
            return Err(format!("asked {number}, it answered {answer}"));
        }
        if number >= load.warm_up {
            times.push(begun.elapsed());
        }
    }
    times.sort_unstable();
    Ok((at(&times, 0.5), at(&times, 0.99)))
}

/// How long some share of the asks took at most, in microseconds.
fn at(times: &[Duration], share: f64) -> f64 {
    times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6
}

/// Tells messages of each size; how many of them arrived each second. After each [`WINDOW`] of them the other process is
/// asked how many it has counted, so nothing is lost unseen, and the last is waited for.
pub(crate) async fn tells(remote: &impl Remote, load: &Load) -> Result<[f64; 2], String> {
    let mut rates = [0.0; 2];
    for (rate, bytes) in rates.iter_mut().zip(PAYLOADS) {
        *rate = tell(remote, load, bytes).await?;
    }
    Ok(rates)
}

/// Tells as fast as the other process counts; how many messages it counted each second.
async fn tell(remote: &impl Remote, load: &Load, bytes: usize) -> Result<f64, String> {
    let before = remote.arrived().await?;
    let (begun, within) = (Instant::now(), Duration::from_secs(load.seconds_max));
    let mut told = 0;
    while told < load.tells && begun.elapsed() < within {
        let window = WINDOW.min(load.tells - told);
        remote.tell(window, bytes).await?;
        told += window;
        all_counted(remote, before + told).await?;
    }
    Ok(told as f64 / begun.elapsed().as_secs_f64())
}

async fn all_counted(remote: &impl Remote, told: u64) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let arrived = remote.arrived().await?;
        if arrived == told {
            return Ok(());
        }
        if arrived > told || begun.elapsed() > COUNTED_WITHIN {
            return Err(format!("{told} messages were told, and {arrived} have arrived"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts each message twice, and no further than to some number.
    struct Careless {
        told: Cell<u64>,
        numbers: u64,
    }

    impl Remote for Careless {
        async fn ask(&self, number: u64) -> Result<u64, String> {
            Ok(number.min(self.numbers))
        }

        async fn tell(&self, messages: u64, _: usize) -> Result<(), String> {
            self.told.set(self.told.get() + messages);
            Ok(())
        }

        async fn arrived(&self) -> Result<u64, String> {
            Ok(self.told.get() * 2)
        }
    }

    fn careless(numbers: u64) -> Careless {
        Careless { told: Cell::new(0), numbers }
    }

    const LOAD: Load = Load { asks: 100, warm_up: 10, tells: 20_000, seconds_max: 3_600 };

    #[test]
    fn the_share_of_asks_is_counted_from_the_fastest() {
        let times: Vec<_> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!([at(&times, 0.5), at(&times, 0.99)].map(f64::round), [50.0, 99.0]);
        assert_eq!(at(&times[..1], 0.99).round(), 1.0);
    }

    #[actix_rt::test]
    async fn a_wrong_answer_is_no_measurement() {
        assert!(ask(&careless(109), &LOAD).await.is_ok());
        assert_eq!(ask(&careless(108), &LOAD).await.unwrap_err(), "asked 109, it answered 108");
    }

    #[actix_rt::test]
    async fn messages_that_come_twice_are_no_measurement() {
        let wrong = tell(&careless(0), &LOAD, 16).await.unwrap_err();
        assert_eq!(wrong, "10000 messages were told, and 20000 have arrived");
    }
}
