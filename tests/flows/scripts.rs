//! Scripts that are tried out with `worker run`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use e2e::gateway_binary;
use tempfile::TempDir;

/// "Worker Script Example" of the document, to the letter.
const GRID: &str = r#"// Grid Trading Worker
const exchange = new Stels.runtime.cex.bybit({
  apiKey: "YOUR_API_KEY",
  secret: "YOUR_SECRET",
});

const SYMBOL = "BTC/USDT";
const GRID_LEVELS = 10;
const GRID_STEP = 100;
const ORDER_SIZE = 0.001;

logger.info("Grid Trading Strategy v2.0");
logger.info(`Node: ${Stels.config.nid}`);

try {
  const ticker = await exchange.fetchTicker(SYMBOL);
  const basePrice = ticker.last;

  for (let i = 0; i < GRID_LEVELS; i++) {
    const price = basePrice - (GRID_LEVELS / 2) * GRID_STEP + (i * GRID_STEP);
    const side = price < basePrice ? "buy" : "sell";

    const order = await exchange.createLimitOrder(
      SYMBOL,
      side,
      ORDER_SIZE,
      price,
    );

    logger.info(`✅ ${side.toUpperCase()} order @ ${price}: ${order.id}`);
    await Stels.sleep(200);
  }

  logger.info(`🎉 Grid complete: ${GRID_LEVELS} orders placed`);
} catch (error) {
  logger.error("Grid strategy error:", error);
  throw error;
}
"#;

fn script(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.ts");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

fn run(text: &str) -> (Output, String, String) {
    let (folder, file) = script(text);
    let mut command = Command::new(gateway_binary());
    let output = command.args(["worker", "run"]).arg(&file).current_dir(folder.path()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    (output.clone(), said(&output.stdout), said(&output.stderr))
}

#[test]
fn the_documented_grid_is_tried_out() {
    let (output, log, errors) = run(GRID);
    assert!(output.status.success(), "{log}{errors}");
    assert_eq!(log.lines().filter(|line| line.contains("] [INFO] ✅ ")).count(), 10, "{log}");
    assert!(log.trim_end().ends_with("Grid complete: 10 orders placed"), "{log}");
}

#[test]
fn a_script_that_throws_ends_with_its_place() {
    let (output, log, errors) =
        run("logger.warn('before');\nconst a: number = 1;\n  throw new RangeError('no' + a);\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("] [WARN] before"), "{log}");
    assert!(errors.contains("script.ts:3:") && errors.contains("RangeError: no1"), "{errors}");
}

#[test]
fn a_script_that_cannot_be_read_ends_with_its_place() {
    let (output, log, errors) = run("const fine = 1;\nconst = 2;\n");
    assert_eq!((output.status.code(), log.as_str()), (Some(1), ""));
    assert!(errors.contains("script.ts:2:"), "{errors}");
    let missing = Command::new(gateway_binary()).args(["worker", "run", "/nonexistent/script.ts"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn a_script_reaches_no_private_address() {
    let (output, log, errors) = run("try { await fetch('http://127.0.0.1:9/') } catch (e) { logger.info(e.name) }");
    assert!(output.status.success() && log.contains("PermissionDenied"), "{log}{errors}");
}

#[test]
fn an_interrupted_script_ends() {
    let (_folder, file) = script("logger.info('begins');\nwhile (true) await Stels.sleep(60000);\n");
    let mut command = Command::new(gateway_binary());
    let mut child = command.args(["worker", "run"]).arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("begins"), "{first}");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
