use super::check::Check;
use super::place::writable;
use sec0::Policy;
use sec0::config::{Config, WrittenPath};
use std::path::Path;

const READ: &str = "config.read";
const KEY: &str = "config.key";
const POLICY: &str = "config.policy";
const SEC0_DIR: &str = "config.sec0_dir";
const APPENDER_DIR: &str = "config.appender_dir";
const HOPS: &str = "config.hops";
/// All that need a configuration that could be read.
const BEHIND: [&str; 5] = [KEY, POLICY, SEC0_DIR, APPENDER_DIR, HOPS];

/// The checks of a configuration.
pub(super) fn checks(file: Option<&Path>) -> Vec<Check> {
    let Some(file) = file else {
        let without = |id| Check::without_input(id, "", "no `--config FILE` was given");
        return [READ].into_iter().chain(BEHIND).map(without).collect();
    };
    match Config::from_file(file) {
        Ok(config) => of(&config),
        Err(error) => {
            let name = file.display().to_string();
            let problems = error.problems().iter();
            let failed = problems.map(|problem| Check::problem(READ, &name, problem, true));
            let cause = "the configuration cannot be used";
            let behind = BEHIND.into_iter().map(|id| Check::without_input(id, &name, cause));
            failed.chain(behind).collect()
        }
    }
}

fn of(config: &Config) -> Vec<Check> {
    let file = config.file();
    let mut checks = vec![Check::pass(READ, file)];
    let warnings = config.warnings().iter();
    checks.extend(warnings.map(|warning| Check::problem(READ, file, warning, false)));
    let key = config.signer_path().shown();
    checks.push(match config.signer() {
        Ok(_) => Check::pass(KEY, key),
        Err(problem) => Check::fail(KEY, key, problem.message, problem.fix),
    });
    policy(config, &mut checks);
    checks.push(directory(SEC0_DIR, config.sec0_dir()));
    checks.push(match config.appender_dir() {
        Some(path) => directory(APPENDER_DIR, path),
        None => Check::without_input(APPENDER_DIR, file, "none is named"),
    });
    hops(config, &mut checks);
    checks
}

fn policy(config: &Config, checks: &mut Vec<Check>) {
    let Some(path) = config.policy() else {
        let check = Check::without_input(POLICY, config.file(), "`app.policy` names no file");
        checks.push(check);
        return;
    };
    match Policy::from_file(path.path()) {
        Ok(policy) => {
            checks.push(Check::pass(POLICY, path.shown()));
            if config.tenant().is_some_and(|tenant| tenant != policy.tenant()) {
                let cause = "its `tenant` is not the `app.tenant` of the configuration".to_owned();
                let fix = "write the same in both".to_owned();
                checks.push(Check::warn(POLICY, path.shown(), cause, fix));
            }
        }
        Err(error) => {
            for problem in error.problems() {
                let (line, column) = (problem.line, problem.column);
                let place = if line > 0 { format!("{line}:{column}: ") } else { String::new() };
                let (message, fix) =
                    problem.message.split_once("; ").unwrap_or((&problem.message, ""));
                let cause = format!("{place}{message}");
                checks.push(Check::fail(POLICY, path.shown(), cause, fix.to_owned()));
            }
        }
    }
}

fn directory(id: &'static str, path: &WrittenPath) -> Check {
    match writable(path.path()) {
        Ok(()) => Check::pass(id, path.shown()),
        Err((cause, fix)) => Check::fail(id, path.shown(), cause, fix),
    }
}

fn hops(config: &Config, checks: &mut Vec<Check>) {
    let file = config.file();
    let problems = config.hop_problems();
    checks.extend(problems.iter().map(|problem| Check::problem(HOPS, file, problem, true)));
    let keys: Vec<_> = config.hop_keys().collect();
    if keys.is_empty() {
        checks.push(Check::without_input(HOPS, file, "`app.hops` names none"));
    } else if problems.is_empty() {
        checks.push(Check::pass(HOPS, format!("{file}: {}", keys.join(", "))));
    }
    for key in config.gateway_hops() {
        let cause = format!("the hop `{key}` calls through the gateway, which is not built yet");
        let fix = "call the server itself in a hop of the type `tool`".to_owned();
        checks.push(Check::fail(HOPS, file, cause, fix));
    }
}
