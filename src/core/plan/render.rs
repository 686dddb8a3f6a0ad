//! A plan for a person: as text, and as a graph for Graphviz.

use std::fmt::Write;

use crate::plan::{Fingerprint, Plan, SharedPlan, Vertex};

impl Plan {
    /// The plan as lines of text.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{} ({} key groups, fingerprint {})\n",
            self.name,
            self.key_groups.count(),
            Fingerprint::of(self)
        );
        for vertex in &self.vertices {
            line(&mut text, format_args!("{}: {}{}", vertex.id, vertex.name(), parallelism(vertex)));
            for stage in &vertex.stages {
                line(&mut text, format_args!("     {} [{}] emits {}", stage.uid, stage.kind, stage.emits));
            }
            for edge in self.edges.iter().filter(|edge| edge.from == vertex.id) {
                let side = if edge.output.is_empty() { String::new() } else { format!(" ({})", edge.output) };
                line(&mut text, format_args!("     {} => {}{side}", edge.routing, edge.to));
            }
        }
        for SharedPlan { state, users } in &self.shared {
            let users: Vec<String> = users.iter().map(ToString::to_string).collect();
            let users = if users.is_empty() { "nobody".to_owned() } else { users.join(", ") };
            line(&mut text, format_args!("shared {:?}: {}, used by {users}", state.name(), state.shape()));
        }
        text
    }

    /// The plan in the DOT language: `watershed plan NAME --dot | dot -Tsvg`.
    pub fn to_dot(&self) -> String {
        let mut text = format!("digraph {:?} {{\n  rankdir=LR;\n  node [shape=box];\n", self.name);
        for vertex in &self.vertices {
            let name = vertex.stages.iter().map(|stage| escape(&stage.name)).collect::<Vec<_>>().join("\\n");
            line(&mut text, format_args!("  v{} [label=\"{name}{}\"];", vertex.id, parallelism(vertex)));
        }
        for edge in &self.edges {
            let side =
                if edge.output.is_empty() { String::new() } else { format!("\\n{}", escape(&edge.output)) };
            let style = if edge.output.is_empty() { "solid" } else { "dashed" };
            line(
                &mut text,
                format_args!(
                    "  v{} -> v{} [label=\"{}{side}\", style={style}];",
                    edge.from,
                    edge.to,
                    escape(&edge.routing.to_string())
                ),
            );
        }
        text.push_str("}\n");
        text
    }
}

fn parallelism(vertex: &Vertex) -> String {
    vertex.parallelism.map_or_else(String::new, |parallelism| format!(" x{parallelism}"))
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("writing to a string succeeds");
}
