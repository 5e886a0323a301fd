//! Rules as they are in force, as Sigma that other tools load: changes made, lists filled in.

use std::collections::BTreeSet;

use super::document::{Content, Document, Entry, Node, Scalar, Sort};
use super::item::placeholder;
use super::lists::is_expanded;
use super::load::candidates;
use super::overrides::Override;
use super::{Environment, Fault};

/// Spaces by which YAML is set in.
const INDENT: usize = 2;

/// Writes the documents anew, file by file. A list that is empty keeps its `%name%`, because Sigma
/// has no word for what the rule means then. A rule that is switched off is left out, unless another
/// counts it. Comments are not kept.
///
/// # Errors
/// What is wrong with the YAML or the overrides. That the rules can be loaded is not looked at.
pub fn export(
    documents: &[Document],
    environment: &Environment,
    overrides: &[Override],
) -> Result<Vec<Document>, Vec<Fault>> {
    let mut faults = Vec::new();
    let candidates = candidates(documents, overrides, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let counted: BTreeSet<&str> = candidates
        .iter()
        .filter(|candidate| candidate.enabled)
        .filter_map(|candidate| candidate.root().get("correlation")?.get("rules"))
        .flat_map(Node::elements)
        .filter_map(Node::text)
        .collect();
    let mut exported: Vec<Document> = Vec::new();
    for candidate in &candidates {
        let is_counted = candidate.names().any(|name| counted.contains(name));
        if !candidate.enabled && !is_counted {
            continue;
        }
        let mut root = candidate.root().clone();
        for key in ["detection", "filter"] {
            if let Some(node) = root.at(&[key]) {
                fill(node, environment);
            }
        }
        let mut text = String::new();
        write_node(&root, 0, &mut text);
        let path = &candidate.document.path;
        match exported.last_mut().filter(|last| last.path == *path) {
            Some(last) => last.text.push_str(&format!("---\n{text}")),
            None => exported.push(Document { path: path.clone(), text }),
        }
    }
    Ok(exported)
}

/// Fills lists in, wherever a key says `expand`.
fn fill(node: &mut Node, environment: &Environment) {
    match &mut node.content {
        Content::Scalar(_) => {}
        Content::List(nodes) => nodes.iter_mut().for_each(|node| fill(node, environment)),
        Content::Map(entries) => {
            let keys: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
            for entry in entries {
                if !is_expanded(&entry.key) {
                    fill(&mut entry.value, environment);
                    continue;
                }
                let is_whole = fill_values(&mut entry.value, environment);
                let parts: Vec<&str> =
                    entry.key.split('|').filter(|part| *part != "expand").collect();
                let plain = parts.join("|");
                // The key without it may stand beside it; then it stays, and expands nothing.
                if is_whole && !keys.contains(&plain) {
                    entry.key = plain;
                }
            }
        }
    }
}

/// Puts the values of lists in the place of their names; false where one is empty.
fn fill_values(value: &mut Node, environment: &Environment) -> bool {
    let mut values = Vec::new();
    let mut is_whole = true;
    for node in value.elements() {
        let parts = node.text().and_then(placeholder);
        let filled = parts.and_then(|(before, name, after)| {
            let list = environment.list(name).filter(|list| !list.is_empty())?;
            Some(list.into_iter().map(move |value| format!("{before}{value}{after}")))
        });
        match filled {
            None => {
                is_whole &= parts.is_none();
                values.push(node.clone());
            }
            Some(texts) => values.extend(texts.map(|text| Node {
                line: node.line,
                content: Content::Scalar(Scalar { text, sort: Sort::Text }),
            })),
        }
    }
    value.content = Content::List(values);
    is_whole
}

/// Writes a node as YAML, a map or list on lines of its own, set in by `depth`.
fn write_node(node: &Node, depth: usize, out: &mut String) {
    let pad = " ".repeat(depth * INDENT);
    match &node.content {
        Content::Scalar(scalar) => {
            out.push_str(&format!("{pad}{}\n", written(scalar)));
        }
        Content::List(nodes) => {
            for node in nodes {
                out.push_str(&format!("{pad}-"));
                write_value(node, depth, out);
            }
        }
        Content::Map(entries) => {
            for Entry { key, value, .. } in entries {
                out.push_str(&format!("{pad}{}:", quoted(key)));
                write_value(value, depth, out);
            }
        }
    }
}

/// Writes what stands after a dash or a colon.
fn write_value(node: &Node, depth: usize, out: &mut String) {
    match &node.content {
        Content::Scalar(scalar) => out.push_str(&format!(" {}\n", written(scalar))),
        Content::List(nodes) if nodes.is_empty() => out.push_str(" []\n"),
        Content::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Content::List(_) | Content::Map(_) => {
            out.push('\n');
            write_node(node, depth + 1, out);
        }
    }
}

fn written(scalar: &Scalar) -> String {
    match scalar.sort {
        Sort::Null => "null".to_owned(),
        Sort::Bool(value) => value.to_string(),
        Sort::Number => scalar.text.clone(),
        Sort::Text => quoted(&scalar.text),
    }
}

/// A text in quotes, unless any YAML reader takes it for a text without them.
fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.|-".contains(&byte))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// What some YAML reader takes for something other than a text.
const WORDS: [&str; 10] = ["y", "n", "true", "false", "null", "yes", "no", "on", "off", "nan"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::rule::{LoadOptions, RuleSet, Setting, SettingValue, pack};

    #[test]
    fn what_is_exported_is_the_same_rules() {
        let environment = Environment::default();
        let exported = export(&pack::documents(), &environment, &[]).unwrap();
        assert_eq!(exported.len(), pack::documents().len());
        assert!(exported.iter().all(|document| !document.text.contains("%compute%")));
        let own = RuleSet::load(&pack::documents(), &environment).unwrap();
        let again = RuleSet::load(&exported, &environment).unwrap();
        let shape = |rules: &RuleSet| -> Vec<String> {
            rules
                .rules
                .iter()
                .map(|r| format!("{} {:?} {:?}", r.card.id, r.kind, r.marks))
                .collect()
        };
        assert_eq!(shape(&own), shape(&again));
        for (a, b) in own.detections.iter().zip(&again.detections) {
            assert_eq!(a.id, b.id);
            assert_eq!(a.matcher.necessary(), b.matcher.necessary());
        }
    }

    #[test]
    fn lists_are_filled_in_and_changes_made() {
        let text = "title: 'on: # x'\nid: 00000000-0000-4000-8000-000000000009\nname: 'yes'\n\
                    logsource: {product: aws, service: cloudtrail}\n\
                    detection:\n  s:\n    eventSource: a\n    requestParameters.b|endswith|expand: '/%mine%'\n    \
                    recipientAccountId: 012345678901\n    responseElements: null\n  condition: s\n\
                    floodmark: {code: MY-01}\n";
        let documents = [Document { path: "r.yml".into(), text: text.into() }];
        let mut environment = Environment::default();
        environment.lists.insert("mine".into(), vec!["x*".into(), "1".into()]);
        let change = Override {
            rule: "my-01".into(),
            path: "f.toml".into(),
            line: 1,
            settings: vec![(2, Setting { key: "timespan", value: SettingValue::Secs(60) })],
        };
        let exported = export(&documents, &environment, &[change]).unwrap();
        assert_eq!(
            exported[0].text,
            "title: \"on: # x\"\nid: \"00000000-0000-4000-8000-000000000009\"\nname: \"yes\"\n\
             logsource:\n  product: aws\n  service: cloudtrail\n\
             detection:\n  s:\n    eventSource: a\n    requestParameters.b|endswith:\n      \
             - \"/x*\"\n      - \"/1\"\n    recipientAccountId: \"012345678901\"\n    \
             responseElements: null\n  condition: s\n\
             floodmark:\n  code: MY-01\n  timespan: \"60s\"\n"
        );
        let options = LoadOptions::default();
        let rules = RuleSet::load_with(&exported, &Environment::default(), options).unwrap();
        assert_eq!(rules.rules[0].timespan_secs, 60);
        let kept = export(&documents, &Environment::default(), &[]).unwrap();
        assert!(kept[0].text.contains("requestParameters.b|endswith|expand:\n      - \"/%mine%\""));
    }
}
