//! `--help`, which teaches.

use super::program::floodmark;

/// The commands that the program's help lists.
fn commands() -> Vec<String> {
    let help = floodmark(&["--help"]).expect(0).text();
    let list = help.split("Commands:\n").nth(1).unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn every_command_says_what_it_does() {
    let commands = commands();
    assert!(commands.len() >= 9, "{commands:?}");
    for command in commands.iter().filter(|command| *command != "help") {
        let help = floodmark(&[command, "--help"]).expect(0).text();
        let first = help.lines().next().unwrap();
        assert!(first.len() > 20, "{command}: {help}");
        assert!(help.contains("Usage: floodmark "), "{command}: {help}");
    }
}

#[test]
fn commands_that_take_files_show_examples() {
    for command in ["demo", "run", "alerts", "replay", "check", "generate", "query"] {
        let help = floodmark(&[command, "--help"]).expect(0).text();
        let examples = help.split("Examples:\n").nth(1).unwrap_or_default();
        assert!(examples.contains(&format!("floodmark {command} ")), "{command}: {help}");
    }
}

#[test]
fn a_mistyped_command_gets_the_right_one() {
    let done = floodmark(&["repaly"]).expect(2);
    assert!(done.stderr.contains("replay"), "{}", done.stderr);
}
