//! What is done with the messages of a peer.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::asks::Answered;
use crate::core::Core;
use crate::deaths::Ending;
use crate::door::Answering;
use crate::envelope::{Answer, Envelope};
use crate::error::{AskError, Fault};
use crate::msgpack::{self, Bin};
use crate::name::NodeName;
use crate::registry::Watcher;
use crate::report::DownReason;

/// How many asks of others are being answered by actors of this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct InHand(Rc<Cell<usize>>);

impl InHand {
    fn begin(&self, at_most: usize) -> Option<Held> {
        (self.0.get() < at_most).then(|| {
            self.0.set(self.0.get() + 1);
            Held(self.clone())
        })
    }
}

/// One of them.
struct Held(InHand);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() - 1);
    }
}

/// Does what one message asks for. An error breaks the link.
pub(crate) fn take(
    core: &Arc<Core>,
    in_hand: &InHand,
    from: &NodeName,
    body: &[u8],
) -> Result<(), DownReason> {
    let envelope = msgpack::read(body).map_err(DownReason::Violated)?;
    match envelope {
        Envelope::Tell { actor, message, payload } => {
            let told = core.registry.door(actor, message).and_then(|door| door.tell(from, payload.0));
            if let Err(fault) = told {
                core.registry.lose(from, actor, message, &fault);
            }
        }
        Envelope::Ask { id, within_ms, actor, message, payload } => {
            let begun = core.registry.door(actor, message).and_then(|door| {
                let held = in_hand.begin(core.config.asks_in_hand_max).ok_or(Fault::Full)?;
                Ok((door.ask(from, payload.0)?, held))
            });
            match begun {
                Ok((answering, held)) => {
                    let within = Duration::from_millis(within_ms);
                    actix_rt::spawn(answer(core.clone(), from.clone(), id, within, answering, held));
                }
                Err(fault) => reply(core, from, id, Answer::Failed(fault)),
            }
        }
        Envelope::Answer { id, answer } => core.asks.answer(from, id, answered(answer)),
        Envelope::Find { id, actor, message } => {
            let found = core.registry.door(actor, message).is_ok_and(|door| door.connected());
            reply(core, from, id, Answer::Found(found));
        }
        Envelope::Watch { id, actor } => {
            let watcher = Watcher { node: from.clone(), id };
            if !core.registry.watch(actor, watcher.clone(), &core.config) {
                gone(core, [watcher], true);
            }
        }
        Envelope::Gone { id, unknown } => {
            core.deaths.end(from, id, if unknown { Ending::Unknown } else { Ending::Stopped });
        }
        Envelope::Leave => return Err(DownReason::Left),
    }
    Ok(())
}

fn answered(answer: Answer<'_>) -> Result<Answered, AskError> {
    match answer {
        Answer::Done(payload) => Ok(Answered::Done(payload.0.to_vec())),
        Answer::Found(found) => Ok(Answered::Found(found)),
        Answer::Failed(fault) => Err(AskError::Refused(fault)),
    }
}

/// Waits for the answer of an actor and sends it, unless whoever asked has given up by then.
async fn answer(core: Arc<Core>, to: NodeName, id: u64, within: Duration, answering: Answering, held: Held) {
    if let Ok(answer) = tokio::time::timeout(within, answering).await {
        match answer {
            Ok(payload) => reply(&core, &to, id, Answer::Done(Bin(&payload))),
            Err(fault) => reply(&core, &to, id, Answer::Failed(fault)),
        }
    }
    drop(held);
}

fn reply(core: &Core, to: &NodeName, id: u64, answer: Answer<'_>) {
    let Some(outgoing) = core.peers.outgoing(to) else { return };
    let begin = |answer| {
        let mut out = outgoing.queue.buffer();
        Envelope::Answer { id, answer }.write(&mut out);
        out
    };
    let mut frame = begin(answer);
    let bytes_max = core.config.frames.control_bytes_max;
    if frame.len() > bytes_max {
        let reason = format!("it has {} bytes, and may have {bytes_max}", frame.len());
        frame = begin(Answer::Failed(Fault::Unsendable(reason)));
    }
    // Where the link is down, whoever asked learns that.
    let _ = outgoing.send(frame);
}

/// Tells watchers that their actor is no more.
pub(crate) fn gone(core: &Core, watchers: impl IntoIterator<Item = Watcher>, unknown: bool) {
    for Watcher { node, id } in watchers {
        if node == core.local.node {
            core.deaths.end(&node, id, if unknown { Ending::Unknown } else { Ending::Stopped });
        } else {
            // Where the link is down, the watcher learns that.
            let _ = core.send(&node, Envelope::Gone { id, unknown }.frame());
        }
    }
}
