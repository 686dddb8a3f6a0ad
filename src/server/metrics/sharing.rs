//! How what jobs share stands on this node.

use watershed_runtime::query::SharedReport;

use super::exposition::{Exposition, Kind};

/// Writes how what the jobs share stands here that live here.
pub(super) fn write(out: &mut Exposition, reports: &[SharedReport]) {
    let mut each = |name, kind, help, value: &dyn Fn(&SharedReport) -> u64| {
        out.family(name, kind, help);
        for report in reports {
            out.sample(&[("job", &report.job)], value(report));
        }
    };
    let help = "Updates of shared state that were made on this node in this run.";
    each("watershed_shared_made_total", Kind::Counter, help, &|report| report.tallies.made);
    let help = "Updates of other nodes that were applied on this one in this run.";
    each("watershed_shared_applied_total", Kind::Counter, help, &|report| report.tallies.applied);
    let help = "Updates that this node has not made, or set aside, in this run.";
    each("watershed_shared_refused_total", Kind::Counter, help, &|report| report.tallies.refused);
    let help = "Updates that wait for what they depend on.";
    each("watershed_shared_held_updates", Kind::Gauge, help, &|report| report.lag.held.updates as u64);
    let help = "Bytes of updates that wait for what they depend on.";
    each("watershed_shared_held_bytes", Kind::Gauge, help, &|report| report.lag.held.bytes as u64);
    let help = "Updates that were dropped for want of room, and asked for again.";
    each("watershed_shared_dropped_total", Kind::Counter, help, &|report| report.lag.dropped);
    let help = "This node's updates that are in no complete checkpoint, or not known everywhere.";
    each("watershed_shared_unsaved_updates", Kind::Gauge, help, &|report| report.lag.own_log.updates as u64);
    let help = "How many lanes the vector clock of shared state names.";
    each("watershed_shared_clock_lanes", Kind::Gauge, help, &|report| report.lag.lanes as u64);
    let help = "Everything up to this epoch is on all nodes.";
    each("watershed_shared_settled_epoch", Kind::Gauge, help, &|report| report.settled.0);
    let help = "Questions from outside that wait for what their tokens name.";
    each("watershed_shared_waiting_questions", Kind::Gauge, help, &|report| report.waiting as u64);
    let help = "Updates that are applied on this node and not on another, as far as is known.";
    out.family("watershed_shared_behind_updates", Kind::Gauge, help);
    for report in reports {
        for (site, behind) in &report.lag.behind {
            out.sample(&[("job", &report.job), ("site", &site.to_string())], behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::{Epoch, Run, Site};
    use watershed_protocol::causal::{Lag, Tally};
    use watershed_runtime::query::Tallies;

    use super::*;

    #[test]
    fn every_job_that_shares_something_is_told_of() {
        let tally = |updates| Tally { updates, bytes: 10 * updates };
        let lag = Lag {
            held: tally(2),
            dropped: 1,
            own_log: tally(3),
            others_log: tally(4),
            lanes: 6,
            behind: vec![(Site(1), 5)],
        };
        let report = SharedReport {
            job: "stock".to_owned(),
            run: Run(1),
            site: Site(0),
            settled: Epoch(9),
            tallies: Tallies { made: 7, applied: 8, refused: 0 },
            lag,
            waiting: 0,
        };
        let mut out = Exposition::default();
        write(&mut out, &[report]);
        let text = out.text();
        for line in [
            "watershed_shared_made_total{job=\"stock\"} 7",
            "watershed_shared_applied_total{job=\"stock\"} 8",
            "watershed_shared_held_updates{job=\"stock\"} 2",
            "watershed_shared_held_bytes{job=\"stock\"} 20",
            "watershed_shared_unsaved_updates{job=\"stock\"} 3",
            "watershed_shared_clock_lanes{job=\"stock\"} 6",
            "watershed_shared_settled_epoch{job=\"stock\"} 9",
            "watershed_shared_behind_updates{job=\"stock\",site=\"1\"} 5",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
        }
    }
}
