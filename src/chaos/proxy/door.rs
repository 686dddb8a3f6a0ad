//! Where a node is reached by the others.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use super::Ways;
use super::frames::{Frames, introduced};
use super::pump::Pump;

/// How long a connection to a node that runs on this machine may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// How long a node may take to introduce itself: longer than it gives itself.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// Where a node is reached by the others.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
}

impl Door {
    /// Opens a door at an address of this machine to the node of a name that listens there, or will.
    pub(crate) fn open(node: &str, at: IpAddr, listens: SocketAddr, ways: Arc<Ways>) -> io::Result<Door> {
        let listener = TcpListener::bind((at, 0))?;
        let address = listener.local_addr()?;
        let node = node.to_owned();
        thread::Builder::new().name(format!("door of {node}")).spawn(move || {
            for caller in listener.incoming().flatten() {
                let (node, ways) = (node.clone(), ways.clone());
                // Where there is no thread for it, the caller is turned away, and calls again.
                let _ = thread::Builder::new().spawn(move || {
                    // A connection that comes to nothing is closed, and whoever made it makes another.
                    let _ = lead_in(&node, listens, caller, &ways);
                });
            }
        })?;
        Ok(Door { address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Finds out who calls, and connects it with the node.
fn lead_in(node: &str, listens: SocketAddr, mut caller: TcpStream, ways: &Ways) -> io::Result<()> {
    caller.set_nodelay(true)?;
    caller.set_read_timeout(Some(HELLO_WITHIN))?;
    let (mut frames, mut piece) = (Frames::default(), [0; 4096]);
    let hello = loop {
        let read = caller.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        frames.push(&piece[..read]);
        if let Some(hello) = frames.next().map_err(io::Error::other)? {
            break hello;
        }
    };
    let stranger = || io::Error::other("it does not say who it is");
    let from = introduced(&hello).ok_or_else(stranger)?;
    let (Some(there), Some(back)) = (ways.get(&from, node), ways.get(node, &from)) else {
        return Err(stranger());
    };
    // What is blocked does not connect either.
    while !there.wait_open(HELLO_WITHIN) {}
    let called = TcpStream::connect_timeout(&listens, CONNECT_WITHIN)?;
    called.set_nodelay(true)?;
    let secret = Arc::new(AtomicBool::new(false));
    let (from, to) = (called.try_clone()?, caller.try_clone()?);
    let answers = Pump::new(from, to, back, Frames::default(), secret.clone());
    thread::Builder::new().spawn(move || answers.run())?;
    let mut frames = Pump::new(caller, called, there, frames, secret);
    frames.pass(hello);
    frames.run();
    Ok(())
}
