//! A PostgreSQL server of the tests' own: on a free port, in a temporary directory, gone with its last test.

#[path = "../../../tests/conditions/need.rs"]
mod need;
#[path = "../../../tests/conditions/ports.rs"]
mod ports;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use tempfile::TempDir;

/// The user that owns the databases.
const OWNER: &str = "owner";
/// How long a server may take to start, on a machine that is busy.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// A server that runs, unless it has been killed.
pub(crate) struct Server {
    binaries: PathBuf,
    directory: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Mutex<Option<Child>>,
}

/// The server that tests share for as long as one of them runs.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Says that a test cannot be run here.
#[track_caller]
pub(crate) fn skip(test: &str) {
    need::pass_over(test, "postgres", "PostgreSQL is not installed");
}

impl Server {
    /// The server that is shared; none where PostgreSQL is not installed.
    pub(crate) fn shared() -> Option<Arc<Server>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Server::start(&["max_prepared_transactions=50"])?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server of one test's own, with these settings; none where PostgreSQL is not installed.
    pub(crate) fn start(settings: &[&str]) -> Option<Server> {
        let binaries = binaries()?;
        let directory = tempfile::tempdir().unwrap();
        give_away(directory.path());
        let init = command(&binaries.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", OWNER])
            .arg(directory.path().join("data"))
            .current_dir(directory.path())
            .output()
            .expect("initdb runs");
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let port = ports::free().port();
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let server = Server { binaries, directory, port, settings, process: Mutex::default() };
        server.run();
        Some(server)
    }

    /// Starts the server, again if need be.
    pub(crate) fn run(&self) {
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT {
            let mut process = self.spawn();
            while process.try_wait().unwrap().is_none() {
                if self.try_connect("postgres").is_ok() {
                    *self.process.lock().unwrap() = Some(process);
                    return;
                }
                assert!(start.elapsed() < START_TIMEOUT, "{}", self.log());
                thread::sleep(Duration::from_millis(20));
            }
            // What is left of a server that was killed may need a moment to end.
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{}", self.log());
    }

    fn spawn(&self) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"));
        let mut command = command(&self.binaries.join("postgres"));
        command.arg("-D").arg(self.directory.path().join("data")).args(["-p", &self.port.to_string()]);
        let fixed =
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "log_statement=all"];
        for setting in fixed.into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.current_dir(self.directory.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(log.expect("the log is written")).spawn().expect("postgres runs")
    }

    /// Kills the server and all of its processes, as the lack of power would, but for what the operating system has.
    pub(crate) fn kill(&self) {
        let Some(mut process) = self.process.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let id = process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        process.kill().expect("the server is ours");
        process.wait().expect("the server is ours");
        let children: Vec<&str> = children.split_whitespace().collect();
        if !children.is_empty() {
            // Some have seen already that it is gone.
            let _ = Command::new("kill").arg("-9").args(&children).stderr(Stdio::null()).status();
        }
        let ended = Instant::now() + Duration::from_secs(60);
        while children.iter().any(|child| runs(child)) && Instant::now() < ended {
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes a database, and gives its name.
    pub(crate) fn create_database(&self) -> String {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        self.connect("postgres").batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        name
    }

    pub(crate) fn connect(&self, database: &str) -> Client {
        self.try_connect(database).unwrap_or_else(|error| panic!("{error:?}\n{}", self.log()))
    }

    fn try_connect(&self, database: &str) -> Result<Client, postgres::Error> {
        Client::connect(&url(self.port, database), NoTls)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

/// The address of a database.
pub(crate) fn url(port: u16, database: &str) -> String {
    format!("postgresql://{OWNER}@127.0.0.1:{port}/{database}?connect_timeout=10")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process is there that has not ended.
fn runs(id: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

/// Where the server's programs are: on the path, or where Debian puts the newest of them.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    folders.extend(debian.into_iter().rev());
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// Whether this process is root, as which PostgreSQL refuses to run.
fn is_root() -> bool {
    number(&["-u"]) == 0
}

fn number(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().expect("id is everywhere");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("id prints a number")
}

/// A command that runs as an ordinary user.
fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

/// Makes a directory that of the user who runs the server.
fn give_away(directory: &Path) {
    if is_root() {
        let (user, group) = (number(&["-u", "postgres"]), number(&["-g", "postgres"]));
        std::os::unix::fs::chown(directory, Some(user), Some(group)).unwrap();
    }
}
