//! A client against nodes that answer what they are told to.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use watershed_core::{Epoch, Position, Run, SplitId};

use super::super::*;
use super::*;

/// A node that gives these answers, one a connection, and tells what it was asked.
fn node(answers: Vec<(u16, Value)>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().expect("a client comes");
            tell.send(request(&mut stream)).expect("the test listens");
            let body = answer.to_string();
            let head =
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            // A status of none breaks the connection off.
            if status > 0 {
                stream.write_all((head + &body).as_bytes()).expect("the client reads");
            }
        }
    });
    (url, told)
}

/// A request, head and body.
fn request(stream: &mut impl Read) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request has a head");
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).expect("a head is text");
    let length = head.lines().filter_map(|line| line.split_once(": "));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.filter_map(|(_, value)| value.parse().ok()).next().unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a request has its body");
    head + &String::from_utf8(body).expect("a body is text")
}

fn view(node: &str, run: u32, value: Value) -> (u16, Value) {
    let token = format!("t{run}");
    let view = json!({
        "state": "limits", "key": "EWR", "value": value, "level": "causal", "run": run, "checkpoint": null,
        "durable": false, "rebased": false, "node": node, "token": token,
    });
    (200, view)
}

fn problem(status: u16, code: &str, members: Value) -> (u16, Value) {
    let mut document = json!({
        "type": "about:blank", "title": "X", "status": status, "detail": "x", "code": code,
    });
    let members = members.as_object().expect("it is one").clone();
    document.as_object_mut().expect("it is one").extend(members);
    (status, document)
}

fn session(urls: &[&String]) -> Session {
    Client::new(urls).expect("these are addresses").session("alerts")
}

#[test]
fn a_session_shows_what_it_has_seen_and_keeps_the_newest() {
    let (url, asked) = node(vec![view("n1", 3, Value::Null), view("n1", 4, json!(40))]);
    let mut session = session(&[&url]);
    assert_eq!(session.token(), None);
    let made = session.update("limits", &"EWR", &json!({ "Put": 40 })).expect("it is made");
    assert_eq!((made.run, made.node.as_str(), session.token()), (Run(3), "n1", Some("t3")));
    assert_eq!(session.get("limits", &"EWR", Level::Causal), Ok(Some(40_u64)));
    assert_eq!(session.token(), Some("t4"));
    let first = asked.recv().expect("it was asked");
    assert!(first.starts_with("POST /api/v1/jobs/alerts/state/limits HTTP/1.1\r\n"), "{first}");
    let (_, body) = first.split_once("\r\n\r\n").expect("it has a body");
    let body: Value = serde_json::from_str(body).expect("it is JSON");
    let expected = json!({ "key": "EWR", "update": { "Put": 40 }, "durable": false, "wait": "5000ms" });
    assert_eq!(body, expected);
    assert!(!first.to_lowercase().contains("watershed-token"), "{first}");
    let second = asked.recv().expect("it was asked");
    let line = "GET /api/v1/jobs/alerts/state/limits?key=%22EWR%22&level=causal&wait=5000ms HTTP/1.1\r\n";
    assert!(second.starts_with(line), "{second}");
    assert!(second.to_lowercase().contains("\r\nwatershed-token: t3\r\n"), "{second}");
}

#[test]
fn a_session_takes_what_it_has_seen_from_job_to_job() {
    let durable =
        |job: &str, run: u32| (200, json!({ "job": job, "durable": true, "run": run, "node": "n1" }));
    let (url, asked) = node(vec![
        view("n1", 7, Value::Null),
        view("n1", 3, json!(40)),
        view("n1", 8, json!(25)),
        durable("alerts", 8),
        durable("prices", 3),
    ]);
    let mut session = session(&[&url]);
    session.update("limits", &"EWR", &json!({ "Put": 40 })).expect("it is made");
    session.put_in("orders", SplitId(0), Position(5));
    // The runs of one job say nothing of those of another, nor do the positions in its sources.
    assert_eq!(session.turn_to("prices").get("limits", &"EWR", Level::Causal), Ok(Some(40_u64)));
    assert_eq!(session.turn_to("alerts").get("limits", &"EWR", Level::Causal), Ok(Some(25_u64)));
    assert_eq!(session.await_durable(Duration::from_secs(60)), Ok(()));
    let asked: Vec<String> = asked.iter().collect();
    let line = |at: usize| asked[at].lines().next().expect("a request has a first line");
    let shows = |at: usize, token: &str| {
        asked[at].to_lowercase().contains(&format!("\r\nwatershed-token: {token}\r\n"))
    };
    assert!(line(1).starts_with("GET /api/v1/jobs/prices/state/limits?") && shows(1, "t7"), "{asked:?}");
    assert!(!line(1).contains("inputs="), "{}", line(1));
    assert!(line(2).starts_with("GET /api/v1/jobs/alerts/state/limits?") && shows(2, "t3"), "{asked:?}");
    assert!(line(2).contains("inputs="), "{}", line(2));
    assert!(line(3).starts_with("GET /api/v1/jobs/alerts/durable?") && shows(3, "t8"), "{asked:?}");
    assert!(line(4).starts_with("GET /api/v1/jobs/prices/durable?") && shows(4, "t8"), "{asked:?}");
}

