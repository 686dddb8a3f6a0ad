//! The steps: what is booked at once, what is booked when a customer comes back, and what there is in the end.

use resolver::{AddSet, Counter, SetUpdate};
use watershed::prelude::*;

use super::order::{Kind, Order, Total};

/// How many pieces there are, by article.
pub(super) type Stock = Shared<u32, i64, Counter>;

/// The orders for which pieces are reserved, by article.
pub(super) type Reservations = Shared<u32, u64, AddSet>;

/// A booking is a few bytes, and counters and sets take all of them.
const TAKEN: &str = "a booking is small, and the clocks of a cluster agree";

/// Books what is delivered and sold at once, and makes reservations.
#[derive(Clone)]
pub(super) struct Book {
    pub(super) stock: Stock,
    pub(super) reservations: Reservations,
}

impl Operator for Book {
    type Key = u64;
    type In = Order;
    type Out = Order;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.stock.any(), self.reservations.any()]
    }

    fn on_record(&self, order: Order, (): &mut (), cx: &mut impl Context<Self>) {
        let pieces = i64::from(order.pieces);
        match order.kind {
            Kind::Delivered => cx.update(&self.stock, &order.article, pieces),
            Kind::Sold => cx.update(&self.stock, &order.article, -pieces),
            Kind::Collected | Kind::Cancelled | Kind::Waiting => {
                cx.update(&self.reservations, &order.article, SetUpdate::Add(order.id))
            }
        }
        .expect(TAKEN);
        cx.emit(order);
    }
}

/// Ends reservations, and books what customers have come for.
#[derive(Clone)]
pub(super) struct Settle {
    pub(super) stock: Stock,
    pub(super) reservations: Reservations,
}

impl Operator for Settle {
    type Key = u32;
    type In = Order;
    type Out = Order;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.stock.any(), self.reservations.any()]
    }

    fn on_record(&self, order: Order, (): &mut (), cx: &mut impl Context<Self>) {
        if order.kind == Kind::Collected {
            cx.update(&self.stock, &order.article, -i64::from(order.pieces)).expect(TAKEN);
        }
        if matches!(order.kind, Kind::Collected | Kind::Cancelled) {
            // Removes what this node has seen of it, and it has: the order comes from where it was added.
            cx.update(&self.reservations, &order.article, SetUpdate::Remove(order.id)).expect(TAKEN);
        }
        cx.emit(order);
    }
}

/// Says what there is of each article when all orders have come.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) stock: Stock,
    pub(super) reservations: Reservations,
}

/// Later than all orders: only the end of all input calls a timer of this time.
const IN_THE_END: EventTime = EventTime::MAX;

impl Operator for Report {
    type Key = u32;
    type In = Order;
    type Out = Total;
    /// How many orders have come.
    type State = u64;

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.stock.any(), self.reservations.any()]
    }

    fn on_record(&self, _: Order, orders: &mut u64, cx: &mut impl Context<Self>) {
        *orders += 1;
        cx.set_timer(IN_THE_END);
    }

    fn on_timer(&self, _: EventTime, orders: &mut u64, cx: &mut impl Context<Self>) {
        let article = *cx.key();
        let reserved: Vec<String> =
            cx.read(&self.reservations, &article).iter().map(ToString::to_string).collect();
        let stock = cx.read(&self.stock, &article);
        cx.emit(Total { article, orders: *orders, stock, reserved: reserved.join(" ") });
    }
}
