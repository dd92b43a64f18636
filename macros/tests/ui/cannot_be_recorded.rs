struct Failed;

impl From<sec0::Refusal> for Failed {
    fn from(_: sec0::Refusal) -> Self {
        Self
    }
}

struct Context;

struct Receipt;

#[sec0::hop("a")]
fn takes(order: u32, context: &Context) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("b")]
async fn takes_any(order: impl Into<u32>) -> Result<u32, Failed> {
    Ok(order.into())
}

#[sec0::hop("c")]
fn gives() -> Result<Receipt, Failed> {
    Ok(Receipt)
}

#[sec0::hop("d")]
async fn gives_async() -> Result<Receipt, Failed> {
    Ok(Receipt)
}

fn main() {}
