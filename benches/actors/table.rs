//! What is shown of a comparison.

use std::fmt;

use crate::measure::Figures;
use crate::system::System;

/// The medians of each system, and their ratios to Watershed's.
pub(crate) struct Table {
    rows: Vec<(System, Figures)>,
}

impl Table {
    /// The medians of what was measured, in the order of the systems.
    pub(crate) fn of(systems: &[System], measured: &[(System, Figures)]) -> Self {
        let row = |system: &System| {
            let of_it: Vec<_> =
                measured.iter().filter(|(of, _)| of == system).map(|(_, figures)| *figures).collect();
            let median = |figure: fn(&Figures) -> f64| middle(of_it.iter().map(figure).collect());
            let figures = Figures {
                ask_p50_us: median(|figures| figures.ask_p50_us),
                ask_p99_us: median(|figures| figures.ask_p99_us),
                tells_per_second: [
                    median(|figures| figures.tells_per_second[0]),
                    median(|figures| figures.tells_per_second[1]),
                ],
            };
            (*system, figures)
        };
        Table { rows: systems.iter().map(row).collect() }
    }
}

/// The middle of some figures, the lower one of two.
fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:16} {:>11} {:>11} {:>13} {:>13}",
            "system", "ask p50 us", "ask p99 us", "tell 16 B/s", "1 KiB/s"
        )?;
        write!(f, "   x watershed: {:>7} {:>7} {:>7} {:>7}", "p50", "p99", "16 B", "1 KiB")?;
        let base =
            self.rows.iter().find(|(system, _)| *system == System::Watershed).map(|(_, figures)| figures);
        for (system, figures) in &self.rows {
            let Figures { ask_p50_us, ask_p99_us, tells_per_second: [small, large] } = figures;
            write!(f, "\n{system:16} {ask_p50_us:>11.1} {ask_p99_us:>11.1} {small:>13.0} {large:>13.0}")?;
            write!(f, "                ")?;
            for (figure, of) in columns(figures).into_iter().zip(base.map_or([f64::NAN; 4], columns)) {
                let ratio = figure / of;
                if ratio.is_nan() {
                    write!(f, " {:>7}", "-")?;
                } else {
                    write!(f, " {ratio:>7.3}")?;
                }
            }
        }
        Ok(())
    }
}

fn columns(figures: &Figures) -> [f64; 4] {
    let Figures { ask_p50_us, ask_p99_us, tells_per_second: [small, large] } = *figures;
    [ask_p50_us, ask_p99_us, small, large]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(all: f64) -> Figures {
        Figures { ask_p50_us: all, ask_p99_us: all, tells_per_second: [all; 2] }
    }

    #[test]
    fn each_system_is_set_against_watershed() {
        let systems = [System::Watershed, System::WatershedLinks];
        let measured = [
            (System::Watershed, figures(4.0)),
            (System::WatershedLinks, figures(1.0)),
            (System::WatershedLinks, figures(99.0)),
            (System::WatershedLinks, figures(2.0)),
        ];
        let shown = Table::of(&systems, &measured).to_string();
        let last: Vec<_> = shown.split_whitespace().rev().take(8).collect();
        assert_eq!(last, ["0.500", "0.500", "0.500", "0.500", "2", "2", "2.0", "2.0"]);
        let alone = Table::of(&systems[1..], &measured).to_string();
        assert!(alone.ends_with(" -       -       -       -"), "{alone}");
    }
}
