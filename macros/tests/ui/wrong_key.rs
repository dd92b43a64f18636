struct Failed;

impl From<sec0::Refusal> for Failed {
    fn from(_: sec0::Refusal) -> Self {
        Self
    }
}

#[sec0::hop("")]
fn empty() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop(" \t ")]
fn blank() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop("Order\nAgent.run")]
fn control() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk")]
fn long() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop(7)]
fn number() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop(b"bytes")]
fn bytes() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop(KEY)]
fn constant() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop("one", "two")]
fn two() -> Result<(), Failed> {
    Ok(())
}

#[sec0::hop(skip(return), "late")]
fn late() -> Result<(), Failed> {
    Ok(())
}

fn main() {}
