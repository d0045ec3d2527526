//! `bongsu-sensor`: the host program.

#[allow(dead_code, reason = "its caller, the wiring of the sensor, is being written")]
mod decode;
#[allow(dead_code, reason = "its caller, the wiring of the sensor, is being written")]
mod enrich;
#[allow(dead_code, reason = "its caller, the wiring of the sensor, is being written")]
mod probe;
#[allow(dead_code, reason = "its caller, the wiring of the sensor, is being written")]
mod process_table;

fn main() {}
