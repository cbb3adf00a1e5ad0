//! Logs and figures.
//!
//! Log lines go to standard output and to daily files, through bounded queues: when a reader is too
//! slow, lines are dropped and counted (`log_lines_dropped_total`) rather than the server held up.

use std::fmt;
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use orrery_kernel::Clock;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Log, LogFormat};

/// Lines that may wait to be written, per output.
const LINES_WAITING_MAX: usize = 8_192;
/// Upper bounds of the latency histogram, seconds.
const LATENCY_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper bounds for sizes of batches.
const BATCH_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Libraries that tell more at `info` than anyone wants; `log.level` can name them to hear it.
const QUIET: &str = "tokio_cron_scheduler=warn";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The files' directory cannot be made.
    #[error("log files cannot be written: {0}")]
    Directory(std::io::Error),
    /// A file cannot be made.
    #[error("log files cannot be written: {0}")]
    Files(#[from] InitError),
    /// The directives are not understood; the configuration's check rules it out.
    #[error("log.level: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
}

/// Flushes the log when dropped. Keep it until the end of the process.
#[must_use]
pub struct LogGuard {
    _outputs: Vec<WorkerGuard>,
    dropped: Vec<ErrorCounter>,
}

impl LogGuard {
    /// Counters of lines that were dropped, for `/metrics`.
    pub fn dropped(&self) -> Vec<ErrorCounter> {
        self.dropped.clone()
    }
}

/// Starts logging to standard output and, where `log.files` is not 0, to `directory`.
///
/// # Errors
/// See [`LogError`].
pub fn start_log(log: &Log, directory: &Path, clock: &Arc<dyn Clock>) -> Result<LogGuard, LogError> {
    let mut guard = LogGuard { _outputs: Vec::new(), dropped: Vec::new() };
    let mut queue = |name: &str, output: Box<dyn std::io::Write + Send>| -> NonBlocking {
        let (writer, worker) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(LINES_WAITING_MAX)
            .thread_name(name)
            .finish(output);
        guard.dropped.push(writer.error_counter());
        guard._outputs.push(worker);
        writer
    };
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    let stdout = queue("log-stdout", Box::new(std::io::stdout()));
    let pretty = match log.format {
        LogFormat::Auto => std::io::stdout().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let json = |writer| {
        tracing_subscriber::fmt::layer()
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(JsonEvents { clock: clock.clone() })
            .with_writer(writer)
            .boxed()
    };
    layers.push(if pretty {
        tracing_subscriber::fmt::layer()
            .with_timer(Time { clock: clock.clone() })
            .with_ansi(std::io::stdout().is_terminal())
            .with_writer(stdout)
            .boxed()
    } else {
        json(stdout)
    });
    if log.files > 0 {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(LogError::Directory)?;
        let files = RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix("orrery")
            .filename_suffix("log")
            .max_log_files(log.files)
            .build(directory)?;
        layers.push(json(queue("log-files", Box::new(files))));
    }
    let filter = EnvFilter::builder().parse(format!("{QUIET},{}", log.level))?;
    // a second call in one process (tests) keeps the first subscriber
    let _ = Registry::default().with(layers).with(filter).try_init();
    Ok(guard)
}

struct Time {
    clock: Arc<dyn Clock>,
}

impl FormatTime for Time {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        w.write_str(&self.clock.now().iso())
    }
}

/// The Aether document's log format: `timestamp`, `level`, `event`, `data{component, details}`.
struct JsonEvents {
    clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for JsonEvents
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        if let Some(scope) = ctx.event_scope() {
            for span in scope.from_root() {
                if let Some(formatted) = span.extensions().get::<FormattedFields<N>>()
                    && let Ok(Value::Object(of_span)) = serde_json::from_str(&formatted.fields)
                {
                    fields.details.extend(of_span);
                }
            }
        }
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        // in the document's order
        writeln!(
            writer,
            r#"{{"timestamp":"{}","level":"{level}","event":{},"data":{{"component":{},"details":{}}}}}"#,
            self.clock.now().iso(),
            Value::from(fields.message),
            Value::from(event.metadata().target()),
            Value::Object(fields.details),
        )
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    details: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.details.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.put(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" { self.message = value.to_owned() } else { self.put(field, value) }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

/// The process's recorder of figures; made on first use.
pub fn figures() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let latency = |name: &str| Matcher::Suffix(name.to_owned());
        let builder = PrometheusBuilder::new();
        // the only error is an empty list of buckets
        let builder = builder
            .set_buckets_for_metric(latency("_seconds"), &LATENCY_BUCKETS)
            .and_then(|b| b.set_buckets_for_metric(latency("_commands"), &BATCH_BUCKETS))
            .unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // an error says that a recorder is there already, which cannot be ours
        let _ = metrics::set_global_recorder(recorder);
        metrics::describe_counter!("http_requests_total", "Requests by method, route and status");
        metrics::describe_histogram!("http_request_latency_seconds", "Time to answer by method and route");
        metrics::describe_gauge!("process_resident_memory_bytes", "Resident memory");
        metrics::describe_gauge!("process_open_fds", "Open file descriptors");
        metrics::describe_gauge!("process_cpu_seconds", "Processor time used");
        metrics::describe_gauge!("process_start_time_seconds", "Start, seconds since 1970");
        metrics::describe_gauge!("log_lines_dropped", "Log lines dropped because an output was too slow");
        handle
    })
}

/// Reads the process's own figures from `/proc`; where there is none they stay as they were.
pub fn update_process_figures(dropped: &[ErrorCounter]) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u32>().ok());
    if let Some(kib) = kib {
        metrics::gauge!("process_resident_memory_bytes").set(f64::from(kib) * 1024.0);
    }
    if let Ok(fds) = std::fs::read_dir("/proc/self/fd") {
        metrics::gauge!("process_open_fds").set(u32::try_from(fds.count()).unwrap_or(u32::MAX));
    }
    if let Some(seconds) = std::fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_seconds) {
        metrics::gauge!("process_cpu_seconds").set(seconds);
    }
    let lines: usize = dropped.iter().map(ErrorCounter::dropped_lines).sum();
    metrics::gauge!("log_lines_dropped").set(u32::try_from(lines).unwrap_or(u32::MAX));
}

/// User and system time of `/proc/self/stat`, which counts in hundredths of a second (USER_HZ, fixed
/// for programs on all usual architectures). The second field may hold spaces and ends with `)`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<u32>().ok();
    Some((f64::from(ticks(11)?) + f64::from(ticks(12)?)) / 100.0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use orrery_kernel::Timestamp;

    use super::*;

    struct At;

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(1_721_471_400)
        }
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn json_lines_have_the_documented_fields() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(JsonEvents { clock: Arc::new(At) })
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let span = tracing::info_span!("outer", request_id = "r-1");
            let _in = span.enter();
            tracing::warn!(target: "orrery::x", count = 3, name = "a\"b\n", secret = ?orrery_kernel::Secret::new(1), "it happened");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        let want = serde_json::json!({
            "timestamp": "2024-07-20T10:30:00.000Z", "level": "warn", "event": "it happened",
            "data": {
                "component": "orrery::x",
                "details": {"request_id": "r-1", "count": 3, "name": "a\"b\n", "secret": "[redacted]"},
            },
        });
        assert_eq!(line, want);
    }

    #[test]
    fn cpu_time_is_read_past_odd_names() {
        let stat = "7 (a ) b) S 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 5 1000 10";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds(""), None);
    }
}
