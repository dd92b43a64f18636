use super::*;
use crate::call::{Op, Reason};
use crate::policy::Mode;

fn hop(text: &str) -> Hop {
    let desk = Desk::new(&with_hops(&format!("A.b: {{{text}}}")));
    desk.resolve().unwrap().hop("A.b").unwrap().clone()
}

#[test]
fn each_type_has_the_target_of_the_original() {
    for (text, server, name, version, tool_ref) in [
        (
            "type: agent, nodeId: n, agentName: a, agentVersion: '2'",
            "sec0-agent",
            "a",
            Some("2"),
            "sec0-agent a@2",
        ),
        (
            "type: orchestrator, nodeId: n, orchestratorName: o, orchestratorVersion: '3'",
            "sec0-orchestrator",
            "o",
            Some("3"),
            "sec0-orchestrator o@3",
        ),
        ("type: server, nodeId: n, server: s", "s", "server", None, "s server"),
        ("type: middleware, nodeId: n, middleware: m, op: o", "m", "o", None, "m o"),
        ("type: tool, nodeId: n, server: s, tool: t@1.0", "s", "t", Some("1.0"), "s t@1.0"),
        ("type: tool, nodeId: n, server: s, tool: t, toolRef: own", "s", "t", None, "own"),
        ("type: skill, nodeId: n, skill: k", "skill", "k", None, "k"),
        ("type: skill, nodeId: n, skill: k, source: hub", "hub", "k", None, "hub k"),
        ("type: skill, nodeId: n, skill: k, skillRef: own", "skill", "k", None, "own"),
    ] {
        let hop = hop(text);
        assert_eq!(
            (&*hop.server, &*hop.name, hop.version.as_deref()),
            (server, name, version),
            "{text}"
        );
        assert_eq!(hop.tool_ref, tool_ref, "{text}");
    }
}

#[test]
fn what_a_hop_does_not_say_comes_from_around() {
    let text = format!(
        "{}orchestrator: {{gatewayBaseUrl: 'https://g'}}\nauth: {{svcToken: tok}}\n",
        STANDARD.replace(
            "dev}",
            "dev, client: {name: c, version: '7'}, hops: {O.run: {type: orchestrator, nodeId: My Node}, \
             G.far: {type: gateway, nodeId: n, gateway: g}, \
             T.own: {type: tool, nodeId: n, server: s, tool: t, authHeader: x}}}",
        )
    );
    let said = refused(&text);
    assert!(said.contains("unknown key `authHeader` in `app.hops[\"T.own\"]`"), "{said}");
    let resolved = Desk::new(&text.replace(", authHeader: x", "")).resolve().unwrap();
    let hop = resolved.hop("O.run").unwrap();
    assert_eq!(hop.tool_ref, "sec0-orchestrator c@7");
    assert_eq!(hop.node_id.as_str(), "my-node");
    assert_eq!(hop.auth_header.as_ref().unwrap().expose(), "Bearer tok");
    assert!(!format!("{resolved:?}").contains("tok,"));
    assert_eq!(resolved.config().gateway_hops().collect::<Vec<_>>(), ["G.far"]);
}

#[test]
fn a_hop_without_enforcement_is_enforced() {
    let usual = hop("type: server, nodeId: n, server: s").enforcement;
    assert!(usual.enabled && usual.deny_on.is_none() && usual.escalate_on.is_none());
    assert_eq!((usual.mode, usual.strategy), (Mode::Enforce, Strategy::DenyOnMatch));
    assert_eq!(usual.policy_level, PolicyLevel::Middleware);
    for spelling in [
        "deny_on: [egress_violation], escalate_on: [], policy_level: gateway",
        "denyOn: [egress_violation], escalateOn: [], policyLevel: gateway",
    ] {
        let said = hop(&format!(
            "type: server, nodeId: n, server: s, operation: read, automation: {{cause: true, auth: false}}, \
             enforcement: {{enabled: false, mode: observe, strategy: deny_on_any, {spelling}}}"
        ));
        let it = said.enforcement;
        assert!(!it.enabled);
        assert_eq!((it.mode, it.strategy), (Mode::Observe, Strategy::DenyOnAny));
        assert_eq!(it.deny_on, Some(vec![Reason::EgressViolation]));
        assert_eq!(it.escalate_on, Some(vec![]));
        assert_eq!(it.policy_level, PolicyLevel::Gateway);
        assert_eq!(said.operation, Some(Op::Read));
        assert!(said.automation.has(Automated::Cause) && !said.automation.has(Automated::Auth));
    }
}

#[test]
fn what_a_hop_may_not_have_is_told_with_its_place() {
    let said = |rest: &str| {
        refused(&with_hops(&format!("A.b: {{type: server, nodeId: n, server: s, {rest}}}")))
    };
    for (rest, wanted) in [
        ("serverr: x", "unknown key `serverr` in `app.hops[\"A.b\"]`; did you mean `server`?"),
        ("operation: wipe", "`app.hops[\"A.b\"].operation` must be one of"),
        ("remoteUrl: 'ftp://x'", "`app.hops[\"A.b\"].remoteUrl` must be a URL such as"),
        ("remoteUrl: 'https://a:b@x'", "without credentials"),
        ("enforcement: {deny_on: [egres_violation]}", "did you mean `egress_violation`?"),
        ("enforcement: {deny_on: [], denyOn: []}", "is another spelling of `deny_on`"),
        ("enforcement: {policy_scope: agent}", "the policy of a control plane is not fetched yet"),
        ("enforcement: {policyNodeId: x}", "the policy of a control plane is not fetched yet"),
        (
            "automation: {cause: 'yes'}",
            "`app.hops[\"A.b\"].automation.cause` must be `true` or `false`",
        ),
    ] {
        let said = said(rest);
        assert!(said.contains(wanted), "{said}");
        assert!(said.starts_with("sec0.config.yaml:1:"), "{said}");
    }
    let said = refused(&with_hops("A.b: {type: 7, nodeId: n}"));
    assert!(said.contains("`app.hops[\"A.b\"].type` must be text, found a number"), "{said}");
    let hop = "{type: server, nodeId: n, server: s}";
    let said = refused(&with_hops(&format!("A.b: {hop}, A.b: {hop}")));
    assert!(said.contains("the key `A.b` in `app.hops` stands here a second time"), "{said}");
    let said = refused(&with_hops(&format!("' ': {hop}")));
    assert!(said.contains("`app.hops` has the name ` `, which is blank"), "{said}");
    let many: Vec<_> = (0..1001).map(|n| format!("h{n}: {hop}")).collect();
    assert!(refused(&with_hops(&many.join(", "))).contains("`app.hops` has more than 1000 hops"));
}

#[test]
fn automation_of_what_calls_nothing_is_a_warning() {
    let agent =
        "A.b: {type: agent, nodeId: n, agentName: a, agentVersion: '1', automation: {cause: true}}";
    let config = none().yaml(&with_hops(agent)).unwrap();
    assert_eq!(config.warnings().len(), 1);
    assert_eq!(config.warnings()[0].path, "app.hops[\"A.b\"].automation");
}
