//! What runs on a schedule.
//!
//! Cron texts go through tokio-cron-scheduler, which only says that a job is due; periods are our own
//! loop. Each job has one runner, so a slow run is never overtaken by the next; a run that is due
//! meanwhile follows it. A source that asks us to wait is left alone that long; another failure is
//! tried again sooner than the schedule says.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use orrery_app::App;
use orrery_app::market::PollError;
use orrery_app::tasks::Tasks;
use orrery_kernel::Entropy;
use orrery_market::Timeframe;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::indicators::{self, Indicators};

/// The first wait after a failure; doubles.
const FAILURE_WAIT: Duration = Duration::from_secs(30);
const FAILURE_WAIT_MAX: Duration = Duration::from_secs(900);
/// Runs of one moment are spread over at most this.
const JITTER_MAX: Duration = Duration::from_secs(5);
const JITTER_MIN: Duration = Duration::from_secs(1);
const PRUNE_PERIOD: Duration = Duration::from_secs(3_600);
/// How soon a crossing price fills an order.
const ORDERS_PERIOD: Duration = Duration::from_secs(2);
/// How late a plan's run may be.
const PLANS_PERIOD: Duration = Duration::from_secs(1);
const LIQUIDATION_PERIOD: Duration = Duration::from_secs(5);
/// Interest is added once a day, at the first of these looks.
const INTEREST_PERIOD: Duration = Duration::from_secs(600);

/// When a job is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// After each period.
    Every(Duration),
    /// By a cron text with seconds, in UTC.
    Cron(&'static str),
}

/// BitTrade document, "Data Update Schedule", with a field for seconds in front.
fn chart_schedule(timeframe: Timeframe) -> Schedule {
    Schedule::Cron(match timeframe {
        Timeframe::D1 => "0 0 * * * *",
        Timeframe::D7 => "0 0 */6 * * *",
        Timeframe::D30 => "0 0 */12 * * *",
        Timeframe::D90 => "0 0 */18 * * *",
        Timeframe::D365 => "0 0 0 * * *",
    })
}

const SENTIMENT: Schedule = Schedule::Cron("0 0 0 * * *");

type Run = Arc<dyn Fn() -> BoxFuture<'static, Result<(), PollError>> + Send + Sync>;

struct Scheduled {
    name: &'static str,
    schedule: Schedule,
    run: Run,
}

fn scheduled<F>(
    name: &'static str,
    schedule: Schedule,
    app: &Arc<App>,
    run: impl Fn(Arc<App>) -> F + Send + Sync + 'static,
) -> Scheduled
where
    F: Future<Output = Result<(), PollError>> + Send + 'static,
{
    let app = app.clone();
    Scheduled { name, schedule, run: Arc::new(move || Box::pin(run(app.clone()))) }
}

/// Starts all jobs; they end when `tasks` stop. The first price, sentiment and charts are fetched at
/// once, one after another so that a source's limit is not hit at the start.
///
/// # Errors
/// When the cron library does not take a text or cannot start.
pub async fn start(
    app: &Arc<App>,
    tasks: &Tasks,
    price_period: Duration,
    indicators: Option<Arc<Indicators>>,
) -> Result<(), JobSchedulerError> {
    let mut jobs = vec![
        scheduled("price", Schedule::Every(price_period), app, async |app| app.market.poll_price().await),
        scheduled("sentiment", SENTIMENT, app, async |app| app.market.poll_sentiment().await),
    ];
    for timeframe in Timeframe::ALL {
        let run = move |app: Arc<App>| async move { app.market.poll_chart(timeframe).await };
        jobs.push(scheduled("chart", chart_schedule(timeframe), app, run));
    }
    jobs.push(scheduled("orders", Schedule::Every(ORDERS_PERIOD), app, async |app| {
        app.orders.run(app.clock.now()).await?;
        Ok(())
    }));
    jobs.push(scheduled("plans", Schedule::Every(PLANS_PERIOD), app, async |app| {
        app.plans.run(app.clock.now()).await?;
        Ok(())
    }));
    jobs.push(scheduled("liquidations", Schedule::Every(LIQUIDATION_PERIOD), app, async |app| {
        app.loans.run_liquidations(app.clock.now()).await?;
        Ok(())
    }));
    jobs.push(scheduled("interest", Schedule::Every(INTEREST_PERIOD), app, async |app| {
        app.loans.run_interest(app.clock.now()).await?;
        Ok(())
    }));
    jobs.push(scheduled("prune-sessions", Schedule::Every(PRUNE_PERIOD), app, async |app| {
        let pruned = app.auth.prune().await?;
        tracing::debug!(pruned, "dropped ended sessions");
        Ok(())
    }));

    if let Some(indicators) = indicators {
        jobs.push(scheduled("indicators", Schedule::Every(indicators::PERIOD), app, move |app| {
            let indicators = indicators.clone();
            async move { indicators.run(&app).await }
        }));
    }

    let mut cron = JobScheduler::new().await?;
    // each runner holds its job's turn; the start-up task lets them go one after another
    let mut starts = Vec::new();
    for job in jobs {
        let due = Arc::new(Notify::new());
        if let Schedule::Cron(text) = job.schedule {
            let due = due.clone();
            cron.add(Job::new_async(text, move |_, _| {
                due.notify_one();
                Box::pin(std::future::ready(()))
            })?)
            .await?;
        }
        let (started, done) = tokio::sync::oneshot::channel();
        let go = Arc::new(Notify::new());
        starts.push((go.clone(), done));
        tasks.spawn(job.name, runner(job, due, go, started, app.entropy.clone(), tasks.stopping()));
    }
    cron.start().await?;
    let stopping = tasks.stopping();
    tasks.spawn("jobs", async move {
        for (go, done) in starts {
            go.notify_one();
            tokio::select! {
                // an error says that the runner ended, which it does when stopping
                _ = done => {}
                () = stopping.cancelled() => break,
            }
        }
        stopping.cancelled().await;
        if let Err(error) = cron.shutdown().await {
            tracing::warn!(%error, "the cron scheduler did not stop");
        }
    });
    Ok(())
}

