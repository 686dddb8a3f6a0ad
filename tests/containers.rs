//! A cluster of containers: images are made, three nodes and a worker come up, one is killed, and nothing is lost.
//!
//! Where no container engine answers, the test passes over itself, unless `REQUIRE=containers` is set. It needs the images
//! that `docker/base-images.sh` makes, or a registry; the binary is the one that Cargo has built for the tests. All of the
//! harms, and what is done, is in `docker/hurt.sh`.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

#[path = "conditions/need.rs"]
mod need;

use std::path::Path;
use std::process::{Command, Output};

fn docker(arguments: &[&str]) -> Option<Output> {
    Command::new("docker").args(arguments).output().ok()
}

/// A script of `docker/`, told which binary, image and project to take.
fn script(name: &str, arguments: &[&str], project: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker").join(name);
    let output = Command::new(script)
        .args(arguments)
        .env("NODE_BINARY", env!("CARGO_BIN_EXE_watershed"))
        .env("NODE_IMAGE", format!("watershed:{project}"))
        .env("PROJECT", project)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Why containers cannot be tried here; nothing where they can.
fn hindrance() -> Option<&'static str> {
    let answers = |arguments: &[&str]| docker(arguments).is_some_and(|output| output.status.success());
    let composes = || {
        answers(&["compose", "version"])
            || Command::new("docker-compose")
                .arg("--version")
                .output()
                .is_ok_and(|output| output.status.success())
    };
    if !answers(&["info"]) {
        return Some("no container engine answers");
    }
    if !composes() {
        return Some("there is neither `docker compose` nor `docker-compose`");
    }
    let base = "debian:bookworm-slim";
    let there = answers(&["image", "inspect", base]) || answers(&["pull", base]);
    (!there).then_some("there is no image debian:bookworm-slim: docker/base-images.sh makes it")
}

#[test]
fn a_cluster_of_containers_outlives_one_that_is_killed() {
    if let Some(hindrance) = hindrance() {
        return need::pass_over(
            "a_cluster_of_containers_outlives_one_that_is_killed",
            "containers",
            hindrance,
        );
    }
    let project = format!("watershed-test-{}", std::process::id());
    let image = format!("watershed:{project}");
    script("build-local.sh", &["debug", &image], &project);
    let said = script("hurt.sh", &["kill-worker"], &project);
    println!("{said}");
    docker(&["rmi", "--force", &image]);
    assert!(said.contains("same output"), "{said}");
    let left = docker(&["ps", "--all", "--quiet", "--filter", &format!("name={project}")]).unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "containers are left over");
    let left = docker(&["volume", "ls", "--quiet", "--filter", &format!("name={project}")]).unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "volumes are left over");
}
