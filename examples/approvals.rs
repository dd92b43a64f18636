//! A call that needs people: refused with an id, approved by two of them with keys of their own, run
//! once, and the log verified with their votes.
//!
//! `cargo run --example approvals [-- --dir DIR]`
#![expect(clippy::unused_self, reason = "rmcp's macro wants methods")]
#![expect(clippy::print_stdout, reason = "the story is the program's answer")]

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, Implementation, MetaObject, RequestMetaObject};
use rmcp::model::{ServerCapabilities, ServerConfig, object};
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use sec0::approval::{Choice, Evidence, Statement, Vote, Voted};
use sec0::audit::Verifier;
use sec0::clock::System;
use sec0::sign::key_file;
use sec0::store::sqlite::{ApprovalDesk, Listed};
use sec0::{LocalDevSigner, Policy, Sec0Options, Sec0SecurityLayer, Signer as _, ToolRouterExt};
use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};

type Client = RunningService<RoleClient, ()>;

/// Deploying to production takes two people, one of `security` and one of `release`.
fn policy(ana: &LocalDevSigner, bo: &LocalDevSigner) -> String {
    let (ana, bo) = (ana.public_key(), bo.public_key());
    format!(
        "tenant: acme
default_retention: 30d
signing: {{enabled: true}}                    # the key is made in the audit directory
tools: {{allowlist: ['mcp://shop/deploy@1.0']}}
enforcement: {{mode: enforce}}
rules:
  - {{id: prod-needs-two, tool: 'mcp://shop/deploy', pointer: /to, op: eq, value: production,
     effect: ask, reason: deploys_to_production}}
security:
  side_effects:
    human_escalation:
      approval_strategy: human_quorum
      min_approvals: 2
      required_roles: [security, release]
      approval_set_id: prod
approval_sets:
  prod:
    members:
      - {{id: ana, roles: [security], public_key: '{ana}'}}
      - {{id: bo, roles: [release], public_key: '{bo}'}}
"
    )
}

struct Shop;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Deploy {
    version: String,
    to: String,
}

#[tool_router]
impl Shop {
    #[tool(description = "Deploys the shop", meta = MetaObject(object(json!({ "sec0/version": "1.0" }))))]
    fn deploy(&self, Parameters(Deploy { version, to }): Parameters<Deploy>) -> String {
        format!("{version} runs in {to}")
    }
}

#[tool_handler]
impl ServerHandler for Shop {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("shop", "1.0.0"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let dir = dir_asked_for()?.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir)?;
    let audit = dir.join("audit");
    let (ana, bo) = (approver(&dir, "ana")?, approver(&dir, "bo")?);
    let options = Sec0Options::new(Policy::from_yaml(&policy(&ana, &bo))?).audit_dir(&audit);
    let sec0 = Sec0SecurityLayer::try_new(options)?;
    let (at_server, at_client) = tokio::io::duplex(1 << 16);
    let shop = Shop::tool_router().serving(Shop).layer(sec0.clone());
    let (server, client) = tokio::join!(shop.serve(at_server), ().serve(at_client));
    let (server, client) = (server?, client?);

    println!("1. An agent deploys version 7 to production.");
    let id = ask(&client, "7", None).await?.ok_or("nobody was asked")?;

    println!("\n2. Two people decide. In another terminal they would type:");
    for command in ["list".to_owned(), format!("show {id}")] {
        println!("   sec0 approvals {command} --dir {}", audit.display());
    }
    for name in ["ana", "bo"] {
        let file = dir.join(format!("{name}.key"));
        let what = format!("approve {id} --key {} --as {name}", file.display());
        println!("   sec0 approvals {what} --dir {}", audit.display());
    }
    for (name, key) in [("ana", &ana), ("bo", &bo)] {
        approve(&audit, &id, name, key)?;
    }

    println!("\n3. The agent presents the id as its token, with version 8 in place of 7.");
    ask(&client, "8", Some(&id)).await?;
    println!("\n4. It presents the token with the call that was approved.");
    ask(&client, "7", Some(&id)).await?;
    println!("\n5. It tries the token a second time.");
    ask(&client, "7", Some(&id)).await?;

    client.cancel().await?;
    server.waiting().await?;
    sec0.try_shutdown().await?;
    verify(&audit, &id)
}

