//! `#[derive(Trackable)]`: a type's blocks are those of its fields.
//!
//! ```text
//! struct, enum -> the body of `blocks` (each field of the variant that is there) -> impl, with `T: Trackable` for
//!                                                                                   each type parameter
//! ```
//!
//! Invariants: what is generated names everything by its full path and contains no unsafe code; a mistake is told at the
//! place in the source where it is.
//! Deliberately absent: attributes on fields. A field whose type cannot be tracked is an error of the compiler's own,
//! which says so.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Index, parse_macro_input, parse_quote};

/// Implements `memscope_rs::Trackable` for a struct or enum, also with generics: the blocks of a value are those of its
/// fields.
///
/// Each field's type must be `Trackable`, and so must each type parameter. Unions have no `Trackable`: nobody knows which
/// field is there.
///
/// What is generated calls the crate `::memscope_rs`, so a crate that derives has it among its dependencies by that name.
/// It costs nothing by itself: a value is asked for the blocks of its fields, one after the other.
///
/// # Errors
/// The compiler's: at a union, and at a field whose type is not `Trackable`.
#[proc_macro_derive(Trackable)]
pub fn derive_trackable(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(mut input: DeriveInput) -> Result<Tokens, Error> {
    let body = body(&input)?;
    for parameter in input.generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::memscope_rs::Trackable));
    }
    let name = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::memscope_rs::Trackable for #name #arguments #conditions {
            #[allow(unused_variables)]
            fn blocks(&self, blocks: &mut ::memscope_rs::ValueBlocks) {
                #body
            }
        }
    })
}

fn body(input: &DeriveInput) -> Result<Tokens, Error> {
    match &input.data {
        Data::Struct(data) => {
            let fields = data.fields.iter().enumerate().map(|(place, field)| {
                let name = match &field.ident {
                    Some(name) => quote!(#name),
                    None => {
                        let place = Index::from(place);
                        quote!(#place)
                    }
                };
                ask(field.ty.span(), &quote!(&self.#name))
            });
            Ok(quote!(#(#fields)*))
        }
        Data::Enum(data) if data.variants.is_empty() => Ok(quote!(match *self {})),
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let name = &variant.ident;
                let bound: Vec<_> =
                    (0..variant.fields.len()).map(|place| format_ident!("field{place}")).collect();
                let spans = variant.fields.iter().map(|field| field.ty.span());
                let asked = bound.iter().zip(spans).map(|(field, span)| ask(span, &quote!(#field)));
                let pattern = match &variant.fields {
                    Fields::Named(fields) => {
                        let names = fields.named.iter().map(|field| &field.ident);
                        quote!({ #(#names: #bound),* })
                    }
                    Fields::Unnamed(_) => quote!((#(#bound),*)),
                    Fields::Unit => quote!(),
                };
                quote!(Self::#name #pattern => { #(#asked)* })
            });
            Ok(quote!(match self { #(#arms)* }))
        }
        Data::Union(data) => Err(Error::new(
            data.union_token.span(),
            "a union cannot be tracked: nobody knows which of its fields is there",
        )),
    }
}

/// Asks a field, so that an error stands at its type.
fn ask(span: proc_macro2::Span, field: &Tokens) -> Tokens {
    quote_spanned!(span=> ::memscope_rs::Trackable::blocks(#field, blocks);)
}
