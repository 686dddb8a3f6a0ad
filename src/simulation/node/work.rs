//! What a subtask does step by step: reads, takes what has arrived, sends.

use std::collections::BTreeMap;
use std::rc::Rc;

use watershed_core::{ChannelId, Epoch, EventTime, Run, SubtaskId, VertexId, Watermark};
use watershed_protocol::causal::FrameClock;
use watershed_protocol::checkpoint::{Intent, ParticipantEvent};
use watershed_protocol::{AlignmentEvent, Machine, WatermarkEffect, WatermarkEvent};
use watershed_wire::{Draft, Frame, Header, Kind};

use super::channel::{Arrival, Arrived, Outlet};
use super::subtask::Subtask;
use crate::agenda::{Happening, Seat};
use crate::graph::Work;
use crate::message::Standing;
use crate::mutant::Mutant;
use crate::properties::Broken;
use crate::record::{Element, Record, decode, encode};
use crate::world::World;

impl World {
    /// Enters the next step of a subtask.
    pub(crate) fn plan(&mut self, node: usize, id: SubtaskId, delay: u64) {
        let Some(subtask) = self.subtask(node, id) else { return };
        if !std::mem::replace(&mut subtask.is_planned, true) {
            let seat = self.seat(node, id);
            self.later(delay, Happening::Step(seat));
        }
    }

    /// A frame of a channel arrives.
    pub(crate) fn channel_frame(&mut self, node: usize, frame: &Frame) {
        let Frame { header, body, checksum } = frame;
        let of_run = |subtask: &&Subtask| subtask.authority.run == header.run;
        let Some(of_run) = self.nodes[node].subtasks.values().find(of_run) else { return };
        let channel = of_run.graph.channels[header.channel as usize];
        let (left_out, twice) = (self.has(Mutant::FrameLeftOut), self.has(Mutant::FrameTwice));
        let is_blind = left_out || twice || self.has(Mutant::BarrierOvertakes);
        let is_data = header.kind == Kind::Records;
        if left_out && is_data && self.chance.hit(3) {
            return;
        }
        let again = twice && is_data && self.chance.hit(3);
        let id = if header.kind == Kind::Credit { channel.from } else { channel.key.to };
        let Some(subtask) = self.subtask(node, id).filter(|subtask| subtask.authority.run == header.run)
        else {
            return;
        };
        if header.kind == Kind::Credit {
            let (data, control): (u32, u32) = decode(body);
            let outlet = subtask.outlets.iter_mut().find(|outlet| outlet.number == header.channel);
            let is_right = outlet.is_some_and(|outlet| outlet.returned(data, control));
            if !is_right && !is_blind {
                subtask.break_down("more credit has come back than was given");
            }
        } else {
            let inlet = subtask.inlets.iter_mut().find(|inlet| inlet.number == header.channel);
            let inlet = inlet.expect("a channel ends at its receiver");
            match inlet.take(header, body, *checksum, is_blind) {
                Arrival::Taken if again => {
                    inlet.take(header, body, *checksum, is_blind);
                }
                Arrival::Taken | Arrival::Again => {}
                Arrival::Gap => subtask.break_down("a frame is missing"),
                Arrival::Uncredited => subtask.break_down("a frame came without credit"),
            }
        }
        self.plan(node, id, 1);
    }

    /// A link to another node is gone, and with it every channel that went over it.
    pub(crate) fn link_broken(&mut self, node: usize, other: usize) {
        for subtask in self.nodes[node].subtasks.values_mut() {
            let ends = subtask.inlets.iter().map(|inlet| inlet.from);
            let mut ends = ends.chain(subtask.outlets.iter().map(|outlet| outlet.to));
            if ends.any(|end| subtask.beginning.places.get(&end) == Some(&other)) {
                subtask.break_down("its link is broken");
            }
        }
        if let Some(home) = self.nodes[node].home.as_mut() {
            home.doubt_without(other);
        }
    }

