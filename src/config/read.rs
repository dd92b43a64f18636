use super::environment::{Lookup, Written, expand};
use super::error::ConfigProblem;
use super::hop::{self, Around};
use super::key::key_dirs;
use super::otel;
use super::path::WrittenPath;
use super::said::{Said, quoted};
use super::schema::{FLAT, STANDARD};
use super::section::Sight;
use super::written::{Config, Environment, Form, WithoutPolicy};
use crate::policy::reading::{Kind, Node, Place, check_as, parse};
use std::path::Path;

/// A text to read, and what belongs to it.
pub(super) struct Source<'s> {
    pub(super) name: &'s str,
    /// The name with the whole path.
    pub(super) full: &'s str,
    pub(super) base: &'s Path,
    pub(super) form: Option<Form>,
    pub(super) lookup: &'s Lookup<'s>,
}

/// Where the URL of the control plane is looked for, when the file does not say it.
const URL_VARIABLE: &str = "SEC0_CONTROL_PLANE_URL";
/// And then here.
const URL_VARIABLES_OF_ALL: [&str; 2] = ["CONTROL_PLANE_URL", "API_BASE_URL"];
const DEFAULT_URL: &str = "https://api.sec0.ai";

pub(super) fn read(text: &str, source: &Source<'_>) -> Result<Config, Vec<ConfigProblem>> {
    let mut root = parse(text).map_err(|problem| vec![problem.into()])?;
    if !matches!(root.kind, Kind::Map(_)) {
        return Err(vec![ConfigProblem::said(Place::START, "", &Said::NoObject(source.full))]);
    }
    let (written, unset) = expand(&mut root, source.lookup);
    if !unset.is_empty() {
        return Err(unset);
    }
    let hops = hop::take(&mut root);
    let form = source.form.unwrap_or_else(|| form_of(&root));
    let mut reading = Reading { source, form, problems: Vec::new(), warnings: Vec::new() };
    let config = reading.config(Sight::of(&root, Place::START, &written), &hops);
    let document = match form {
        Form::Standard => &STANDARD,
        Form::Flat => &FLAT,
    };
    reading.add_those_of_the_table(check_as(&root, document).err().unwrap_or_default(), &written);
    match config {
        Some(mut config) if reading.problems.is_empty() => {
            config.warnings = reading.warnings;
            Ok(config)
        }
        Some(_) | None => Err(reading.problems),
    }
}

/// The standard form where one of its sections shows it, else the flat one.
fn form_of(root: &Node) -> Form {
    let has = |names: &[&str]| names.iter().any(|name| root.get(name).is_some());
    let is_flat = has(&["localDir", "localSignerPath", "appender", "appenderDir"]);
    if has(&["controlPlane"]) || (has(&["app", "auth", "orchestrator"]) && !is_flat) {
        Form::Standard
    } else {
        Form::Flat
    }
}

struct Reading<'s> {
    source: &'s Source<'s>,
    form: Form,
    problems: Vec<ConfigProblem>,
    warnings: Vec<ConfigProblem>,
}

