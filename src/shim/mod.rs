//! The job process: it owns one attempt. It starts the agent, reads what the agent says into a spool, tells the engine for as
//! long as there is one, watches the clocks, and ends the whole tree. It outlives the engine and never needs it.
//!
//! ```text
//! orc-shim run DIR                        the job process; the attempt's token is the first line of its standard input
//! orc-shim --exec PARENT -- PROGRAM ...   what an agent is before it is the agent (`exec`)
//! orc-shim --sweep MARK                   ends what is left of an attempt whose job process is gone
//! orc-shim --replay ...                   an agent that is played from a script
//! orc-shim --http ...                     an agent that is one chat completion
//! ```
//!
//! One thread; memory is bounded whatever the agent writes and however slow the engine is.

mod agent;
pub mod backend;
mod end;
mod error;
mod exec;
mod http;
mod link;
mod output;
mod part;
mod prepare;
mod replay;
mod run;
mod spool;
mod sweep;
mod watch;

pub use error::ShimError;
pub use exec::main as exec;
pub use http::main as http;
pub use link::{Caller, LinkState, Order, Outbox, converse};
pub use replay::main as replay;
pub use run::main as run;
pub use spool::{Cursor, Spool, Tip};
pub use sweep::main as sweep;
