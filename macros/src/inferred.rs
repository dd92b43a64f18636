//! `#[hops]`: keys for the hops of an `impl`.

use crate::expand::with_item;
use crate::function::is_hop;
use crate::key;
use crate::options::HopsOptions;
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Error, GenericParam, ImplItem, ItemImpl, LitStr, Meta, Result, Type};

/// The `impl` with a key in each `#[hop]` that had none; where that cannot be, the item and why.
pub(crate) fn hops(options: TokenStream, item: &TokenStream) -> TokenStream {
    try_hops(options, item.clone()).unwrap_or_else(|why| with_item(&why, &without_hops(item)))
}

fn try_hops(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut block: ItemImpl = syn::parse2(item).map_err(|why| {
        let text = "[sec0] `#[sec0::hops]` goes on an `impl` block; on a function write \
                    `#[sec0::hop(\"Class.method\")]`";
        // An `impl` with a fault in it is told by that fault.
        if why.to_string().starts_with("expected `impl`") {
            Error::new(why.span(), text)
        } else {
            why
        }
    })?;
    let options: HopsOptions = syn::parse2(options)?;
    // A type without a name is a fault only where a key is needed.
    let class = options.class.map_or_else(|| class(&block), |class| Ok(class.value()));
    let mut found = false;
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let name = method.sig.ident.unraw();
        for attr in method.attrs.iter_mut().filter(|attr| is_hop(attr.path())) {
            found = true;
            if lacks_key(attr) {
                let class = class.as_ref().map_err(Clone::clone)?;
                let key = LitStr::new(&format!("{class}.{name}"), name.span());
                key::check(&key)?;
                put(attr, &key);
            }
        }
    }
    if found {
        return Ok(block.into_token_stream());
    }
    Err(Error::new(
        Span::call_site(),
        "[sec0] no method of this `impl` has `#[sec0::hop]`; write it on each that is a hop",
    ))
}

/// The item without the attributes that would each say once more that they lack a key.
fn without_hops(item: &TokenStream) -> TokenStream {
    item.clone()
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                let mut plain = Group::new(Delimiter::Brace, without_hop(body.stream()));
                plain.set_span(body.span());
                TokenTree::Group(plain)
            }
            other => other,
        })
        .collect()
}

fn without_hop(items: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in items {
        let is_attribute =
            matches!(kept.last(), Some(TokenTree::Punct(mark)) if mark.as_char() == '#');
        match &token {
            TokenTree::Group(attr) if is_attribute && is_hop_in(attr.stream()) => drop(kept.pop()),
            _ => kept.push(token),
        }
    }
    kept.into_iter().collect()
}

fn is_hop_in(attr: TokenStream) -> bool {
    syn::parse2::<Meta>(attr).is_ok_and(|meta| is_hop(meta.path()))
}

/// A key would be the first thing in the parentheses.
fn lacks_key(attr: &Attribute) -> bool {
    match &attr.meta {
        Meta::Path(_) => true,
        Meta::List(list) => {
            !matches!(list.tokens.clone().into_iter().next(), Some(TokenTree::Literal(_)))
        }
        Meta::NameValue(_) => false,
    }
}

fn put(attr: &mut Attribute, key: &LitStr) {
    let path = attr.path();
    let options = match &attr.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
    };
    let with_key: Attribute = syn::parse_quote!(#[#path(#key, #options)]);
    attr.meta = with_key.meta;
}

/// The name of the type.
fn class(block: &ItemImpl) -> Result<String> {
    let name = match bare(&block.self_ty) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    };
    let is_parameter = |name: &syn::Ident| {
        block.generics.params.iter().any(|parameter| match parameter {
            GenericParam::Type(parameter) => parameter.ident == *name,
            GenericParam::Const(_) | GenericParam::Lifetime(_) => false,
        })
    };
    match name {
        Some(last) if !is_parameter(&last.ident) => Ok(last.ident.unraw().to_string()),
        _ => Err(Error::new_spanned(
            &block.self_ty,
            "[sec0] Unable to infer hop configuration key. This type has no name; write one, \
             `#[sec0::hops(\"OrderAgent\")]`",
        )),
    }
}

fn bare(written: &Type) -> &Type {
    match written {
        Type::Group(inner) => bare(&inner.elem),
        Type::Paren(inner) => bare(&inner.elem),
        other => other,
    }
}
