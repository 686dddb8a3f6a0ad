//! The password in a database's address is said to the database and to nobody else.

use crate::job::Job;

/// [`Job::run`] looks at everything that is printed.
#[test]
fn a_password_is_never_printed_whatever_is_wrong() {
    let Some(job) = Job::new("a_password_is_never_printed_whatever_is_wrong") else { return };
    let url = job.url();
    let typed = [
        (vec!["list", url.as_str()], 2),
        (vec!["commit", "--all", url.as_str()], 2),
        (vec!["commit", "--database", url.as_str(), url.as_str()], 1),
        (vec!["list", "--database", "postgresql://me:hush@host:notaport/x"], 2),
        (vec!["list", "--database", "postgresql://me:hush@127.0.0.1:1/x"], 1),
        (vec!["list", "--database", url.as_str(), "--state-dir", "absent"], 2),
        (vec!["accept-loss", "--database", url.as_str(), "--all"], 2),
    ];
    for (arguments, code) in typed {
        for json in [&[] as &[&str], &["--json"]] {
            let ended = job.run(&[&["txn"], arguments.as_slice(), json].concat());
            assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        }
    }
}

#[test]
fn the_address_may_come_by_the_environment_and_the_help_does_not_show_it() {
    let Some(job) = Job::new("the_address_may_come_by_the_environment") else { return };
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_watershed"));
    let output = command.args(["txn", "list", "--help"]).env("DATABASE_URL", job.url()).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("[env: DATABASE_URL]") && !help.contains("hush"), "{help}");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_watershed"));
    let output = command.args(["txn", "list"]).env("DATABASE_URL", job.url()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "no prepared transactions of jobs\n");
}
