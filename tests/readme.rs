//! What the pages of this repository tell their readers is so: commands are commands of the program with parameters that
//! its pipelines have, Rust is copied from examples that are compiled and tested, and links lead somewhere.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use watershed::App;

/// The pages that people read first.
const PAGES: [&str; 10] = [
    "README.md",
    "benches/README.md",
    "docker/README.md",
    "docker/kubernetes/README.md",
    "docs/architecture.md",
    "docs/from-flink.md",
    "docs/operations.md",
    "docs/proof.md",
    "examples/README.md",
    "tests/README.md",
];

/// What still fits beside a page's source in two windows.
const COLUMNS_MAX: usize = 120;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pages() -> impl Iterator<Item = (&'static str, String)> {
    PAGES.into_iter().map(|page| (page, text(&root().join(page))))
}

/// All files of Rust below a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The blocks of a language in a page, each without what stands before all of its lines.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let (mut blocks, mut block) = (Vec::new(), None);
    for line in page.lines() {
        match &mut block {
            None if line.trim() == format!("```{language}") => block = Some(Vec::new()),
            None => {}
            Some(lines) if line.trim() == "```" => {
                blocks.push(dedented(lines));
                block = None;
            }
            Some(lines) => lines.push(line),
        }
    }
    assert!(block.is_none(), "a block does not end");
    blocks
}

fn dedented(lines: &[&str]) -> String {
    let full = lines.iter().filter(|line| !line.trim().is_empty());
    let indent = full.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let lines: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect();
    lines.join("\n")
}

