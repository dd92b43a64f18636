
type Count = u32;

#[sec0::hop("a")]
fn alias() -> Count {
    1
}

#[sec0::hop("b")]
async fn alias_async() -> Count {
    1
}

#[sec0::hop("c")]
fn not_of_refusal() -> Result<u32, std::num::ParseIntError> {
    "1".parse()
}

#[sec0::hop("d")]
async fn io() -> std::io::Result<u32> {
    Ok(1)
}

#[sec0::hop("e", skip(return))]
fn not_of_refusal_unseen() -> Result<u32, String> {
    Ok(1)
}

fn main() {}