    /// A subtask goes on by one step.
    pub(crate) fn step(&mut self, seat: Seat) {
        let Seat { node, subtask: id, .. } = seat;
        let Some(subtask) = self.seated(seat) else { return };
        subtask.is_planned = false;
        if subtask.phase == Standing::Working {
            if !subtask.has_begun() {
                self.broken(Broken::D6, format!("subtask {id} works before it has begun"));
                return;
            }
            match subtask.work {
                Work::Source => self.read_on(node, id),
                Work::Mark(_) | Work::Count | Work::Sink(_) => self.take(node, id),
            }
        }
        self.flush(node, id);
    }

    /// A source begins a checkpoint, or reads.
    fn read_on(&mut self, node: usize, id: SubtaskId) {
        let now = self.now;
        let (count, pause) = (self.chance.between(1, 3), self.chance.between(1, self.pace));
        let Some(subtask) = self.subtask(node, id) else { return };
        if let Some((epoch, completed, intent)) = subtask.triggers.pop_front() {
            subtask.completed = completed;
            subtask.is_paused = intent == Intent::Suspend;
            self.tell(node, id, ParticipantEvent::Cut { epoch });
            self.plan(node, id, 1);
            return;
        }
        if subtask.is_paused || !subtask.outlets.iter().all(Outlet::is_free) {
            return;
        }
        if now < subtask.reads_at {
            let delay = subtask.reads_at - now;
            self.plan(node, id, delay);
            return;
        }
        subtask.reads_at = now + pause;
        let open = unread(subtask);
        if open.is_empty() {
            self.end(node, id);
            return;
        }
        let split = if open.len() > 1 { self.chance.pick(&open) } else { open[0] };
        let length = self.graph.lengths[split as usize];
        let Some(subtask) = self.subtask(node, id) else { return };
        let position = subtask.positions.get_mut(&split).expect("it is one of its splits");
        let (from, to) = (*position, length.min(*position + count));
        *position = to;
        // No record comes at or before the time of the split that has come least far.
        let reached = unread(subtask).iter().map(|split| subtask.positions[split]).min().unwrap_or(to) as i64;
        let records: Vec<Record> = (from..to).map(|position| self.graph.record(split, position)).collect();
        self.tally.records += records.len() as u64;
        self.emit(node, id, &records);
        if self.chance.hit(30) {
            let promised = if self.has(Mutant::PromisedTooMuch) { reached } else { reached - 1 };
            self.say_to_outlets(node, id, Element::Watermark(promised));
        }
        self.plan(node, id, pause);
    }

    /// All input has been worked on.
    fn end(&mut self, node: usize, id: SubtaskId) {
        self.say_to_outlets(node, id, Element::End);
        if let Some(subtask) = self.subtask(node, id).filter(|subtask| subtask.has_begun()) {
            subtask.phase = Standing::Ended;
        }
    }

    /// A subtask takes the next of what has arrived, from any channel that is not blocked.
    fn take(&mut self, node: usize, id: SubtaskId) {
        let lot = self.chance.below(1 << 20) as usize;
        let uses_shared = self.graph.shares && self.graph.vertex(id).work == Work::Count;
        let waits = uses_shared && self.waits(node, id);
        let Some(subtask) = self.subtask(node, id) else { return };
        subtask.is_waiting = waits;
        if waits {
            self.tally.waits += 1;
            return;
        }
        if !subtask.outlets.iter().all(Outlet::is_free) {
            return;
        }
        let inlets = subtask.inlets.iter().enumerate();
        let ready: Vec<usize> = inlets
            .filter(|(_, inlet)| !inlet.is_blocked && !inlet.arrived.is_empty())
            .map(|(place, _)| place)
            .collect();
        if ready.is_empty() {
            return;
        }
        let place = ready[lot % ready.len()];
        let Some(arrived) = subtask.inlets[place].arrived.pop_front() else { return };
        let run = subtask.authority.run;
        let number = subtask.inlets[place].number;
        let is_clock = matches!(arrived, Arrived::Clock { .. });
        let is_data = matches!(arrived, Arrived::Batch { .. });
        match arrived {
            Arrived::Batch { records, checksum, sequence } => {
                subtask.inlets[place].counts(records.len() as u32, checksum);
                self.learn(node, id, (run, number, sequence));
                self.work_on(node, id, &records);
            }
            Arrived::Clock { clock, epoch } => self.hear_clock(node, id, place, &clock, epoch),
            Arrived::Element(element) => self.take_element(node, id, place, element),
        }
        if !is_clock {
            self.return_credit(node, id, place, is_data);
        }
        let delay = self.chance.between(0, 2);
        self.plan(node, id, delay);
    }

