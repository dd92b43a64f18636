//! The rows.

use crate::durable::{self, Asked};
use crate::machine::{cpu, now, on_one_core, resident_kib};
use crate::measure::{Load, Paced, Saturated, paced, saturated};
use crate::subject::{Bare, Secured};
use crate::{approvals, duplex, hops, judge, limit, reload, sealed};
use rmcp::ServerHandler;
use sec0::AuditMode::{Blocking, BlockingStrict as Strict};
use sec0::LineSigning::{Checkpoint, Record};
use sec0::mcp::detached_context;
use std::error::Error;
use tokio::runtime::{Builder, Runtime};

pub(crate) type Row = fn(f64) -> Result<String, Box<dyn Error>>;

pub(crate) const ROWS: &[(&str, Row)] = &[
    ("bare", |_| bare(Load { tools: 1, bytes: 64 })),
    ("direct", |limit| direct(Load { tools: 1, bytes: 64 }, 1, limit)),
    ("bare_4k", |_| bare(Load { tools: 1, bytes: 4096 })),
    ("direct_4k", |limit| direct(Load { tools: 1, bytes: 4096 }, 1, limit)),
    ("bare_tools_1", |_| bare(Load { tools: 1, bytes: 64 })),
    ("tools_1", |limit| direct(Load { tools: 1, bytes: 64 }, 1, limit)),
    ("bare_tools_100", |_| bare(Load { tools: 100, bytes: 64 })),
    ("tools_100", |limit| direct(Load { tools: 100, bytes: 64 }, 100, limit)),
    ("bare_tools_10000", |_| bare(Load { tools: 10_000, bytes: 64 })),
    ("tools_10000", |limit| direct(Load { tools: 10_000, bytes: 64 }, 10_000, limit)),
    ("same_of_10000", |limit| direct(Load { tools: 1, bytes: 64 }, 10_000, limit)),
    ("handler", |limit| whole(Load { tools: 1, bytes: 64 }, 1, limit)),
    ("handler_10000", |limit| whole(Load { tools: 10_000, bytes: 64 }, 10_000, limit)),
    ("callers_64", callers),
    ("duplex", |_| duplex::row()),
    ("duplex_plain", |_| duplex::plain()),
    ("rss", rss),
    ("checkpoint", |_| checkpoint()),
    ("blocking_1", |_| durable::row(Asked { callers: 1, mode: Blocking, signing: Record })),
    ("blocking_64", |_| durable::row(Asked { callers: 64, mode: Blocking, signing: Checkpoint })),
    ("blocking_256", |_| durable::row(Asked { callers: 256, mode: Blocking, signing: Checkpoint })),
    ("strict_1", |_| durable::row(Asked { callers: 1, mode: Strict, signing: Record })),
    ("strict_64", |_| durable::row(Asked { callers: 64, mode: Strict, signing: Checkpoint })),
    ("strict_256", |_| durable::row(Asked { callers: 256, mode: Strict, signing: Checkpoint })),
    ("verify", |_| sealed::vouched()),
    ("verify_every_signature", |_| sealed::every_signature()),
    // One core signs fewer lines than one disk makes durable: these show the signer, not the disk.
    ("blocking_64_record", |_| {
        durable::row(Asked { callers: 64, mode: Blocking, signing: Record })
    }),
    ("blocking_256_record", |_| {
        durable::row(Asked { callers: 256, mode: Blocking, signing: Record })
    }),
    ("strict_64_record", |_| durable::row(Asked { callers: 64, mode: Strict, signing: Record })),
    ("strict_256_record", |_| durable::row(Asked { callers: 256, mode: Strict, signing: Record })),
    ("authorize_1", |_| judge::authorize(1)),
    ("authorize_100", |_| judge::authorize(100)),
    ("authorize_10000", |_| judge::authorize(10_000)),
    ("rules_1000", |_| judge::rules(1000)),
    #[cfg(feature = "otlp")]
    ("otel_off", |limit| direct(Load { tools: 1, bytes: 64 }, 1, limit)),
    #[cfg(feature = "otlp")]
    ("otel_1pct", crate::otel::one_percent),
    #[cfg(feature = "otlp")]
    ("otel_all", crate::otel::all),
    ("reload", |_| reload::row()),
    ("hop_plain", |_| hops::plain()),
    ("hop_off", |_| hops::off()),
    ("hop", hops::judged),
    ("ask", |_| approvals::ask()),
    ("decide", |_| approvals::decide()),
    ("list_10000", |_| approvals::list()),
    ("idle_1000", |_| approvals::idle()),
];

/// Calls of a saturated run.
const CALLS: usize = 60_000;

pub(crate) fn current_thread() -> Result<Runtime, Box<dyn Error>> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn bare(load: Load) -> Result<String, Box<dyn Error>> {
    let runtime = current_thread()?;
    runtime.block_on(async {
        let (server, context) = (Bare::with_tools(load.tools), detached_context());
        saturated(&server, &context, load, 2_000, async || Ok(())).await?;
        let paced = paced(&server, &context, load).await?;
        let full = saturated(&server, &context, load, CALLS, async || Ok(())).await?;
        Ok(full.figures(Some(&paced), None))
    })
}

