//! Settings of behaviours: fields with defaults, read strictly.
//!
//! What belongs here: how settings are declared. What does not: which a behaviour has, and their checks (`registry`).

/// Declares the settings of a behaviour, each with its default.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$what:meta])* $field:ident: $kind:ty = $default:expr,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$what])* pub $field: $kind,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}
pub(crate) use settings;
