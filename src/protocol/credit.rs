//! Credit: permission to send so much on a channel, kept at both of its ends.
//!
//! ```text
//!   Credit (sender)                                Grant (receiver)
//!     home --take--> under way --------------------> held
//!       ^                                             |
//!       +------------- returned <----- give_back -----+
//!     at each moment: home + under way + held + on the way back = granted
//! ```
//!
//! A mailbox bounds nothing, so a batch is sent only against credit, which comes back with the emptied
//! buffer; this is Flink's credit-based flow control (since 1.5) and RisingWave's permits. Data and control
//! draw on pools of their own, so that a barrier, a watermark or an end never waits behind data credit.
//!
//! When all credit is home, nothing is under way and the receiver holds nothing, so a sender on the same
//! thread may call the receiver in place: there is no batch that could be overtaken.
//!
//! Both ends are plain counters, asked once a batch, and take no time; so they have methods of their own
//! instead of [`Machine::on`](crate::Machine::on).

use crate::Outcome;

/// Says whether the sending end of one channel may send, and counts what is under way.
///
/// The unit is the sender's and the receiver's agreement: one batch of records, or one control element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credit {
    data: Pool,
    control: Pool,
}

impl Credit {
    /// The sending end of a channel on which `data` batches and `control` elements may be under way at once.
    ///
    /// # Panics
    /// When either is 0: nothing could ever be sent.
    pub fn new(data: u32, control: u32) -> Self {
        assert!(data > 0 && control > 0, "a channel needs credit for data and for control");
        Credit { data: Pool { granted: data, here: data }, control: Pool { granted: control, here: control } }
    }

    /// Takes the credit for one batch, `false` if there is none: wait for credit to be returned.
    #[inline]
    pub fn take_data(&mut self) -> bool {
        self.data.take()
    }

    /// Takes the credit for one control element, `false` if there is none: wait for credit to be returned.
    #[inline]
    pub fn take_control(&mut self) -> bool {
        self.control.take()
    }

    /// Takes back credit that the receiver has returned. More than is under way is
    /// [`Outcome::Unexpected`] and changes nothing.
    #[inline]
    pub fn returned(&mut self, data: u32, control: u32) -> Outcome {
        if !self.data.has_room(data) || !self.control.has_room(control) {
            return Outcome::Unexpected;
        }
        self.data.here += data;
        self.control.here += control;
        Outcome::Applied
    }

    /// How many batches may be sent now.
    #[inline]
    pub fn data_left(&self) -> u32 {
        self.data.here
    }

    /// How many control elements may be sent now.
    #[inline]
    pub fn control_left(&self) -> u32 {
        self.control.here
    }

    /// Whether nothing is under way, so that a hand-over in place overtakes nothing.
    #[inline]
    pub fn all_home(&self) -> bool {
        self.data.is_full() && self.control.is_full()
    }
}

/// Checks at the receiving end of one channel that the sender keeps to what it was granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    data: Pool,
    control: Pool,
}

impl Grant {
    /// The receiving end of a channel whose sender has [`Credit::new`] with the same numbers.
    pub fn new(data: u32, control: u32) -> Self {
        Grant { data: Pool { granted: data, here: 0 }, control: Pool { granted: control, here: 0 } }
    }

    /// Counts a batch that has arrived. One that the sender had no credit for is [`Outcome::Unexpected`]: it
    /// is not counted, and the channel has to be given up.
    #[inline]
    pub fn data_arrived(&mut self) -> Outcome {
        self.data.arrived()
    }

    /// Counts a control element that has arrived. One that the sender had no credit for is
    /// [`Outcome::Unexpected`]: it is not counted, and the channel has to be given up.
    #[inline]
    pub fn control_arrived(&mut self) -> Outcome {
        self.control.arrived()
    }

    /// Counts credit that goes back to the sender, once what it stood for has been handled.
    ///
    /// # Panics
    /// When more goes back than has arrived: the receiver would be granting what it does not have.
    #[inline]
    pub fn give_back(&mut self, data: u32, control: u32) {
        assert!(
            data <= self.data.here && control <= self.control.here,
            "credit goes back only for what has arrived"
        );
        self.data.here -= data;
        self.control.here -= control;
    }

    /// How many batches have arrived whose credit has not gone back: what the channel may hold in memory.
    #[inline]
    pub fn data_held(&self) -> u32 {
        self.data.here
    }

    /// How many control elements have arrived whose credit has not gone back.
    #[inline]
    pub fn control_held(&self) -> u32 {
        self.control.here
    }
}

/// Some credit of one kind: how much there is in all, and how much of it is at this end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pool {
    granted: u32,
    here: u32,
}

impl Pool {
    #[inline]
    fn take(&mut self) -> bool {
        let taken = self.here > 0;
        self.here -= u32::from(taken);
        taken
    }

    #[inline]
    fn arrived(&mut self) -> Outcome {
        if self.is_full() {
            return Outcome::Unexpected;
        }
        self.here += 1;
        Outcome::Applied
    }

