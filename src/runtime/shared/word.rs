//! What the replicas of a run say to each other, and how it travels.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watershed_core::causal::Lane;
use watershed_core::{Epoch, Run};
use watershed_protocol::causal::{
    BUNDLE_UPDATES_MAX, Bundle, BundleError, Gap, Gossip, ReplicaLimits, Update,
};

use super::Operation;

/// How many bytes of updates travel in one message, about.
const UPDATES_BYTES: usize = 256 << 10;
/// How deep a word may nest: twice as deep as any does. Keys and deltas travel as bytes, whatever is in them.
const DEPTH_MAX: usize = 32;

type Updates = Vec<Update<Arc<Operation>>>;

/// A word from one site to another. On one link words arrive in the order in which they were said, or it is given up.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    /// Updates of the sender's own, in their order.
    Updates(Updates),
    /// How far the sender is.
    Gossip {
        gossip: Gossip,
        /// A completed checkpoint has a base that holds everything up to this epoch: nobody needs a log of it.
        based: Epoch,
    },
    /// What the sender lacks.
    Pull(Gap),
    /// What was asked for.
    Answer { lane: Lane, updates: Updates },
}

/// A word on its way: MessagePack without the names of fields, since there may be ten thousand updates a second, and
/// nodes of different programs do not speak with each other.
#[derive(Serialize, Deserialize)]
enum Told {
    Updates(Bundle<Arc<Operation>>),
    Gossip(Gossip, Epoch),
    Pull(Gap),
    Answer(Lane, Bundle<Arc<Operation>>),
}

/// Why bytes are no word.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WordError {
    #[error("it cannot be read: {0}")]
    Bytes(#[from] rmp_serde::decode::Error),
    #[error("{0} bytes follow it")]
    More(usize),
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl Word {
    /// Cuts what is too much for one message.
    pub(crate) fn pieces(self) -> Vec<Word> {
        let Word::Updates(updates) = self else { return vec![self] };
        let (mut pieces, mut piece, mut bytes) = (Vec::new(), Vec::new(), 0);
        for update in updates {
            bytes += update.bytes();
            piece.push(update);
            if bytes >= UPDATES_BYTES || piece.len() == BUNDLE_UPDATES_MAX {
                pieces.push(Word::Updates(std::mem::take(&mut piece)));
                bytes = 0;
            }
        }
        if !piece.is_empty() {
            pieces.push(Word::Updates(piece));
        }
        pieces
    }

    /// The word as bytes.
    pub(crate) fn write(self) -> Vec<u8> {
        let told = match self {
            Word::Updates(updates) => Told::Updates(Bundle::pack(updates)),
            Word::Gossip { gossip, based } => Told::Gossip(gossip, based),
            Word::Pull(gap) => Told::Pull(gap),
            Word::Answer { lane, updates } => Told::Answer(lane, Bundle::pack(updates)),
        };
        rmp_serde::to_vec(&told).expect("a word is plain data")
    }

    /// The word that another site of a run, which has so many, has written.
    pub(crate) fn read(bytes: &[u8], run: Run, sites: u16) -> Result<Word, WordError> {
        let mut rest = bytes;
        let mut reader = rmp_serde::Deserializer::new(&mut rest);
        reader.set_max_depth(DEPTH_MAX);
        let told = Told::deserialize(&mut reader)?;
        if !rest.is_empty() {
            return Err(WordError::More(rest.len()));
        }
        // A site may have as many lanes open that are settled elsewhere.
        let lanes_max = 2 * usize::from(sites) * ReplicaLimits::default().epochs_max;
        let open = |bundle: Bundle<_>| bundle.unpack(run, sites, lanes_max);
        Ok(match told {
            Told::Updates(bundle) => Word::Updates(open(bundle)?),
            Told::Gossip(gossip, based) => Word::Gossip { gossip, based },
            Told::Pull(gap) => Word::Pull(gap),
            Told::Answer(lane, bundle) => Word::Answer { lane, updates: open(bundle)? },
        })
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::causal::{Dot, HybridTime};
    use watershed_core::shared::Stamp;
    use watershed_core::{Counter, SharedId, Site, SubtaskId, VertexId};

    use super::*;

    fn update(counter: u64, key: &[u8]) -> Update<Arc<Operation>> {
        let lane = Lane { run: Run(3), epoch: Epoch(7), site: Site(1) };
        let writer = SubtaskId { vertex: VertexId(2), index: 0 };
        let stamp = Stamp { dot: Dot { lane, counter: Counter(counter) }, time: HybridTime(counter), writer };
        let before = Dot { lane, counter: Counter(counter - 1) };
        let delta = Operation { shared: SharedId(0), key: key.to_vec(), delta: vec![5] };
        Update { stamp, deps: [before].into_iter().collect(), delta: Arc::new(delta) }
    }

    fn updates(word: &Word) -> &Updates {
        let (Word::Updates(updates) | Word::Answer { updates, .. }) = word else { panic!("{word:?}") };
        updates
    }

    #[test]
    fn a_word_is_read_as_it_was_written() {
        let made = vec![update(1, b"a"), update(2, b"b")];
        let written = Word::Updates(made.clone()).write();
        // An update's name, time and writer; what it depends on, in full and then what is new; what it does.
        let golden = "81a75570646174657392\
            93 93 9293030701 01 01 920200 93c30690 9300c40161c40105\
            93 93 9293030701 02 02 920200 93c2069193010101 9300c40162c40105";
        let hex: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden.replace(' ', ""), "the form is documented, and changes with intent");
        let read = Word::read(&written, Run(3), 2).unwrap();
        assert_eq!(updates(&read), &made);
    }

    #[test]
    fn what_is_no_word_is_refused() {
        let written = Word::Updates(vec![update(2, b"a")]).write();
        let refused = |bytes: &[u8], sites| Word::read(bytes, Run(3), sites).unwrap_err();
        assert!(matches!(refused(&[&written[..], &[0]].concat(), 2), WordError::More(1)));
        assert!(matches!(refused(&written, 1), WordError::Bundle(_)), "there is no such site");
        for end in 0..written.len() {
            assert!(matches!(refused(&written[..end], 2), WordError::Bytes(_)));
        }
    }

    #[test]
    fn what_is_too_much_for_a_message_becomes_several() {
        let large = vec![0; UPDATES_BYTES / 4];
        let made: Vec<_> = (1..=9).map(|counter| update(counter, &large)).collect();
        let pieces = Word::Updates(made.clone()).pieces();
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.iter().flat_map(updates).collect::<Vec<_>>(), made.iter().collect::<Vec<_>>());
        let small = vec![update(1, b"a"); 2 * BUNDLE_UPDATES_MAX + 1];
        let sizes: Vec<_> = Word::Updates(small).pieces().iter().map(|piece| updates(piece).len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 2 * BUNDLE_UPDATES_MAX + 1);
        assert!(sizes.iter().all(|size| *size <= BUNDLE_UPDATES_MAX));
    }
}
