//! A run over three processes, each with a log of its own, is one tree.

use super::support::{OPEN, Place};
use crate::drive::{Era, PATIENCE, ended, example};
use rmcp::model::{CallToolRequestParams, MetaObject, RequestMetaObject, object};
use sec0::Refusal;
use sec0::audit::{RunLink, RunTree};
use sec0::config::ConfigReader;
use sec0::hop::{AppOptions, HopContext, Sec0App};
use serde_json::json;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Tells a process that this test starts where it works.
const WORKS_IN: &str = "SEC0_TEST_HOPS_IN";
/// What the process before says of the run.
const HEADERS: &str = "SEC0_TEST_HOPS_HEADERS";

#[tokio::test]
async fn a_run_over_three_processes_is_one_tree_with_no_cause_missing() {
    let (desk, agent) = (Place::shop(OPEN), Place::shop(OPEN));
    let app = desk.app();
    let run = app.run().id("run-of-three").unwrap();
    let agent_dir = agent.dir.path();
    let body = |hop: HopContext| async move {
        hop.objective("one sum").unwrap();
        let headers: HashMap<_, _> = hop.headers().unwrap().into_iter().collect();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hops::processes::the_agent_s_process", "--nocapture"])
            .env(WORKS_IN, agent_dir)
            .env(HEADERS, serde_json::to_string(&headers).unwrap())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(2 * PATIENCE, process).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        Ok::<_, Refusal>(())
    };
    run.scope(app.hop("Desk.serve").unwrap().run((), body)).await.unwrap();
    app.try_shutdown().await.unwrap();
    let dirs = [desk.log(), agent.log(), server_log(agent_dir)];
    let tree = RunTree::read(&dirs, "run-of-three", &[]).unwrap();
    let drawn: Vec<_> = tree
        .nodes
        .iter()
        .map(|node| {
            (
                node.depth,
                node.record.name(),
                node.record.place.file.starts_with(dirs[node.depth].to_str().unwrap()),
            )
        })
        .collect();
    assert_eq!(
        drawn,
        [(0, "Desk.serve", true), (1, "OrderAgent.run", true), (2, "demo@1.0.0 add@1.0", true)]
    );
    assert_eq!((tree.unlinked(), tree.unread), (0, 0));
    // Each is needed: what followed from a process whose log is not given is told as such.
    let tree = RunTree::read(&[dirs[0].clone(), dirs[2].clone()], "run-of-three", &[]).unwrap();
    let links: Vec<_> = tree.nodes.iter().map(|node| &node.link).collect();
    assert_eq!(links, [&RunLink::First, &RunLink::Unlinked]);
}

/// Nothing of its own: the second process of the test above.
#[tokio::test]
async fn the_agent_s_process() {
    let Some(place) = std::env::var_os(WORKS_IN).map(PathBuf::from) else { return };
    let headers: HashMap<String, String> =
        serde_json::from_str(std::env::var_os(HEADERS).unwrap().to_str().unwrap()).unwrap();
    let file = place.join("sec0.config.yaml");
    let config = ConfigReader::new().variables(|_| None).file(file).unwrap();
    let app = Sec0App::init(AppOptions::new(config)).unwrap();
    let named = |name: &str| headers.get(name).map(String::as_str);
    let agent = app.hop("OrderAgent.run").unwrap();
    let done: Result<(), Trouble> =
        app.run().from_headers(named).scope(agent.run((), |hop| add(place, hop))).await;
    done.unwrap();
    app.try_shutdown().await.unwrap();
}

/// Calls a tool of a third process.
async fn add(place: PathBuf, hop: HopContext) -> Result<(), Trouble> {
    let mut server = example("server_stdio");
    let policy = place.join("policy.yaml");
    server.arg("--policy").arg(policy).arg("--dir").arg(server_log(&place));
    let mut child = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let pipes = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let client = Era::Sessions.connect((), pipes).await;
    let arguments = object(json!({"a": 2, "b": 3}));
    let mut params = CallToolRequestParams::new("add").with_arguments(arguments);
    params.meta = Some(RequestMetaObject(MetaObject(hop.meta()?)));
    let result = client.call_tool(params).await?;
    assert_eq!(result.structured_content, Some(json!({"sum": 5.0})));
    client.cancel().await?;
    assert!(ended(&mut child).await.success());
    Ok(())
}

fn server_log(place: &Path) -> PathBuf {
    place.join("server")
}
