#![allow(clippy::unwrap_used)]

use super::*;
use crate::encode::ocsf::tests::{burst, hostile};

#[test]
fn a_burst() {
    insta::assert_snapshot!(format!("{:#}", ecs(&burst(), View::Final)));
}

#[test]
fn what_ecs_demands_is_there() {
    for alert in [burst(), hostile("x\n"), hostile("")] {
        let document = ecs(&alert, View::Life { now_ms: 1_767_226_000_123 });
        assert_eq!(document["@timestamp"], "2026-01-01T00:06:40.123Z");
        for path in
            ["/ecs/version", "/event/kind", "/event/id", "/event/reason", "/rule/name", "/message"]
        {
            assert!(document.pointer(path).and_then(Value::as_str).is_some(), "{path}");
        }
        assert_eq!(document["event"]["kind"], "alert");
        for path in ["/event/category", "/event/type"] {
            assert!(document.pointer(path).is_some_and(Value::is_array), "{path} is a list");
        }
        let address = document.pointer("/source/ip").and_then(Value::as_str);
        assert!(address.is_none_or(|ip| ip.parse::<std::net::IpAddr>().is_ok()));
        assert!(document.get("evidences").is_none(), "records are not in it");
    }
}
