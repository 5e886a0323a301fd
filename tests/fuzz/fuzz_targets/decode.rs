//! Any bytes: decoding and every accessor return, and what `serde_json` reads, we read the same.

#![no_main]

use std::ops::ControlFlow;

use floodmark_detectors::field::{Fields, Path};
use floodmark_detectors::record::{Key, Oddity, Record, TreeLimits, Unreadable, Value};
use libfuzzer_sys::fuzz_target;

const WHOLE: TreeLimits = TreeLimits {
    depth_max: 200,
    values_max: 1 << 20,
};

fuzz_target!(|bytes: &[u8]| {
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let record = match Record::decode(bytes) {
        Ok(record) => record,
        Err(Unreadable::NoTime | Unreadable::Digest) => return,
        Err(reason) => {
            assert!(!theirs.is_some_and(|json| json.is_object()), "{reason}");
            return;
        }
    };
    for key in Key::ALL {
        let value = record.value(key);
        assert_eq!(record.text(key), value.clone().into_text());
        let _tree = value.to_json(TreeLimits::default());
    }
    let _texts = (record.event_source(), record.event_name(), record.account());
    assert_eq!(
        record.oddities().contains(Oddity::NoEventId),
        record.event_id().is_none()
    );
    assert_eq!(record.id(1), record.id(1));
    let _read_only = record.read_only();

    let fields = Fields::of(&record);
    for path in [
        "requestParameters.a.b",
        "userIdentity.sessionContext.sessionIssuer.arn",
        "a.b",
    ] {
        let path = Path::parse(path).expect("it is a path");
        let mut first = None;
        let flow = fields.visit(&path, &mut |value| {
            first = value.to_json(TreeLimits::default());
            ControlFlow::Break(())
        });
        assert_eq!(flow.is_break(), fields.value(&path) != Value::Missing);
        assert_eq!(flow.is_break(), first.is_some());
    }

    let ours = Value::Object(record.whole()).to_json(WHOLE);
    let Some(theirs) = theirs else { return };
    assert!(!record.oddities().contains(Oddity::InvalidUtf8));
    assert!(!record.oddities().contains(Oddity::BareWord));
    assert_eq!(ours.as_ref(), Some(&theirs));
    for (name, value) in theirs.as_object().into_iter().flatten() {
        assert_eq!(
            record.get(name).to_json(WHOLE).as_ref(),
            Some(value),
            "{name}"
        );
    }
});
