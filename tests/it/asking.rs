//! What the policy wants to be asked about, from the outside: it does not run while nobody can
//! answer, and the record says what was found.

use crate::drive::{DEMO_POLICY, Era, House, Session, call};
use crate::support::assert_agree;
use crate::transport::layered;
use sec0::mcp::DENIAL_META;
use serde_json::json;

const ASKING: &str = "
security:
  side_effects:
    approve_high_risk: true
    human_escalation: {tools: [{tool: 'mcp://demo/write_file', approval_set_id: prod}]}
approval_sets:
  prod: {members: [{id: ana, public_key: 'ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik='}]}
";

#[tokio::test]
async fn a_call_that_is_asked_about_never_reaches_the_handler() {
    for era in Era::ALL {
        let house = House::new(&format!("{DEMO_POLICY}{ASKING}"));
        let sec0 = house.layer();
        let session = Session::open(era, layered(&sec0)).await;
        let path = house.path("written");
        let arguments = json!({"path": path, "text": "a"});
        let asked = call(&session.client, "write_file", arguments).await.unwrap();
        // No terms are for this one, so it is denied as ever.
        let denied = call(&session.client, "fetch", json!({"url": "https://a.example"})).await;
        session.close().await;
        sec0.try_shutdown().await.unwrap();

        assert!(!path.exists());
        let records = house.records();
        for (result, reason, reasons) in [
            (asked, "approval_required", json!(["tool_not_in_allowlist", "approval_required"])),
            (denied.unwrap(), "tool_not_in_allowlist", json!(["tool_not_in_allowlist"])),
        ] {
            assert_eq!(result.is_error, Some(true), "{result:?}");
            let denial = result.meta.as_ref().unwrap().0[DENIAL_META].clone();
            assert_eq!(
                (&denial["code"], &denial["executed"]),
                (&json!("POLICY_DENIED"), &json!(false))
            );
            assert_eq!((&denial["reason"], &denial["reasons"]), (&json!(reason), &reasons));
            let record = records.iter().find(|record| record["trace_id"] == denial["trace_id"]);
            assert_agree(&denial, record.unwrap());
        }
    }
}