/// `registered` tools of which the layer owns the routes, `load.tools` of them called in turn.
fn direct(load: Load, registered: usize, limit: f64) -> Result<String, Box<dyn Error>> {
    behind(|secured| secured.owned(registered), load, limit)
}

/// The same server as a whole.
fn whole(load: Load, registered: usize, limit: f64) -> Result<String, Box<dyn Error>> {
    behind(|secured| secured.whole(registered), load, limit)
}

fn behind<H: ServerHandler>(
    form: impl Fn(&Secured) -> H + Send + Sync,
    load: Load,
    limit: f64,
) -> Result<String, Box<dyn Error>> {
    behind_one(Secured::new, form, load, limit)
}

/// A layer, made anew for each run.
pub(crate) type Make = fn() -> Result<Secured, Box<dyn Error>>;

/// The same with a layer of another make.
pub(crate) fn behind_one<H: ServerHandler>(
    make: Make,
    form: impl Fn(&Secured) -> H + Send + Sync,
    load: Load,
    limit: f64,
) -> Result<String, Box<dyn Error>> {
    let paced = current_thread()?.block_on(paced_run(make, &form, load))?;
    let full = on_one_core(|| current_thread()?.block_on(full_run(make, &form, load)))??;
    Ok(full.figures(Some(&paced), Some(limit)))
}

async fn paced_run<H: ServerHandler>(
    make: Make,
    form: impl Fn(&Secured) -> H,
    load: Load,
) -> Result<Paced, Box<dyn Error>> {
    let secured = make()?;
    let (server, context) = (form(&secured), detached_context());
    saturated(&server, &context, load, 2_000, async || Ok(())).await?;
    let paced = paced(&server, &context, load).await?;
    secured.layer.try_shutdown().await?;
    Ok(paced)
}

async fn full_run<H: ServerHandler>(
    make: Make,
    form: impl Fn(&Secured) -> H,
    load: Load,
) -> Result<Saturated, Box<dyn Error>> {
    until_written(make()?, form, load).await
}

/// Until the last record is written.
async fn until_written<H: ServerHandler>(
    secured: Secured,
    form: impl Fn(&Secured) -> H,
    load: Load,
) -> Result<Saturated, Box<dyn Error>> {
    let (server, context) = (form(&secured), detached_context());
    let finish = async || Ok(secured.layer.try_shutdown().await?);
    saturated(&server, &context, load, CALLS, finish).await
}

/// Lines without a signature of their own, against a bare loop in turn with it.
fn checkpoint() -> Result<String, Box<dyn Error>> {
    const ROUNDS: usize = 7;
    let load = Load { tools: 1, bytes: 64 };
    let unsigned = || Secured::with(|options| options.line_signing(Checkpoint));
    let (mut ratios, mut runs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let limit = limit::per_unsigned_record()?;
        let run = on_one_core(|| {
            current_thread()?.block_on(until_written(unsigned()?, |secured| secured.owned(1), load))
        })??;
        ratios.push(run.wall / limit);
        runs.push(run);
    }
    ratios.sort_by(f64::total_cmp);
    runs.sort_by(|one, other| one.wall.total_cmp(&other.wall));
    let run = runs.get(ROUNDS / 2).ok_or("no rounds")?;
    let ratio = ratios.get(ROUNDS / 2).ok_or("no rounds")?;
    Ok(run.figures(None, Some(run.wall / ratio)))
}

/// 64 callers on two workers, against one signer.
fn callers(limit: f64) -> Result<String, Box<dyn Error>> {
    const EACH: usize = 2_000;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let secured = Secured::new()?;
    let server = secured.owned(1);
    let load = Load { tools: 1, bytes: 64 };
    let (started, spent) = (now(), cpu());
    runtime.block_on(async {
        let context = detached_context();
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (server, context) = (server.clone(), context.clone());
            callers.spawn(async move {
                for call in 0..EACH {
                    server.call_tool(load.params(call), context.clone()).await?;
                }
                Ok::<_, rmcp::ErrorData>(())
            });
        }
        for done in callers.join_all().await {
            done?;
        }
        Ok::<_, Box<dyn Error>>(secured.layer.try_shutdown().await?)
    })?;
    let full = Saturated::of(64 * EACH, started.elapsed(), cpu().saturating_sub(spent));
    Ok(full.figures(None, Some(limit)))
}

/// A million calls; the memory that is there after the first fifty thousand is not growth.
fn rss(limit: f64) -> Result<String, Box<dyn Error>> {
    current_thread()?.block_on(async {
        let secured = Secured::new()?;
        let (server, context) = (secured.owned(1), detached_context());
        let load = Load { tools: 1, bytes: 64 };
        saturated(&server, &context, load, 50_000, async || Ok(())).await?;
        let before = resident_kib()?;
        let full = saturated(&server, &context, load, 1_000_000, async || Ok(())).await?;
        let grown = resident_kib()?.saturating_sub(before);
        secured.layer.try_shutdown().await?;
        Ok(format!("{} grown_kib={grown}", full.figures(None, Some(limit))))
    })
}
