//! A cluster that is on its way up, and what is asked of it again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::client::ports;

const NOBODY_LEADS: (&str, &str) = (
    "503 Service Unavailable",
    r#"{"type":"about:blank","title":"","status":503,"detail":"no node leads","code":"not-leading"}"#,
);
const UNSURE: (&str, &str) = (
    "503 Service Unavailable",
    r#"{"type":"about:blank","title":"","status":503,"detail":"node n1 does not answer"}"#,
);
const DONE: (&str, &str) = ("200 OK", "7");

/// Gives one answer after the other, and tells the method of each request.
fn serve(listener: TcpListener, answers: Vec<(&'static str, &'static str)>, asked: Sender<String>) {
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (stream, _) = listener.accept().expect("loopback connects");
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (Vec::new(), 0);
            while head.last().is_none_or(|line: &String| line != "\r\n") {
                let mut line = String::new();
                reader.read_line(&mut line).expect("the client writes");
                if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
                    length = bytes.trim().parse().expect("a length is a number");
                }
                head.push(line);
            }
            reader.read_exact(&mut vec![0; length]).expect("the body is as long as it says");
            // The test may have seen enough.
            let _ = asked.send(head[0].split(' ').next().expect("a request has a method").to_owned());
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            reader.get_mut().write_all(answer.as_bytes()).expect("the client reads");
        }
    });
}

fn nodes(address: SocketAddr, within: Duration, tell: fn(&str)) -> Nodes {
    let nodes = Nodes::new(&[format!("http://{address}")], None).expect("it is an address");
    nodes.with_patience(Patience { within, tell })
}

/// A node that listens already, and what it is asked.
fn node(answers: Vec<(&'static str, &'static str)>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    let (tx, rx) = channel();
    serve(listener, answers, tx);
    (address, rx)
}

/// Long enough for whatever is still to come.
const PATIENT: Duration = Duration::from_secs(120);

#[test]
fn a_cluster_that_comes_up_is_asked_again_until_it_has_done_what_is_asked() {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    static ASKED: Mutex<Option<Sender<String>>> = Mutex::new(None);
    /// The node starts when it has been missed.
    fn start(missed: &str) {
        assert!(missed.starts_with("no node answers at http://127.0.0.1:"), "{missed}");
        let listener = TcpListener::bind(ADDRESS.get().expect("it is chosen")).expect("it is this test's");
        let asked = ASKED.lock().expect("nobody panicked").take().expect("it is told once");
        serve(listener, vec![NOBODY_LEADS, DONE], asked);
    }
    let address = *ADDRESS.get_or_init(ports::free);
    let (tx, asked) = channel();
    *ASKED.lock().expect("nobody panicked") = Some(tx);

    let done = nodes(address, PATIENT, start).post("/api/v1/jobs", &json!({ "pipeline": "hello" }));
    assert_eq!(done, Ok(json!(7)));
    assert_eq!(asked.iter().collect::<Vec<_>>(), ["POST", "POST"], "a post in vain, and the one that counts");
}

#[test]
fn what_may_have_been_done_is_not_asked_for_again_and_a_look_is() {
    let (address, asked) = node(vec![UNSURE, UNSURE, DONE]);
    let nodes = nodes(address, PATIENT, |_| {});
    let failed = nodes.post("/api/v1/jobs", &json!({})).expect_err("nobody knows whether it was done");
    assert_eq!(failed.to_string(), "node n1 does not answer");
    assert_eq!(nodes.get("/api/v1/jobs"), Ok(json!(7)));
    assert_eq!(asked.iter().collect::<Vec<_>>(), ["POST", "GET", "GET"]);
}

#[test]
fn without_patience_each_node_is_asked_once() {
    let (address, asked) = node(vec![UNSURE]);
    let nodes = Nodes::new(&[format!("http://{address}")], None).expect("it is an address");
    let failed = nodes.get("/api/v1/jobs").expect_err("it is not asked again");
    assert_eq!(failed.to_string(), "node n1 does not answer");
    assert_eq!(asked.iter().count(), 1);
}
