#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{Property, Secret};

/// All faults, one a line.
fn faults(text: &str) -> String {
    Settings::parse(text).unwrap_err().to_string()
}

#[test]
fn the_example_is_valid_and_shows_the_defaults() {
    let text = include_str!("../../../deploy/floodmark.example.toml");
    let settings = Settings::parse(text).unwrap();
    assert_eq!(settings.sources.len(), 1);
    let SourceKind::Kafka(kafka) = &settings.sources[0].kind else {
        panic!("the example reads Kafka");
    };
    assert_eq!(kafka.topics, ["cloudtrail"]);
    assert_eq!(
        kafka.properties["sasl.password"],
        Property::Secret(Secret::Env("KAFKA_PASSWORD".into()))
    );
    assert_eq!(settings.engine, Engine::default());
    assert_eq!(settings.rules.shipped, Rules::default().shipped);
    assert_eq!(settings.environment.environment.lists["allowed_buckets"].len(), 2);
    // Every line that is commented out is valid too, all sources and sinks at once.
    let settings_commented = text
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n");
    let settings = Settings::parse(&settings_commented).unwrap();
    let names: Vec<&str> = settings.sources.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["organisation", "kinesis", "file", "stdin"]);
    let names: Vec<&str> = settings.sinks.iter().map(|sink| sink.name.as_str()).collect();
    assert_eq!(names, ["file", "stdout", "kafka", "soc"]);
    let SinkKind::Webhook(webhook) = &settings.sinks[3].kind else {
        panic!("the last one is a webhook");
    };
    let least = "[[source]]\ntype = \"stdin\"\n[[sink]]\ntype = \"webhook\"\nurl = \"https://a\"\n";
    let least = Settings::parse(least).unwrap();
    let SinkKind::Webhook(least) = &least.sinks[0].kind else { panic!("it is one") };
    assert_eq!(
        (webhook.body, webhook.gzip, webhook.timeout, webhook.alerts_max),
        (least.body, least.gzip, least.timeout, least.alerts_max)
    );
    assert_eq!(settings.engine.workers, NonZeroUsize::new(4));
}

#[test]
fn little_is_needed() {
    let settings = Settings::parse("[[source]]\ntype = \"stdin\"\n").unwrap();
    assert_eq!(settings.sources[0].kind, SourceKind::Stdin);
    assert_eq!(settings.sinks[0].kind, SinkKind::Stdout);
    assert_eq!(settings.engine, Engine::default());
    assert_eq!(settings.rules, Rules::default());
    let two = "[[source]]\ntype = \"file\"\npaths = \"a\"\n[[source]]\ntype = \"file\"\npaths = [\"b\"]\n";
    let names: Vec<String> =
        Settings::parse(two).unwrap().sources.into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["file", "file-2"]);
}

#[test]
fn all_faults_are_told_at_once() {
    let text = r#"
surprise = 1
[[source]]
type = "kafka"
borkers = ["a:1"]
topic = ""
[source.properties]
"sasl.password" = "hunter2"
"group.id" = "x"
"fetch.min.bytes" = 1.5
"ssl.key.password" = { enw = "X" }
[[source]]
type = "files"
[[source]]
name = "x"
[[source]]
type = "file"
name = "same"
[[source]]
type = "stdin"
name = "same"
path = "x"
[[sink]]
type = "file"
format = "json"
files_max = 3
[engine]
lateness = "15"
workers = 0
windows_max = "many"
laetness = "1m"
[rules]
shipped = "yes"
paths = ["a", 1]
[environment]
buckets = { a = 1 }
"#;
    let expected = r#"line 2: surprise: is no known key (known here: engine, environment, http, ledger, rules, sink, source)
line 3: source[0].brokers: is missing (write brokers = ["host:9092"])
line 5: source[0].borkers: is no known key (did you mean brokers?)
line 6: source[0].topic: must be a text that is not empty, got "" (write topic = "..")
line 8: source[0].properties.sasl.password: is a secret and must not stand here (write { env = "NAME" } or { file = "/path" })
line 9: source[0].properties.group.id: is not yours to set (use group)
line 10: source[0].properties.fetch.min.bytes: must be a text, a whole number, true or false, got 1.5 (names with dots want quotes: "fetch.min.bytes" = 1)
line 11: source[0].properties.ssl.key.password.enw: is no known key (did you mean env?)
line 13: source[1].type: must be one of file, stdin, kafka, kinesis, got "files" (did you mean file?)
line 14: source[2].type: is missing (one of file, stdin, kafka, kinesis)
line 16: source[3].paths: is missing (write paths = ["/var/log/cloudtrail"])
line 21: source[4].name: names another one already, got "same" (choose another)
line 22: source[4].path: is no known key (known here: name, type)
line 23: sink[0].path: is missing (write path = "alerts.ndjson")
line 25: sink[0].format: must be one of ndjson, text, ocsf, ecs, asff, cef, got "json" (did you mean ndjson?)
line 26: sink[0].files_max: counts files put aside, and none are without bytes_max (add bytes_max)
line 28: engine.lateness: must be a duration from 0s to 7d, got "15" (write a number and s, m, h or d, as in "15m" or "1h30m")
line 29: engine.workers: must be a whole number from 1 to 1024, got 0 (without quotes)
line 30: engine.windows_max: must be a whole number from 1000 to 4294967296, got "many" (without quotes)
line 31: engine.laetness: is no known key (did you mean lateness?)
line 33: rules.shipped: must be true or false, got "yes" (without quotes)
line 34: rules.paths: must be a list of texts, none of them empty, got ["a", 1] (write ["..", ".."])
line 36: environment.buckets: must be a list of texts, none of them empty, got { a = 1 } (write ["..", ".."])"#;
    let found = faults(text);
    assert_eq!(found, expected);
    assert!(!found.contains("hunter2"));
}

