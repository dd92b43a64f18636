struct Failed;

impl From<sec0::Refusal> for Failed {
    fn from(_: sec0::Refusal) -> Self {
        Self
    }
}

#[sec0::hop("a")]
const fn constant() -> Result<u32, Failed> {
    Ok(1)
}

#[sec0::hop("b")]
unsafe fn trusted() -> Result<u32, Failed> {
    Ok(1)
}

#[sec0::hop("c")]
extern "C" fn foreign() -> Result<u32, Failed> {
    Ok(1)
}

#[sec0::hop("d")]
#[sec0::hop("e")]
fn two() -> Result<u32, Failed> {
    Ok(1)
}

#[sec0::hop("f")]
struct Agent;

#[sec0::hop("g")]
impl Agent {}

trait Ask {
    #[sec0::hop("h")]
    fn ask(&self) -> Result<u32, Failed>;
}

unsafe extern "C" {
    #[sec0::hop("i")]
    fn printf(format: *const u8, ...) -> i32;
}

fn main() {}
