mod cli;
mod shim;
mod terminal;

mod console;
