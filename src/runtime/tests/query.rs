//! Questions from outside about what a job shares, and updates of it, at the windows of its sites.

mod job;
mod jobs;
mod keys;
mod refusals;
mod roll_backs;
mod sites;

use watershed_core::checkpoint::RollBack;
use watershed_core::{Lineage, Run, Site, SubtaskId, Term, VertexId};
use watershed_protocol::causal::{KeyId, TokenKey};
use watershed_protocol::checkpoint::Authority;
use watershed_state::CheckpointStore;

use super::shared::Count;
use super::*;
use crate::query::{Clerk, Found, Level, Query, QueryError, Reply, Update, View, Window, deadline};
use crate::shared::{Outgoing, Sharing, SiteReplica, SiteSettings};

const KEY: TokenKey = TokenKey::new(KeyId(1), [7; 32]);

/// The name of the state that is shared.
const TOTAL: &str = "total";

/// Epochs up to this one were handed out before the first run of these tests.
const AFTER: Epoch = Epoch(4);

/// A site of a job, and the window on it.
struct Place {
    window: Window,
    replica: Arc<SiteReplica>,
    authority: Authority,
}

fn authority(run: u32) -> Authority {
    Authority { term: Term(1), run: Run(run), lineage: Lineage(0) }
}

fn subtask(index: u32) -> SubtaskId {
    SubtaskId { vertex: VertexId(0), index }
}

fn clerk(job: &str) -> Clerk {
    Clerk::new("test", job.to_owned(), vec![KEY])
}

/// How a job came to a run that began from a checkpoint, from run 1 on.
fn bases(bases: &[Option<u64>]) -> Vec<RollBack> {
    let record = |(base, run): (&Option<u64>, u32)| RollBack {
        run: Run(run),
        lineage: Lineage(0),
        base: base.map(Epoch),
    };
    bases.iter().zip(1..).map(record).collect()
}

/// A site of a run, with two subtasks.
async fn replica(run: u32, site: u16, sites: u16, after: Epoch) -> Arc<SiteReplica> {
    let pipeline = pipeline();
    let total = pipeline.shared::<u8, u64, _>(TOTAL, Count);
    let settings = SiteSettings {
        run: Run(run),
        site: Site(site),
        sites,
        after,
        lasts: true,
        waits: true,
        subtasks: [subtask(0), subtask(1)].into(),
    };
    let store = CheckpointStore::memory();
    SiteReplica::begin(settings, &[total.any()], &[], &store).await.unwrap()
}

impl Place {
    /// The sites of run 1, which know each other's clocks.
    async fn all<const N: usize>() -> [Place; N] {
        Place::all_of("test").await
    }

    /// As [`all`](Place::all), of a job of that name.
    async fn all_of<const N: usize>(job: &str) -> [Place; N] {
        let mut places = Vec::new();
        for site in 0..N as u16 {
            let replica = replica(1, site, N as u16, AFTER).await;
            let window = Window::new(clerk(job), &format!("n{site}"));
            let authority = authority(1);
            window.begin(View::of(authority, Some(replica.clone()), &bases(&[None]), true));
            places.push(Place { window, replica, authority });
        }
        for _ in 0..4 {
            for place in &places {
                place.replica.look_at_clock();
            }
            exchange(&places);
        }
        places.try_into().ok().expect("as many places as sites")
    }

    async fn one() -> Place {
        let [place] = Place::all().await;
        place
    }

    /// Ends the run, and begins the next one from a checkpoint.
    async fn fail_over(&mut self, run: u32, backs: &[Option<u64>]) {
        self.window.end(self.authority);
        self.authority = authority(run);
        self.replica = replica(run, 0, 1, Epoch(AFTER.0 + 10 * u64::from(run))).await;
        let view = View::of(self.authority, Some(self.replica.clone()), &bases(backs), true);
        self.window.begin(view);
    }

    async fn add(&self, key: u8, more: u64, token: Option<&str>) -> Result<Found, QueryError> {
        let update = Update { token: token.map(str::to_owned), wait: AT_ONCE, ..adds(key, more) };
        self.window.update(&update, deadline(update.wait)).await
    }

    async fn ask(&self, query: Query) -> Result<Found, QueryError> {
        found(self.window.query(&query, deadline(query.wait)).await)
    }

    /// A subtask passes the barrier of an epoch.
    fn pass(&self, index: u32, epoch: u64) {
        let mut sharing =
            Sharing::new(self.replica.clone(), subtask(index), false, std::task::Waker::noop().clone());
        sharing.pass(Epoch(epoch), None);
    }
}

/// What a window answers that sends nobody elsewhere.
fn found(reply: Result<Reply, QueryError>) -> Result<Found, QueryError> {
    match reply? {
        Reply::Found(found) => Ok(found),
        Reply::ToPropose => panic!("nothing is updated"),
        Reply::Elsewhere(node) => panic!("the job lives on no other node, and it says {node}"),
    }
}

const AT_ONCE: Duration = Duration::ZERO;

fn adds(key: u8, more: u64) -> Update {
    Update::new(TOTAL, rmp_serde::to_vec(&key).unwrap(), rmp_serde::to_vec(&more).unwrap())
}

fn reads(key: u8) -> Query {
    Query::new(TOTAL, rmp_serde::to_vec(&key).unwrap())
}

/// Asks for no less than what a token names, and does not wait.
fn causal(key: u8, token: &str) -> Query {
    Query { level: Level::Causal, token: Some(token.to_owned()), wait: AT_ONCE, ..reads(key) }
}

fn count(found: &Found) -> Option<u64> {
    found.value.as_ref().map(|bytes| rmp_serde::from_slice(bytes).unwrap())
}

/// Brings every site what the others have said to it.
fn exchange(places: &[Place]) {
    for (from, place) in (0..).zip(places) {
        for outgoing in place.replica.take_outgoing().0 {
            let (to, word) = match outgoing {
                Outgoing::ToAll(word) => (None, word),
                Outgoing::To(site, word) => (Some(site.0), word),
            };
            let others =
                (0..).zip(places).filter(|(site, _)| *site != from && to.is_none_or(|to| to == *site));
            others.for_each(|(_, other)| other.replica.hear(Site(from), word.clone()));
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}
