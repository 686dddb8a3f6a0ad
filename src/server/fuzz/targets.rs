//! What holds for any bytes that somebody may send to a node as HTTP: it answers, with a problem in words where it does
//! not do what is asked, and goes on.
//!
//! These are plain functions: a test of the crate calls them with a corpus and what becomes of it by chance, and
//! `cargo fuzz` (which needs a nightly compiler) with what it finds worth trying.

#[expect(dead_code, reason = "other tests say more to a node")]
#[path = "../tests/node.rs"]
mod node;

use std::sync::LazyLock;

use node::{Answer, Node};

use crate::memory::Memory;

/// A whole node lives in the process, whose other threads work meanwhile.
pub const MEMORY: Memory = Memory { base: 64 << 20, per_byte: 1 << 9 };

static NODE: LazyLock<Node> = LazyLock::new(Node::start_hasty);

/// Sends bytes as the body of each request that has one.
pub fn bodies(bytes: &[u8]) {
    for path in [
        "/api/v1/jobs",
        "/api/v1/jobs/none/rescale",
        "/api/v1/jobs/none/cancel",
        "/api/v1/jobs/none/state/none",
    ] {
        let host = NODE.address;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            bytes.len()
        );
        let answer = NODE.say(&[head.as_bytes(), bytes].concat());
        understood(&answer);
    }
}

/// Sends bytes as all that a connection brings.
pub fn requests(bytes: &[u8]) {
    // Some bytes are no request, and the connection is closed without a word.
    let end = b"\r\nConnection: close\r\n\r\n";
    let answer = NODE.say(&[bytes, end].concat());
    if answer.status != 0 {
        assert!((100..600).contains(&answer.status), "{answer:?}");
    }
    assert_eq!(NODE.get("/healthz").status, 200);
}

/// An answer is what was asked for or a problem, and no failure of the node.
fn understood(answer: &Answer) {
    assert!((200..500).contains(&answer.status) || answer.status == 503, "{answer:?}");
    if answer.status >= 400 {
        let said = answer.problem(answer.status);
        assert!(!said.is_empty() && said.len() < 1 << 14, "{said}");
        assert!(!said.contains(|c: char| c.is_control()), "{said:?}");
    }
}
