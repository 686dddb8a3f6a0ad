//! What a channel without credit is told.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use watershed_core::{EventTime, VertexId};

use super::*;
use crate::element::Ending;
use crate::vigil::Vigil;

/// Takes elements, and gives no credit back.
struct Greedy;

impl Actor for Greedy {
    type Context = Context<Self>;
}

impl Handler<Deliver> for Greedy {
    type Result = ();

    fn handle(&mut self, _: Deliver, _: &mut Self::Context) {}
}

#[test]
fn a_channel_that_was_left_out_for_want_of_credit_hears_of_the_watermark_before_the_end() {
    System::new().block_on(async {
        let road = Road::Near(Post::new(Greedy.start(), &Arc::new(Vigil::new(Duration::ZERO))));
        let subtask = SubtaskId { vertex: VertexId(1), index: 0 };
        let target = Target { road, subtask, channel: ChannelId(0) };
        let config = Config { credit_control: 1, ..Config::default() };
        let mut outbounds = Outbounds::new(vec![vec![Some(target)]], &config);
        let at = |millis| Watermark(EventTime::from_millis(millis));
        outbounds.tell(at(1));
        outbounds.tell(at(2));
        let channel = outbounds.channels[0][0].as_ref().expect("it was opened");
        assert_eq!((channel.told, channel.queue.len()), (at(1), 0), "there was credit for one of them");
        outbounds.tell_last(at(2), || Element::End(Ending::Cancelled));
        let channel = outbounds.channels[0][0].as_ref().expect("it was opened");
        let waiting: Vec<&Element> = channel.queue.iter().map(near).collect();
        assert!(
            matches!(waiting[..], [Element::Watermark(told), Element::End(Ending::Cancelled)] if *told == at(2)),
            "{waiting:?}"
        );
    });
}

fn near(waiting: &Waiting) -> &Element {
    match waiting {
        Waiting::Near(element) => element,
        Waiting::Far(_) => unreachable!("the receiver is near"),
    }
}
