struct Failed;

impl From<sec0::Refusal> for Failed {
    fn from(_: sec0::Refusal) -> Self {
        Self
    }
}

#[sec0::hop("a")]
fn wrong_value(order: u32) -> Result<u32, Failed> {
    Ok("text")
}

#[sec0::hop("b")]
async fn wrong_value_async(order: u32) -> Result<u32, Failed> {
    Ok("text")
}

#[sec0::hop("c")]
async fn no_value(order: u32) -> Result<u32, Failed> {
    Ok(order);
}

#[sec0::hop("d")]
async fn no_conversion(order: &str) -> Result<u32, Failed> {
    Ok(order.parse::<u32>()?)
}

#[sec0::hop("e")]
fn no_name(order: u32) -> Result<u32, Failed> {
    Ok(ordre)
}

fn main() {}
