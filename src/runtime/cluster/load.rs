//! How much a node has to do, as its operating system measures it.

use watershed_cluster::Load;

/// Measures the load of this process's machine between two calls. Where the system does not tell (it is read from
/// `/proc`), a node counts as idle.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// What the processors have worked and been idle, in ticks, when it was last looked at.
    last: Option<(u64, u64)>,
}

impl Gauge {
    /// The load since the last call.
    pub(super) fn measure(&mut self) -> Load {
        let now = std::fs::read_to_string("/proc/stat").ok().and_then(|text| ticks(&text));
        let cpu = match (self.last, now) {
            (Some((work, idle)), Some((work_now, idle_now))) => {
                let (work, idle) = (work_now.saturating_sub(work), idle_now.saturating_sub(idle));
                if work + idle == 0 { 0.0 } else { work as f32 / (work + idle) as f32 }
            }
            _ => 0.0,
        };
        self.last = now;
        let memory = std::fs::read_to_string("/proc/self/statm").ok();
        let pages = memory.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
        Load { cpu, memory_bytes: pages.unwrap_or_default() * PAGE_BYTES, queue: 0 }
    }
}

/// What `/proc/self/statm` counts in.
const PAGE_BYTES: u64 = 4096;

/// What the processors have worked and been idle.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    let idle = fields.get(3)? + fields.get(4).copied().unwrap_or_default();
    Some((fields.iter().take(8).sum::<u64>() - idle, idle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_divided_into_work_and_idleness() {
        assert_eq!(ticks("cpu  10 1 4 80 5 0 0 0 0 0\ncpu0 1 2 3\n"), Some((15, 85)));
        assert_eq!(ticks("nothing"), None);
    }
}
