//! `#[derive(Data)]`: says of a record type what crosses the exchanges of a pipeline; `#[derive(KeyedState)]`: makes one
//! state of several pieces.
//!
//! The derive of `Data` writes down the *shape* of the type (its name, its fields and their shapes). The shape is
//! part of a plan's fingerprint, so that two programs whose records differ are never joined by accident.
//! `serde`'s derives do the encoding.

mod keyed_state;

use proc_macro::TokenStream;
use proc_macro_crate::{FoundCrate, crate_name};
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Fields, parse_macro_input};

/// Implements `Data` for a struct or enum that is `Clone + Serialize + Deserialize + Send`.
#[proc_macro_derive(Data)]
pub fn derive_data(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let name = input.ident.to_string();
    let core = core_path();
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(#core::Data));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let ident = &input.ident;
    let shape = match &input.data {
        Data::Struct(data) => {
            let fields = fields_shape(&core, &data.fields);
            quote!(#core::Shape::record(#name, #fields))
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let (name, fields) = (variant.ident.to_string(), fields_shape(&core, &variant.fields));
                quote!((#name, #core::Shape::record(#name, #fields)))
            });
            quote!(#core::Shape::choice(#name, [#(#variants),*]))
        }
        Data::Union(data) => {
            return syn::Error::new_spanned(data.union_token, "a union cannot be Data: it has no serde form")
                .to_compile_error()
                .into();
        }
    };
    quote! {
        impl #impl_generics #core::Data for #ident #type_generics #where_clause {
            fn shape() -> #core::Shape { #shape }
        }
    }
    .into()
}

/// Implements `KeyedState` and `State` for a struct whose fields are kinds of state, or such structs. What a field was
/// saved as before says `#[state(alias = "..")]`; of the struct, `#[state(dropped = "..")]` says which piece is no more.
#[proc_macro_derive(KeyedState, attributes(state))]
pub fn derive_keyed_state(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    keyed_state::derive(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// A token list of `("field", Shape)` pairs in the order of declaration.
fn fields_shape(core: &proc_macro2::TokenStream, fields: &Fields) -> proc_macro2::TokenStream {
    let pairs = fields.iter().enumerate().map(|(index, field)| {
        let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
        let kind = &field.ty;
        quote!((#name, <#kind as #core::Data>::shape()))
    });
    quote!([#(#pairs),*])
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
