//! What authors do to a key, and what the rules make of all updates at once.
//!
//! A script knows its resolver only by what it takes and gives, so that a broken one can play the same part.

mod ballots;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use watershed_actors::resolver::{FieldWrite, Merge, MergeState, SetUpdate, Write};
use watershed_actors::source::Dice;
use watershed_core::Data;
use watershed_core::shared::Resolver;

use crate::world::{Script, State, Told};

pub(crate) use ballots::Ballots;

/// The least and the greatest of many small numbers, so that equal ones are common.
fn small(dice: &mut Dice) -> u8 {
    dice.below(5) as u8
}

fn write(dice: &mut Dice) -> Write<u8> {
    if dice.chance(0.4) { Write::Remove } else { Write::Put(small(dice)) }
}

/// A value that is written and removed; the latest write counts.
#[derive(Default)]
pub(crate) struct Writes<R>(R);

impl<R> Script for Writes<R>
where
    R: Resolver<u8, Update = Write<u8>, Value = Option<u8>> + Default,
{
    type Of = u8;
    type Resolver = R;

    fn resolver(&self) -> R {
        self.0.clone()
    }

    fn next(&mut self, _: &R::State, dice: &mut Dice) -> Write<u8> {
        write(dice)
    }

    fn expected(&self, told: &[&Told<Write<u8>>]) -> Option<u8> {
        match &told.iter().max_by_key(|told| (told.stamp.time, told.stamp.dot))?.update {
            Write::Put(value) => Some(*value),
            Write::Remove => None,
        }
    }
}

/// Numbers up and down; all count.
#[derive(Default)]
pub(crate) struct Counts<R>(R);

impl<R> Script for Counts<R>
where
    R: Resolver<i64, Update = i64, Value = i64> + Default,
{
    type Of = i64;
    type Resolver = R;

    fn resolver(&self) -> R {
        self.0.clone()
    }

    fn next(&mut self, _: &R::State, dice: &mut Dice) -> i64 {
        dice.below(21) as i64 - 10
    }

    fn expected(&self, told: &[&Told<i64>]) -> i64 {
        told.iter().map(|told| told.update).sum()
    }
}

/// Numbers that only go up; all count.
#[derive(Default)]
pub(crate) struct Growth<R>(R);

impl<R> Script for Growth<R>
where
    R: Resolver<u64, Update = u64, Value = u64> + Default,
{
    type Of = u64;
    type Resolver = R;

    fn resolver(&self) -> R {
        self.0.clone()
    }

    fn next(&mut self, _: &R::State, dice: &mut Dice) -> u64 {
        dice.below(4)
    }

    fn expected(&self, told: &[&Told<u64>]) -> u64 {
        told.iter().map(|told| told.update).sum()
    }
}

/// Elements that come and go; those stay of which an addition was seen by nobody who removed.
#[derive(Default)]
pub(crate) struct Elements<R>(R);

impl<R> Script for Elements<R>
where
    R: Resolver<u8, Update = SetUpdate<u8>, Value = BTreeSet<u8>> + Default,
{
    type Of = u8;
    type Resolver = R;

    fn resolver(&self) -> R {
        self.0.clone()
    }

    fn next(&mut self, _: &R::State, dice: &mut Dice) -> SetUpdate<u8> {
        match dice.below(10) {
            0..=4 => SetUpdate::Add(small(dice)),
            5..=8 => SetUpdate::Remove(small(dice)),
            _ => SetUpdate::Clear,
        }
    }

    fn expected(&self, told: &[&Told<SetUpdate<u8>>]) -> BTreeSet<u8> {
        let removes = |update: &SetUpdate<u8>, element: u8| match update {
            SetUpdate::Add(_) => false,
            SetUpdate::Remove(removed) => *removed == element,
            SetUpdate::Clear => true,
        };
        let mut present = BTreeSet::new();
        for added in told {
            if let SetUpdate::Add(element) = added.update
                && !told.iter().any(|other| removes(&other.update, element) && other.saw(added))
            {
                present.insert(element);
            }
        }
        present
    }
}

/// Values of which one stays: the greatest or the least, as the resolver says of 0 and 1.
#[derive(Default)]
pub(crate) struct Extremes<R>(R);

