//! The attributes of the crate `sec0` that make hops of functions. Use them from there, with its
//! feature `hops`: `#[sec0::hop]` and `#[sec0::hops]`.
//!
//! What they expand to calls `sec0::hop::bounds`, which names the types that do not fit in words of
//! hops. Nothing of a function's signature changes.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds of syntax are open, and hops know few of them"
)]

mod argument;
mod expand;
mod function;
mod inferred;
mod key;
mod options;
mod returned;

use proc_macro::TokenStream;

/// Makes a function a hop: its body runs only where the policy lets it, and each call leaves one
/// record.
///
/// It goes on functions and methods with a body, sync and async, also in traits and their
/// implementations. The first text is the key under which the hop is configured in `app.hops`.
/// The app comes from `self` where its type is `AsRef<sec0::hop::Sec0App>`, elsewhere from the scope
/// in which the function is called. Without one the call is refused.
///
/// # What the function must have
/// - It returns `Result<T, E>`, also under another name, with `E: From<sec0::Refusal>`: a refusal
///   is an error of that type. `T` is `serde::Serialize`, or `skip(return)` is given.
/// - Its arguments are `serde::Serialize`, or named in `skip(..)`. They are read by reference
///   before the body runs, and recorded under their names. One that is a pattern and not a name is
///   `arg0`, `arg1`, … by its position, `self` not counted. `self` itself is never recorded.
/// - It is no `const fn`, `unsafe fn` or `extern fn`.
///
/// A function that returns a boxed future, as the attribute `async_trait` makes them, is an async
/// hop.
///
/// # Options
/// | option | means |
/// |---|---|
/// | `"Class.method"` | the key: 1 to 256 bytes without control characters, not blank. Within a `#[sec0::hops]` block it may be left out. |
/// | `skip(a, b)` | these arguments are left out of the record, and need not be `Serialize` |
/// | `skip(return)` | the result is left out of the record, and need not be `Serialize` |
/// | `crate = "path"` | where the crate `sec0` is found, if not at `::sec0` |
///
/// # What is not quite as without it
/// Arguments that the body does not use live as long as those that it uses, but the order in which
/// arguments are dropped is that of their use. An async body starts, as ever, when it is first
/// polled; the arguments are read then.
#[proc_macro_attribute]
pub fn hop(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::hop(options.into(), &item.into()).into()
}

/// Gives the hops of an `impl` block their keys: `Type.method` for each method that has
/// `#[sec0::hop]` without a key.
///
/// The class is the last name of the type, without what stands in `<>`; `#[sec0::hops("Name")]` has
/// another one, and is needed where the type has no name. Methods with a key keep it, methods
/// without `#[sec0::hop]` are no hops.
#[proc_macro_attribute]
pub fn hops(options: TokenStream, item: TokenStream) -> TokenStream {
    inferred::hops(options.into(), &item.into()).into()
}
