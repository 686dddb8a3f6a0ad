//! A drawing of what the nodes took up, as SVG: for rehearsals that last so long that a leak would show.

use std::fmt::Write;

use crate::report::Report;
use crate::samples::{Sample, Usage};
use crate::schedule::{count_of, name_of};

const WIDE: f64 = 900.0;
/// How high a panel is, and the part of it that has the lines.
const PANEL: f64 = 170.0;
const PLOT: f64 = 110.0;
const LEFT: f64 = 90.0;
const TOP: f64 = 40.0;

/// The colours of the lines, which begin again behind the last.
const COLOURS: [&str; 9] =
    ["#1b6ca8", "#d1495b", "#3a7d44", "#8d6a9f", "#c77d0a", "#00798c", "#7a5c3e", "#555b6e", "#b5179e"];

/// A line: its name, and its points.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// One panel: what it shows, from where to where, in which unit, and its lines.
struct Panel {
    title: &'static str,
    across: &'static str,
    unit: &'static str,
    lines: Vec<Line>,
}

/// Draws a report.
pub(crate) fn draw(report: &Report) -> String {
    let panels = panels(report);
    let high = TOP + PANEL * panels.len() as f64;
    let mut svg = String::new();
    let title = format!(
        "{} on {} in {}, seed {}: {} faults",
        report.pipeline,
        count_of(report.nodes),
        report.home,
        report.seed,
        report.faults.len()
    );
    let mut put = |part: std::fmt::Arguments<'_>| svg.write_fmt(part).expect("writing to a string succeeds");
    put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDE} {high}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>\n",
        escaped(&title)
    ));
    for (index, panel) in panels.iter().enumerate() {
        let faults: Vec<f64> = report.faults.iter().map(|fault| fault.at_seconds).collect();
        put(format_args!("{}", panel.draw(TOP + PANEL * index as f64, &faults)));
    }
    put(format_args!("</svg>\n"));
    svg
}

fn panels(report: &Report) -> Vec<Panel> {
    const MIB: f64 = (1 << 20) as f64;
    let of_nodes = |value: fn(&Usage) -> f64| -> Vec<Line> {
        let line = |node| {
            let point = |sample: &Sample| {
                Some((sample.at_seconds, value(sample.nodes.get::<usize>(node)?.as_ref()?)))
            };
            Line { name: name_of(node), points: report.samples.iter().filter_map(point).collect() }
        };
        (0..report.nodes).map(line).collect()
    };
    let of_all = |name: &str, value: fn(&Sample) -> f64| Line {
        name: name.to_owned(),
        points: report.samples.iter().map(|sample| (sample.at_seconds, value(sample))).collect(),
    };
    let sizes = report.jobs.iter().map(|job| Line {
        name: job.job.clone(),
        points: job
            .checkpoint_bytes
            .iter()
            .map(|(epoch, bytes)| (*epoch as f64, *bytes as f64 / 1024.0))
            .collect(),
    });
    let (across, memory) = ("seconds", of_nodes(|usage| usage.memory_bytes as f64 / MIB));
    let disk = vec![
        of_all("all", |sample| sample.disk_bytes as f64 / MIB),
        of_all("checkpoints", |sample| sample.checkpoint_bytes as f64 / MIB),
    ];
    vec![
        Panel { title: "memory", across, unit: "MiB", lines: memory },
        Panel { title: "open files", across, unit: "", lines: of_nodes(|usage| usage.descriptors as f64) },
        Panel { title: "threads", across, unit: "", lines: of_nodes(|usage| usage.threads as f64) },
        Panel { title: "disk", across, unit: "MiB", lines: disk },
        Panel {
            title: "bytes of each checkpoint",
            across: "checkpoint",
            unit: "KiB",
            lines: sizes.collect(),
        },
    ]
}

impl Panel {
    /// The panel at this height, with a stroke for each fault where it shows time.
    fn draw(&self, top: f64, faults: &[f64]) -> String {
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let right = points().map(|(x, _)| *x).fold(1.0, f64::max);
        let most = points().map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max);
        let (floor, width) = (top + 25.0 + PLOT, WIDE - LEFT - 20.0);
        let x = |value: f64| LEFT + value / right * width;
        let y = |value: f64| floor - value / most * PLOT;
        let mut svg = String::new();
        let mut put =
            |part: std::fmt::Arguments<'_>| svg.write_fmt(part).expect("writing to a string succeeds");
        let Panel { title, across, unit, .. } = self;
        put(format_args!("<text x=\"{LEFT}\" y=\"{:.0}\" font-weight=\"bold\">{title}</text>\n", top + 14.0));
        if *across == "seconds" {
            for fault in faults.iter().filter(|fault| **fault <= right) {
                let (at, ceiling) = (x(*fault), floor - PLOT);
                put(format_args!(
                    "<path d=\"M{at:.1} {floor:.1}V{ceiling:.1}\" stroke=\"#ddd\" stroke-width=\"1\"/>\n"
                ));
            }
        }
        put(format_args!(
            "<path d=\"M{LEFT} {:.1}V{floor:.1}H{:.1}\" fill=\"none\" stroke=\"black\"/>\n\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{most:.1} {unit}</text>\n\
             <text x=\"{:.0}\" y=\"{floor:.1}\" text-anchor=\"end\">0</text>\n\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{right:.0} {across}</text>\n",
            floor - PLOT,
            LEFT + width,
            LEFT - 6.0,
            floor - PLOT + 8.0,
            LEFT - 6.0,
            LEFT + width,
            floor + 14.0,
        ));
        for ((index, line), colour) in self.lines.iter().enumerate().zip(COLOURS.iter().cycle()) {
            let at = LEFT + 180.0 + 90.0 * index as f64;
            let name = escaped(&line.name);
            put(format_args!(
                "<text x=\"{at:.0}\" y=\"{:.0}\" fill=\"{colour}\">{name}</text>\n",
                top + 14.0
            ));
            let points: Vec<String> =
                line.points.iter().map(|(across, up)| format!("{:.1},{:.1}", x(*across), y(*up))).collect();
            put(format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>\n",
                points.join(" ")
            ));
        }
        svg
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lie_within_their_panel_and_names_are_escaped() {
        let points = vec![(0.0, 0.0), (10.0, 5.0)];
        let lines = vec![Line { name: "a<b".to_owned(), points }];
        let panel = Panel { title: "memory", across: "seconds", unit: "MiB", lines };
        let drawn = panel.draw(100.0, &[4.0, 11.0]);
        let line = "<polyline points=\"90.0,235.0 880.0,125.0\"";
        assert!(drawn.contains(line) && drawn.contains("a&lt;b"), "{drawn}");
        assert_eq!(drawn.matches("stroke=\"#ddd\"").count(), 1, "a fault behind the end has no place");
    }
}
