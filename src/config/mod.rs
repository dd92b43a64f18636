//! `sec0.config.yaml`: what was written, then what is resolved.
//!
//! A file in the standard form (`app`, `controlPlane`) or the flat one (`localDir`) is read with
//! the bounds of policies and held against a closed table of keys; [`Config`] is what it says.
//! [`Config::resolve`] looks for the key and settles each hop: [`Resolved`]. Both are values: two
//! configurations in one process do not see each other.
//!
//! `environment` puts variables in, `schema` has the keys, `said` the messages that the TypeScript
//! original has too, `read` goes through a file and `hop` through its hops.
//!
//! ```
//! # fn main() -> Result<(), sec0::config::ConfigError> {
//! use sec0::config::Config;
//! let config = Config::from_yaml(
//!     "
//! app: {tenant: acme, environment: dev}
//! controlPlane: {sec0Dir: .sec0, localSignerPath: .sec0/keys/ed25519.key}
//! ",
//! )?;
//! assert_eq!(config.tenant(), Some("acme"));
//! # Ok(()) }
//! ```

mod environment;
mod error;
mod hop;
mod key;
mod otel;
mod path;
mod read;
mod reader;
mod resolved;
mod said;
mod schema;
mod section;
mod url;
mod written;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, ConfigProblem};
pub use hop::{
    Automated, Automation, Hop, HopEnforcement, HopError, HopType, PolicyLevel, Strategy,
};
pub use path::WrittenPath;
pub use reader::ConfigReader;
pub use resolved::Resolved;
pub use written::{Config, Environment, Form, WithoutPolicy};
