struct Failed;

impl From<sec0::Refusal> for Failed {
    fn from(_: sec0::Refusal) -> Self {
        Self
    }
}

struct Agent;

#[sec0::hops]
fn free() -> Result<u32, Failed> {
    Ok(1)
}

#[sec0::hops]
struct Other;

#[sec0::hops]
impl Agent {
    fn no_hop(&self) {}
}

#[sec0::hops(skip(return))]
impl Agent {
    #[sec0::hop]
    fn options(&self) -> Result<u32, Failed> {
        Ok(1)
    }
}

#[sec0::hops("")]
impl Agent {
    #[sec0::hop]
    fn blank(&self) -> Result<u32, Failed> {
        Ok(1)
    }
}

#[sec0::hops]
trait Ask {
    #[sec0::hop]
    fn ask(&self) -> Result<u32, Failed> {
        Ok(1)
    }
}

fn main() {}
