//! `savepoint`, `cancel`: asks a job of the cluster.

use std::path::Path;

use serde_json::json;
use watershed_runtime::cluster::CancelHow;
use watershed_server::view::{Cancel, Nothing, Savepoint};

use super::{client, connect, path_of};
use crate::cli::answer;
use crate::cli::arguments::{self, OneJob, Where};
use crate::cli::failure::Failure;
use crate::cli::settings::{Options, Settings};

/// Whether a job is meant that runs in one process, by its state directory, and none of the cluster.
pub(in crate::cli) fn is_local(job: &str, place: &Where) -> bool {
    let path = Path::new(job);
    place.url.is_none() && (path.is_dir() || path.components().count() > 1 || path.is_absolute())
}

/// Asks for a savepoint.
pub(in crate::cli) fn savepoint(
    settings: &mut Settings,
    arguments: &OneJob,
    options: &Options,
) -> Result<(), Failure> {
    let taken = ask(settings, arguments, "/savepoint", &Nothing {})?;
    let Savepoint { job, checkpoint } = taken;
    if options.json {
        return answer(&json!({ "granted": "savepoint", "job": job, "checkpoint": checkpoint }).to_string());
    }
    answer(&match checkpoint {
        Some(checkpoint) => {
            format!("checkpoint {checkpoint} of {job} is a savepoint: it is kept until you delete it")
        }
        None => format!("{job} ended before it could take a savepoint"),
    })
}

/// Asks for the end.
pub(in crate::cli) fn cancel(
    settings: &mut Settings,
    arguments: &arguments::Cancel,
    options: &Options,
) -> Result<(), Failure> {
    let how = match (arguments.with_savepoint, arguments.drain) {
        (true, _) => CancelHow::WithSavepoint,
        (false, true) => CancelHow::Drain,
        (false, false) => CancelHow::Now,
    };
    let Savepoint { job, checkpoint } = ask(settings, &arguments.job, "/cancel", &Cancel { how })?;
    if options.json {
        return answer(&json!({ "granted": how, "job": job, "checkpoint": checkpoint }).to_string());
    }
    let at = checkpoint.map_or("no checkpoint".to_owned(), |checkpoint| format!("checkpoint {checkpoint}"));
    answer(&match how {
        CancelHow::Now => format!("{job} is cancelled; its newest is {at}"),
        CancelHow::WithSavepoint => format!("{job} is suspended at {at}; `resume {job}` lets it go on"),
        CancelHow::Drain => format!("{job} is drained; it has come to its end with {at}"),
    })
}

fn ask(
    settings: &mut Settings,
    arguments: &OneJob,
    what: &str,
    body: &impl serde::Serialize,
) -> Result<Savepoint, Failure> {
    if arguments.timeout.is_some() {
        let why = "--timeout is for a job on a state directory; the cluster has 90 s to answer";
        return Err(Failure::Usage(why.to_owned()));
    }
    let client = connect(settings, &arguments.place)?;
    let asked = client.post(&path_of(&arguments.job, what), body).map_err(|failure| match failure {
        Failure::Unreachable(why) if arguments.place.url.is_none() => {
            let job = &arguments.job;
            Failure::Unreachable(format!("{why} (and there is no such directory as {job}, with a job on it)"))
        }
        failure => failure,
    })?;
    client::understood(asked)
}
