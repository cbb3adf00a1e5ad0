//! What differs between two versions of a worker.

use std::fmt::Write as _;

use crate::Spec;

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// Most edits that are looked for; texts that differ more are shown as one replaced by the other.
const EDITS_MAX: usize = 1_000;
/// Bounds the work of looking for them: edits times lines.
const WORK_MAX: usize = 20_000_000;

/// A field of a worker that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// As the document names it.
    pub field: &'static str,
    /// What it was; none: nothing.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// What differs between two specifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Fields but the script.
    pub fields: Vec<FieldChange>,
    /// The script's changes in the unified format; empty when there are none.
    pub script: String,
    /// Lines that were added to the script.
    pub added: usize,
    /// Lines that were taken out of it.
    pub removed: usize,
}

impl Diff {
    /// From `before` to `after`.
    pub fn between(before: &Spec, after: &Spec) -> Self {
        let list = |spec: &Spec| Some(spec.dependencies.join(", "));
        let text = |text: &str| Some(text.to_owned());
        let all = [
            ("active", text(flag(before.active)), text(flag(after.active))),
            ("note", text(&before.note), text(&after.note)),
            ("dependencies", list(before), list(after)),
            ("version", text(&before.version), text(&after.version)),
            ("executionMode", text(before.execution_mode.name()), text(after.execution_mode.name())),
            ("priority", text(before.priority.name()), text(after.priority.name())),
            ("mode", text(before.mode.name()), text(after.mode.name())),
            ("scope", text(before.scope.name()), text(after.scope.name())),
            ("accountId", before.account_id.clone(), after.account_id.clone()),
            ("assignedNode", before.assigned_node.clone(), after.assigned_node.clone()),
            ("schedule", before.schedule.clone(), after.schedule.clone()),
            ("dryRun", text(flag(before.dry_run)), text(flag(after.dry_run))),
            ("isolation", text(before.isolation.name()), text(after.isolation.name())),
        ];
        let differ = all.into_iter().filter(|(_, before, after)| before != after);
        let fields = differ.map(|(field, before, after)| FieldChange { field, before, after }).collect();
        let edits = edits(&lines(&before.script), &lines(&after.script));
        let count = |wanted: Kind| edits.iter().filter(|edit| edit.kind == wanted).count();
        Self { fields, added: count(Kind::Added), removed: count(Kind::Removed), script: unified(&edits) }
    }
}

const fn flag(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Same,
    Removed,
    Added,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edit<'a> {
    kind: Kind,
    line: &'a str,
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn all<'a>(kind: Kind, lines: &[&'a str]) -> impl Iterator<Item = Edit<'a>> {
    lines.iter().map(move |line| Edit { kind, line })
}

/// The edits that make `after` of `before`, in order.
fn edits<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Edit<'a>> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (same, before) = before.split_at(head);
    let after = after.get(head..).unwrap_or_default();
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
    let (before, end) = before.split_at(before.len() - tail);
    let after = after.get(..after.len() - tail).unwrap_or_default();
    let mut edits: Vec<Edit<'a>> = all(Kind::Same, same).collect();
    match shortest(before, after) {
        Some(middle) => edits.extend(middle),
        None => edits.extend(all(Kind::Removed, before).chain(all(Kind::Added, after))),
    }
    edits.extend(all(Kind::Same, end));
    edits
}

