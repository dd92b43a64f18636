use super::asked::Call;

/// A call that every step let pass: what a handler's door runs, and nothing else.
///
/// Only the innermost step of the stack makes one, from a call for which everything was reserved;
/// outside this crate there is no way to.
///
/// # Security
///
/// Whoever could make one could run a handler unjudged.
///
/// ```compile_fail,E0624
/// use sec0::call::{Call, Cleared, ServerIdent, ToolName};
/// # use tokio_util::sync::CancellationToken;
/// let server = std::sync::Arc::new(ServerIdent::new("demo", "1.0.0"));
/// let call = Call::new(server, ToolName::from("write_file"), CancellationToken::new(), ());
/// Cleared::new(call); // private
/// ```
#[derive(Debug)]
pub struct Cleared<X>(Call<X>);

impl<X> Cleared<X> {
    /// INVARIANT: called by `stack::invoke` alone; `tests/floors.rs` holds it.
    pub(crate) fn new(mut call: Call<X>) -> Self {
        // What the caller presented to get here is no handler's business.
        call.approval = None;
        Self(call)
    }

    /// The call, to be run now.
    pub fn into_call(self) -> Call<X> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{ApprovalToken, ServerIdent, ToolName};
    use std::sync::Arc;
    use tokio_util::sync::CancellationToken;

    #[test]
    fn a_handler_does_not_get_what_its_caller_presented() {
        let server = Arc::new(ServerIdent::new("demo", "1.0.0"));
        let mut call = Call::new(server, ToolName::from("pay"), CancellationToken::new(), ());
        call.approval = ApprovalToken::new("7ea5e");
        assert!(Cleared::new(call.repeatable()).into_call().approval.is_none());
    }
}
