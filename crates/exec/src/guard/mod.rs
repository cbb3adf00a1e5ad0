//! A guard against slips: commands that nobody means to run on a server are answered with a refusal.
//!
//! It is no boundary. Whoever wants to get around it will; the sandbox is what holds them.

mod places;
mod words;

use places::{is_device, is_precious};
use words::{Pipeline, Simple, Word, read};

/// How deep commands within commands are looked at; deeper ones are refused.
const DEPTH_MAX: usize = 8;
/// Words of a command after which no other command is looked for in it.
const WITHIN_MAX: usize = 16;

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Dangerous command blocked: it {0}")]
pub struct Slip(pub &'static str);

/// Looks whether a line for the shell is a slip.
///
/// # Errors
/// What it would do.
pub fn check_line(line: &str) -> Result<(), Slip> {
    check(line, 0)
}

/// Looks whether a line runs nothing but programs of a list, by their names. What is not known runs anything.
///
/// # Errors
/// The first that is not on it.
pub fn check_listed(line: &str, listed: &[String]) -> Result<(), String> {
    listed_within(line, listed, 0)
}

fn listed_within(line: &str, listed: &[String], depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err("…".to_owned());
    }
    for command in read(line).iter().flatten() {
        let Some(first) = command.words.first() else { continue };
        // `./cat` is not `cat`
        let on_it = !first.dynamic && listed.contains(&first.text);
        if !on_it && first.text != ":" {
            return Err(first.text.chars().take(100).collect());
        }
        for inner in command.words.iter().chain(&command.writes).flat_map(|w| &w.inner) {
            listed_within(inner, listed, depth + 1)?;
        }
    }
    Ok(())
}

/// Looks whether a program and its arguments are a slip.
///
/// # Errors
/// What it would do.
pub fn check_program(program: &str, arguments: &[String]) -> Result<(), Slip> {
    let word = |text: &str| Word { text: text.to_owned(), ..Word::default() };
    let words = std::iter::once(word(program)).chain(arguments.iter().map(|a| word(a))).collect();
    simple(&Simple { words, writes: Vec::new() }, 0)
}

fn check(line: &str, depth: usize) -> Result<(), Slip> {
    if depth > DEPTH_MAX {
        return Err(Slip("hides commands in commands too deep to look at"));
    }
    if is_fork_bomb(line) {
        return Err(Slip("is a fork bomb"));
    }
    for commands in read(line) {
        for command in &commands {
            simple(command, depth)?;
        }
        piped(&commands, depth)?;
    }
    Ok(())
}

/// `:(){ :|:& };:` under any name.
fn is_fork_bomb(line: &str) -> bool {
    let tight: String = line.chars().filter(|c| !c.is_whitespace()).collect();
    tight.match_indices("(){").any(|(at, open)| {
        let (before, after) = (tight.get(..at).unwrap_or_default(), tight.get(at + open.len()..).unwrap_or_default());
        let name = before.rsplit([';', '&', '|', '{', '}', '(', ')']).next().unwrap_or_default();
        let name = name.strip_prefix("function").filter(|n| !n.is_empty()).unwrap_or(name);
        let body = after.split('}').next().unwrap_or_default();
        !name.is_empty() && (body.contains(&format!("{name}|{name}")) || body.contains(&format!("{name}&{name}")))
    })
}

/// The name that a command is known by.
fn name(word: &Word) -> &str {
    word.text.rsplit('/').next().unwrap_or_default()
}

fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "fish" | "csh" | "tcsh")
}

fn is_interpreter(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    matches!(stem, "python" | "perl" | "ruby" | "node" | "nodejs" | "php" | "lua")
}

/// Commands that run the command in their arguments.
fn is_wrapper(name: &str) -> bool {
    matches!(
        name,
        "sudo"
            | "doas"
            | "env"
            | "nice"
            | "ionice"
            | "nohup"
            | "setsid"
            | "stdbuf"
            | "timeout"
            | "exec"
            | "command"
            | "builtin"
            | "xargs"
            | "busybox"
            | "chroot"
            | "watch"
            | "strace"
            | "unshare"
            | "nsenter"
            | "parallel"
            | "time"
            | "chrt"
            | "taskset"
            | "flock"
            | "script"
            | "su"
            | "runuser"
            | "pkexec"
            | "toybox"
            | "find"
    )
}

/// Commands whose output is not what anybody has read.
fn is_source_of_unseen(name: &str) -> bool {
    matches!(
        name,
        "curl"
            | "wget"
            | "fetch"
            | "aria2c"
            | "lynx"
            | "nc"
            | "ncat"
            | "socat"
            | "base64"
            | "base32"
            | "xxd"
            | "openssl"
            | "uudecode"
            | "gunzip"
            | "zcat"
            | "rev"
            | "tr"
    )
}

