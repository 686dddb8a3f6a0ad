//! Links that are encrypted, and nodes that prove their names.

use std::path::Path;

use super::actors::{Add, Adder};
use super::fixture::*;
use crate::*;

async fn secured(node: &str, files: &TlsFiles) -> Links {
    Links::open(local(node), anywhere(), Security::Tls(files.clone()), config()).await.unwrap()
}

fn made(directory: &Path) -> (TlsFiles, TlsFiles) {
    let mut files = certs::create(directory, "test", &[name("a"), name("b")]).unwrap().into_iter();
    (files.next().unwrap(), files.next().unwrap())
}

#[actix_rt::test]
async fn nodes_with_the_right_certificates_are_linked() {
    use actix::Actor;
    let directory = tempfile::tempdir().unwrap();
    let (of_a, of_b) = made(directory.path());
    let (a, b) = (secured("a", &of_a).await, secured("b", &of_b).await);
    a.learn(&name("b"), &b.address().to_string());
    up(&a, "b").await;
    up(&b, "a").await;
    b.register::<Add>("adder", Adder.start().recipient());
    assert_eq!(a.actor::<Add>(&name("b"), "adder").ask(Add(1, 2)).await, Ok(Ok(3)));
}

#[actix_rt::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ((of_a, _), (_, of_b)) = (made(here.path()), made(there.path()));
    let (a, b) = (secured("a", &of_a).await, secured("b", &of_b).await);
    a.learn(&name("b"), &b.address().to_string());
    trouble(&a, "b", "no TLS: invalid peer certificate").await;
    // And what b does not trust, it does not let in, whatever a thinks of b.
    let mixed = TlsFiles { ca: of_b.ca.clone(), ..of_a };
    let c = secured("a", &mixed).await;
    c.learn(&name("b"), &b.address().to_string());
    trouble(&c, "b", "").await;
    assert!(b.peers().is_empty() && !is_up(&a, "b") && !is_up(&c, "b"));
}

#[actix_rt::test]
async fn a_certificate_of_another_node_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (of_a, of_b) = made(directory.path());
    // It calls itself c, and can prove only that it is a.
    let (c, b) = (secured("c", &of_a).await, secured("b", &of_b).await);
    c.learn(&name("b"), &b.address().to_string());
    trouble(&c, "b", "its certificate does not name node c").await;
    assert!(b.peers().is_empty());
    // And who dials sees whom it has reached.
    let a = secured("a", &of_a).await;
    a.learn(&name("d"), &b.address().to_string());
    trouble(&a, "d", "certificate not valid for name").await;
}

#[actix_rt::test]
async fn plain_and_encrypted_nodes_are_not_linked() {
    let directory = tempfile::tempdir().unwrap();
    let (_, of_b) = made(directory.path());
    let (a, b) = (open(local("a")).await, secured("b", &of_b).await);
    a.learn(&name("b"), &b.address().to_string());
    b.learn(&name("a"), &a.address().to_string());
    trouble(&a, "b", "").await;
    trouble(&b, "a", "no TLS").await;
    assert!(!is_up(&a, "b") && !is_up(&b, "a"));
}

#[test]
fn keys_are_for_their_owner_and_are_never_written_over() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let (of_a, _) = made(directory.path());
    for file in [&of_a.key, &of_a.certificate, &directory.path().join("ca.key")] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = certs::create(directory.path(), "test", &[name("c")]).unwrap_err();
    assert!(again.to_string().contains("ca.pem, is it there already?"), "{again}");
}
