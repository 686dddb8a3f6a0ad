//! How windows are asked for: `keyed.window(..).allowed_lateness(..).aggregate(..)`.

use std::time::Duration;

use watershed_core::{Chain, Data, Key, KeyedStream, SideOutput, Stream};

use super::{Assigner, Every, Rules, Span, Windowed};
use crate::aggregate::{Aggregate, Collect, Reduce};

/// Windows on keyed streams.
pub trait Windows<K, T, F> {
    /// Cuts the stream of each key into windows.
    fn window<W: Assigner>(self, assigner: W) -> WindowedStream<K, T, F, W>;
}

impl<K: Key, T: Data, F: Fn(&T) -> K + Clone + Send + 'static> Windows<K, T, F> for KeyedStream<K, T, F> {
    fn window<W: Assigner>(self, assigner: W) -> WindowedStream<K, T, F, W> {
        WindowedStream { keyed: self, assigner, rules: Rules::default() }
    }
}

/// A keyed stream that is cut into windows, until it is said what to keep of them.
#[must_use = "a windowed stream does nothing until it is aggregated"]
pub struct WindowedStream<K, T, F, W> {
    keyed: KeyedStream<K, T, F>,
    assigner: W,
    rules: Rules<T>,
}

impl<K: Key, T: Data, F, W: Assigner> WindowedStream<K, T, F, W>
where
    F: Fn(&T) -> K + Clone + Send + 'static,
{
    /// Keeps windows so much longer than until the watermark reaches their end.
    ///
    /// A late record that comes within that time is added to its windows, and those that are closed say
    /// their result again at once, as [`Firing::Update`](super::Firing). An update has the time of its window's last
    /// millisecond, so it is behind the watermark: later windows take it for late unless they allow
    /// lateness too.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.rules.allowed_lateness = lateness;
        self
    }

    /// Says results before the watermark has reached a window's end, in some rhythm, as
    /// [`Firing::Early`](super::Firing): those that have changed since they were last said.
    ///
    /// Early results cost a second look-up for each record and window it is in.
    pub fn early(mut self, every: Every) -> Self {
        self.rules.early = Some(every);
        self
    }

    /// Sends records to a side output that come too late for all of their windows. They are counted
    /// wherever they go.
    pub fn late_to(mut self, output: &SideOutput<T>) -> Self {
        self.rules.late = Some(*output);
        self
    }

    /// Keeps an aggregate of each window's values: state does not grow with the number of records.
    pub fn aggregate<A: Aggregate<T>>(self, aggregate: A) -> Stream<impl Chain<Out = Windowed<K, A::Out>>> {
        self.keyed.transform(W::KIND, self.assigner.windows(aggregate, self.rules))
    }

    /// Combines each window's values two at a time. The order in which they meet is not promised.
    pub fn reduce<G>(self, function: G) -> Stream<impl Chain<Out = Windowed<K, T>>>
    where
        G: Fn(T, T) -> T + Clone + Send + 'static,
    {
        self.aggregate(Reduce(function))
    }

    /// Hands over each window as a whole: its key, its span and all of its values, in the order of their
    /// times. What the function returns goes out, at the time of the window's last millisecond.
    ///
    /// A window keeps all its records for this; [`WindowedStream::aggregate`] does not.
    pub fn apply<G, I>(self, function: G) -> Stream<impl Chain<Out = I::Item>>
    where
        G: Fn(K, Span, Vec<T>) -> I + Clone + Send + 'static,
        I: IntoIterator<Item: Data> + 'static,
    {
        self.aggregate(Collect)
            .flat_map(move |window: Windowed<K, Vec<T>>| function(window.key, window.window, window.value))
    }
}
