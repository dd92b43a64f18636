//! What stands in the parentheses of the attributes.

use crate::key;
use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Lit, LitStr, Path, Result, Token, parenthesized};

const KNOWN: &str = "known are `skip(..)` and `crate = \"path\"`";

/// The options of `#[hop]`.
#[derive(Default)]
pub(crate) struct HopOptions {
    pub(crate) key: Option<LitStr>,
    pub(crate) skip: Option<Vec<Ident>>,
    pub(crate) home: Option<Path>,
}

impl Parse for HopOptions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self { key: key(input)?, ..Self::default() };
        if options.key.is_some() && !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        while !input.is_empty() {
            options.one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl HopOptions {
    fn one(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(Lit) {
            let literal: Lit = input.parse()?;
            let why = if self.key.is_some() {
                "[sec0] a hop has one key"
            } else {
                "[sec0] the key of a hop stands before its options"
            };
            return Err(Error::new(literal.span(), why));
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("[sec0] expected an option of a hop; {KNOWN}")));
        }
        let name = input.call(Ident::parse_any)?;
        match name.to_string().as_str() {
            "skip" => once(&mut self.skip, &name, skip(&name, input)?),
            "crate" => once(&mut self.home, &name, home(input)?),
            other => Err(Error::new(
                name.span(),
                format!("[sec0] unknown option `{other}` of a hop; {KNOWN}"),
            )),
        }
    }
}

/// The options of `#[hops]`: the class, where it is not the name of the type.
pub(crate) struct HopsOptions {
    pub(crate) class: Option<LitStr>,
}

impl Parse for HopsOptions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let class = key(input)?;
        input.parse::<Option<Token![,]>>()?;
        if input.is_empty() {
            return Ok(Self { class });
        }
        Err(input.error(
            "[sec0] `#[sec0::hops]` has no options but the class, `#[sec0::hops(\"OrderAgent\")]`; \
             options of a hop stand on its method",
        ))
    }
}

/// A text at the very start.
fn key(input: ParseStream<'_>) -> Result<Option<LitStr>> {
    if !input.peek(Lit) {
        return Ok(None);
    }
    match input.parse()? {
        Lit::Str(key) if key.suffix().is_empty() => {
            key::check(&key)?;
            Ok(Some(key))
        }
        other => Err(Error::new(
            other.span(),
            "[sec0] the key of a hop is a text in double quotes, `\"Class.method\"`",
        )),
    }
}

fn once<T>(place: &mut Option<T>, name: &Ident, value: T) -> Result<()> {
    if place.replace(value).is_none() {
        return Ok(());
    }
    Err(Error::new(name.span(), format!("[sec0] the option `{name}` is given twice")))
}

fn skip(option: &Ident, input: ParseStream<'_>) -> Result<Vec<Ident>> {
    if !input.peek(syn::token::Paren) {
        let why = "[sec0] write what to leave out in parentheses, `skip(token)`";
        return Err(Error::new(option.span(), why));
    }
    let content;
    parenthesized!(content in input);
    let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&content, Ident::parse_any)?;
    let names: Vec<Ident> = names.into_iter().collect();
    for (at, name) in names.iter().enumerate() {
        if names.iter().take(at).any(|other| other.unraw() == name.unraw()) {
            return Err(Error::new(
                name.span(),
                format!("[sec0] `{}` is skipped twice", name.unraw()),
            ));
        }
    }
    Ok(names)
}

fn home(input: ParseStream<'_>) -> Result<Path> {
    input.parse::<Token![=]>()?;
    let text: LitStr = input.parse()?;
    text.parse_with(Path::parse_mod_style)
        .map_err(|why| Error::new(text.span(), format!("[sec0] `crate` is no path: {why}")))
}
