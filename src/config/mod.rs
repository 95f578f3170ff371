//! Settings with a name, a unit, a range and a default, in layers that know who set each key; the workspace and its files.

mod error;
mod init;
mod keys;
mod load;
mod settings;
mod shape;
mod workspace;

pub use error::ConfigError;
pub use init::{DEFAULT_SETTINGS, InitReport, Step, init};
pub use keys::{BACKEND_KEYS, BackendKey, Key, keys};
pub use load::{Layers, Origin, Problem, Problems, load};
pub use settings::{BackendOverrides, PerKind, Settings, Tier};
pub use shape::Shape;
pub use workspace::{SETTINGS_FILE, Surroundings, Workspace};