/// The commands of a shell's text, each as its words. Of the shell's language, this knows what our pages use.
fn commands(script: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    let script = script.replace("\\\n", " ") + "\n";
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            ('\n' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '{' | '}', None)
                if !(matches!(c, '{' | '}') && word.is_some()) =>
            {
                let is_redirect = matches!(c, '<' | '>');
                // `2>` has the number of a file before it, and no word.
                let is_number =
                    word.as_ref().is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
                words.extend(word.take().filter(|_| !(is_redirect && is_number)));
                commands.push(std::mem::take(&mut words));
                // What follows a redirection is a file, and no command.
                if is_redirect {
                    words.push("redirected-to".to_owned());
                }
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quotation does not end: {script}");
    commands.retain(|words| !words.is_empty());
    commands
}

/// What a command hands to a binary that is made of this crate, if it is one that runs such a binary.
fn handed(words: &[String]) -> Option<Vec<String>> {
    let shell = ["do", "then", "if", "while", "!"];
    let start = words.iter().position(|word| !shell.contains(&word.as_str()) && !word.contains('='))?;
    let words = &words[start..];
    match words[0].as_str() {
        "watershed" | "target/release/watershed" | "target/debug/watershed" => Some(words[1..].to_vec()),
        "cargo" if words.get(1).is_some_and(|word| word == "run") => {
            let ours = words.iter().position(|word| word == "--")?;
            let package = words.iter().any(|word| word == "-p");
            // These have arguments of their own.
            let other = words.iter().any(|word| ["ping", "histories"].contains(&word.as_str()));
            (!package && !other).then(|| words[ours + 1..].to_vec())
        }
        // In a container.
        "docker" => words.iter().position(|word| word == "watershed").map(|at| words[at + 1..].to_vec()),
        _ => None,
    }
}

/// The parameters of the stock binary's pipelines.
fn parameters() -> BTreeMap<String, BTreeSet<String>> {
    let told = Command::new(env!("CARGO_BIN_EXE_watershed")).args(["pipelines", "--json"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let name = |one: &serde_json::Value| one["name"].as_str().unwrap().to_owned();
    let pipelines = told["pipelines"].as_array().unwrap().iter();
    pipelines
        .map(|one| (name(one), one["parameters"].as_array().unwrap().iter().map(name).collect()))
        .collect()
}

/// Refuses a pipeline or a parameter that there is not.
fn check(arguments: &[String], known: &BTreeMap<String, BTreeSet<String>>) -> Result<(), String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (["run" | "plan" | "submit", pipeline, ..] | ["chaos", "run", pipeline, ..]) = words[..] else {
        return Ok(());
    };
    let own = BTreeSet::new();
    let parameters = match known.get(pipeline) {
        Some(parameters) => parameters,
        // A program of its own.
        None if pipeline == "clicks" => &own,
        None => return Err(format!("there is no pipeline {pipeline:?}")),
    };
    for pair in arguments.windows(2).filter(|pair| pair[0] == "--set") {
        let name = pair[1].split('=').next().unwrap();
        if !parameters.contains(name) {
            return Err(format!("{pipeline} has no parameter {name:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_command_is_one_of_the_program() {
    let known = parameters();
    let app = App::new("watershed");
    let docs = sources("examples").into_iter().map(|path| {
        let comments: Vec<String> =
            text(&path).lines().filter_map(|line| line.strip_prefix("//!")).map(str::to_owned).collect();
        (path.display().to_string(), comments.join("\n"))
    });
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (page, text) in pages().map(|(page, text)| (page.to_owned(), text)).chain(docs) {
        for words in blocks(&text, "sh").iter().flat_map(|block| commands(block)) {
            let Some(arguments) = handed(&words) else { continue };
            count += 1;
            let understood = app.understands(&arguments).and_then(|()| check(&arguments, &known));
            wrong.extend(understood.err().map(|why| format!("{page}: {}: {why}", words.join(" "))));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
    assert!(count > 40, "only {count} commands were found");
}

#[test]
fn all_rust_is_copied_from_files_that_are_compiled() {
    let mut regions = BTreeMap::new();
    for path in sources("examples").into_iter().chain(sources("tests")) {
        let text = text(&path);
        let lines: Vec<&str> = text.lines().collect();
        let mark = |line: &str| line.trim().strip_prefix("// README: ").map(str::to_owned);
        for (start, name) in lines.iter().enumerate().filter_map(|(at, line)| Some((at, mark(line)?))) {
            if name != "end" {
                let length = lines[start..].iter().position(|line| mark(line).as_deref() == Some("end"));
                let end =
                    start + length.unwrap_or_else(|| panic!("{name} does not end in {}", path.display()));
                regions.insert(dedented(&lines[start + 1..end]), name);
            }
        }
    }
    let (mut stray, mut used) = (Vec::new(), BTreeSet::new());
    for (page, text) in pages() {
        for block in blocks(&text, "rust") {
            match regions.get(&block) {
                Some(name) => {
                    used.insert(name.clone());
                }
                None => stray.push(format!("{page}:\n{block}")),
            }
        }
    }
    assert_eq!(stray, [] as [String; 0], "these blocks are none of the marked regions");
    let idle: Vec<&String> = regions.values().filter(|name| !used.contains(*name)).collect();
    assert_eq!(idle, [] as [&String; 0], "these regions are on no page");
}

#[test]
fn no_line_is_too_long() {
    let long = |(page, text): (&str, String)| {
        let lines = text.lines().enumerate().filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
        lines.map(|(at, line)| format!("{page}:{}: {line}", at + 1)).collect::<Vec<_>>()
    };
    assert_eq!(pages().flat_map(long).collect::<Vec<_>>(), [] as [String; 0]);
}

/// The word by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'))
        .collect::<String>();
    kept.trim().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    for (page, from) in pages() {
        for target in from.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            if path.contains("://") {
                continue;
            }
            let to = if path.is_empty() {
                root().join(page)
            } else {
                root().join(page).parent().unwrap().join(path)
            };
            let is_there = to.exists()
                && (heading.is_empty()
                    || text(&to).lines().any(|line| {
                        line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading
                    }));
            if !is_there {
                dead.push(format!("{page}: {target}"));
            }
        }
    }
    assert_eq!(dead, [] as [String; 0]);
}

#[test]
fn a_shell_script_is_taken_apart_as_a_shell_does() {
    let script = "start() {\n  watershed node --name n$1 \\\n    --data out/n$1 2>> out/n$1.log & echo $! > pid\n}\n\
        for n in 1 2; do watershed jobs; done  # watershed nothing\nwatershed query inventory reservations '[7, 8]' | head";
    let ours: Vec<Vec<String>> = commands(script).iter().filter_map(|words| handed(words)).collect();
    let expected = [
        vec!["node", "--name", "n$1", "--data", "out/n$1"],
        vec!["jobs"],
        vec!["query", "inventory", "reservations", "[7, 8]"],
    ];
    assert_eq!(ours, expected);
}
