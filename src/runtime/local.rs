//! Subtasks that live on this thread, to be fed in place.
//!
//! A batch that was just written is still in the cache of the core that wrote it; a receiver on the same
//! arbiter reads it there, at the cost of a call instead of a message.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use watershed_core::{ChannelId, Sequence, SubtaskId};

use crate::element::Element;
use crate::subtask::{Fed, SubtaskCore};

thread_local! {
    // SUBTLE: it owns none of them. What a thread still has of its own when it ends is dropped when some of it is gone
    // already, and a subtask that is dropped there and logs a word would abort the process.
    static LOCAL: RefCell<HashMap<SubtaskId, Weak<RefCell<SubtaskCore>>>> = RefCell::default();
}

/// Makes a subtask known on its own thread.
pub(crate) fn register(subtask: SubtaskId, core: &Rc<RefCell<SubtaskCore>>) {
    LOCAL.with_borrow_mut(|local| local.insert(subtask, Rc::downgrade(core)));
}

/// Forgets a subtask of this thread.
pub(crate) fn forget(subtask: SubtaskId) {
    LOCAL.with_borrow_mut(|local| local.remove(&subtask));
}

/// Feeds an element to a subtask of this thread. The element comes back where the subtask lives elsewhere or is not free.
pub(crate) fn feed(
    subtask: SubtaskId,
    channel: ChannelId,
    sequence: Sequence,
    element: Element,
) -> Result<Fed, Element> {
    let core = LOCAL.with_borrow(|local| local.get(&subtask)?.upgrade());
    let Some(core) = core else { return Err(element) };
    // A subtask that is borrowed is the one that is calling, further up the stack.
    let Ok(mut core) = core.try_borrow_mut() else { return Err(element) };
    if !core.is_free(channel) {
        return Err(element);
    }
    Ok(core.feed_in_place(channel, sequence, element))
}
