//! What the layer costs, measured against the bare rmcp call and against the physical limit of a
//! signed record in the same run.
//!
//! `cargo run --release --example overhead [-- ROW…]`
//!
//! One line a row: `p50_us` and `p99_us` of calls that arrive every 60 µs, `calls_per_s`, `cpu_us`
//! and `vs_limit` of calls that follow each other. Figures of one run compare; figures of two
//! machines, or of two moments of a shared one, do not.
//!
//! `checkpoint`: one core, lines without a signature of their own. `blocking_N` and `strict_N`: N
//! callers on two workers (one alone on the runtime's own thread), until the last line is in its
//! file; `vs_limit` is against one thread that commits N entries at a time and writes their lines,
//! with no callers to wake. From 64 callers on checkpoints vouch for the lines: a disk makes more of them durable than
//! one core can sign, which is what the rows `…_record` show. `verify`: lines read back, with `mb_per_s`.
//!
//! `authorize_N`: the policy alone, with N entries in its allowlist. `rules_1000`: with 1,000 rules on
//! arguments, of which 3 are for the tool.
//!
//! `reload`: the latencies while 10,000 rules are read and taken again and again on another core;
//! `vs_bare` is the median against that without it, `still_p99_us` the other percentile without it.
//!
//! `otel_1pct` and `otel_all`, with feature `otlp`: `direct` with telemetry to a collector on this machine, of
//! one call in a hundred and of all; what it adds is the difference from `otel_off`, which has none.
//!
//! `ask`: calls that follow each other and are refused with the id of a question; `vs_limit` is against
//! one durable insert of the same bytes. `decide`: from the commit of a decision on another connection
//! to the answer of the call that was held for it. `list_10000`: opening the store and listing 10,000
//! questions. `idle_1000`: `cpu_percent` of one core with 1,000 calls held and 10,000 more questions
//! pending, while nothing happens for three seconds.
#![expect(clippy::print_stdout, reason = "the rows are the program's answer")]

mod approvals;
mod commit;
mod duplex;
mod hops;
mod durable;
mod judge;
mod limit;
mod machine;
mod measure;
#[cfg(feature = "otlp")]
mod otel;
mod reload;
mod rows;
mod sealed;
mod subject;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let limit = limit::per_record()?;
    println!(
        "row=limit calls_per_s={:.0} p50_us=- p99_us=- cpu_us={:.2} vs_bare=- vs_limit=1.00",
        1e6 / limit,
        limit
    );
    for (name, run) in rows::ROWS {
        if wanted.is_empty() || wanted.iter().any(|row| row == name) {
            println!("row={name} {}", run(limit)?);
        }
    }
    Ok(())
}
