//! What telemetry adds.

use crate::measure::Load;
use crate::rows::behind_one;
use crate::subject::Secured;
use sec0::otel::Otel;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;

/// The collector of this program.
static COLLECTOR: OnceLock<String> = OnceLock::new();

pub(crate) fn one_percent(limit: f64) -> Result<String, Box<dyn Error>> {
    row(|| secured(0.01), limit)
}

pub(crate) fn all(limit: f64) -> Result<String, Box<dyn Error>> {
    row(|| secured(1.0), limit)
}

fn row(make: crate::rows::Make, limit: f64) -> Result<String, Box<dyn Error>> {
    if COLLECTOR.get().is_none() {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        thread::spawn(move || listener.incoming().flatten().for_each(serve));
        COLLECTOR.get_or_init(|| url);
    }
    behind_one(make, |secured| secured.owned(1), Load { tools: 1, bytes: 64 }, limit)
}

fn secured(success: f64) -> Result<Secured, Box<dyn Error>> {
    let url = COLLECTOR.get().ok_or("there is no collector")?;
    let otel = Otel::new().endpoint(url).service_name("bench").environment("bench");
    Secured::with(|options| options.otel(otel.success_ratio(success)))
}

/// Takes whatever comes, for as long as the connection lives.
fn serve(stream: TcpStream) {
    thread::spawn(move || {
        let Ok(mut writer) = stream.try_clone() else { return };
        let mut reader = BufReader::new(stream);
        while take(&mut reader).is_some() {
            if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    });
}

/// One request; `None` when there are no more.
fn take(reader: &mut BufReader<TcpStream>) -> Option<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok().map(drop)
}
