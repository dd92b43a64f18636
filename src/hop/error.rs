use crate::config::ConfigError;
use crate::policy::PolicyError;
use crate::stack::StartError;

/// Why an app cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The configuration is none, or lacks something. Texts that start with `[sec0]` are those of
    /// the TypeScript original.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policy is none.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The log or the approvals cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The policy and the configuration are for two tenants.
    #[error(
        "`app.tenant` is `{app}` and the policy `{file}` is for the tenant `{policy}`; records have \
         one tenant: write the same in both"
    )]
    OtherTenant {
        /// The configuration's.
        app: String,
        /// The policy's.
        policy: String,
        /// The policy file.
        file: String,
    },
}