#[test]
fn c4_a_node_that_has_not_heard_of_a_newer_run_is_not_believed() {
    let (new, _asked) = node(vec![view("n1", 4, json!(40))]);
    let (old, was_asked) = node(vec![view("n2", 3, json!(39)), view("n2", 3, json!(39))]);
    let (newest, _also) = node(vec![view("n3", 4, json!(41))]);
    let mut seen = session(&[&new]);
    assert_eq!(seen.get("limits", &"EWR", Level::Eventual), Ok(Some(40_u64)));
    let mut seen = Session { nodes: Nodes::new(&[&old, &newest], None).expect("addresses"), ..seen };
    assert_eq!(seen.get("limits", &"EWR", Level::Eventual), Ok(Some(41_u64)));
    was_asked.recv().expect("the old one was asked first");
    let mut seen = Session { nodes: Nodes::new(&[&old], None).expect("addresses"), ..seen };
    let error = ClientError::OlderRun { node: "n2".to_owned(), answered: Run(3), seen: Run(4) };
    assert_eq!(seen.get::<_, u64>("limits", &"EWR", Level::Eventual), Err(error));
    assert_eq!(seen.token(), Some("t4"), "nothing was learned from it");
}

#[test]
fn a_checkpoint_of_an_older_run_is_not_older_than_it_says() {
    let (_, mut old) = view("n1", 2, json!(39));
    old["checkpoint"] = json!(7);
    let (url, asked) = node(vec![view("n1", 3, json!(40)), (200, old)]);
    let mut session = session(&[&url]);
    session.get::<_, u64>("limits", &"EWR", Level::Causal).expect("it answers");
    let read =
        session.read::<_, u64>("limits", &"EWR", Level::AsOf(AsOf::Epoch(Epoch(7)))).expect("it answers");
    assert_eq!(session.token(), Some("t2"), "the node has put together what was seen");
    assert_eq!((read.value, read.checkpoint, read.run), (Some(39), Some(Epoch(7)), Run(2)));
    asked.recv().expect("it was asked");
    let asked = asked.recv().expect("it was asked");
    assert!(asked.contains("?epoch=7&") && asked.contains("&level=as-of&"), "{asked}");
}

#[test]
fn what_was_put_in_is_named_until_a_token_names_it() {
    let (url, asked) = node(vec![view("n1", 3, json!(1)), view("n1", 3, json!(2)), view("n1", 3, json!(2))]);
    let mut session = session(&[&url]);
    session.put_in("orders", SplitId(0), Position(5));
    session.put_in("orders", SplitId(0), Position(9));
    session.get::<_, u64>("limits", &"EWR", Level::Eventual).expect("it answers");
    let named = "inputs=%5B%7B%22source%22%3A%22orders%22%2C%22split%22%3A0%2C%22position%22%3A9%7D%5D";
    let first = asked.recv().expect("it was asked");
    assert!(first.contains(named) && !first.contains("await_input"), "{first}");
    let read = session.await_input::<_, u64>("limits", &"EWR").expect("it answers");
    let second = asked.recv().expect("it was asked");
    assert!(second.contains("level=as-of&") && second.contains("await_input=true"), "{second}");
    assert!(!second.contains("inputs=") && second.contains("t3"), "{second}");
    assert_eq!(read.value, Some(2));
}

#[test]
fn c8_what_was_undone_is_an_error_of_its_own() {
    let undone = json!([{ "lane": { "run": 3, "epoch": 8, "site": 0 }, "up_to": 2, "by": 4 }]);
    let members = json!({ "from_run": 3, "to_run": 4, "base": 7, "undone": undone });
    let (url, _asked) = node(vec![problem(409, "rolled-back", members)]);
    let error =
        session(&[&url]).seen("t3").get::<_, u64>("limits", &"EWR", Level::Causal).expect_err("it is undone");
    let ClientError::Refused(error) = error else { panic!("{error}") };
    let QueryError::RolledBack { from_run, to_run, base, undone } = *error else { panic!("{error}") };
    assert_eq!((from_run, to_run, base, undone.len()), (Run(3), Run(4), Some(Epoch(7)), 1));
}