/// Deploys, and prints what comes back: the text of the tool, or the refusal. Gives the id of the
/// escalation, if there is one.
async fn ask(
    client: &Client,
    version: &str,
    token: Option<&str>,
) -> Result<Option<String>, Box<dyn Error>> {
    let arguments = object(json!({ "version": version, "to": "production" }));
    let mut params = CallToolRequestParams::new("deploy").with_arguments(arguments);
    if let Some(token) = token {
        let meta = object(json!({ "sec0/approvalToken": token }));
        params.meta = Some(RequestMetaObject(MetaObject(meta)));
    }
    let result = client.call_tool(params).await?;
    let denial = result.meta.as_ref().and_then(|meta| meta.0.get("sec0/denial"));
    let Some(denial) = denial else {
        let text = result.content.first().and_then(|block| block.as_text());
        println!("   ok: {}", text.map_or("", |text| &text.text));
        return Ok(None);
    };
    let word = |name: &str| denial[name].as_str().map(str::to_owned);
    let said = ["code", "reason", "escalation_id", "escalation_status"];
    let said = said.into_iter().filter_map(|name| Some(format!("{name}={}", word(name)?)));
    println!("   refused: {}", said.collect::<Vec<_>>().join(" "));
    Ok(word("escalation_id"))
}

/// A person's key, which is theirs alone: `sec0 keygen --out NAME.key` makes one.
fn approver(dir: &Path, name: &str) -> Result<LocalDevSigner, Box<dyn Error>> {
    let file = dir.join(format!("{name}.key"));
    if !file.exists() {
        key_file::generate(&file)?;
    }
    Ok(LocalDevSigner::from_file(&file)?)
}

/// What `sec0 approvals approve` does: signs a statement over the escalation, and gives it to the
/// store. The server believes the signature, not the store.
fn approve(audit: &Path, id: &str, name: &str, key: &LocalDevSigner) -> Result<(), Box<dyn Error>> {
    let desk = ApprovalDesk::open(audit)?;
    let Listed { kept, .. } = desk.show(id.parse()?)?.ok_or("the escalation is not there")?;
    let now = System::shared().wall();
    let statement = Statement::new(&kept.escalation, name, Choice::Approve, now, "");
    let vote = Vote::new(&statement, "", key.sign_now(&statement.bytes()?))?;
    match desk.vote(vote, now)? {
        Voted::Counted(kept) => println!("   {name} approves: {}", kept.status()),
        Voted::Not(why) => return Err(format!("{name}: {why}").into()),
        Voted::NotFound => return Err("the escalation is no longer there".into()),
    }
    Ok(())
}

/// Checks the log, the votes in it and what follows from them, with the log and the public key alone.
fn verify(audit: &Path, id: &str) -> Result<(), Box<dyn Error>> {
    let key = key_file::read_public(&audit.join("keys/ed25519.pub"))?;
    let verifier = Verifier::new(&[key])?.approvals(Evidence::check);
    let totals = verifier.verify_dir(audit)?;
    let (records, events) = (totals.records, totals.events);
    println!(
        "\n6. {} holds, votes included: {records} calls, {events} other lines.",
        audit.display()
    );
    let mut days: Vec<_> = std::fs::read_dir(audit)?
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().is_ok_and(|path| path.extension() == Some("ndjson".as_ref())))
        .collect::<Result<_, _>>()?;
    days.sort();
    let mut log = Vec::new();
    for day in days {
        for line in std::fs::read_to_string(day)?.lines() {
            log.push(serde_json::from_str::<Value>(line)?);
        }
    }
    for line in log.iter().skip_while(|line| line["escalation_id"] != id) {
        println!("   {}", told(line));
    }
    Ok(())
}

/// What one line of the log says, in short.
fn told(line: &Value) -> String {
    let (what, members): (_, &[&str]) = match line["event"].as_str() {
        Some("approval_created") => ("created", &["/escalation/rules", "/escalation/severity"]),
        Some("approval_vote") => ("vote", &["/cast/vote/approver", "/cast/vote/decision"]),
        Some("approval_decided") => {
            ("decided", &["/decision/status", "/decision/finalization_reason"])
        }
        Some(other) => (other, &[]),
        None => ("call", &["/status", "/decision_reason", "/escalation_status"]),
    };
    let said = members.iter().filter_map(|member| line.pointer(member));
    let said: Vec<_> = said.map(|said| said.to_string().replace('"', "")).collect();
    format!("{what:<8} {}", said.join(" "))
}

fn dir_asked_for() -> Result<Option<PathBuf>, Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next()) {
        (None, _) => Ok(None),
        (Some("--dir"), Some(dir)) => Ok(Some(dir.into())),
        _ => Err("usage: approvals [--dir DIR]".into()),
    }
}
