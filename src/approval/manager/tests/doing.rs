use super::*;

fn asked(violation: &str) -> Create {
    Create { violation: violation.into(), ..Create::default() }
}

#[tokio::test(start_paused = true)]
async fn fails_to_open_with_the_texts_of_the_contract() {
    let without = EscalationManager::new(ManagerOptions::default());
    let error = without.create(asked("rule_denied")).await.unwrap_err();
    let class = "Sec0EscalationCreateError";
    let text = "Escalation reporter is not configured";
    assert_eq!(parts(&error), (class, text.to_owned(), None));

    let no_id = "Escalation reporter did not return an escalation id";
    let failed = "Escalation create failed";
    let late = "the backend of approvals did not answer within 8000 ms";
    for (violation, act, text, cause) in [
        (" ", Act::Says("pending"), "Escalation violation is required", None),
        ("rule_denied", Act::Nothing, no_id, None),
        ("rule_denied", Act::Says(" "), no_id, None),
        ("rule_denied", Act::Fails("503"), failed, Some("503")),
        ("rule_denied", Act::Panics, failed, Some("the backend of approvals panicked")),
        ("rule_denied", Act::Hangs, failed, Some(late)),
    ] {
        let (options, told) = options(&Backend::of([act.clone()]));
        let error = EscalationManager::new(options).create(asked(violation)).await.unwrap_err();
        assert_eq!(parts(&error), (class, text.to_owned(), cause.map(str::to_owned)), "{act:?}");
        assert_eq!(*told.lock(), [format!("failed {text}")]);
    }
}

#[tokio::test]
async fn opens_for_the_tenant_and_says_so_to_the_hook() {
    let backend = Backend::of([Act::Says("pending")]);
    let (options, told) = options(&backend);
    let defaults = Create { node_id: Some("node-a".into()), ..Create::default() };
    let manager = EscalationManager::new(options.tenant("acme").defaults(defaults));
    let created = manager.create(asked("rule_denied")).await.unwrap();
    assert_eq!((&*created.id, &*created.status), ("for rule_denied", "pending"));
    assert_eq!(*told.lock(), ["created for rule_denied"]);
    let theirs = Create { tenant: Some("other".into()), ..asked("x") };
    manager.create(theirs).await.unwrap();
    let created = backend.created.lock();
    assert_eq!(created[0].tenant.as_deref(), Some("acme"));
    assert_eq!(created[0].node_id.as_deref(), Some("node-a"));
    assert_eq!(created[1].tenant.as_deref(), Some("other"));
}

#[tokio::test(start_paused = true)]
async fn fails_to_read_with_the_texts_of_the_contract() {
    let class = "Sec0EscalationGetError";
    let without = EscalationManager::new(ManagerOptions::default());
    for (id, text) in
        [("  ", "Escalation id is required"), ("a", "Escalation resolver is not configured")]
    {
        let error = without.get(id, None).await.unwrap_err();
        assert_eq!(parts(&error), (class, text.to_owned(), None));
    }
    let late = "the backend of approvals did not answer within 8000 ms";
    for (act, cause) in [
        (Act::Fails("503"), "503"),
        (Act::Panics, "the backend of approvals panicked"),
        (Act::Hangs, late),
    ] {
        let (options, told) = options(&Backend::of([act]));
        let error = EscalationManager::new(options).get("a", None).await.unwrap_err();
        let text = "Escalation get failed";
        assert_eq!(parts(&error), (class, text.to_owned(), Some(cause.to_owned())));
        assert_eq!(*told.lock(), [format!("failed {text}")]);
    }
}

#[tokio::test]
async fn reads_for_the_tenant() {
    let backend = Backend::of([Act::Says("pending"), Act::Nothing]);
    let manager = EscalationManager::new(options(&backend).0.tenant("acme"));
    assert_eq!(&*manager.get(" a ", None).await.unwrap().unwrap().id, "a");
    assert_eq!(manager.get("a", Some("other")).await.unwrap(), None);
    let reads = backend.reads.lock();
    assert_eq!(reads[0].1.as_deref(), Some("acme"));
    assert_eq!(reads[1].1.as_deref(), Some("other"));
}

/// It can be read only.
struct Reads;

impl EscalationResolver for Reads {
    fn get<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> BackendAnswer<'a, Option<Details>> {
        Box::pin(async { Ok(None) })
    }
}

#[tokio::test]
async fn fails_to_decide_with_the_texts_of_the_contract() {
    let class = "Sec0EscalationResolveError";
    let cannot = "Escalation resolver.resolve is not configured";
    let without = EscalationManager::new(ManagerOptions::default());
    let only_reads = ManagerOptions::default().resolver(Arc::new(Reads));
    let only_reads = EscalationManager::new(only_reads);
    for (manager, id, text) in [
        (&without, "", "Escalation id is required"),
        (&without, "a", cannot),
        (&only_reads, "a", cannot),
    ] {
        let error = manager.resolve(decision(id)).await.unwrap_err();
        assert_eq!(parts(&error), (class, text.to_owned(), None));
    }
    let (options, told) = options(&Backend::of([Act::Fails("409")]));
    let error = EscalationManager::new(options).resolve(decision("a")).await.unwrap_err();
    let text = "Escalation resolve failed";
    assert_eq!(parts(&error), (class, text.to_owned(), Some("409".to_owned())));
    assert_eq!(*told.lock(), [format!("failed {text}")]);
}

#[tokio::test]
async fn hands_a_decision_on_whole() {
    let backend = Backend::of([Act::Says("approved")]);
    let manager = EscalationManager::new(options(&backend).0.tenant("acme"));
    let decided = manager.resolve(decision(" a ")).await.unwrap().unwrap();
    assert_eq!(&*decided.status, "approved");
    let whole = Resolve { tenant: Some("acme".into()), ..decision("a") };
    assert_eq!(*backend.decided.lock(), [whole]);
}

#[tokio::test]
async fn opens_and_waits_for_the_same_tenant() {
    let backend = Backend::of([Act::Says("pending"), Act::Says("rejected")]);
    let (options, told) = options(&backend);
    let manager = EscalationManager::new(options);
    let create = Create { tenant: Some("acme".into()), ..asked("rule_denied") };
    let resolution = manager.create_and_wait(create, WaitOptions::default()).await.unwrap();
    assert_eq!(&*resolution.escalation_id, "for rule_denied");
    assert_eq!(resolution.status, ResolutionStatus::Rejected);
    assert_eq!(backend.reads.lock()[0].1.as_deref(), Some("acme"));
    assert_eq!(*told.lock(), ["created for rule_denied", "resolved rejected"]);
}

#[tokio::test]
async fn a_hook_that_panics_changes_nothing() {
    let backend = Backend::of([Act::Says("pending"), Act::Says("approved"), Act::Fails("503")]);
    let options = options(&backend).0;
    let options = options.on_created(|_| panic!("a hook")).on_resolved(|_| panic!("a hook"));
    let manager = EscalationManager::new(options.on_error(|_| panic!("a hook")));
    let waited = manager.create_and_wait(asked("x"), WaitOptions::default()).await.unwrap();
    assert_eq!(waited.status, ResolutionStatus::Approved);
    let error = manager.get("a", None).await.unwrap_err();
    assert_eq!(error.to_string(), "Escalation get failed");
}
