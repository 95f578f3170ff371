mod cli;
mod shim;
mod terminal;
