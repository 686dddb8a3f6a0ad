//! What is ordered, delivered and reserved.

use source::Dice;
use watershed::prelude::*;

/// An order, by a customer or of the shop itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) customer: u32,
    pub(super) article: u32,
    pub(super) pieces: u32,
    pub(super) kind: Kind,
}

/// What becomes of the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub(super) enum Kind {
    /// They come into the stock.
    Delivered,
    /// They are sold at once.
    Sold,
    /// They are reserved, and sold when the customer comes for them.
    Collected,
    /// They are reserved, and the customer changes his mind.
    Cancelled,
    /// They are reserved, and nobody has come for them yet.
    Waiting,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Delivered => "delivered",
            Kind::Sold => "sold",
            Kind::Collected => "collected",
            Kind::Cancelled => "cancelled",
            Kind::Waiting => "waiting",
        }
    }
}

/// Where orders come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shop {
    pub(super) articles: u32,
    pub(super) customers: u32,
}

impl Shop {
    /// An order by its number.
    pub(super) fn order(&self, id: u64, dice: &mut Dice) -> Order {
        let customer = dice.below(u64::from(self.customers)) as u32;
        let article = dice.below(u64::from(self.articles)) as u32;
        let pieces = 1 + dice.below(9) as u32;
        let kind = match dice.below(100) {
            0..40 => Kind::Delivered,
            40..65 => Kind::Sold,
            65..85 => Kind::Collected,
            85..97 => Kind::Cancelled,
            _ => Kind::Waiting,
        };
        Order { id, customer, article, pieces, kind }
    }
}

/// An order as a line of a file.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct Line {
    id: u64,
    article: u32,
    pieces: u32,
    kind: String,
}

impl From<Order> for Line {
    fn from(Order { id, article, pieces, kind, .. }: Order) -> Self {
        Line { id, article, pieces, kind: kind.name().to_owned() }
    }
}

/// What there is of an article in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub(super) struct Total {
    pub(super) article: u32,
    /// Orders that concerned it.
    pub(super) orders: u64,
    pub(super) stock: i64,
    /// The orders for which some is reserved, separated by spaces.
    pub(super) reserved: String,
}
