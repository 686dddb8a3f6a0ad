//! What is between the nodes: a door before each, as narrow, as leaky or as shut as a test wants.
//!
//! A node tells the others to reach it at its door, which passes on what comes in pieces as large as a packet. So each
//! direction of a link goes through the door of the node that it leads to.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use crate::cluster::NodeSettings;

/// What a packet of TCP holds over Ethernet.
const PACKET_BYTES: usize = 1_460;
/// How long TCP waits for an acknowledgement at first; each next time twice as long (RFC 6298).
const SENT_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Where so many packets follow a lost one, the receiver's complaints about it come before that (RFC 5681).
const FOLLOWERS: usize = 3;
/// How long it takes to hear of such a complaint, and to send the packet again.
const SOON: Duration = Duration::from_millis(20);
/// How many packets are looked at together.
const AT_ONCE: usize = 16;
/// How often one packet is lost: of those that go through three times in vain there is one in a thousand where one in ten is
/// lost, and there TCP is late by more than a follower's patience with its leader.
const LOST_MAX: u32 = 2;
/// How often it is looked whether a door is open again.
const LOOK: Duration = Duration::from_millis(5);

/// A door before a node.
pub(super) struct Door {
    address: SocketAddr,
    manner: Arc<Manner>,
}

/// What becomes of what passes.
struct Manner {
    /// How many bytes pass in a second, on each connection and in each direction; nothing where it is 0.
    rate: AtomicU64,
    /// How many of a hundred packets are lost.
    lost: AtomicU64,
    /// Chance that goes on with each packet: splitmix64.
    chance: AtomicU64,
}

impl Door {
    /// Opens a door to where a node listens, or will.
    pub(super) fn before(node: SocketAddr) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (rate, lost, chance) = (AtomicU64::new(u64::MAX), AtomicU64::new(0), AtomicU64::new(7));
        let manner = Arc::new(Manner { rate, lost, chance });
        let how = manner.clone();
        std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                // Where nobody is at home, the caller is turned away and calls again.
                let Ok(called) = TcpStream::connect(node) else { continue };
                for (from, to) in [(&caller, &called), (&called, &caller)] {
                    let (from, to, how) = (from.try_clone().unwrap(), to.try_clone().unwrap(), how.clone());
                    std::thread::spawn(move || {
                        let _ = how.pass(&from, &to);
                        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                    });
                }
            }
        });
        Door { address, manner }
    }

    /// The settings of the node behind it.
    pub(super) fn in_front_of(&self, settings: NodeSettings) -> NodeSettings {
        NodeSettings { advertise: Some(self.address.to_string()), ..settings }
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Lets so many bytes through in a second.
    pub(super) fn narrow(&self, rate: u64) {
        self.manner.rate.store(rate, SeqCst);
    }

    pub(super) fn shut(&self) {
        self.narrow(0);
    }

    pub(super) fn open(&self) {
        self.narrow(u64::MAX);
    }

    /// Loses so many of a hundred packets, each up to a few times. They come all the same, as TCP sends them again, and
    /// what is behind them waits: not for long where much is behind them.
    pub(super) fn lose(&self, percent: u64) {
        self.manner.lost.store(percent, SeqCst);
    }
}

impl Manner {
    /// Passes on what comes until one of the ends is closed.
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
        from.set_nodelay(true)?;
        to.set_nodelay(true)?;
        let mut read = [0; PACKET_BYTES * AT_ONCE];
        loop {
            let bytes = from.read(&mut read)?;
            if bytes == 0 {
                return Ok(());
            }
            let packets = read[..bytes].chunks(PACKET_BYTES);
            for (behind, packet) in (0..packets.len()).rev().zip(packets) {
                self.lose(behind);
                while self.rate.load(SeqCst) == 0 {
                    std::thread::sleep(LOOK);
                }
                let rate = self.rate.load(SeqCst).max(1);
                let nanos = (packet.len() as u64).saturating_mul(1_000_000_000) / rate;
                std::thread::sleep(Duration::from_nanos(nanos));
                to.write_all(packet)?;
            }
        }
    }

    /// Waits for as long as a packet is lost that has so many behind it.
    fn lose(&self, behind: usize) {
        let mut again = if behind >= FOLLOWERS { SOON } else { SENT_AGAIN_AFTER };
        for _ in 0..LOST_MAX {
            if self.draw() % 100 >= self.lost.load(SeqCst) {
                return;
            }
            std::thread::sleep(again);
            again = again.max(SENT_AGAIN_AFTER / 2) * 2;
        }
    }

    fn draw(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut number = self.chance.fetch_add(STEP, SeqCst).wrapping_add(STEP);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}
