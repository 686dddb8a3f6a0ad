//! Somebody between a sink and its database, who cuts the connection at the worst moment or holds answers back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What is done when certain bytes pass on their way to the server, once.
#[derive(Clone, Debug)]
pub(crate) enum Mischief {
    /// The server gets them, and its answer is lost with the connection.
    LoseTheAnswer(&'static [u8]),
    /// The answer comes when it is let through.
    HoldTheAnswer(&'static [u8]),
}

/// Forwards connections from a port of its own.
pub(crate) struct Proxy {
    port: u16,
    mischief: Arc<Mutex<Option<Mischief>>>,
    hold: Arc<Hold>,
}

/// Whether answers are held back, and who waits for that to end.
#[derive(Default)]
struct Hold {
    holds: Mutex<bool>,
    ended: Condvar,
}

impl Hold {
    fn set(&self, holds: bool) {
        *self.holds.lock().unwrap() = holds;
        self.ended.notify_all();
    }

    fn wait(&self) {
        drop(self.ended.wait_while(self.holds.lock().unwrap(), |holds| *holds).unwrap());
    }
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mischief, hold) = (Arc::new(Mutex::new(None)), Arc::<Hold>::default());
        let (shared, held) = (Arc::clone(&mischief), Arc::clone(&hold));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                forward(&client, &server, &shared, &held);
            }
        });
        Proxy { port, mischief, hold }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Plans a mischief.
    pub(crate) fn plan(&self, mischief: Mischief) {
        *self.mischief.lock().unwrap() = Some(mischief);
    }

    /// Whether the mischief has been done, or has begun.
    pub(crate) fn has_struck(&self) -> bool {
        self.mischief.lock().unwrap().is_none()
    }

    /// Lets the answer through that is held back.
    pub(crate) fn let_through(&self) {
        self.hold.set(false);
    }
}

fn forward(
    client: &TcpStream,
    server: &TcpStream,
    mischief: &Arc<Mutex<Option<Mischief>>>,
    hold: &Arc<Hold>,
) {
    let (cut, hold) = (Arc::new(AtomicBool::new(false)), Arc::clone(hold));
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (plan, cut_there, hold_there) = (Arc::clone(mischief), Arc::clone(&cut), Arc::clone(&hold));
    thread::spawn(move || {
        copy(&mut from, &mut to, |bytes| {
            let mut plan = plan.lock().unwrap();
            let holds = |sought: &[u8]| bytes.windows(sought.len()).any(|window| window == sought);
            match plan.clone() {
                Some(Mischief::LoseTheAnswer(sought)) if holds(sought) => {
                    *plan = None;
                    cut_there.store(true, Ordering::SeqCst);
                }
                Some(Mischief::HoldTheAnswer(sought)) if holds(sought) => {
                    *plan = None;
                    hold_there.set(true);
                }
                Some(_) | None => {}
            }
            true
        });
    });
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        copy(&mut from, &mut to, |_| {
            hold.wait();
            !cut.load(Ordering::SeqCst)
        });
    });
}

/// Copies bytes for as long as `pass` lets them; then both ends are closed.
fn copy(from: &mut TcpStream, to: &mut TcpStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
