//! `#[derive(Data)]`: the shape of a record type, and its columns.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Meta, Token, Type};

/// What serde's attributes may say without changing which values are written, or in which order.
const HARMLESS: [&str; 10] = [
    "rename",
    "rename_all",
    "rename_all_fields",
    "alias",
    "default",
    "deny_unknown_fields",
    "bound",
    "crate",
    "expecting",
    "transparent",
];

/// Implements `Data` for a struct or an enum.
pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream, Error> {
    let name = input.ident.to_string();
    let core = crate::core_path();
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(#core::Data));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let ident = &input.ident;
    let is_faithful = is_harmless(&input.attrs);
    let (shape, is_faithful, fields) = match &input.data {
        Data::Struct(data) => {
            let fields = fields_shape(&core, &data.fields);
            (
                quote!(#core::Shape::record(#name, #fields)),
                is_faithful && are_harmless(&data.fields),
                Some(&data.fields),
            )
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let (name, fields) = (variant.ident.to_string(), fields_shape(&core, &variant.fields));
                quote!((#name, #core::Shape::record(#name, #fields)))
            });
            let mut variants_of = data.variants.iter();
            let harmless =
                variants_of.all(|variant| is_harmless(&variant.attrs) && are_harmless(&variant.fields));
            (quote!(#core::Shape::choice(#name, [#(#variants),*])), is_faithful && harmless, None)
        }
        Data::Union(data) => {
            return Err(Error::new_spanned(data.union_token, "a union cannot be Data: it has no serde form"));
        }
    };
    let is_plain = is_faithful.then(|| is_plain(&core, &input.data));
    let columns = fields.filter(|_| is_faithful).map(|fields| columns(&core, fields));
    Ok(quote! {
        impl #impl_generics #core::Data for #ident #type_generics #where_clause {
            fn shape() -> #core::Shape { #shape }
            #is_plain
            #columns
        }
    })
}

/// Whether serde writes the type as its fields, all of them, in the order of declaration, and reads them so.
fn is_harmless(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("serde")).all(|attribute| {
        let said = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        said.is_ok_and(|said| {
            said.iter().all(|meta| HARMLESS.iter().any(|harmless| meta.path().is_ident(harmless)))
        })
    })
}

fn are_harmless(fields: &Fields) -> bool {
    fields.iter().all(|field| is_harmless(&field.attrs))
}

/// The type is plain where all that it is made of is.
fn is_plain(core: &TokenStream, data: &Data) -> TokenStream {
    let kinds: Vec<&Type> = match data {
        Data::Struct(data) => data.fields.iter().map(|field| &field.ty).collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|one| &one.fields).map(|field| &field.ty).collect(),
        Data::Union(_) => Vec::new(),
    };
    quote! {
        fn is_plain() -> bool { true #(&& <#kinds as #core::Data>::is_plain())* }
    }
}

/// The columns of the fields, one after the other.
fn columns(core: &TokenStream, fields: &Fields) -> TokenStream {
    let members: Vec<_> = fields.members().collect();
    let kinds: Vec<&Type> = fields.iter().map(|field| &field.ty).collect();
    let values: Vec<_> = (0..members.len()).map(|index| format_ident!("field_{index}")).collect();
    let iterator = quote!(::core::iter::Iterator);
    let all = match values.split_first() {
        Some((first, rest)) => {
            // Zipped, they yield a tree of pairs that leans to the left.
            let pairs = rest.iter().fold(quote!(#first), |pairs, next| quote!((#pairs, #next)));
            let zipped =
                rest.iter().fold(quote!(#first), |zipped, next| quote!(#iterator::zip(#zipped, #next)));
            quote!(#iterator::map(#zipped, |#pairs| Self { #(#members: #values),* }))
        }
        None => quote!(#iterator::map(0..count, |_| Self {})),
    };
    let writes = !members.is_empty();
    let ignored = (!writes).then(|| quote!(let _ = (count, values, columns);));
    let ignored_read = (!writes).then(|| quote!(let _ = columns;));
    quote! {
        fn write_columns<'a>(
            count: usize,
            values: impl #iterator<Item = &'a Self> + ::core::clone::Clone,
            columns: &mut #core::columns::ColumnWriter<'_>,
        ) {
            #ignored
            #(<#kinds as #core::Data>::write_columns(
                count,
                #iterator::map(::core::clone::Clone::clone(&values), |value| &value.#members),
                columns,
            );)*
        }
        fn read_columns(
            count: usize,
            columns: &#core::columns::ColumnReader<'_>,
        ) -> ::core::result::Result<impl #iterator<Item = Self>, #core::columns::ColumnError> {
            #ignored_read
            #(let #values = <#kinds as #core::Data>::read_columns(count, columns)?;)*
            ::core::result::Result::Ok(#all)
        }
    }
}

/// A token list of `("field", Shape)` pairs in the order of declaration.
fn fields_shape(core: &TokenStream, fields: &Fields) -> TokenStream {
    let pairs = fields.iter().enumerate().map(|(index, field)| {
        let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
        let kind = &field.ty;
        quote!((#name, <#kind as #core::Data>::shape()))
    });
    quote!([#(#pairs),*])
}
