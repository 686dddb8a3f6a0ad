//! Ports of loopback that a process has for itself.
//!
//! A port that the system hands out for a listener is handed out again as soon as that is closed, to any connection that goes
//! out: a node that is killed and comes back may find it taken. So these are ports of the range from which the system
//! does not draw, and a file that is locked as long as this process lives keeps others that ask here from each.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Where the search begins. Below are ports of known services.
pub(super) const FIRST: u16 = 12_000;

/// Where it ends, where nobody knows from where on the system draws ports for connections that go out.
pub(super) const END: u16 = 32_768;

/// How many ports there are between the two at least.
const COUNT_MIN: u16 = 1000;

/// The locks of the ports that were taken, and where the next one is looked for.
static TAKEN: Mutex<(Vec<File>, u16)> = Mutex::new((Vec::new(), 0));

/// Addresses of loopback for TCP and UDP, until the process ends.
///
/// # Errors
///
/// Where so many are not free.
pub(crate) fn free(count: usize) -> io::Result<Vec<SocketAddr>> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (locks, next) = &mut *taken;
    let (end, folder) = (end(&range()), folder());
    let ports = end - FIRST;
    if *next == 0 {
        // Processes that begin at a time begin in different places.
        *next = (std::process::id() % u32::from(ports)) as u16;
    }
    let mut found = Vec::new();
    for _ in 0..ports {
        if found.len() == count {
            break;
        }
        *next = (*next + 1) % ports;
        let port = FIRST + *next;
        // What is somebody else's, in whatever way, is passed over.
        let file =
            File::options().create(true).truncate(false).write(true).open(folder.join(port.to_string()));
        let Ok(lock) = file else { continue };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let is_free = || TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
        if lock.try_lock().is_ok() && is_free() {
            locks.push(lock);
            found.push(address);
        }
    }
    if found.len() == count {
        return Ok(found);
    }
    let what = format!("{} ports between {FIRST} and {end} are free, and {count} are needed", found.len());
    Err(io::Error::new(io::ErrorKind::AddrNotAvailable, what))
}

/// Where the locks are, for all processes of a user on this machine.
fn folder() -> PathBuf {
    let user = fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or_default();
    let folder = std::env::temp_dir().join(format!("watershed-ports-{user}"));
    // Where it cannot be made, no port is found, and that is said.
    let _ = fs::create_dir_all(&folder);
    folder
}

/// The range from which the system draws, as it tells.
pub(super) fn range() -> String {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default()
}

/// Where that range begins.
pub(super) fn end(range: &str) -> u16 {
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    first.filter(|first| *first > FIRST + COUNT_MIN).unwrap_or(END)
}
