//! An S3-compatible server of the tests' own: moto, in memory, on a free port, gone with its last test.
//!
//! It is looked for in the Python that the variable `TEST_PYTHON` names, or else in `python3`
//! (`pip install 'moto[server]'`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use object_store::aws::AmazonS3Builder;

use crate::need;

/// The bucket that is there.
pub(crate) const BUCKET: &str = "checkpoints";

/// A server that runs.
pub(crate) struct Server {
    process: Child,
    port: u16,
}

/// The server that tests share for as long as one of them runs.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    /// The server that is shared; none, and a word about it, where there is no moto.
    #[track_caller]
    pub(crate) fn shared(test: &str) -> Option<Arc<Server>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Server::start(test, &[])?);
        server.make_bucket();
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server with these variables and without a bucket; none where there is no moto.
    #[track_caller]
    pub(crate) fn start(test: &str, variables: &[(&str, &str)]) -> Option<Server> {
        let python = std::env::var("TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let found = Command::new(&python).args(["-c", "import moto.server"]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            need::pass_over(test, "moto", &format!("{python} has no moto server"));
            return None;
        }
        let mut command = Command::new(python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]).envs(variables.iter().copied());
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("a Python that has been run runs");
        let mut said = BufReader::new(process.stderr.take().expect("it is piped"));
        let mut words = String::new();
        let port = loop {
            let mut line = String::new();
            if said.read_line(&mut line).unwrap_or(0) == 0 {
                panic!("moto is there and does not start ({:?}): {words}", process.wait());
            }
            words.push_str(&line);
            if let Some((_, port)) = line.split_once("http://127.0.0.1:") {
                break port.trim().parse().expect("a port is a number");
            }
        };
        // It goes on talking, and must not wait for a reader.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Some(Server { process, port })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn make_bucket(&self) {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let request = format!("PUT /{BUCKET} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
        connection.write_all(request.as_bytes()).expect("it takes a request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        assert!(answer.contains(" 200 "), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client of a server on a port of this machine.
pub(crate) fn client(port: u16) -> AmazonS3Builder {
    let builder =
        AmazonS3Builder::new().with_endpoint(format!("http://127.0.0.1:{port}")).with_allow_http(true);
    builder.with_region("us-east-1").with_access_key_id("tester").with_secret_access_key("hush-hush")
}
