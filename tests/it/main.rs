mod cli;
mod config;
mod console;
mod prompt;
mod dialects;
mod shim;
mod terminal;
mod workspace;
