mod cli;
mod config;
mod console;
mod dialects;
mod prompt;
mod shim;
mod terminal;
mod workspace;
