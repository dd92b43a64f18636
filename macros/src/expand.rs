//! `#[hop]`: the function with its body handed to the steps.

use crate::argument::{self, Arguments};
use crate::function::Function;
use crate::options::HopOptions;
use crate::returned::Returned;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Error, LitStr, Path, Result, Signature};

/// The function as a hop; where it cannot be one, the function and why.
pub(crate) fn hop(options: TokenStream, item: &TokenStream) -> TokenStream {
    try_hop(options, item.clone()).unwrap_or_else(|why| with_item(&why, item))
}

/// The error before the item, so that nothing else is missing.
pub(crate) fn with_item(why: &Error, item: &TokenStream) -> TokenStream {
    let why = why.to_compile_error();
    quote!(#why #item)
}

fn try_hop(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut function: Function = syn::parse2(item)?;
    let options: HopOptions = syn::parse2(options)?;
    let key = options.key.ok_or_else(no_key)?;
    let home = options.home.unwrap_or_else(|| syn::parse_quote!(::sec0));
    let returned = Returned::read(&function.sig)?;
    let skip = options.skip.unwrap_or_default();
    let arguments = Arguments::read(&mut function.sig, &skip, &home)?;
    let hop = Hop { key, home, returned, arguments };
    Ok(hop.around(&function))
}

fn no_key() -> Error {
    Error::new(
        Span::call_site(),
        "[sec0] Unable to infer hop configuration key. Name it, `#[sec0::hop(\"Class.method\")]`, \
         or write `#[sec0::hops]` on the `impl` of the method",
    )
}

struct Hop {
    key: LitStr,
    home: Path,
    returned: Returned,
    arguments: Arguments,
}

impl Hop {
    fn around(&self, function: &Function) -> TokenStream {
        let Function { attrs, vis, default, sig, .. } = function;
        let before = self.before(sig);
        let inside = if self.returned.is_boxed {
            // The body makes the future, and may return early with one.
            let (made, written) = (Ident::new("made", Span::mixed_site()), &self.returned.written);
            let body = block(function, &TokenStream::new());
            let run = self.run(
                "run",
                &quote! {
                    async move {
                        let #made = (move || -> #written #body)();
                        #made.await
                    }
                },
            );
            quote!(::std::boxed::Box::pin(async move { #before #run.await }))
        } else if sig.asyncness.is_some() {
            let body = block(function, &self.typed());
            let run = self.run("run", &quote!(async move #body));
            quote!(#before #run.await)
        } else {
            let body = block(function, &TokenStream::new());
            let result = &self.returned.result;
            let run = self.run("run_sync", &quote!(move || -> #result #body));
            quote!(#before #run)
        };
        quote!(#(#attrs)* #vis #default #sig { #inside })
    }

    /// The call that does the steps, at the place of the returned type: what is wrong with it is
    /// said there.
    fn run(&self, how: &str, body: &TokenStream) -> TokenStream {
        let Self { key, home, returned, arguments } = self;
        let how = if arguments.skips_result { format!("{how}_unseen") } else { how.to_owned() };
        let how = Ident::new(&how, returned.end);
        let (app, args, result) = (app(), argument::args(), &returned.result);
        // The parts are named by way of the whole, whatever name that has. Where a part of it has
        // no name, the body tells.
        let part = |name: &str| {
            if returned.is_opaque {
                return quote!(_);
            }
            let (start, name) =
                (quote_spanned!(returned.start=> <), Ident::new(name, returned.end));
            quote!(#start #result as #home::hop::bounds::Returns>::#name)
        };
        let (value, error) = (part("Value"), part("Error"));
        let given = quote_spanned!(returned.end=> (#app, #key, #args, #body));
        quote!(#home::hop::bounds::#how::<#value, #error, _>#given)
    }

    /// Tells the compiler what an async block returns: what it ends in is made to be that.
    fn typed(&self) -> TokenStream {
        let (result, value) = (&self.returned.result, Ident::new("value", Span::mixed_site()));
        quote! {
            if let ::core::option::Option::Some(#value) = ::core::option::Option::None::<#result> {
                return #value;
            }
        }
    }

    /// What comes before the body: the app and the arguments.
    fn before(&self, sig: &Signature) -> TokenStream {
        let home = &self.home;
        let (app, args) = (app(), argument::args());
        let found = sig.receiver().map_or_else(
            || quote!(#home::hop::by_macro::app_of_scope()),
            |receiver| {
                let this = &receiver.self_token;
                // Whatever `self` is, a reference to it becomes one to `Self`.
                quote!({
                    use #home::hop::by_macro::*;
                    (&Found::<Self>(&#this)).app()
                })
            },
        );
        let Arguments { recorded, taken_apart, .. } = &self.arguments;
        quote! {
            let #app = #found;
            let #args = #home::hop::by_macro::Args::new();
            #(#recorded)*
            #(#taken_apart)*
        }
    }
}

/// The braces and what is in them.
fn block(function: &Function, first: &TokenStream) -> TokenStream {
    let mut block = TokenStream::new();
    function.brace.surround(&mut block, |tokens| {
        first.to_tokens(tokens);
        function.body.to_tokens(tokens);
    });
    block
}

fn app() -> Ident {
    Ident::new("app", Span::mixed_site())
}