fn simple(command: &Simple, depth: usize) -> Result<(), Slip> {
    for word in command.words.iter().chain(&command.writes) {
        for inner in &word.inner {
            check(inner, depth + 1)?;
        }
    }
    if command.writes.iter().any(|target| is_device(&target.text)) {
        return Err(Slip("writes to a device"));
    }
    if command.writes.iter().any(|target| places::is_vital_file(&target.text)) {
        return Err(Slip("overwrites a file that the system needs"));
    }
    let Some((first, arguments)) = command.words.split_first() else { return Ok(()) };
    if first.dynamic || (first.text.contains(['*', '?', '[']) && !matches!(first.text.as_str(), "[" | "[[")) {
        // whatever it is called, it is given all of this
        return match arguments.iter().any(|a| is_precious(&a.text)) && arguments.iter().any(is_flag) {
            true => Err(Slip("does something unseen to a directory of the system")),
            false => Ok(()),
        };
    }
    judged(name(first), arguments)?;
    unseen(name(first), arguments)?;
    within(name(first), arguments, depth)
}

fn is_flag(word: &Word) -> bool {
    word.text.starts_with('-') && word.text.len() > 1
}

/// Has it that short flag, alone or among others, or the long one?
fn has(arguments: &[Word], short: &[char], long: &str) -> bool {
    arguments.iter().map(|a| a.text.as_str()).take_while(|a| *a != "--").any(|a| match a.strip_prefix("--") {
        // long options may be cut short
        Some(name) => name.len() >= 3 && long.starts_with(name),
        None => a.strip_prefix('-').is_some_and(|flags| flags.chars().any(|c| short.contains(&c))),
    })
}

/// What a command does by itself.
fn judged(name: &str, arguments: &[Word]) -> Result<(), Slip> {
    let texts = || arguments.iter().map(|a| a.text.as_str());
    let operands = || texts().filter(|a| !a.starts_with('-'));
    let precious = || operands().any(is_precious);
    match name {
        "rm" if texts().any(|a| a == "--no-preserve-root") => Err(Slip("removes the root directory")),
        "rm" if has(arguments, &['r', 'R'], "recursive") && precious() => {
            Err(Slip("removes a directory that the system or its user needs"))
        }
        "find" if precious() && texts().any(|a| a == "-delete") => Err(Slip("removes files of the whole system")),
        "find"
            if precious()
                && texts().any(|a| a.starts_with("-exec"))
                && texts().any(|a| matches!(a, "rm" | "shred")) =>
        {
            Err(Slip("removes files of the whole system"))
        }
        "chmod" | "chown" | "chgrp" | "chattr" if has(arguments, &['R'], "recursive") && precious() => {
            Err(Slip("changes the rights of the whole system"))
        }
        "mv" if operands().any(|a| a == "/dev/null") || operands().next().is_some_and(is_precious) => {
            Err(Slip("moves away what the system needs"))
        }
        "dd" if texts().any(|a| a.starts_with("if=") || a.starts_with("of=")) => Err(Slip("copies blocks with dd")),
        "mkswap" | "mke2fs" | "wipefs" | "blkdiscard" if operands().next().is_some() => Err(Slip("formats a device")),
        "fdisk" | "sfdisk" | "cfdisk" | "gdisk" | "sgdisk" | "parted" if !has(arguments, &['l'], "list") => {
            Err(Slip("changes partitions"))
        }
        "format" | "diskpart" if operands().next().is_some() => Err(Slip("formats a device")),
        "del" | "erase" | "rd" | "rmdir"
            if texts().any(|a| matches!(a.to_ascii_lowercase().as_str(), "/s" | "/q" | "/f")) =>
        {
            Err(Slip("deletes without asking"))
        }
        "tee" | "cp" | "install" | "shred" | "truncate" | "badblocks" if operands().any(is_device) => {
            Err(Slip("writes to a device"))
        }
        "shutdown" | "reboot" | "halt" | "poweroff" => Err(Slip("stops the machine")),
        "init" | "telinit" if operands().any(|a| matches!(a, "0" | "6")) => Err(Slip("stops the machine")),
        "systemctl" if operands().any(|a| matches!(a, "poweroff" | "reboot" | "halt" | "kexec" | "rescue")) => {
            Err(Slip("stops the machine"))
        }
        "kill" if texts().skip(1).any(|a| a == "-1" || a == "1") => Err(Slip("ends every process")),
        "killall5" => Err(Slip("ends every process")),
        name if name.starts_with("mkfs") => Err(Slip("formats a device")),
        _ => Ok(()),
    }
}

/// Runs of what nobody has read: `eval "$(curl …)"`, `bash <(curl …)`.
fn unseen(name: &str, arguments: &[Word]) -> Result<(), Slip> {
    if !is_shell(name) && !is_interpreter(name) && !matches!(name, "eval" | "source" | ".") {
        return Ok(());
    }
    let fetched = |inner: &String| {
        read(inner).iter().flatten().any(|c| c.words.iter().any(|w| is_source_of_unseen(self::name(w))))
    };
    match arguments.iter().flat_map(|a| &a.inner).any(fetched) {
        true => Err(Slip("runs what nobody has read")),
        false => Ok(()),
    }
}

