//! What an author holds of a shared state: its name and its types.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use crate::shared::{AnyTable, Resolver, Table};
use crate::{Data, Key, Shape, SharedId};

/// The longest name of a shared state, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// A shared state of a pipeline: what its operators keep in their configuration, to read and update it by.
///
/// Made by [`Pipeline::shared`](crate::Pipeline::shared). It holds none of the state, so a clone of it costs nothing.
pub struct Shared<K, V, R> {
    any: AnyShared,
    of: PhantomData<fn(K, V) -> R>,
}

impl<K, V, R> Shared<K, V, R>
where
    K: Key + Sync,
    V: Data,
    R: Resolver<V, State: Sync, Value: Serialize>,
{
    pub(crate) fn new(id: SharedId, name: &str, resolver: R) -> Self {
        let name: Arc<str> = name.into();
        let table_name = name.clone();
        let declaration = Declaration {
            id,
            name,
            shape: Shape::generic("Shared", &[K::shape(), V::shape(), R::State::shape(), R::Update::shape()]),
            resolver: std::any::type_name::<R>(),
            table: Box::new(move || Arc::new(Table::<K, V, R>::new(table_name.clone(), resolver.clone()))),
        };
        Shared { any: AnyShared(Arc::new(declaration)), of: PhantomData }
    }
}

impl<K, V, R> Shared<K, V, R> {
    /// Its number within the plan.
    pub fn id(&self) -> SharedId {
        self.any.id()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.any.name()
    }

    /// The same with its types hidden: what an operator that uses it declares.
    pub fn any(&self) -> AnyShared {
        self.any.clone()
    }
}

impl<K, V, R> Clone for Shared<K, V, R> {
    fn clone(&self) -> Self {
        Shared { any: self.any.clone(), of: PhantomData }
    }
}

impl<K, V, R> fmt::Debug for Shared<K, V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}

/// A shared state of a pipeline with its types hidden. Equal to itself and its clones alone.
#[derive(Clone)]
pub struct AnyShared(Arc<Declaration>);

struct Declaration {
    id: SharedId,
    name: Arc<str>,
    shape: Shape,
    resolver: &'static str,
    table: Box<dyn Fn() -> Arc<dyn AnyTable> + Send + Sync>,
}

impl AnyShared {
    /// Its number within the plan.
    pub fn id(&self) -> SharedId {
        self.0.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The shapes of its keys, values, states and updates.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The type of its resolver.
    pub fn resolver(&self) -> &'static str {
        self.0.resolver
    }

    /// An empty table of it.
    pub fn table(&self) -> Arc<dyn AnyTable> {
        (self.0.table)()
    }

    /// Whether the name may be one: some letters, digits, `-`, `_` and `.`, so that it can be part of an address, a
    /// command and a path.
    pub(crate) fn is_name(name: &str) -> bool {
        let fits = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(fits)
    }
}

impl PartialEq for AnyShared {
    fn eq(&self, other: &AnyShared) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for AnyShared {}

impl fmt::Debug for AnyShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared state {} {:?}", self.0.id, self.0.name)
    }
}
