
mod console;
