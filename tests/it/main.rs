mod cli;
mod config;
mod console;
mod prompt;
mod shim;
mod terminal;
mod workspace;
