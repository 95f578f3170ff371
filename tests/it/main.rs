
mod shim;