async fn runner(
    job: Scheduled,
    due: Arc<Notify>,
    go: Arc<Notify>,
    started: tokio::sync::oneshot::Sender<()>,
    entropy: Arc<dyn Entropy>,
    stopping: CancellationToken,
) {
    let Scheduled { name, schedule, run } = job;
    tokio::select! {
        () = go.notified() => {}
        () = stopping.cancelled() => return,
    }
    let period = match schedule {
        Schedule::Every(period) => period,
        // cron jobs are woken by `due`
        Schedule::Cron(_) => Duration::from_secs(86_400 * 365),
    };
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut started = Some(started);
    let mut failures = 0_u32;
    loop {
        let result = tokio::select! {
            result = run() => result,
            () = stopping.cancelled() => return,
        };
        if let Some(started) = started.take() {
            // the start-up task may have gone
            let _ = started.send(());
        }
        let outcome = if result.is_ok() { "ok" } else { "failed" };
        metrics::counter!("job_runs_total", "job" => name, "outcome" => outcome).increment(1);
        let pause = match &result {
            Ok(()) => {
                failures = 0;
                None
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let backoff = FAILURE_WAIT.saturating_mul(1 << (failures - 1).min(10)).min(FAILURE_WAIT_MAX);
                Some(match error.retry_after() {
                    Some(asked) => (asked.max(FAILURE_WAIT.min(period)), true),
                    None => (backoff.min(period), false),
                })
            }
        };
        match pause {
            // asked to wait: nothing else makes it due
            Some((wait, true)) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopping.cancelled() => return,
            },
            Some((wait, false)) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = due.notified() => {}
                () = stopping.cancelled() => return,
            },
            None => tokio::select! {
                _ = ticks.tick() => {}
                () = due.notified() => {}
                () = stopping.cancelled() => return,
            },
        }
        if pause.is_none() {
            let spread = (period / 20).min(JITTER_MAX);
            // what runs every few seconds is spread by when its process began
            if spread >= JITTER_MIN {
                tokio::select! {
                    () = tokio::time::sleep(share(spread, entropy.as_ref())) => {}
                    () = stopping.cancelled() => return,
                }
            }
        }
    }
}

/// A random part of `most`.
fn share(most: Duration, entropy: &dyn Entropy) -> Duration {
    let mut bits = [0; 2];
    entropy.fill(&mut bits);
    most * u32::from(u16::from_le_bytes(bits)) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use orrery_market::FeedError;

    use super::*;

    struct Zero;

    impl Entropy for Zero {
        fn fill(&self, out: &mut [u8]) {
            out.fill(0);
        }
    }

    #[test]
    fn cron_texts_are_taken() {
        for timeframe in Timeframe::ALL {
            let Schedule::Cron(text) = chart_schedule(timeframe) else { panic!("charts are cron jobs") };
            assert!(Job::new_async(text, |_, _| Box::pin(std::future::ready(()))).is_ok(), "{text}");
        }
    }

    async fn runs_within(
        seconds: u64,
        period: Duration,
        answer: impl Fn(u32) -> Result<(), PollError> + Send + Sync + 'static,
    ) -> u32 {
        let (count, tasks) = (Arc::new(AtomicU32::new(0)), Tasks::new());
        let counted = count.clone();
        let run: Run = Arc::new(move || {
            let n = counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(answer(n)))
        });
        let job = Scheduled { name: "test", schedule: Schedule::Every(period), run };
        let (started, _done) = tokio::sync::oneshot::channel();
        let go = Arc::new(Notify::new());
        go.notify_one();
        tasks.spawn("test", runner(job, Arc::new(Notify::new()), go, started, Arc::new(Zero), tasks.stopping()));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        tasks.drain().await;
        count.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn runs_at_once_and_then_each_period() {
        let runs = runs_within(299, Duration::from_secs(30), |_| Ok(())).await;
        assert!((9..=10).contains(&runs), "{runs}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_is_asked_for_is_kept() {
        let limited = |_| Err(FeedError::RateLimited { retry_after: Some(Duration::from_secs(600)) }.into());
        let runs = runs_within(599, Duration::from_secs(30), limited).await;
        assert_eq!(runs, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_daily_job_is_tried_again_soon_but_ever_less_often() {
        let down = |_| Err(FeedError::Unavailable("down".into()).into());
        // after 0, 30, 90, 210, 450, 930 s, then every 900 s
        let runs = runs_within(3_600, Duration::from_secs(86_400), down).await;
        assert!((7..=9).contains(&runs), "{runs}");
    }
}
