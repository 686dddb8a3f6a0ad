//! Input that is wrong, hostile or without end: each is refused within its limit, and the node goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::node::{CONNECTIONS_MAX, ENDLESS, Node};

#[test]
fn a_body_that_is_announced_too_large_is_refused_before_it_comes() {
    let node = Node::start();
    let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let answer = node.say(format!("{head}Content-Length: 1073741824\r\n\r\n").as_bytes());
    assert_eq!(answer.problem(413), "the body is larger than 65536 bytes");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let endless = format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(3));
    assert_eq!(node.say(endless.as_bytes()).problem(413), "the body is larger than 65536 bytes");
    assert_eq!(node.get("/healthz").status, 200);
}

#[test]
fn whoever_is_answered_before_the_end_of_the_body_does_not_keep_the_connection() {
    let node = Node::start_hasty();
    let begun = |path: &str, head: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{head}\r\n1\r\n{{\r\n");
        let mut stream = TcpStream::connect(node.address).unwrap();
        stream.set_read_timeout(Some(ENDLESS)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let json = "Host: localhost\r\nContent-Type: application/json\r\n";
    // One waits for the rest of the body in vain, and the others never look at it.
    let streams = [
        (begun("/api/v1/jobs", json), 408),
        (begun("/api/v1/jobs", "Host: localhost\r\n"), 415),
        (begun("/nowhere", json), 404),
        (begun("/healthz", json), 405),
        (begun("/api/v1/jobs", "Host: evil.example\r\n"), 403),
    ];
    for (mut stream, status) in streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the connection is closed");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let node = Node::start_hasty();
    let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let answer = node.say(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes());
    assert_eq!(answer.problem(408), "the body did not come within 500ms");
}

#[test]
fn heads_that_come_byte_by_byte_keep_nobody_out_for_long() {
    let node = Node::start_hasty();
    // More than the server holds: whoever comes now has to wait until these are closed.
    let connect = |_| TcpStream::connect(node.address).unwrap();
    let mut slow: Vec<TcpStream> = (0..2 * CONNECTIONS_MAX + 16).map(connect).collect();
    let (done, is_done) = mpsc::channel::<()>();
    let mut last = slow[0].try_clone().unwrap();
    let trickle = std::thread::spawn(move || {
        for byte in b"GET /healthz HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            slow.iter_mut().for_each(|stream| drop(stream.write_all(&[*byte])));
            if is_done.recv_timeout(Duration::from_millis(200)) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    });
    let begun = Instant::now();
    assert_eq!(node.get("/healthz").status, 200);
    println!("answered after {:.1?}", begun.elapsed());
    last.set_read_timeout(Some(ENDLESS)).unwrap();
    let mut answer = Vec::new();
    let _ = last.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    drop(done);
    trickle.join().unwrap();
}

#[test]
fn whoever_does_not_read_keeps_nobody_out_for_long() {
    let node = Node::start();
    let request = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Many answers of tens of kilobytes, until neither side's buffers take more. All connections are taken by these.
    let mute = |_| {
        let mut stream = TcpStream::connect(node.address).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        let _ = stream.write_all(request.repeat(1_000).as_bytes());
        stream
    };
    let mute: Vec<TcpStream> = (0..2 * CONNECTIONS_MAX + 16).map(mute).collect();
    assert_eq!(node.get("/healthz").status, 200);
    drop(mute);
}

#[test]
fn json_that_is_nested_too_deep_is_not_followed() {
    let node = Node::start();
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        node.post("/api/v1/jobs", &format!("{{\"pipeline\":{open}{close}}}"))
    };
    assert_eq!(deep(32).problem(400), "the JSON is nested deeper than 32 levels");
    assert!(deep(31).problem(422).starts_with("the body does not fit: "));
    assert_eq!(deep(30_000).problem(400), "the JSON is nested deeper than 32 levels");
    assert_eq!(deep(100_000).problem(413), "the body is larger than 65536 bytes");
}

#[test]
fn what_is_not_json_is_refused_by_its_type_or_its_text() {
    let node = Node::start();
    let form =
        node.ask("POST", "/api/v1/jobs", "Content-Type: text/plain\r\n", "{\"pipeline\":\"counting\"}");
    assert_eq!(form.problem(415), "the body has to be JSON: send Content-Type: application/json");
    node.ask("POST", "/api/v1/jobs/none/cancel", "", "").problem(415);
    for body in [
        "{\"pipeline\":",
        "\u{0}\u{1}",
        "pipeline=counting",
        "{}{}",
        "{\"pipeline\":\"a\",\"pipeline\":\"b\"}",
    ] {
        let answer = node.post("/api/v1/jobs", body);
        assert!(matches!(answer.status, 400 | 422), "{body}: {answer:?}");
        answer.problem(answer.status);
    }
    assert_eq!(
        node.ask("POST", "/api/v1/jobs", "Content-Type: application/json; charset=utf-8\r\n", "7").status,
        422
    );
}

#[test]
fn a_flood_of_headers_is_cut_off() {
    let node = Node::start();
    let many: String = (0..10_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(1 << 20));
    for headers in [many, long] {
        let answer = node.ask("GET", "/healthz", &headers, "");
        // The connection may be gone before the answer is read.
        assert!(matches!(answer.status, 0 | 400 | 431), "{answer:?}");
    }
    assert_eq!(node.get("/healthz").status, 200);
}

#[test]
fn paths_that_climb_lead_nowhere() {
    let node = Node::start();
    let climbs = [
        "/../../etc/passwd",
        "/api/v1/jobs/../../../etc/passwd",
        "/api/v1/jobs/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/jobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd/checkpoints",
        "/api/v1/jobs/%252e%252e%252f%252e%252e%252fetc%252fpasswd/checkpoints",
        "/api/v1/jobs/%00/checkpoints",
        "/api/v1/jobs/",
        "/api/v1/jobs/a/b/c",
        "/api/v2/jobs",
        "//healthz",
    ];
    for path in climbs {
        node.get(path).problem(404);
    }
}

#[test]
fn pages_of_strangers_are_not_heard() {
    let node = Node::start();
    let rebound = node.say(b"GET /api/v1/jobs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(rebound.problem(403).contains("name the node by its address"));
    let across = "Origin: https://evil.example\r\nContent-Type: application/json\r\n";
    assert!(node.ask("POST", "/api/v1/jobs", across, "{}").problem(403).contains("another origin"));
    let own = format!("Origin: http://{}\r\n", node.address);
    assert_eq!(node.ask("GET", "/api/v1/jobs", &own, "").status, 200);
}

#[test]
fn what_is_no_http_harms_nobody() {
    let node = Node::start_hasty();
    for noise in [
        b"\x16\x03\x01\x02\x00\x01\x00".as_slice(),
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n",
        &[0xff; 4096],
    ] {
        let status = node.say(noise).status;
        assert!(matches!(status, 0 | 400 | 404 | 403 | 408 | 505), "{status}");
    }
    assert_eq!(node.get("/healthz").status, 200);
}
