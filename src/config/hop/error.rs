use super::kind::HopType;

/// Why there is no hop of this name for a program. Texts up to the first full stop behind the name
/// are those of the TypeScript original.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HopError {
    /// The configuration has no such hop.
    #[error(
        "[sec0] No hop configuration found for \"{key}\". \
         Define app.hops[\"{key}\"] in your config file.{}", nearest(hint.as_deref())
    )]
    NotFound {
        /// The name that was asked for.
        key: String,
        /// The hop whose name is most like it.
        hint: Option<String>,
    },
    /// The hop is of another type than the function that it is for.
    #[error(
        "[sec0] Hop \"{key}\" is configured as \"{found}\" but the decorator expects \"{wanted}\". \
         Set its `type`, or take the other attribute"
    )]
    OfAnotherType {
        /// The name.
        key: String,
        /// What the configuration says.
        found: HopType,
        /// What was asked for.
        wanted: HopType,
    },
    /// Calls through the gateway cannot be made yet.
    #[error(
        "the hop `{key}` calls through the gateway, which is not built yet; call the server itself \
         in a hop of the type `tool`"
    )]
    Gateway {
        /// The name.
        key: String,
    },
}

fn nearest(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!(" Did you mean `{hint}`?"))
}
