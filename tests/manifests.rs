//! The manifests for Kubernetes, against its schemas, and against what the program calls things.
//!
//! The schemas come with `kubernetes-validate` (PyPI), in the Python that the variable `TEST_PYTHON` names, or else in
//! `python3`. Where it is not there, the test passes over itself, unless `REQUIRE=kubernetes-validate` is set.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

#[path = "conditions/need.rs"]
mod need;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn python(arguments: &[&str]) -> Output {
    let python = std::env::var("TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    Command::new(&python).args(arguments).output().unwrap_or_else(|error| panic!("{python}: {error}"))
}

/// All manifests.
fn manifests() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/kubernetes");
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut manifests: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    manifests.sort();
    assert!(manifests.len() > 4, "the manifests were not found in {}", folder.display());
    manifests
}

#[test]
fn every_manifest_is_what_kubernetes_expects() {
    if !python(&["-c", "import kubernetes_validate"]).status.success() {
        let (test, need) = ("every_manifest_is_what_kubernetes_expects", "kubernetes-validate");
        return need::pass_over(test, need, "no Python has it");
    }
    let check = "import sys, yaml, kubernetes_validate\n\
        for path in sys.argv[1:]:\n    \
            for resource in yaml.safe_load_all(open(path)):\n        \
                kubernetes_validate.validate(resource, '1.34', strict=True)\n        \
                print(resource['kind'])";
    let mut arguments = vec!["-c", check];
    let manifests = manifests();
    arguments.extend(manifests.iter().map(|path| path.to_str().unwrap()));
    let checked = python(&arguments);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let kinds = String::from_utf8_lossy(&checked.stdout).into_owned();
    for kind in ["StatefulSet", "Service", "ConfigMap", "PodDisruptionBudget", "PersistentVolumeClaim"] {
        assert!(kinds.lines().any(|line| line == kind), "there is no {kind}: {kinds}");
    }
}

#[test]
fn every_flag_and_variable_of_the_manifests_is_one_of_a_node() {
    let help = Command::new(env!("CARGO_BIN_EXE_watershed")).args(["node", "--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let mut flags = Vec::new();
    for path in manifests() {
        for line in fs::read_to_string(&path).unwrap().lines().map(str::trim) {
            if let Some(flag) = line.strip_prefix("- --") {
                flags.push(flag.split('=').next().unwrap().to_owned());
            } else if let Some((variable, _)) =
                line.strip_prefix("WATERSHED_NODE_").and_then(|line| line.split_once(':'))
            {
                flags.push(variable.to_lowercase().replace('_', "-"));
            }
        }
    }
    assert!(flags.len() > 10, "the flags were not found: {flags:?}");
    for flag in flags {
        assert!(help.contains(&format!("--{flag} ")), "a node has no --{flag}: {help}");
    }
}