impl<R> Script for Extremes<R>
where
    R: Resolver<u32, State = Option<u32>, Update = u32, Value = Option<u32>> + Default,
{
    type Of = u32;
    type Resolver = R;

    fn resolver(&self) -> R {
        self.0.clone()
    }

    fn next(&mut self, _: &Option<u32>, dice: &mut Dice) -> u32 {
        dice.below(1_000) as u32
    }

    fn expected(&self, told: &[&Told<u32>]) -> Option<u32> {
        let mut stays = Some(0);
        self.0.join(&mut stays, &Some(1));
        let values = told.iter().map(|told| told.update);
        if stays == Some(1) { values.max() } else { values.min() }
    }
}

/// Values that are kept until somebody who has seen them writes.
#[derive(Default)]
pub(crate) struct Kept<R>(R);

impl<R> Script for Kept<R>
where
    R: Resolver<u8, Update = Write<u8>, Value = Vec<u8>> + Default,
{
    type Of = u8;
    type Resolver = R;

    fn resolver(&self) -> R {
        self.0.clone()
    }

    fn next(&mut self, _: &R::State, dice: &mut Dice) -> Write<u8> {
        write(dice)
    }

    fn expected(&self, told: &[&Told<Write<u8>>]) -> Vec<u8> {
        let mut newest: Vec<_> = told.iter().filter(|one| !told.iter().any(|other| other.saw(one))).collect();
        newest.sort_by_key(|told| told.stamp.dot);
        let value = |told: &&&Told<Write<u8>>| match told.update {
            Write::Put(value) => Some(value),
            Write::Remove => None,
        };
        newest.iter().filter_map(value).collect()
    }
}

/// Fields that are written by themselves.
#[derive(Default)]
pub(crate) struct Fields<R>(R);

impl<R> Script for Fields<R>
where
    R: Resolver<(u8, u8), Update = FieldWrite<u8, u8>, Value = BTreeMap<u8, u8>> + Default,
{
    type Of = (u8, u8);
    type Resolver = R;

    fn resolver(&self) -> R {
        self.0.clone()
    }

    fn next(&mut self, _: &R::State, dice: &mut Dice) -> FieldWrite<u8, u8> {
        let field = small(dice);
        if dice.chance(0.4) { FieldWrite::Remove(field) } else { FieldWrite::Put(field, small(dice)) }
    }

    fn expected(&self, told: &[&Told<FieldWrite<u8, u8>>]) -> BTreeMap<u8, u8> {
        let mut in_order = told.to_vec();
        in_order.sort_by_key(|told| (told.stamp.time, told.stamp.dot));
        let mut fields = BTreeMap::new();
        for told in in_order {
            match told.update {
                FieldWrite::Put(field, value) => drop(fields.insert(field, value)),
                FieldWrite::Remove(field) => drop(fields.remove(&field)),
            }
        }
        fields
    }
}

/// The highest mark that was seen of each gauge: a type that its author merges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Marks(BTreeMap<u8, u32>);

impl MergeState for Marks {
    fn merge(&mut self, other: &Self) {
        for (gauge, mark) in &other.0 {
            let highest = self.0.entry(*gauge).or_default();
            *highest = (*highest).max(*mark);
        }
    }
}

/// Marks that are merged in.
#[derive(Default)]
pub(crate) struct Merges;

impl Script for Merges {
    type Of = Marks;
    type Resolver = Merge;

    fn resolver(&self) -> Merge {
        Merge
    }

    fn next(&mut self, _: &State<Self>, dice: &mut Dice) -> Marks {
        (0..dice.below(3)).fold(Marks::default(), |mut marks, _| {
            marks.0.insert(small(dice), dice.below(100) as u32);
            marks
        })
    }

    fn expected(&self, told: &[&Told<Marks>]) -> Marks {
        let all = told.iter().flat_map(|told| &told.update.0);
        let mut in_order: Vec<_> = all.map(|(gauge, mark)| (*gauge, *mark)).collect();
        in_order.sort_unstable();
        Marks(in_order.into_iter().collect())
    }
}