impl Reading<'_> {
    fn config(&mut self, root: Sight<'_>, hops: &[(Node, Node)]) -> Option<Config> {
        let app = root.section("app");
        let client = app.section("client");
        let (client_name, client_version) = (
            client.owned("name").or_else(|| app.owned("clientName")),
            client.owned("version").or_else(|| app.owned("clientVersion")),
        );
        if client.is_there() && client_version.is_none() {
            let fix = "write it, or leave `client` out".to_owned();
            self.warn(client.place, "app.client", "has no `version`, and records have none", fix);
        }
        let tenant = self.tenant(root, app);
        let environment = self.environment(app);
        let around = Around {
            tenant: tenant.as_deref(),
            client: client_name.as_deref().zip(client_version.as_deref()),
            gateway: root.section("orchestrator").text("gatewayBaseUrl"),
            token: root.section("auth").text("svcToken"),
            written: root.written,
        };
        let otel = otel::read(root, &mut self.problems);
        let hops = hop::read(hops, &around, (&mut self.problems, &mut self.warnings));
        let (sec0_dir, signer_path) = self.places(root)?;
        Some(Config {
            file: self.source.name.to_owned(),
            form: self.form,
            appender_dir: self.appender_dir(root),
            policy: app.path("policy", self.source.base),
            without_policy: self.without_policy(app),
            control_plane_url: self.control_plane_url(root)?,
            api_key: self.api_key(root),
            key_dirs: match key_dirs(self.source.lookup, self.source.base) {
                Ok(dirs) => dirs,
                Err(problem) => {
                    self.problems.push(problem);
                    return None;
                }
            },
            warnings: Vec::new(),
            otel,
            tenant,
            environment,
            client_name,
            client_version,
            sec0_dir,
            signer_path,
            hops,
        })
    }

    fn tenant(&mut self, root: Sight<'_>, app: Sight<'_>) -> Option<String> {
        match self.form {
            Form::Flat => root.owned("tenant").or_else(|| app.owned("tenant")),
            Form::Standard if !app.is_there() => {
                self.problems.push(ConfigProblem::said(app.place, "app", &Said::App));
                None
            }
            Form::Standard => {
                self.problems.extend(app.missing("tenant", "app.tenant", &Said::Tenant));
                app.owned("tenant")
            }
        }
    }

    fn environment(&mut self, app: Sight<'_>) -> Option<Environment> {
        const PATH: &str = "app.environment";
        let Some(text) = app.text("environment") else {
            // Without `app` that is what is told, and the flat form has none where it says none.
            let is_said = app.is_there()
                && (self.form == Form::Standard || app.node("environment").is_some());
            if is_said {
                self.problems.extend(app.missing("environment", PATH, &Said::EnvironmentMissing));
            }
            return None;
        };
        let found = Environment::from_name(text);
        if let (None, Some(node)) = (found, app.node("environment")) {
            let shown = quoted(text, app.written.at(node));
            let said = Said::EnvironmentInvalid(&shown);
            self.problems.push(ConfigProblem::said(node.place, PATH, &said));
        }
        found
    }

    /// The directory of the log and the file with the key.
    fn places(&mut self, root: Sight<'_>) -> Option<(WrittenPath, WrittenPath)> {
        let plane = root.section("controlPlane");
        let [(section, dir, dir_path, no_dir), (_, key, key_path, no_key)] = match self.form {
            Form::Standard => [
                (plane, "sec0Dir", "controlPlane.sec0Dir", Said::Sec0Dir),
                (
                    plane,
                    "localSignerPath",
                    "controlPlane.localSignerPath",
                    Said::StandardSignerPath,
                ),
            ],
            Form::Flat => [
                (root, "localDir", "localDir", Said::LocalDir),
                (root, "localSignerPath", "localSignerPath", Said::LocalSignerPath),
            ],
        };
        self.problems.extend(section.missing(dir, dir_path, &no_dir));
        self.problems.extend(section.missing(key, key_path, &no_key));
        let base = self.source.base;
        section.path(dir, base).zip(section.path(key, base))
    }

    fn appender_dir(&mut self, root: Sight<'_>) -> Option<WrittenPath> {
        let base = self.source.base;
        match self.form {
            Form::Standard => root.section("controlPlane").path("appenderDir", base),
            Form::Flat => {
                let (long, short) = (root.section("appender"), root.node("appenderDir"));
                if let (Some(_), Some(short)) = (long.node("dir"), short) {
                    let message = "`appenderDir` is another spelling of `appender.dir`, which is set \
                                   too";
                    let (message, fix) = (message.to_owned(), "keep one".to_owned());
                    let problem = ConfigProblem::new(short.place, "appenderDir", message, fix);
                    self.problems.push(problem);
                }
                long.path("dir", base).or_else(|| root.path("appenderDir", base))
            }
        }
    }

    fn without_policy(&mut self, app: Sight<'_>) -> Option<WithoutPolicy> {
        let node = app.node("without_policy")?;
        if app.text("policy").is_some() {
            let fix = "leave it out, or leave `app.policy` out".to_owned();
            let what = "has no effect, as `app.policy` names a policy";
            self.warn(node.place, "app.without_policy", what, fix);
        }
        match node.text()? {
            "refuse" => Some(WithoutPolicy::Refuse),
            "allow" => Some(WithoutPolicy::Allow),
            _ => None,
        }
    }

    fn api_key(&mut self, root: Sight<'_>) -> Option<crate::secret::Secret<String>> {
        let (section, name, path) = match self.form {
            Form::Standard => (root.section("auth"), "sec0ApiKey", "auth.sec0ApiKey"),
            Form::Flat => (root, "apiKey", "apiKey"),
        };
        if let Some(node) = section.node(name) {
            let what = "is not used: what talks to a control plane is not built yet";
            self.warn(node.place, path, what, "leave it out".to_owned());
        }
        section.secret(name)
    }

    fn control_plane_url(&mut self, root: Sight<'_>) -> Option<String> {
        let (section, name, path) = match self.form {
            Form::Standard => {
                (root.section("controlPlane"), "apiBaseUrl", "controlPlane.apiBaseUrl")
            }
            Form::Flat => (root, "controlPlaneUrl", "controlPlaneUrl"),
        };
        if let Some(node) = section.node(name).filter(|_| section.text(name).is_some()) {
            return self.checked_url(&section.owned(name)?, path, node.place);
        }
        let variable = |name: &str| {
            let value = (self.source.lookup)(name)?.into_string().ok()?;
            Some(value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        if let Some(url) = variable(URL_VARIABLE) {
            return self.checked_url(&url, URL_VARIABLE, Place::WHOLE);
        }
        // Names that others use, too: what is no URL is not meant for us.
        let others = URL_VARIABLES_OF_ALL.iter().filter_map(|name| variable(name));
        let url = others.into_iter().find(|url| super::url::web(url).is_ok());
        Some(trimmed(&url.unwrap_or_else(|| DEFAULT_URL.to_owned())))
    }

    fn checked_url(&mut self, url: &str, path: &str, place: Place) -> Option<String> {
        let url = trimmed(url);
        if url.is_empty() {
            let problem = ConfigProblem::said(place, path, &Said::ControlPlaneUrl);
            self.problems.push(problem);
            return None;
        }
        if let Err(wanted) = super::url::web(&url) {
            let message = format!("`{path}` {wanted}");
            self.problems.push(ConfigProblem::new(place, path, message, String::new()));
            return None;
        }
        Some(url)
    }

    /// What the table finds, but for what has been told in the words of the original.
    fn add_those_of_the_table(&mut self, found: Vec<crate::policy::Problem>, written: &Written) {
        let found = found.into_iter().map(|problem| written.veil(problem.into()));
        let told = |problem: &ConfigProblem| {
            self.problems.iter().any(|other| {
                other.path == problem.path
                    && (other.line, other.column) == (problem.line, problem.column)
            })
        };
        let new: Vec<_> = found.filter(|problem| !told(problem)).collect();
        self.problems.extend(new);
    }

    fn warn(&mut self, place: Place, path: &str, what: &str, fix: String) {
        self.warnings.push(ConfigProblem::new(place, path, format!("`{path}` {what}"), fix));
    }
}

/// Without the slashes at the end.
fn trimmed(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}
