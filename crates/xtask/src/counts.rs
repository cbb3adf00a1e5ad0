//! What test runners say at their end, as numbers.

/// Tests that ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Not run although they exist.
    pub(crate) skipped: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// `Summary [  12.3s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 0 skipped`, the last one
/// of an output; `3/5 tests run` leaves two that never ran, which count as failed.
pub(crate) fn nextest(output: &str) -> Option<Counts> {
    let line = output.lines().rev().find(|l| l.trim_start().starts_with("Summary ["))?;
    let (head, results) = line.split_once(']')?.1.split_once(" run: ")?;
    let mut counts = Counts::default();
    if let Some((ran, all)) = head.split_whitespace().next()?.split_once('/') {
        counts.failed += all.parse::<u64>().ok()?.checked_sub(ran.parse().ok()?)?;
    }
    for part in without_parentheses(results).split(',') {
        let (number, what) = part.trim().split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match what.trim() {
            "passed" => counts.passed += number,
            "skipped" => counts.skipped += number,
            // failed, exec failed, timed out, whatever a later version adds
            _ => counts.failed += number,
        }
    }
    Some(counts)
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

/// The sum of all `test result: ok. 3 passed; 0 failed; 1 ignored; …` lines.
pub(crate) fn cargo_test(output: &str) -> Option<Counts> {
    let mut sum = None;
    for line in output.lines() {
        let Some(results) = line.trim_start().strip_prefix("test result: ") else { continue };
        let counts: &mut Counts = sum.get_or_insert_default();
        for part in results.split(['.', ';']) {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what.trim() {
                "passed" => counts.passed += number,
                "failed" => counts.failed += number,
                "ignored" => counts.skipped += number,
                _ => {}
            }
        }
    }
    sum
}

/// The closing lines of `node --test`, `# pass 12` (or `ℹ pass 12`), of all its runs together.
pub(crate) fn node(output: &str) -> Option<Counts> {
    let number = |name: &str| {
        let numbers = output.lines().filter_map(|line| {
            let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
            rest.strip_prefix(name)?.trim().parse::<u64>().ok()
        });
        numbers.fold(None, |sum, n| Some(sum.unwrap_or(0) + n))
    };
    Some(Counts {
        passed: number("pass ")?,
        failed: number("fail ")? + number("cancelled ").unwrap_or(0),
        skipped: number("skipped ").unwrap_or(0) + number("todo ").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Option<Counts> {
        Some(Counts { passed, failed, skipped })
    }

    #[test]
    fn nextest_summaries() {
        for (line, expected) in [
            ("     Summary [   0.005s] 3 tests run: 3 passed, 0 skipped", counts(3, 0, 0)),
            ("     Summary [   0.005s] 1 test run: 1 passed, 2 skipped", counts(1, 0, 2)),
            (
                "     Summary [  12.5s] 9 tests run: 6 passed (1 slow, 1 flaky), 1 failed, 1 exec failed, 1 timed out, 0 skipped",
                counts(6, 3, 0),
            ),
            ("     Summary [  1.0s] 4/10 tests run: 3 passed, 1 failed, 0 skipped", counts(3, 7, 0)),
            ("no tests to run", None),
        ] {
            assert_eq!(nextest(&format!("   PASS [1s] a\n{line}\n  FAIL b\n")), expected, "{line}");
        }
    }

    #[test]
    fn cargo_test_summaries_add_up() {
        let output = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.1s\n";
        assert_eq!(cargo_test(output), counts(5, 2, 1));
        assert_eq!(cargo_test("error: could not compile\n"), None);
    }

    #[test]
    fn node_summaries() {
        assert_eq!(node("# tests 4\n# pass 3\n# fail 1\n# cancelled 0\n# skipped 0\n# todo 0\n"), counts(3, 1, 0));
        assert_eq!(node("ℹ tests 4\nℹ pass 2\nℹ fail 0\nℹ cancelled 1\nℹ skipped 1\n"), counts(2, 1, 1));
        let two = "# pass 3\n# fail 1\n# skipped 0\n# pass 4\n# fail 0\n# skipped 2\n";
        assert_eq!(node(two), counts(7, 1, 2));
        assert_eq!(node("node: bad option\n"), None);
    }
}
