//! `#[derive(KeyedState)]`: a struct of pieces of state, each saved under the name of its field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Field, LitStr, Member, Type};

/// A field, with the names under which it may have been saved: the first one is its own.
struct Piece<'a> {
    member: Member,
    kind: &'a Type,
    names: Vec<String>,
}

/// Implements `State` and `KeyedState` for a struct.
pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream, Error> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "pieces of state are the fields of a struct"));
    };
    let members = data.fields.members().zip(&data.fields);
    let pieces: Vec<Piece> =
        members.map(|(member, field)| Piece::of(member, field)).collect::<Result<_, _>>()?;
    let Some(first) = pieces.first() else {
        return Err(Error::new_spanned(&input.ident, "state of a key has a piece: add a field"));
    };
    let dropped = named(&input.attrs, "dropped")?;
    unique(input, pieces.iter().flat_map(|piece| &piece.names).chain(&dropped))?;

    let core = crate::core_path();
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let state = quote!(#core::state::State);
    let keyed = quote!(#core::state::KeyedState);
    let members: Vec<&Member> = pieces.iter().map(|piece| &piece.member).collect();
    let names: Vec<&String> = pieces.iter().map(|piece| &piece.names[0]).collect();
    let of_piece = pieces.iter().map(|Piece { names, .. }| quote!(&[#(#names),*]));
    let all_names = pieces.iter().flat_map(|piece| &piece.names).chain(&dropped);
    let (former, now): (Vec<_>, Vec<_>) = pieces
        .iter()
        .flat_map(|Piece { names, .. }| {
            let now = &names[0];
            names[1..].iter().map(move |former| (former, quote!(::core::option::Option::Some(#now))))
        })
        .chain(dropped.iter().map(|former| (former, quote!(::core::option::Option::None))))
        .unzip();
    let key = first.kind;
    Ok(quote! {
        impl #impl_generics #state for #ident #type_generics #where_clause {
            fn open(&mut self, room: &#core::state::Room) -> ::core::result::Result<(), #core::state::BackendError> {
                #(#state::open(&mut self.#members, room)?;)*
                ::core::result::Result::Ok(())
            }
            fn save(&mut self, saving: &mut #core::state::Saving) {
                #(#state::save(&mut self.#members, saving.part(#names));)*
                #(saving.note_former(#former, #now);)*
            }
            fn load(&mut self, sections: &#core::state::Sections) -> ::core::result::Result<(), #core::state::StateError> {
                sections.has_only(&[#(#all_names),*])?;
                #(#state::load(&mut self.#members, sections.get_any(#of_piece))?;)*
                ::core::result::Result::Ok(())
            }
            fn look(&mut self, glance: #core::state::Glance<'_>) -> #core::state::Looked {
                let whole = #core::state::Glance { piece: ::core::option::Option::None, ..glance };
                match glance.piece {
                    #(::core::option::Option::Some(#names) => #state::look(&mut self.#members, whole),)*
                    _ => ::core::result::Result::Err(#core::state::LookError::Piece {
                        known: ::std::vec![#(::std::string::String::from(#names)),*],
                    }),
                }
            }
        }

        impl #impl_generics #keyed for #ident #type_generics #where_clause {
            type Key = <#key as #keyed>::Key;
            fn clear_key(&mut self, key: &Self::Key) {
                #(#keyed::clear_key(&mut self.#members, key);)*
            }
            fn expire(&mut self, clock: #core::state::Clock) {
                #(#keyed::expire(&mut self.#members, clock);)*
            }
            fn deadline(&self) -> ::core::option::Option<#core::ProcessingTime> {
                ::core::iter::Iterator::min(::core::iter::Iterator::flatten(
                    ::core::iter::IntoIterator::into_iter([#(#keyed::deadline(&self.#members)),*])
                ))
            }
        }
    })
}

impl<'a> Piece<'a> {
    fn of(member: Member, field: &'a Field) -> Result<Self, Error> {
        let own = match &member {
            // A raw identifier is saved under its name, as serde does it.
            Member::Named(name) => name.to_string().trim_start_matches("r#").to_owned(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        let mut names = vec![own];
        names.extend(named(&field.attrs, "alias")?);
        Ok(Piece { member, kind: &field.ty, names })
    }
}

/// The texts that are given as `word` in `#[state(word = "text")]`.
fn named(attributes: &[Attribute], word: &str) -> Result<Vec<String>, Error> {
    let mut texts = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("state")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident(word) {
                return Err(meta.error(format!("what can be said here is `{word} = \"former name\"`")));
            }
            texts.push(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    Ok(texts)
}

/// What was saved under one name has one place.
fn unique<'a>(input: &DeriveInput, names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    let mut names: Vec<&String> = names.collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            let what = format!("{:?} is said of two pieces of state", pair[0]);
            Err(Error::new_spanned(&input.ident, what))
        }
        None => Ok(()),
    }
}
