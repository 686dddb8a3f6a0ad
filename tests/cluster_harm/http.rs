//! As much of HTTP as it takes to ask a node something.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a node may think: where no leader is known it waits for one for 5 s, and then says so.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What a node answers; none where it does not, or refuses.
pub(crate) fn get(node: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&node, ANSWER_WITHIN).ok()?;
    stream.set_read_timeout(Some(ANSWER_WITHIN)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {node}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split_whitespace().nth(1).filter(|status| *status == "200")?;
    Some(body.to_owned())
}
