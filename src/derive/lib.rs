//! `#[derive(Data)]`: says of a record type what crosses the exchanges of a pipeline; `#[derive(KeyedState)]`: makes one
//! state of several pieces.
//!
//! The derive of `Data` writes down the *shape* of the type (its name, its fields and their shapes). The shape is
//! part of a plan's fingerprint, so that two programs whose records differ are never joined by accident.
//! `serde`'s derives do the encoding where a value stands alone. In a batch, a struct is written as the columns of its
//! fields, unless an attribute of serde says that the struct is more, or less, than its fields.

mod data;
mod keyed_state;

use proc_macro::TokenStream;
use proc_macro_crate::{FoundCrate, crate_name};
use quote::{format_ident, quote};
use syn::{DeriveInput, parse_macro_input};

/// Implements `Data` for a struct or enum that is `Clone + Serialize + Deserialize + Send`.
#[proc_macro_derive(Data)]
pub fn derive_data(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    data::derive(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Implements `KeyedState` and `State` for a struct whose fields are kinds of state, or such structs. What a field was
/// saved as before says `#[state(alias = "..")]`; of the struct, `#[state(dropped = "..")]` says which piece is no more.
#[proc_macro_derive(KeyedState, attributes(state))]
pub fn derive_keyed_state(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    keyed_state::derive(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Where the calling crate finds the core's words: in the facade, or in the core crate itself.
fn core_path() -> proc_macro2::TokenStream {
    match (crate_name("watershed"), crate_name("watershed-core")) {
        (Ok(FoundCrate::Name(facade)), _) => {
            let facade = format_ident!("{facade}");
            quote!(::#facade::core)
        }
        (Ok(FoundCrate::Itself), _) => quote!(::watershed::core),
        _ => quote!(::watershed_core),
    }
}
