struct Failed;

impl From<sec0::Refusal> for Failed {
    fn from(_: sec0::Refusal) -> Self {
        Self
    }
}

#[sec0::hop("a", skpi(order))]
fn misspelt(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("b", skip(order), skip(return))]
fn twice(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("c", skip(order, order))]
fn name_twice(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("d", skip(token))]
fn no_argument(order: u32, (a, b): (u32, u32)) -> Result<u32, Failed> {
    Ok(order + a + b)
}

#[sec0::hop("e", skip(token))]
fn no_arguments() -> Result<u32, Failed> {
    Ok(1)
}

#[sec0::hop("f", skip)]
fn no_names(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("g", crate = "not a path")]
fn no_path(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("h", crate = "sec0", crate = "sec0")]
fn two_paths(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("i" skip(order))]
fn no_comma(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("j", 'c')]
fn no_option(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("k", +)]
fn no_word(order: u32) -> Result<u32, Failed> {
    Ok(order)
}

#[sec0::hop("l")]
fn one_name((a, b): (u32, u32), arg0: u32) -> Result<u32, Failed> {
    Ok(a + b + arg0)
}

struct Agent;

impl Agent {
    #[sec0::hop("m", skip(self))]
    fn of_self(&self) -> Result<u32, Failed> {
        Ok(1)
    }
}

fn main() {}
