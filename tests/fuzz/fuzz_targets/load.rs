//! Any text as a rule file: it loads, or is refused with faults that are one line each.

#![no_main]


use floodmark_detectors::rule::{Document, Environment, RuleSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let document = Document {
        path: "fuzzed.yml".to_owned(),
        text: text.to_owned(),
    };
    if let Err(faults) = RuleSet::load(&[document], &Environment::default()) {
        assert!(!faults.is_empty());
        for fault in faults {
            assert!(fault.line >= 1 && !fault.to_string().contains('\n'), "{fault}");
        }
    }
});
