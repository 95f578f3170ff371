mod cli;
mod config;
mod prompt;
mod shim;
mod terminal;
mod workspace;
