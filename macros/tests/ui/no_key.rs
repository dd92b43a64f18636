struct Failed;

impl From<sec0::Refusal> for Failed {
    fn from(_: sec0::Refusal) -> Self {
        Self
    }
}

struct Agent;

#[sec0::hop]
fn free() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop()]
fn empty() -> Result<(), Failed> {
    Ok(())
}

impl Agent {
    #[sec0::hop(skip(return))]
    fn method(&self) -> Result<(), Failed> {
        Ok(())
    }
}

#[sec0::hops]
impl<T> Ask for T {
    #[sec0::hop]
    fn ask(&self) -> Result<(), Failed> {
        Ok(())
    }
}

#[sec0::hops]
impl Tell for &Agent {
    #[sec0::hop]
    fn ask(&self) -> Result<(), Failed> {
        Ok(())
    }
}

trait Ask {
    fn ask(&self) -> Result<(), Failed>;
}

trait Tell {
    fn ask(&self) -> Result<(), Failed>;
}

fn main() {}