#[test]
fn a_look_is_taken_elsewhere_and_an_update_is_not_made_twice() {
    let missing = || problem(503, "unavailable", json!({ "missing": "site 1" }));
    let (first, _a) = node(vec![missing(), missing()]);
    let (second, asked) = node(vec![view("n2", 3, json!(40))]);
    let mut session = session(&[&first, &second]);
    assert_eq!(session.get("limits", &"EWR", Level::Causal), Ok(Some(40_u64)));
    asked.recv().expect("it was asked");
    let error = session.update("limits", &"EWR", &1).expect_err("the first one says no");
    assert_eq!(
        error,
        ClientError::Refused(Box::new(QueryError::Unavailable { missing: "site 1".to_owned() }))
    );
    assert!(asked.try_recv().is_err(), "the second was not asked");
    let (broken, _b) = node(vec![(0, Value::Null)]);
    let (other, untouched) = node(vec![view("n2", 3, Value::Null)]);
    let mut session = Session { nodes: Nodes::new(&[&broken, &other], None).expect("addresses"), ..session };
    let error = session.update("limits", &"EWR", &1).expect_err("nobody knows");
    assert!(matches!(error, ClientError::Unreachable(_)), "{error}");
    assert!(untouched.try_recv().is_err(), "the other was not asked");
}

#[test]
fn a_node_that_is_not_there_is_passed_over() {
    let gone = format!("http://{}", ports::free());
    let (url, _asked) = node(vec![view("n1", 3, Value::Null)]);
    assert!(session(&[&gone, &url]).update("limits", &"EWR", &1).is_ok());
    let error =
        session(&[&gone]).get::<_, u64>("limits", &"EWR", Level::Eventual).expect_err("nobody is there");
    assert!(error.to_string().starts_with("no node answers at "), "{error}");
    assert!(matches!(Client::new(["n1:7180"]), Err(ClientError::Address(_))));
    assert!(matches!(Client::new([""; 0]), Err(ClientError::Address(_))));
}

#[test]
fn a_value_is_of_the_type_that_is_asked_for() {
    let bytes = json!({ "$map": [[7, { "$bytes": "00ff" }]] });
    let (url, _asked) =
        node(vec![view("n1", 3, bytes), view("n1", 3, json!("forty")), view("n1", 3, Value::Null)]);
    let mut session = session(&[&url]);
    let read = session.get::<_, std::collections::BTreeMap<u8, Vec<u8>>>("limits", &"EWR", Level::Eventual);
    assert_eq!(read, Ok(Some([(7, vec![0, 255])].into())));
    let misfit = session.get::<_, u64>("limits", &"EWR", Level::Eventual).expect_err("a text is no number");
    assert!(misfit.to_string().starts_with("the value does not fit: "), "{misfit}");
    assert_eq!(session.get::<_, u64>("limits", &"EWR", Level::Eventual), Ok(None));
}

#[test]
fn durability_is_waited_for_and_not_for_ever() {
    let told = |run: u32, durable: bool| {
        (200, json!({ "job": "alerts", "durable": durable, "run": run, "node": "n1" }))
    };
    let (url, asked) =
        node(vec![view("n1", 3, Value::Null), told(3, false), told(3, true), told(3, false), told(2, true)]);
    let mut session = session(&[&url]);
    assert_eq!(session.await_durable(Duration::from_secs(60)), Err(ClientError::Unused));
    session.update("limits", &"EWR", &1).expect("it is made");
    assert_eq!(session.await_durable(Duration::from_secs(600)), Ok(()));
    asked.recv().expect("it was asked");
    let line = asked.recv().expect("it was asked");
    assert!(line.starts_with("GET /api/v1/jobs/alerts/durable?wait=60000ms HTTP/1.1\r\n"), "{line}");
    assert!(line.to_lowercase().contains("\r\nwatershed-token: t3\r\n"), "{line}");
    let late = session.await_durable(Duration::ZERO).expect_err("none came");
    assert!(matches!(late, ClientError::NotDurable { .. }), "{late}");
    let zombie = session.await_durable(Duration::ZERO).expect_err("it is of an older run");
    assert!(matches!(zombie, ClientError::OlderRun { .. }), "{zombie}");
}

#[test]
fn names_are_escaped_once() {
    assert_eq!(state_path("flight-delays", "count/total"), "/api/v1/jobs/flight-delays/state/count%2Ftotal");
    assert_eq!(escaped("a/b ü\"%"), "a%2Fb%20%C3%BC%22%25");
    let asked = AskState { key: "\"a b\"".to_owned(), rebase: true, ..AskState::default() };
    assert_eq!(in_address(&asked), "?key=%22a%20b%22&rebase=true");
}
