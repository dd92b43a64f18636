use super::Direction;
use crate::audit::envelope::Site;
use crate::audit::json::Object;
use crate::call::{Facts, Found, Payload};

/// Appends the line of a payload, with its line end: the members of the original in its order, then
/// the digest and the `seq` of the call's own line, which is signed.
pub(in crate::audit) fn write_payload(
    out: &mut Vec<u8>,
    (direction, payload): (Direction, &Payload),
    facts: &Facts,
    site: &Site,
    seq: u64,
) {
    let claimed = &facts.claimed;
    let mut line = Object::open(out);
    line.ts("ts", facts.arrived);
    line.hex("trace_id", &facts.span.trace_id);
    line.hex("span_id", &facts.span.span_id);
    line.text_if("runId", claimed.agent_ref.as_deref());
    line.text("tenant", &site.tenant);
    line.text_if("environment", site.program.env.as_deref());
    let name = facts.server.name();
    let version = facts.server.at_version().strip_prefix(name);
    line.text("client", name);
    line.text_if("clientVersion", version.and_then(|version| version.strip_prefix('@')));
    line.text("direction", direction.as_str());
    line.text_if("nodeId", claimed.node_id.as_deref());
    match &facts.version {
        Some(version) => line.texts("tool", &[&facts.tool, "@", version.as_str()]),
        None => line.text("tool", &facts.tool),
    }
    if payload.is_cut() {
        line.long_text("payload_preview", payload.json());
    } else {
        line.json("payload", payload.json());
    }
    line.flag("payload_truncated", payload.is_cut());
    line.whole("payload_bytes", payload.bytes());
    let mut metadata = line.object("metadata");
    metadata.text("decision", facts.decision.as_str());
    if !facts.reasons.is_empty() {
        metadata.words("risk_tags", facts.reasons.iter().map(Found::as_str));
    }
    metadata.text_if("idempotency_key", claimed.idempotency_key.as_deref());
    metadata.close();
    let keyed = facts.keyed.as_deref();
    let (plain, hmac, names) = match direction {
        Direction::Input => {
            let names = ["input_sha256", "input_hmac_sha256"];
            (facts.input_sha256, keyed.and_then(|keyed| keyed.input), names)
        }
        Direction::Output => {
            let names = ["output_sha256", "output_hmac_sha256"];
            (facts.output_sha256, keyed.and_then(|keyed| keyed.output), names)
        }
    };
    for (name, digest) in names.into_iter().zip([plain, hmac]) {
        if let Some(digest) = &digest {
            line.hex(name, digest);
        }
    }
    line.whole("seq", seq);
    line.close();
    out.push(b'\n');
}
