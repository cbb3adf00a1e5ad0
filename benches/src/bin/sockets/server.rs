//! What the server costs, from the kernel's own accounts.

use anyhow::Context;

/// Clock ticks a second of `/proc`; fixed by Linux' interface.
const TICKS: f64 = 100.0;
/// kB of a page.
const PAGE_KB: f64 = 4.096;

fn read(pid: u32, what: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{what}")).with_context(|| format!("process {pid} is not there"))
}

/// User and system time of the process so far.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = read(pid, "stat")?;
    // the name in parentheses may hold anything
    let rest = stat.rsplit_once(')').context("no name")?.1;
    let fields: Vec<f64> = rest.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // fields 14 and 15 of the whole, of which the name is the second and the state no number
    let (user, system) = (fields.get(10).context("no utime")?, fields.get(11).context("no stime")?);
    Ok((user + system) / TICKS)
}

/// Resident memory.
pub(crate) fn memory_kb(pid: u32) -> anyhow::Result<f64> {
    let pages: f64 = read(pid, "statm")?.split_whitespace().nth(1).context("no resident pages")?.parse()?;
    Ok(pages * PAGE_KB)
}