    #[inline]
    fn has_room(&self, more: u32) -> bool {
        more <= self.granted - self.here
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.here == self.granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::explore;

    #[test]
    fn control_is_sent_when_data_credit_has_run_out() {
        let mut credit = Credit::new(2, 1);
        assert_eq!([credit.take_data(), credit.take_data(), credit.take_data()], [true, true, false]);
        assert_eq!([credit.take_control(), credit.take_control()], [true, false]);
        assert_eq!(credit.returned(1, 0), Outcome::Applied);
        assert_eq!([credit.take_control(), credit.take_data()], [false, true]);
    }

    #[test]
    fn more_credit_than_is_under_way_is_refused_whole() {
        let mut credit = Credit::new(2, 2);
        assert!(credit.take_data());
        let before = credit.clone();
        assert_eq!(credit.returned(1, 1), Outcome::Unexpected);
        assert_eq!(credit.returned(2, 0), Outcome::Unexpected);
        assert_eq!(credit.returned(u32::MAX, 0), Outcome::Unexpected);
        assert_eq!(credit, before);
        assert_eq!(credit.returned(1, 0), Outcome::Applied);
        assert!(credit.all_home());
    }

    #[test]
    fn a_sender_without_credit_is_found_out() {
        let mut grant = Grant::new(1, 1);
        assert_eq!([grant.data_arrived(), grant.data_arrived()], [Outcome::Applied, Outcome::Unexpected]);
        assert_eq!(
            [grant.control_arrived(), grant.control_arrived()],
            [Outcome::Applied, Outcome::Unexpected]
        );
        grant.give_back(1, 0);
        assert_eq!(grant.data_arrived(), Outcome::Applied);
        assert_eq!([grant.data_held(), grant.control_held()], [1, 1]);
    }

    #[test]
    #[should_panic(expected = "credit goes back only for what has arrived")]
    fn a_receiver_cannot_give_back_what_has_not_arrived() {
        Grant::new(1, 1).give_back(0, 1);
    }

    /// One channel: both ends and what is under way between them, as numbers of data and control.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Channel {
        credit: Credit,
        sent: [u32; 2],
        grant: Grant,
        going_back: [u32; 2],
    }

    const GRANTED: [u32; 2] = [3, 2];

    fn channel() -> Channel {
        let [data, control] = GRANTED;
        Channel {
            credit: Credit::new(data, control),
            sent: [0; 2],
            grant: Grant::new(data, control),
            going_back: [0; 2],
        }
    }

    impl Channel {
        fn check(self) -> Self {
            let home = [self.credit.data_left(), self.credit.control_left()];
            let held = [self.grant.data_held(), self.grant.control_held()];
            for kind in 0..2 {
                let total = home[kind] + self.sent[kind] + held[kind] + self.going_back[kind];
                assert_eq!(total, GRANTED[kind], "credit is neither made nor lost: {self:?}");
            }
            let quiet = self.sent == [0; 2] && held == [0; 2] && self.going_back == [0; 2];
            assert_eq!(
                self.credit.all_home(),
                quiet,
                "all credit is home when nothing can be overtaken: {self:?}"
            );
            self
        }

        fn step(&self, next: &mut Vec<Channel>) {
            let taken: [fn(&mut Credit) -> bool; 2] = [Credit::take_data, Credit::take_control];
            let arrived: [fn(&mut Grant) -> Outcome; 2] = [Grant::data_arrived, Grant::control_arrived];
            for kind in 0..2 {
                let mut world = self.clone();
                if taken[kind](&mut world.credit) {
                    world.sent[kind] += 1;
                    next.push(world.check());
                }
                if self.sent[kind] > 0 {
                    let mut world = self.clone();
                    world.sent[kind] -= 1;
                    assert_eq!(arrived[kind](&mut world.grant), Outcome::Applied, "{self:?}");
                    next.push(world.check());
                }
            }
            for data in 0..=self.grant.data_held() {
                for control in 0..=self.grant.control_held() {
                    let mut world = self.clone();
                    world.grant.give_back(data, control);
                    world.going_back[0] += data;
                    world.going_back[1] += control;
                    next.push(world.check());
                }
            }
            for data in 0..=self.going_back[0] {
                for control in 0..=self.going_back[1] {
                    let mut world = self.clone();
                    world.going_back[0] -= data;
                    world.going_back[1] -= control;
                    assert_eq!(world.credit.returned(data, control), Outcome::Applied, "{self:?}");
                    next.push(world.check());
                }
            }
        }
    }

    #[test]
    fn credit_is_conserved_in_every_order_of_sending_and_returning() {
        // 3 units over 4 places in C(6,3) ways, times 2 units over 4 places in C(5,3) ways.
        assert_eq!(explore(channel(), Channel::step), 20 * 10);
    }

    #[test]
    fn a_batch_sent_without_credit_is_always_found_out_once_all_has_arrived() {
        explore(channel(), |world, next| {
            if world.credit.data_left() == 0 && world.going_back[0] == 0 {
                let mut grant = world.grant.clone();
                let outcomes: Vec<_> = (0..=world.sent[0]).map(|_| grant.data_arrived()).collect();
                assert_eq!(outcomes.last(), Some(&Outcome::Unexpected), "{world:?}");
            }
            world.step(next);
        });
    }
}