    fn take_element(&mut self, node: usize, id: SubtaskId, place: usize, element: Element) {
        let channel = ChannelId(place as u32);
        match element {
            Element::Barrier { epoch, completed } => {
                let Some(subtask) = self.subtask(node, id) else { return };
                subtask.completed = completed.max(subtask.completed);
                self.align(node, id, AlignmentEvent::Barrier { channel, epoch });
            }
            Element::Watermark(millis) => {
                let watermark = Watermark(EventTime::from_millis(millis));
                self.merge(node, id, WatermarkEvent::Advanced { input: place, watermark });
            }
            Element::End => {
                self.align(node, id, AlignmentEvent::Ended { channel });
                self.merge(node, id, WatermarkEvent::Ended { input: place });
                let Some(subtask) = self.subtask(node, id) else { return };
                subtask.ends += 1;
                if subtask.ends == subtask.inlets.len() {
                    self.end(node, id);
                }
            }
        }
    }

    fn merge(&mut self, node: usize, id: SubtaskId, event: WatermarkEvent) {
        let now = self.tick(node);
        let Some(merge) = self.subtask(node, id).and_then(|subtask| subtask.merge.as_mut()) else { return };
        let mut effects = Vec::new();
        let _ = merge.on(now, event, &mut effects);
        for effect in effects {
            match effect {
                WatermarkEffect::Emit(watermark) => {
                    let promised = watermark.0.as_millis();
                    let Some(subtask) = self.subtask(node, id) else { return };
                    let rises = promised > subtask.promised;
                    subtask.promised = promised;
                    if !rises {
                        self.broken(Broken::W, format!("the watermark of {id} goes back to {promised}"));
                    }
                    if watermark < Watermark::MAX {
                        self.say_to_outlets(node, id, Element::Watermark(promised));
                    }
                }
                // That all input is over is told by the end itself.
                WatermarkEffect::EmitEnd | WatermarkEffect::EmitIdle | WatermarkEffect::EmitActive => {}
            }
        }
    }

    fn work_on(&mut self, node: usize, id: SubtaskId, records: &[Record]) {
        let is_shared = self.graph.shares;
        let Some(records) = self.let_in(node, id, records) else { return };
        let Some(subtask) = self.subtask(node, id) else { return };
        let promised = subtask.promised;
        let late = records.iter().find(|record| record.position as i64 <= promised).copied();
        match subtask.work {
            Work::Source => {}
            Work::Mark(way) => {
                let marked: Vec<Record> = records.iter().map(|record| Record { way, ..*record }).collect();
                self.emit(node, id, &marked);
            }
            Work::Count => {
                let counted: Vec<Record> = records.iter().map(|record| count(subtask, record)).collect();
                let living: Vec<Record> = counted.iter().filter(|record| !record.dead).copied().collect();
                if is_shared {
                    self.count_together(node, id, &living);
                }
                self.emit(node, id, &counted);
            }
            Work::Sink(_) => subtask.open.extend(&records),
        }
        if let Some(late) = late
            && !self.is_blind()
        {
            self.broken(Broken::W, format!("{late:?} comes to {id} behind the watermark {promised}"));
        }
    }

    /// Sends records to whoever hears this subtask, each vertex all of them.
    fn emit(&mut self, node: usize, id: SubtaskId, records: &[Record]) {
        let Some(graph) = self.subtask(node, id).map(|subtask| subtask.graph.clone()) else { return };
        let outputs: Vec<VertexId> = graph.outputs(id.vertex).collect();
        let mut batches: BTreeMap<SubtaskId, Vec<Record>> = BTreeMap::new();
        for vertex in outputs {
            for record in records {
                batches.entry(graph.receiver(vertex, record)).or_default().push(*record);
            }
        }
        let shares = self.graph.shares;
        let home = self.nodes[node].home.as_ref().filter(|_| shares);
        let settled = home.map(|home| home.replica.applied().settled());
        let mut truths = Vec::new();
        let Some(subtask) = self.subtask(node, id) else { return };
        let (epoch, run, knows) = (subtask.epoch, subtask.authority.run, subtask.knows.clone());
        for outlet in &mut subtask.outlets {
            if let Some(records) = batches.get(&outlet.to) {
                if let Some(settled) = settled {
                    outlet.seen(epoch, subtask.session.clock(), settled);
                }
                let sequence = outlet.batch(epoch, records);
                truths.push(((run, outlet.number, sequence), knows.clone()));
            }
        }
        if settled.is_some() {
            self.truths.extend(truths);
        }
    }

