//! Settings with a name, a unit, a range and a default, in layers that know who set each key; the workspace and its files;
//! backend descriptions.

mod backend;
mod cron;
mod derive;
mod error;
mod init;
mod keys;
mod load;
mod persona;
mod prices;
mod program;
mod rubric;
pub mod rules;
mod settings;
mod shape;
mod skill;
mod workspace;

pub use backend::{Backend, RenderInput, Rendered, SessionId, When, backends, built_in, in_repository};
pub use cron::{CRON_TEMPLATES, cron, cron_problem, parse_cron, prompt_files};
pub use error::ConfigError;
pub use init::{DEFAULT_SETTINGS, InitReport, Step, init, init_cron};
pub use keys::{BACKEND_KEYS, BackendKey, Key, keys};
pub use load::{Layers, Origin, Problem, Problems, check_assignment, load};
pub use persona::{Persona, PersonaError};
pub use prices::{BUILT_IN_PRICES, PriceError, built_in_prices, prices};
pub use program::{Version, find as find_program, is_there, version_on_disk};
pub use rubric::{BUILT_IN_RUBRICS, RubricError, rubric};
pub use settings::{BackendOverrides, PerKind, Settings, Tier};
pub use shape::Shape;
pub use skill::{
    BUILTIN_SKILLS, LARGEST_FILE, SKILL_FILE, Skill, SkillError, SkillProblem, SkillSource, Skills, builtin_of, lint_skill, skill,
    skill_folders, skill_names, skills,
};
pub use workspace::{SETTINGS_FILE, Surroundings, Workspace};