#[test]
fn no_source_and_no_toml_are_faults() {
    assert_eq!(faults(""), "line 1: source: is missing (write [[source]] and its type)");
    assert_eq!(
        faults("source = 1"),
        "line 1: source: must be a list of tables, got 1 (write [[source]] before its keys)"
    );
    let found = faults("[engine\nlateness = \"15m\"\n");
    assert!(found.starts_with("line 1: is no TOML: "), "{found}");
    assert_eq!(
        faults("[[source]]\ntype = \"stdin\"\n[rules]\nshipped = false\n"),
        "line 3: rules.paths: is missing (name paths, or leave shipped = true)"
    );
}

#[test]
fn no_text_at_all_makes_it_panic() {
    let example = include_str!("../../../deploy/floodmark.example.toml");
    for cut in (0..example.len()).filter(|&cut| example.is_char_boundary(cut)).step_by(7) {
        let (head, tail) = example.split_at(cut);
        for text in [head, tail] {
            if let Err(faults) = Settings::parse(text) {
                assert!(!faults.0.is_empty());
                assert!(faults.0.iter().all(|fault| !fault.reason.is_empty() && fault.line > 0));
            }
        }
    }
}

#[test]
fn what_wants_tls_is_known_by_its_properties() {
    for (property, is_beyond) in [
        ("\"security.protocol\" = \"sasl_ssl\"", true),
        ("\"security.protocol\" = \"SASL_PLAINTEXT\"", false),
        ("\"sasl.mechanism\" = \"SCRAM-SHA-256\"", true),
        ("\"sasl.mechanism\" = \"PLAIN\"", false),
        ("\"ssl.ca.location\" = \"ca.pem\"", true),
        ("\"ssl.key.password\" = { env = \"X\" }", true),
    ] {
        let text = format!(
            "[[source]]\ntype = \"kafka\"\nbrokers = [\"a:1\"]\ntopic = \"t\"\n\
             [source.properties]\n{property}\n"
        );
        let settings = Settings::parse(&text).unwrap();
        let SourceKind::Kafka(kafka) = &settings.sources[0].kind else { panic!() };
        let told = kafka.beyond_build();
        // A build with the feature can do all of it.
        assert_eq!(told.is_some(), is_beyond && cfg!(not(feature = "kafka-tls")), "{property}");
        assert!(told.is_none_or(|told| told.contains("--features kafka-tls")));
    }
}

#[test]
fn metrics_are_for_the_loopback_or_for_who_has_the_token() {
    let with =
        |http: &str| Settings::parse(&format!("[[source]]\ntype = \"stdin\"\n[http]\n{http}\n"));
    let http = with("listen = \"[::1]:9464\"").unwrap().http.unwrap();
    assert_eq!((http.listen.port(), http.token), (9464, None));
    let http = with("listen = \"0.0.0.0:80\"\ntoken = { env = \"TOKEN\" }").unwrap().http;
    let token = Property::Secret(Secret::Env("TOKEN".into()));
    assert_eq!(http.unwrap().token, Some(token));
    let faults = |text| with(text).unwrap_err().to_string();
    let open = faults("listen = \"0.0.0.0:80\"");
    assert!(
        open.contains("http.token: is missing") && open.contains("others can reach it"),
        "{open}"
    );
    let odd = faults("listen = \"localhost\"");
    assert!(odd.contains("is no address to listen on"), "{odd}");
    let shown = faults("listen = \"127.0.0.1:80\"\ntoken = \"hunter2\"");
    assert!(shown.contains("is a secret") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn windows_are_kept_by_input_where_all_that_is_read_is_keyed() {
    let kafka = "[[source]]\ntype = \"kafka\"\nbrokers = [\"b:1\"]\ntopic = \"t\"\n";
    let keyed = "keyed_by = [\"floodmark.account\"]\n";
    let kinesis = "[[source]]\ntype = \"kinesis\"\nstream = \"s\"\n";
    let leases = "leases = { table = \"t\", keyed_by = [\"floodmark.account\"] }\n";
    let stdin = "[[source]]\ntype = \"stdin\"\n";
    let is_keyed = |parts: &[&str]| Settings::parse(&parts.concat()).unwrap().is_keyed();
    assert!(is_keyed(&[kafka, keyed]));
    assert!(is_keyed(&[kinesis, leases]));
    assert!(is_keyed(&[kafka, keyed, kinesis, leases]));
    for one_for_all in [
        &[kafka][..],
        &[kinesis],
        &[stdin],
        &[kafka, keyed, kinesis],
        &[kafka, kinesis, leases],
        &[kinesis, leases, stdin],
    ] {
        assert!(!is_keyed(one_for_all), "{one_for_all:?}");
    }
}