    /// Takes note of what the sender of the next batch has seen of shared state.
    fn hear_clock(&mut self, node: usize, id: SubtaskId, place: usize, clock: &FrameClock, epoch: Epoch) {
        let stays = self.has(Mutant::OwnEpochKept);
        let own = &mut self.nodes[node];
        let Some(subtask) = own.subtasks.get_mut(&id) else { return };
        let Some(home) = own.home.as_ref().filter(|home| home.authority == subtask.authority) else { return };
        let trouble = match subtask.inlets[place].read_clock(clock) {
            Ok(clock) if home.replica.is_plausible(clock) => {
                subtask.session.hear(clock, epoch);
                if !stays {
                    subtask.epoch = subtask.session.epoch(subtask.epoch);
                }
                None
            }
            Ok(_) => Some("a clock names what nobody can have made".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = trouble
            && self.mutant.is_none()
        {
            self.broken(Broken::Mistrust, format!("{id}: {reason}"));
        }
    }

    /// What is true of a batch, beside all protocols: what its writer knew.
    fn learn(&mut self, node: usize, id: SubtaskId, batch: (Run, u32, u64)) {
        let Some(knew) = self.truths.get(&batch).cloned() else { return };
        let Some(subtask) = self.subtask(node, id) else { return };
        if !knew.is_subset(&subtask.knows) {
            Rc::make_mut(&mut subtask.knows).extend(knew.iter().copied());
        }
    }

    fn say_to_outlets(&mut self, node: usize, id: SubtaskId, element: Element) {
        let Some(subtask) = self.subtask(node, id) else { return };
        let epoch = subtask.epoch;
        subtask.outlets.iter_mut().for_each(|outlet| outlet.element(epoch, element));
    }

    /// Sends what there is credit for.
    fn flush(&mut self, node: usize, id: SubtaskId) {
        let overtakes = self.has(Mutant::BarrierOvertakes);
        let Some(subtask) = self.subtask(node, id) else { return };
        let beginning = subtask.beginning.clone();
        let mut frames: Vec<(usize, Rc<[u8]>)> = Vec::new();
        for outlet in &mut subtask.outlets {
            let to = beginning.places[&outlet.to];
            frames.extend(outlet.ready(overtakes).into_iter().map(|bytes| (to, bytes)));
        }
        for (to, bytes) in frames {
            self.send_on_link(node, to, bytes, true);
        }
    }

    fn return_credit(&mut self, node: usize, id: SubtaskId, place: usize, is_data: bool) {
        let Some(subtask) = self.subtask(node, id) else { return };
        let (run, inlet) = (subtask.authority.run, &mut subtask.inlets[place]);
        let (number, from) = (inlet.number, inlet.from);
        let credit = inlet.give_back(is_data);
        let to = subtask.beginning.places[&from];
        let (sequence, epoch) = (watershed_core::Sequence(0), subtask.epoch);
        let header = Header { job: 1, run, channel: number, sequence, epoch, kind: Kind::Credit, records: 0 };
        let mut bytes = Vec::new();
        Draft::write(&header, &encode(&credit), &mut bytes);
        self.send_on_link(node, to, bytes.into(), false);
    }
}

fn count(subtask: &mut Subtask, record: &Record) -> Record {
    if record.dead {
        return *record;
    }
    let count = subtask.counts.entry(record.key).or_default();
    *count += 1;
    Record { count: *count, ..*record }
}

/// The splits of a source that have not been read to their ends.
fn unread(subtask: &Subtask) -> Vec<u32> {
    let is_open = |(split, position): &(&u32, &u64)| **position < subtask.graph.lengths[**split as usize];
    subtask.positions.iter().filter(is_open).map(|(&split, _)| split).collect()
}
