//! The steps by themselves: what they book, and what a restore leaves of them.

use watershed::core::testing::{Harness, Input, verify};
use watershed::prelude::*;

use super::order::{Kind, Order, Total};
use super::steps::{Book, Report, Reservations, Settle, Stock};

fn states() -> (Stock, Reservations) {
    let pipeline = Pipeline::new("inventory", KeyGroups::default());
    (pipeline.shared("stock", resolver::Counter), pipeline.shared("reservations", resolver::AddSet))
}

fn order(id: u64, kind: Kind) -> Order {
    Order { id, customer: 3, article: 7, pieces: 5, kind }
}

#[test]
fn deliveries_and_sales_are_booked_at_once_and_reservations_are_made() {
    let (stock, reservations) = states();
    let mut harness = Harness::operator(Book { stock: stock.clone(), reservations: reservations.clone() });
    let kinds = [Kind::Delivered, Kind::Delivered, Kind::Sold, Kind::Collected, Kind::Waiting];
    for (id, kind) in kinds.into_iter().enumerate() {
        harness.push(id as u64, order(id as u64, kind), 0);
    }
    assert_eq!(harness.shared(&stock).read(&7), 5);
    assert_eq!(harness.shared(&reservations).read(&7), [3, 4].into());
    assert_eq!(harness.values().len(), 5, "all go on");
}

#[test]
fn reservations_end_and_what_is_collected_leaves_the_stock() {
    let (stock, reservations) = states();
    let mut harness = Harness::operator(Settle { stock: stock.clone(), reservations: reservations.clone() });
    for id in 1..4 {
        harness.shared(&reservations).update(&7, resolver::SetUpdate::Add(id)).expect("it is small");
    }
    let kinds = [(1, Kind::Collected), (2, Kind::Cancelled), (3, Kind::Waiting), (4, Kind::Sold)];
    kinds.into_iter().for_each(|(id, kind)| harness.push(3, order(id, kind), 0));
    assert_eq!(harness.shared(&stock).read(&7), -5);
    assert_eq!(harness.shared(&reservations).read(&7), [3].into());
}

#[test]
fn there_is_one_report_of_each_article_and_it_comes_in_the_end() {
    let (stock, reservations) = states();
    let mut harness = Harness::operator(Report { stock: stock.clone(), reservations: reservations.clone() });
    harness.shared(&stock).update(&7, 12).expect("it is small");
    for id in [10, 9] {
        harness.shared(&reservations).update(&7, resolver::SetUpdate::Add(id)).expect("it is small");
        harness.push(7, order(id, Kind::Waiting), 0);
    }
    harness.watermark(1_000_000);
    assert_eq!(harness.values(), []);
    harness.end();
    assert_eq!(harness.values(), [Total { article: 7, orders: 2, stock: 12, reserved: "9 10".to_owned() }]);
}

#[test]
fn they_keep_the_contract_of_operators() {
    let kinds = [Kind::Delivered, Kind::Sold, Kind::Collected, Kind::Cancelled, Kind::Waiting];
    let orders =
        || (0..20_u64).map(|id| Order { article: id as u32 % 3, ..order(id, kinds[id as usize % 5]) });
    let (stock, reservations) = states();
    let book: Vec<_> = orders().map(|order| Input::at(0, (order.id, order))).chain([Input::end()]).collect();
    verify(&Book { stock: stock.clone(), reservations: reservations.clone() }, &book);
    let settle: Vec<_> =
        orders().map(|order| Input::at(0, (order.customer, order))).chain([Input::end()]).collect();
    verify(&Settle { stock: stock.clone(), reservations: reservations.clone() }, &settle);
    let report: Vec<_> =
        orders().map(|order| Input::at(0, (order.article, order))).chain([Input::end()]).collect();
    verify(&Report { stock, reservations }, &report);
}