/// The shortest way from one to the other (Myers, "An O(ND) difference algorithm"); none: it is too long.
fn shortest<'a>(before: &[&'a str], after: &[&'a str]) -> Option<Vec<Edit<'a>>> {
    let (n, m) = (before.len(), after.len());
    let most = EDITS_MAX.min(WORK_MAX / (n + m).max(1)).min(n + m);
    // furthest[k + most + 1] is how far in `before` one comes on the diagonal k, k being x - y
    let width = 2 * most + 3;
    let at = |k: isize| usize::try_from(k + most as isize + 1).unwrap_or(0);
    let mut furthest = vec![0_usize; width];
    let mut trace = Vec::new();
    for d in 0..=most as isize {
        trace.push(furthest.get(at(-d - 1)..=at(d + 1))?.to_vec());
        for k in (-d..=d).step_by(2) {
            let down = k == -d || (k != d && furthest.get(at(k - 1))? < furthest.get(at(k + 1))?);
            let mut x = if down { *furthest.get(at(k + 1))? } else { furthest.get(at(k - 1))? + 1 };
            let mut y = usize::try_from(x as isize - k).ok()?;
            while before.get(x).zip(after.get(y)).is_some_and(|(a, b)| a == b) {
                (x, y) = (x + 1, y + 1);
            }
            *furthest.get_mut(at(k))? = x;
            if x >= n && y >= m {
                return back(before, after, &trace);
            }
        }
    }
    None
}

/// The way back, along what was furthest before each edit.
fn back<'a>(before: &[&'a str], after: &[&'a str], trace: &[Vec<usize>]) -> Option<Vec<Edit<'a>>> {
    let (mut x, mut y) = (before.len(), after.len());
    let mut edits = Vec::new();
    for (d, furthest) in trace.iter().enumerate().rev() {
        let d = d as isize;
        let at = |k: isize| furthest.get(usize::try_from(k + d + 1).ok()?).copied();
        let k = x as isize - y as isize;
        let down = k == -d || (k != d && at(k - 1)? < at(k + 1)?);
        let from = if down { k + 1 } else { k - 1 };
        let (from_x, from_y) =
            if d == 0 { (0, 0) } else { (at(from)?, usize::try_from(at(from)? as isize - from).ok()?) };
        while x > from_x && y > from_y {
            (x, y) = (x - 1, y - 1);
            edits.push(Edit { kind: Kind::Same, line: before.get(x)? });
        }
        if d > 0 {
            if down {
                y -= 1;
                edits.push(Edit { kind: Kind::Added, line: after.get(y)? });
            } else {
                x -= 1;
                edits.push(Edit { kind: Kind::Removed, line: before.get(x)? });
            }
        }
    }
    edits.reverse();
    Some(edits)
}

/// Hunks with context, as `diff -u` writes them but for the names of files.
fn unified(edits: &[Edit<'_>]) -> String {
    let mut text = String::new();
    let changed: Vec<usize> =
        edits.iter().enumerate().filter(|(_, edit)| edit.kind != Kind::Same).map(|(i, _)| i).collect();
    let mut rest = changed.as_slice();
    let (mut seen, mut old, mut new) = (0, 0, 0);
    while let Some(first) = rest.first() {
        let near = rest.windows(2).take_while(|pair| pair[1] - pair[0] <= 2 * CONTEXT + 1).count();
        let last = rest.get(near).unwrap_or(first);
        let (start, end) = (first.saturating_sub(CONTEXT), edits.len().min(last + CONTEXT + 1));
        let count = |range: std::ops::Range<usize>, other: Kind| {
            edits.get(range).unwrap_or_default().iter().filter(|edit| edit.kind != other).count()
        };
        old += count(seen..start, Kind::Added);
        new += count(seen..start, Kind::Removed);
        let (old_lines, new_lines) = (count(start..end, Kind::Added), count(start..end, Kind::Removed));
        // a side without lines names the line before it
        let at = |before: usize, lines: usize| if lines == 0 { before } else { before + 1 };
        let (old_at, new_at) = (at(old, old_lines), at(new, new_lines));
        // writing to a text cannot fail
        let _ = writeln!(text, "@@ -{old_at},{old_lines} +{new_at},{new_lines} @@");
        for edit in edits.get(start..end).unwrap_or_default() {
            text.push(match edit.kind {
                Kind::Same => ' ',
                Kind::Removed => '-',
                Kind::Added => '+',
            });
            text.push_str(edit.line);
            if !edit.line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
        (seen, old, new) = (end, old + old_lines, new + new_lines);
        rest = rest.get(near + 1..).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Draft;

    fn spec(script: &str) -> Spec {
        Spec::new(Draft { script: Some(script.into()), ..Draft::default() }).unwrap()
    }

    fn side(edits: &[Edit<'_>], other: Kind) -> String {
        edits.iter().filter(|edit| edit.kind != other).map(|edit| edit.line).collect()
    }

    /// What `patch` would do: each hunk's lines are where it says.
    fn patched(before: &str, diff: &str) -> String {
        let before = lines(before);
        let (mut out, mut at, mut rest) = (String::new(), 0, lines(diff).into_iter().peekable());
        while let Some(head) = rest.next() {
            let numbers: Vec<usize> =
                head.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            let start = if numbers[1] == 0 { numbers[0] } else { numbers[0] - 1 };
            out.extend(before[at..start].iter().copied());
            at = start;
            while let Some(line) = rest.next_if(|line| !line.starts_with("@@ ")) {
                let bare = rest.next_if(|next| next.starts_with('\\')).is_some();
                let text = if bare { line[1..].trim_end_matches('\n') } else { &line[1..] };
                match &line[..1] {
                    "+" => out.push_str(text),
                    sign => {
                        assert_eq!(before[at], text);
                        at += 1;
                        if sign == " " {
                            out.push_str(text);
                        }
                    }
                }
            }
        }
        out.extend(before[at..].iter().copied());
        out
    }

    #[test]
    fn changes_are_shown_with_their_context() {
        let before: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        let after = before.replace("line 10\n", "line ten\n").replace("line 20\n", "line 20");
        let diff = Diff::between(&spec(&before), &spec(&after));
        assert_eq!((diff.added, diff.removed), (2, 2));
        assert!(diff.script.starts_with("@@ -7,7 +7,7 @@\n line 7\n line 8\n line 9\n-line 10\n+line ten\n line 11\n"));
        assert!(diff.script.ends_with("-line 20\n+line 20\n\\ No newline at end of file\n"), "{}", diff.script);
        let same = Diff::between(&spec(&before), &spec(&before));
        assert_eq!(same, Diff::default());
    }

    #[test]
    fn fields_are_named_as_the_document_does() {
        let after = Draft {
            priority: Some("low".into()),
            account_id: Some("desk".into()),
            active: Some(true),
            ..Draft::default()
        };
        let diff = Diff::between(&Spec::new(Draft::default()).unwrap(), &Spec::new(after).unwrap());
        let names: Vec<_> = diff.fields.iter().map(|change| change.field).collect();
        assert_eq!(names, ["active", "priority", "accountId"]);
        assert_eq!((diff.fields[2].before.as_deref(), diff.fields[2].after.as_deref()), (None, Some("desk")));
    }

    #[test]
    fn what_differs_throughout_is_replaced() {
        let (a, b): (String, String) =
            ((0..5_000).map(|n| format!("{n}\n")).collect(), (5_000..9_999).map(|n| format!("{n}\n")).collect());
        let diff = Diff::between(&spec(&a), &spec(&b));
        assert_eq!((diff.removed, diff.added), (5_000, 4_999));
        assert_eq!(patched(&a, &diff.script), b);
    }

    proptest! {
        #[test]
        fn a_diff_makes_the_one_of_the_other(a in "([abc]\n){0,30}[ab]?", b in "([abc]\n){0,30}[ab]?") {
            let edits = edits(&lines(&a), &lines(&b));
            prop_assert_eq!(side(&edits, Kind::Added), a.clone());
            prop_assert_eq!(side(&edits, Kind::Removed), b.clone());
            prop_assert_eq!(patched(&a, &unified(&edits)), b);
        }
    }
}
