//! The type that the function returns.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    AssocType, Error, GenericArgument, Path, PathArguments, Result, ReturnType, Signature, Type,
    TypeInfer, TypeParamBound, TypeTraitObject,
};

const NEEDED: &str = "a hop returns `Result<_, E>` with `E: From<sec0::Refusal>`";

/// Types of the language and its prelude that are no `Result`, whatever stands in them.
const NO_RESULT: &[&str] = &[
    "Option", "String", "Vec", "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8",
    "isize", "str", "u128", "u16", "u32", "u64", "u8", "usize",
];

/// What a function returns.
pub(crate) struct Returned {
    /// The `Result`, with `_` where `impl` stood: outside of a signature there is none.
    pub(crate) result: Type,
    /// What is written, with `_` in the same way.
    pub(crate) written: Type,
    /// The function is not async and returns a boxed future of it.
    pub(crate) is_boxed: bool,
    /// There was an `impl`.
    pub(crate) is_opaque: bool,
    /// Where it begins and ends in the source, for names that are not the user's.
    pub(crate) start: Span,
    pub(crate) end: Span,
}

impl Returned {
    /// # Errors
    /// Where it can be seen that the function returns no `Result`. What another name stands for is
    /// the compiler's to find out.
    pub(crate) fn read(sig: &Signature) -> Result<Self> {
        let ReturnType::Type(_, written) = &sig.output else {
            let why = format!("[sec0] {NEEDED}, and this function returns nothing");
            return Err(Error::new(sig.ident.span(), why));
        };
        let boxed = if sig.asyncness.is_none() { of_boxed_future(written) } else { None };
        let is_boxed = boxed.is_some();
        let mut result = boxed.unwrap_or(written).clone();
        if let Some(why) = no_result(&result) {
            return Err(Error::new_spanned(result, format!("[sec0] {NEEDED}, and {why}")));
        }
        let (start, end) = ends(&result);
        let (mut written, mut erased) = ((**written).clone(), WithoutImpl { found: false });
        erased.visit_type_mut(&mut written);
        erased.visit_type_mut(&mut result);
        Ok(Self { result, written, is_boxed, is_opaque: erased.found, start, end })
    }
}

/// The first and the last token: the compiler shows what lies between.
fn ends(written: &Type) -> (Span, Span) {
    let mut tokens = written.to_token_stream().into_iter().map(|token| token.span());
    let start = tokens.next().unwrap_or_else(Span::call_site);
    let end = tokens.last().unwrap_or(start);
    let ours = Span::mixed_site();
    (ours.located_at(start), ours.located_at(end))
}

fn no_result(written: &Type) -> Option<String> {
    match written {
        Type::Group(inner) => no_result(&inner.elem),
        Type::Paren(inner) => no_result(&inner.elem),
        Type::Path(path) if path.qself.is_none() => {
            let name = path.path.segments.last()?.ident.to_string();
            NO_RESULT.contains(&name.as_str()).then(|| format!("`{name}` is no `Result`"))
        }
        Type::ImplTrait(_) => Some("not `impl …`; of a future make an `async fn`".to_owned()),
        Type::Tuple(inner) if inner.elems.is_empty() => Some("`()` is no `Result`".to_owned()),
        Type::Array(_)
        | Type::BareFn(_)
        | Type::Never(_)
        | Type::Ptr(_)
        | Type::Reference(_)
        | Type::Slice(_)
        | Type::TraitObject(_)
        | Type::Tuple(_) => Some("this type is no `Result`".to_owned()),
        _ => None,
    }
}

/// The output of `Pin<Box<dyn Future<Output = …>>>`, which is also what `BoxFuture` is.
fn of_boxed_future(written: &Type) -> Option<&Type> {
    if let Some(output) = of(written, "BoxFuture").or_else(|| of(written, "LocalBoxFuture")) {
        return Some(output);
    }
    let Type::TraitObject(TypeTraitObject { bounds, .. }) = of(of(written, "Pin")?, "Box")? else {
        return None;
    };
    bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => arguments(&bound.path, "Future")?.find_map(output),
        _ => None,
    })
}

/// The type in `name<…>`.
fn of<'a>(written: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = written else { return None };
    arguments(&path.path, name)?.find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

fn arguments<'a>(path: &'a Path, name: &str) -> Option<impl Iterator<Item = &'a GenericArgument>> {
    let last = path.segments.last().filter(|last| last.ident == name)?;
    match &last.arguments {
        PathArguments::AngleBracketed(inner) => Some(inner.args.iter()),
        PathArguments::None | PathArguments::Parenthesized(_) => None,
    }
}

fn output(argument: &GenericArgument) -> Option<&Type> {
    match argument {
        GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Output" => Some(ty),
        _ => None,
    }
}

struct WithoutImpl {
    found: bool,
}

impl VisitMut for WithoutImpl {
    fn visit_type_mut(&mut self, written: &mut Type) {
        if matches!(written, Type::ImplTrait(_)) {
            self.found = true;
            let span = written.span();
            *written = Type::Infer(TypeInfer { underscore_token: syn::Token![_](span) });
            return;
        }
        visit_mut::visit_type_mut(self, written);
    }
}
