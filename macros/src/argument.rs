//! Which arguments are recorded, and under which names.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, Pat, PatType, Path, Receiver, Result, Signature};

/// The arguments of a function.
pub(crate) struct Arguments {
    /// Statements that put them into `args`.
    pub(crate) recorded: Vec<TokenStream>,
    /// Statements that take apart what the signature took apart.
    pub(crate) taken_apart: Vec<TokenStream>,
    /// Whether the result is left out.
    pub(crate) skips_result: bool,
}

impl Arguments {
    /// Reads the arguments of `sig`. One that is recorded and is a pattern gets a name there; its
    /// type stays.
    ///
    /// # Errors
    /// Where `skip` names none of them, or two have one name.
    pub(crate) fn read(sig: &mut Signature, skip: &[Ident], home: &Path) -> Result<Self> {
        let names = names(sig);
        check(&names, skip, sig.receiver().is_some())?;
        let (mut recorded, mut taken_apart) = (Vec::new(), Vec::new());
        for (argument, name) in typed(sig).zip(&names) {
            if skip.iter().any(|skipped| skipped.unraw() == name.as_str()) {
                continue;
            }
            let variable = match &*argument.pat {
                pat if is_for_use(pat) => pat_ident(pat),
                _ => named(argument, name, &mut taken_apart),
            };
            let cfgs = attributes(argument, false);
            let (args, text) = (args(), name.as_str());
            // Where it is said that it cannot be serialised; the names in it are ours.
            let span = Span::mixed_site().located_at(argument.pat.span());
            recorded.push(quote_spanned! {span=>
                #(#cfgs)*
                let #args = #home::hop::bounds::argument(#args, #text, &#variable);
            });
        }
        let skips_result = skip.iter().any(|name| name == "return");
        Ok(Self { recorded, taken_apart, skips_result })
    }
}

/// The variable of the recorded arguments: no name of the user's is the same.
pub(crate) fn args() -> Ident {
    Ident::new("args", Span::mixed_site())
}

fn typed(sig: &mut Signature) -> impl Iterator<Item = &mut PatType> {
    sig.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(Receiver { .. }) => None,
    })
}

fn names(sig: &mut Signature) -> Vec<String> {
    typed(sig)
        .enumerate()
        .map(|(at, argument)| {
            plain(&argument.pat).map_or_else(|| format!("arg{at}"), |name| name.unraw().to_string())
        })
        .collect()
}

/// The name of an argument that is just one.
fn plain(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => Some(&name.ident),
        _ => None,
    }
}

/// Names that begin with `_` are not to be used, by us neither.
fn is_for_use(pat: &Pat) -> bool {
    plain(pat).is_some_and(|name| !name.to_string().starts_with('_'))
}

fn pat_ident(pat: &Pat) -> TokenStream {
    let name = plain(pat);
    quote!(#name)
}

/// Gives the argument a name in place of its pattern, and has the pattern bound behind it.
fn named(argument: &mut PatType, name: &str, taken_apart: &mut Vec<TokenStream>) -> TokenStream {
    let variable = format_ident!("{name}", span = Span::mixed_site());
    let pat = &argument.pat;
    if !matches!(**pat, Pat::Wild(_)) {
        let attrs = attributes(argument, true);
        // A call, lest a name that is not used be said to have no effect.
        let value = if plain(pat).is_some() {
            quote!(::core::convert::identity(#variable))
        } else {
            quote!(#variable)
        };
        taken_apart.push(quote!(#(#attrs)* let #pat = #value;));
    }
    // Those on lints are about the names in the pattern.
    argument.attrs.retain(|attr| attr.path().is_ident("cfg"));
    let pat = &argument.pat;
    let mutable = binds_by_mutable_reference(quote!(#pat)).then(|| quote!(mut));
    *argument.pat = Pat::Verbatim(quote!(#mutable #variable));
    quote!(#variable)
}

/// `ref mut` borrows from the variable itself.
fn binds_by_mutable_reference(pat: TokenStream) -> bool {
    let words: Vec<String> = pat.into_iter().map(|token| token.to_string()).collect();
    let here = words.iter().zip(words.iter().skip(1)).any(|(a, b)| a == "ref" && b == "mut");
    here || words.iter().any(|word| word.contains("ref mut "))
}

/// The attributes that say whether there is such an argument, and `all` those on its lints, too.
fn attributes(argument: &PatType, all: bool) -> Vec<&Attribute> {
    let taken = |attr: &&Attribute| all || attr.path().is_ident("cfg");
    argument.attrs.iter().filter(taken).collect()
}

fn check(names: &[String], skip: &[Ident], has_self: bool) -> Result<()> {
    for skipped in skip {
        let name = skipped.unraw().to_string();
        if name == "self" && has_self {
            let why = "[sec0] `self` is never recorded and need not be skipped";
            return Err(Error::new(skipped.span(), why));
        }
        if name != "return" && !names.contains(&name) {
            return Err(Error::new(skipped.span(), no_argument(&name, names)));
        }
    }
    let twice =
        names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|n| n == *name));
    match twice {
        Some((_, name)) => Err(Error::new(
            Span::call_site(),
            format!("[sec0] two arguments of the hop would be recorded as `{name}`; rename one"),
        )),
        None => Ok(()),
    }
}

fn no_argument(name: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("[sec0] `{name}` is no argument of the hop, which has none");
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("[sec0] `{name}` is no argument of the hop; it has {}", names.join(", "))
}
