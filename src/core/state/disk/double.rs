//! A backend for tests: tables that are on no disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::state::{Backend, BackendError, Table, View, Visit, Write};

/// A table that is none.
#[derive(Clone, Debug, Default)]
struct Map(Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

/// Tables with so little memory in front of them that nearly everything leaves it.
#[derive(Debug)]
pub(crate) struct Tiny;

impl Backend for Tiny {
    fn table(&self) -> Result<Box<dyn Table>, BackendError> {
        Ok(Box::new(Map::default()))
    }

    fn memory(&self) -> usize {
        0
    }
}

impl Table for Map {
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, BackendError> {
        Ok(self.0.lock().unwrap().get(key).map(|value| read(value)).is_some())
    }

    fn write(&mut self, entries: &mut dyn Iterator<Item = Write>) -> Result<(), BackendError> {
        for (key, value) in entries {
            let mut map = self.0.lock().unwrap();
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }

    fn fill(&mut self, entries: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<(), BackendError> {
        let entries: Vec<_> = entries.collect();
        assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "a table is filled in the order of its keys");
        self.0.lock().unwrap().extend(entries);
        Ok(())
    }

    fn view(&self) -> Arc<dyn View> {
        Arc::new(Map(Arc::new(Mutex::new(self.0.lock().unwrap().clone()))))
    }
}

impl View for Map {
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, BackendError> {
        Table::get(self, key, read)
    }

    fn visit(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), BackendError> {
        let map = self.0.lock().unwrap();
        let _ = map
            .range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .try_for_each(|(key, value)| visit(key, value));
        Ok(())
    }
}
