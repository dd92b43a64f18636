//! The function under the attribute. Its body is not parsed: it is the compiler's to judge.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Error, LitStr, Path, Result, Signature, Token, Visibility, braced, token::Brace,
};

/// A function or method with a body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) default: Option<Token![default]>,
    pub(crate) sig: Signature,
    pub(crate) brace: Brace,
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let default = input.parse()?;
        if !is_function(&input.fork()) {
            return Err(input.error(
                "[sec0] `#[sec0::hop]` goes on a function or a method; for the methods of an \
                 `impl` write `#[sec0::hops]` on it and `#[sec0::hop]` on each",
            ));
        }
        let sig: Signature = input.parse()?;
        if input.peek(Token![;]) {
            return Err(Error::new_spanned(
                &sig.ident,
                "[sec0] a hop needs a body; write `#[sec0::hop]` on the method of each `impl`",
            ));
        }
        let content;
        let brace = braced!(content in input);
        for mut attr in content.call(Attribute::parse_inner)? {
            // Within the generated block they would not be at the start of the function.
            attr.style = syn::AttrStyle::Outer;
            attrs.push(attr);
        }
        let function = Self { attrs, vis, default, sig, brace, body: content.parse()? };
        function.check().map(|()| function)
    }
}

impl Function {
    /// # Errors
    /// For functions that nothing can be put around.
    fn check(&self) -> Result<()> {
        let sig = &self.sig;
        if let Some(word) = &sig.constness {
            return Err(no(word, "a `const fn`", "it asks the policy and writes a record"));
        }
        if let Some(word) = &sig.unsafety {
            return Err(no(word, "an `unsafe fn`", "make one of a safe function that calls it"));
        }
        if let Some(word) = &sig.abi {
            return Err(no(word, "an `extern fn`", "make one of a function that it calls"));
        }
        if let Some(word) = &sig.variadic {
            return Err(no(word, "a function of variadic arguments", "they cannot be recorded"));
        }
        match self.attrs.iter().find(|attr| is_hop(attr.path())) {
            Some(attr) => Err(Error::new_spanned(attr, "[sec0] a function is one hop, not two")),
            None => Ok(()),
        }
    }
}

/// Whether an attribute is `#[hop]`, by whatever path.
pub(crate) fn is_hop(path: &Path) -> bool {
    path.segments.len() <= 2 && path.segments.last().is_some_and(|last| last.ident == "hop")
}

fn no(at: &impl ToTokens, kind: &str, why: &str) -> Error {
    Error::new_spanned(at, format!("[sec0] a hop cannot be {kind}: {why}"))
}

/// Whether `fn` comes behind the words that may stand before it.
fn is_function(input: ParseStream<'_>) -> bool {
    loop {
        let word = input.peek(Token![const])
            || input.peek(Token![async])
            || input.peek(Token![unsafe])
            || input.peek(Token![extern])
            || input.peek(LitStr);
        if !word || input.parse::<proc_macro2::TokenTree>().is_err() {
            return input.peek(Token![fn]);
        }
    }
}
