//! What a window of time cost whom.
//!
//! in:  process ids
//! out: processor time of the server and of ourselves, memory, threads, how busy the machine was
//!
//! The server's time is its process clock (`clock_getcpuclockid`), which holds what its sends cost the kernel: on
//! loopback the receiver's share of the work too, for every server alike. What ksoftirqd did escapes it and is told.

use std::fs;
use std::str::FromStr;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::LoadError;

/// One reading of all clocks.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    at: Instant,
    server: Duration,
    client: Duration,
    machine: Machine,
    ksoftirqd: Duration,
    /// Resident memory of the server, kB.
    pub rss_kb: f64,
    /// Threads of the server.
    pub threads: u32,
}

#[derive(Clone, Copy, Debug)]
struct Machine {
    busy: u64,
    all: u64,
}

/// Between two readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its length.
    pub seconds: f64,
    /// Processor time of the server, µs.
    pub server_us: f64,
    /// Of ourselves, share of a core.
    pub client: f64,
    /// Of the machine's processors, share.
    pub machine: f64,
    /// Of the kernel's threads for deferred interrupts, share of a core.
    pub ksoftirqd: f64,
}

/// Reads everything.
///
/// # Errors
/// When the server is gone.
pub fn read(server: u32) -> Result<Reading, LoadError> {
    let gone = |_| LoadError::Io(std::io::Error::other("the server is gone"));
    let pid = Pid::from_raw(i32::try_from(server).unwrap_or(0));
    let clock = clock_getcpuclockid(pid).map_err(gone)?;
    let status = fs::read_to_string(format!("/proc/{server}/status"))?;
    Ok(Reading {
        at: Instant::now(),
        server: clock_gettime(clock).map_err(gone)?.into(),
        client: clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap_or(TimeSpec::new(0, 0)).into(),
        machine: machine(&fs::read_to_string("/proc/stat")?),
        ksoftirqd: ksoftirqd(),
        rss_kb: field(&status, "VmRSS:").unwrap_or(f64::NAN),
        threads: field(&status, "Threads:").unwrap_or(0),
    })
}

/// What happened between two readings.
#[must_use]
pub fn window(before: &Reading, after: &Reading) -> Window {
    let seconds = (after.at - before.at).as_secs_f64();
    let share = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() / seconds;
    let all = after.machine.all.saturating_sub(before.machine.all).max(1);
    Window {
        seconds,
        server_us: after.server.saturating_sub(before.server).as_secs_f64() * 1e6,
        client: share(before.client, after.client),
        machine: after.machine.busy.saturating_sub(before.machine.busy) as f64 / all as f64,
        ksoftirqd: share(before.ksoftirqd, after.ksoftirqd),
    }
}

fn field<T: FromStr>(status: &str, name: &str) -> Option<T> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn machine(stat: &str) -> Machine {
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    let all = ticks.iter().sum::<u64>();
    let idle = ticks.iter().skip(3).take(2).sum::<u64>();
    Machine { busy: all - idle, all }
}

/// Processor time of all `ksoftirqd/n`.
fn ksoftirqd() -> Duration {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let time = |path: std::path::PathBuf| {
        let name = fs::read_to_string(path.join("comm")).ok()?;
        if !name.starts_with("ksoftirqd/") {
            return None;
        }
        let schedule = fs::read_to_string(path.join("schedstat")).ok()?;
        schedule.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    processes.filter_map(|process| time(process.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let Machine { busy, all } = machine("cpu  10 20 30 400 5 6 7 8 0 0\ncpu0 1 1 1 1\n");
        assert_eq!((busy, all), (10 + 20 + 30 + 6 + 7 + 8, 486));
        let status = "Name:\tx\nVmRSS:\t   1234 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS:"), Some(1234.0));
        assert_eq!(field(status, "Threads:"), Some(7));
    }

    #[test]
    fn our_own_work_is_seen() {
        let before = read(std::process::id()).unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(50) {
            std::hint::black_box(0);
        }
        let window = window(&before, &read(std::process::id()).unwrap());
        assert!(window.server_us > 1_000.0 && window.client > 0.0 && window.machine > 0.0, "{window:?}");
        assert!(read(u32::MAX >> 1).is_err());
    }
}