/// Commands in the arguments of a command.
fn within(name: &str, arguments: &[Word], depth: usize) -> Result<(), Slip> {
    if is_wrapper(name) {
        for (at, word) in arguments.iter().enumerate().take(WITHIN_MAX) {
            let words = arguments.get(at..).unwrap_or_default().to_vec();
            if depth < DEPTH_MAX && !is_wrapper(self::name(word)) {
                simple(&Simple { words, writes: Vec::new() }, depth + 1)?;
            }
        }
        // `su -c '…'`, `watch '…'`
        for word in arguments.iter().filter(|w| w.text.contains(' ')) {
            check(&word.text, depth + 1)?;
        }
    }
    if name == "eval" {
        let joined: Vec<&str> = arguments.iter().map(|a| a.text.as_str()).collect();
        return check(&joined.join(" "), depth + 1);
    }
    let short = |w: &&Word| w.text.starts_with('-') && !w.text.starts_with("--");
    let code_after = |flags: &[char]| {
        let at = arguments.iter().position(|w| short(&w) && w.text.contains(flags))?;
        arguments.get(at + 1)
    };
    if is_shell(name)
        && let Some(code) = code_after(&['c'])
    {
        return check(&code.text, depth + 1);
    }
    if is_interpreter(name)
        && let Some(code) = code_after(&['c', 'e', 'r'])
    {
        return code_in_another_language(&code.text, depth);
    }
    Ok(())
}

/// A line of Python and the like: its texts are looked at as commands, one by one and together.
fn code_in_another_language(code: &str, depth: usize) -> Result<(), Slip> {
    let texts = texts_of(code);
    let removes = ["rmtree", "rmSync", "rm_rf", "rm_r", "remove_tree", "rmdirSync"].iter().any(|f| code.contains(f));
    if removes && texts.iter().any(|text| is_precious(text)) {
        return Err(Slip("removes a directory that the system or its user needs"));
    }
    for text in texts.iter().filter(|text| !text.is_empty()) {
        check(text, depth + 1)?;
    }
    check_program_of(&texts, depth)
}

/// `["rm", "-rf", "/"]` as a list.
fn check_program_of(texts: &[String], depth: usize) -> Result<(), Slip> {
    let words = texts.iter().map(|text| Word { text: text.clone(), ..Word::default() }).collect::<Vec<_>>();
    for at in 0..words.len().min(WITHIN_MAX) {
        let words = words.get(at..).unwrap_or_default().to_vec();
        if depth < DEPTH_MAX {
            simple(&Simple { words, writes: Vec::new() }, depth + 1)?;
        }
    }
    Ok(())
}

/// What stands in quotes.
fn texts_of(code: &str) -> Vec<String> {
    let (mut texts, mut rest) = (Vec::new(), code.chars());
    while let Some(quote) = rest.find(|c| matches!(c, '\'' | '"' | '`')) {
        let mut text = String::new();
        while let Some(c) = rest.next().filter(|c| *c != quote) {
            text.push(if c == '\\' { rest.next().unwrap_or(c) } else { c });
        }
        texts.push(text);
    }
    texts
}

/// What goes into a shell by a pipe.
fn piped(commands: &Pipeline, depth: usize) -> Result<(), Slip> {
    for (at, command) in commands.iter().enumerate().skip(1) {
        if !reads_its_commands(&command.words) {
            continue;
        }
        let before = commands.get(..at).unwrap_or_default();
        if before.iter().any(|c| c.words.iter().any(|w| is_source_of_unseen(name(w)))) {
            return Err(Slip("runs what nobody has read"));
        }
        // `echo '…' | sh`
        for word in before.iter().flat_map(|c| c.words.iter().skip(1)) {
            check(&word.text, depth + 1)?;
        }
        let joined = before.iter().flat_map(|c| c.words.iter().skip(1)).map(|w| w.text.as_str()).collect::<Vec<_>>();
        check(&joined.join(" "), depth + 1)?;
    }
    Ok(())
}

/// Is it a shell (or an interpreter) without a script?
fn reads_its_commands(words: &[Word]) -> bool {
    let mut words = words.iter().skip_while(|w| is_wrapper(name(w)) || is_flag(w) || w.text.contains('='));
    let Some(first) = words.next() else { return false };
    let mut operands = words.filter(|w| !is_flag(w) || w.text == "-s");
    (is_shell(name(first)) || is_interpreter(name(first)))
        && operands.next().is_none_or(|operand| matches!(operand.text.as_str(), "-" | "-s" | "/dev/stdin"))
}

#[cfg(test)]
mod tests;
