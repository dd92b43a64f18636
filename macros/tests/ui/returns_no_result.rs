struct Failed;

impl From<sec0::Refusal> for Failed {
    fn from(_: sec0::Refusal) -> Self {
        Self
    }
}

#[sec0::hop("a")]
fn nothing() {}

#[sec0::hop("b")]
async fn number(count: u32) -> u32 {
    count
}

#[sec0::hop("c")]
fn option(count: u32) -> Option<u32> {
    Some(count)
}

#[sec0::hop("d")]
fn pair() -> (u32, u32) {
    (1, 2)
}

#[sec0::hop("e")]
fn borrowed(text: &str) -> &str {
    text
}

#[sec0::hop("f")]
fn future() -> impl Future<Output = Result<u32, Failed>> {
    async { Ok(1) }
}

fn main() {}
