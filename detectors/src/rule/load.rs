//! Documents to rules: all of them, or every fault at once.

use std::sync::Arc;

use super::correlation::Correlation;
use super::detection::Compiler;
use super::document::{self, Document, Node as Yaml, Page};
use super::extension::{Extension, Meaning, level};
use super::fault::{Fault, Problem};
use super::lists::SCPS_IN_FORCE;
use super::overrides::{self, Candidate, Override};
use super::{Card, Environment, Level, Mode, RuleSet, keys, link};
use crate::matcher::Node;

/// Most faults that are told.
const FAULTS_MAX: usize = 1_000;

/// How strictly rules are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// Every detection must name its `eventSource` or say `floodmark: {all_services: true}`. Event
    /// names are not unique among services, so a rule without it matches more than it seems to.
    pub strict_services: bool,
}

impl RuleSet {
    /// Reads Sigma documents. One fault anywhere, and there are no rules, only the faults.
    ///
    /// # Errors
    /// All faults, by path and line (at most a thousand).
    pub fn load(documents: &[Document], environment: &Environment) -> Result<RuleSet, Vec<Fault>> {
        RuleSet::load_with(documents, environment, LoadOptions::default())
    }

    /// [`RuleSet::load`] with options.
    ///
    /// # Errors
    /// As there.
    pub fn load_with(
        documents: &[Document],
        environment: &Environment,
        options: LoadOptions,
    ) -> Result<RuleSet, Vec<Fault>> {
        RuleSet::load_changed(documents, environment, options, &[])
    }

    /// [`RuleSet::load_with`], with what a deployment changes of the rules.
    ///
    /// # Errors
    /// As there; a fault of a change stands where the change does.
    pub fn load_changed(
        documents: &[Document],
        environment: &Environment,
        options: LoadOptions,
        overrides: &[Override],
    ) -> Result<RuleSet, Vec<Fault>> {
        let mut faults = Vec::new();
        let candidates = candidates(documents, overrides, &mut faults);
        let mut drafts = Vec::new();
        for candidate in &candidates {
            let mut problems = Vec::new();
            let draft = settle(candidate, environment, options, &mut problems);
            let rule = draft.label();
            let told = problems.into_iter().map(|(by, problem)| {
                match by.and_then(|by| overrides.get(by)) {
                    Some(change) => {
                        overrides::told(change, "", Problem { line: change.line, ..problem })
                    }
                    None => Fault {
                        rule: Some(rule.to_owned()).filter(|rule| !rule.is_empty()),
                        ..fault(&candidate.document.path, problem)
                    },
                }
            });
            faults.extend(told);
            drafts.push(draft);
        }
        match link::link(drafts, &mut faults) {
            Some(rules) if faults.is_empty() => Ok(rules.within(environment)),
            _ => {
                faults.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
                faults.dedup();
                faults.truncate(FAULTS_MAX);
                Err(faults)
            }
        }
    }
}

/// Every document, with what is changed of it.
pub(crate) fn candidates<'d>(
    documents: &'d [Document],
    overrides: &[Override],
    faults: &mut Vec<Fault>,
) -> Vec<Candidate<'d>> {
    let mut candidates = Vec::new();
    for document in documents {
        let (pages, problem) = document::read(&document.text);
        candidates.extend(pages.into_iter().map(|page| Candidate {
            document,
            page,
            changed: None,
            enabled: true,
        }));
        faults.extend(problem.map(|problem| fault(&document.path, problem)));
    }
    overrides::apply(&mut candidates, overrides, faults);
    candidates
}

/// The draft of a document as it is in force. Problems that a change makes are the change's, by
/// its place among the overrides.
fn settle(
    candidate: &Candidate<'_>,
    environment: &Environment,
    options: LoadOptions,
    problems: &mut Vec<(Option<usize>, Problem)>,
) -> Draft {
    let Candidate { document, page, changed, enabled } = candidate;
    let mut found = Vec::new();
    let mut settled = draft(document, &page.root, environment, options, &mut found);
    if found.is_empty() {
        found.extend(second_opinion(document, page));
    }
    let is_sound = found.is_empty();
    problems.extend(found.into_iter().map(|problem| (None, problem)));
    if is_sound && let Some((root, by)) = changed {
        let mut found = Vec::new();
        settled = draft(document, root, environment, options, &mut found);
        problems.extend(found.into_iter().map(|problem| (Some(*by), problem)));
    }
    settled.enabled = *enabled;
    settled
}

/// One document, read and checked by itself.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) path: Arc<str>,
    pub(crate) line: usize,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) card: Card,
    pub(crate) extension: Extension,
    pub(crate) body: Body,
    /// What a rule does that names others: whether they speak for themselves too.
    pub(crate) generate: bool,
    /// Whether it may speak for itself.
    pub(crate) enabled: bool,
    /// Lists of the environment that it names, and how many values each has.
    pub(crate) lists: Vec<(String, usize)>,
    /// What decides which records match, so that it can be told from other versions of itself.
    pub(crate) canonical: String,
}

#[derive(Debug)]
pub(crate) enum Body {
    Detection {
        condition: Node,
        source: LogSource,
    },
    Correlation(Correlation),
    Filter {
        condition: Node,
        source: LogSource,
        /// Names or ids and lines; `None` is every rule.
        rules: Option<Vec<(String, usize)>>,
    },
    /// It has faults; its name still counts as known.
    Faulty,
}

/// Where records come from, as far as a rule says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LogSource {
    product: Option<String>,
    service: Option<String>,
}

impl LogSource {
    /// Whether all it says holds for `other` too.
    pub(crate) fn covers(&self, other: &LogSource) -> bool {
        let within = |a: &Option<String>, b: &Option<String>| a.is_none() || a == b;
        within(&self.product, &other.product) && within(&self.service, &other.service)
    }
}

impl Draft {
    /// Name, id or title: what people call it.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.card.id)
    }

    /// Takes on what the rule says of itself while a list is empty.
    fn become_while_empty(&mut self, meaning: &Meaning) {
        self.card.level = meaning.level.or(self.card.level);
        self.card.mode = meaning.mode.unwrap_or(self.card.mode);
    }
}

fn fault(path: &str, problem: Problem) -> Fault {
    Fault {
        path: path.to_owned(),
        line: problem.line,
        rule: None,
        reason: problem.reason,
        fix: problem.fix,
    }
}

fn draft(
    document: &Document,
    root: &Yaml,
    environment: &Environment,
    options: LoadOptions,
    problems: &mut Vec<Problem>,
) -> Draft {
    let text = |key| root.get(key).and_then(Yaml::text).map(str::to_owned);
    let mut draft = Draft {
        path: document.path.as_str().into(),
        line: root.line,
        id: text("id").map(|id| id.to_ascii_lowercase()),
        name: text("name"),
        card: card(document, root),
        extension: Extension::default(),
        body: Body::Faulty,
        generate: false,
        enabled: true,
        lists: Vec::new(),
        canonical: String::new(),
    };
    let Some(sort) = keys::check(root, root.line, problems) else {
        return draft;
    };
    if let Some(node) = root.get("floodmark") {
        draft.extension = Extension::read(node, sort, problems);
        draft.card.code.clone_from(&draft.extension.code);
        draft.card.mode = draft.extension.mode;
        draft.card.scenario.clone_from(&draft.extension.scenario);
        draft.card.containment.clone_from(&draft.extension.containment);
        draft.card.needs.clone_from(&draft.extension.needs);
        draft.card.evidence.clone_from(&draft.extension.evidence);
        if draft.card.mode == Mode::Posture && is_scp_in_force(&draft.card, environment) {
            draft.card.mode = Mode::Alert;
        }
    }
    if let Some(node) = root.get("generate") {
        draft.generate = super::quantity::truth(node, "generate", problems).unwrap_or_default();
    }
    let body = match sort {
        keys::Sort::Detection => detection(&mut draft, root, environment, options, problems),
        keys::Sort::Correlation => {
            for (list, meaning) in draft.extension.empty.clone() {
                if environment.list(&list).is_none_or(|values| values.is_empty()) {
                    draft.become_while_empty(&meaning);
                }
            }
            let node = root.get("correlation");
            node.and_then(|node| Correlation::read(node, problems)).map(Body::Correlation)
        }
        keys::Sort::Filter => filter(&mut draft, root, environment, problems),
    };
    if problems.is_empty() {
        draft.body = body.unwrap_or(Body::Faulty);
    }
    draft
}

/// Whether it sees what a policy forbids that is in force: what should be impossible.
fn is_scp_in_force(card: &Card, environment: &Environment) -> bool {
    let named = environment.lists.get(SCPS_IN_FORCE).map(Vec::as_slice).unwrap_or_default();
    let is_named = |code: &str| named.iter().any(|name| name.eq_ignore_ascii_case(code));
    card.scenario.as_deref() == Some("scp") && card.code.as_deref().is_some_and(is_named)
}

fn card(document: &Document, root: &Yaml) -> Card {
    let text = |key| root.get(key).and_then(Yaml::text).map(str::to_owned);
    let texts = |key| {
        let nodes = root.get(key).map(Yaml::elements).unwrap_or_default();
        let texts = nodes.iter().filter_map(Yaml::text);
        texts.map(str::to_owned).collect::<Vec<String>>()
    };
    let title = text("title").unwrap_or_default();
    let id = text("id").map(|id| id.to_ascii_lowercase());
    Card {
        id: id.or_else(|| text("name")).unwrap_or_else(|| title.clone()),
        name: text("name"),
        title,
        description: text("description").unwrap_or_default(),
        level: Some(text("level").map_or(Level::Medium, |name| level(&name))),
        tags: texts("tags"),
        references: texts("references"),
        falsepositives: texts("falsepositives"),
        file: document.path.clone(),
        line: root.line,
        ..Card::default()
    }
}

fn detection(
    draft: &mut Draft,
    root: &Yaml,
    environment: &Environment,
    options: LoadOptions,
    problems: &mut Vec<Problem>,
) -> Option<Body> {
    let source = log_source(root, problems);
    let node = root.get("detection")?;
    let may_be_empty = draft.extension.may_be_empty();
    let mut compiler = Compiler::new(environment, selectors(root), may_be_empty);
    let condition = compiler.detection(node, "detection", &[]);
    draft.canonical = canonical(node, &compiler);
    draft.lists = lists(&compiler, environment);
    for list in draft.extension.empty.keys() {
        if !compiler.filled.contains_key(list) && !compiler.empty.contains(list) {
            let reason = format!("`floodmark.environment.{list}`: the rule uses no such list");
            let line = root.get("floodmark").map_or(root.line, |node| node.line);
            compiler.problems.push(Problem::new(line, reason));
        }
    }
    if let Some(list) = compiler.empty.first() {
        if draft.extension.special.is_some() {
            let reason = format!("list `%{list}%` is empty, and the rule has a window of its own");
            compiler.problems.push(Problem::new(root.line, reason));
        }
        let meaning = draft.extension.empty.get(list);
        draft.extension.special = meaning.and_then(|meaning| meaning.special.clone());
    }
    for list in &compiler.empty {
        let meaning = draft.extension.empty.get(list).cloned();
        draft.become_while_empty(&meaning.unwrap_or_default());
    }
    problems.append(&mut compiler.problems);
    if options.strict_services && problems.is_empty() && !draft.extension.all_services {
        let matcher = crate::matcher::Matcher::new(condition.clone());
        if matcher.necessary().sources.is_none() {
            let problem = Problem::new(node.line, "the detection names no `eventSource`");
            problems.push(problem.fix("or say `floodmark: {all_services: true}`"));
        }
    }
    Some(Body::Detection { condition, source: source? })
}

fn filter(
    draft: &mut Draft,
    root: &Yaml,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Body> {
    let source = log_source(root, problems);
    let node = root.get("filter")?;
    let mut compiler = Compiler::new(environment, selectors(root), Default::default());
    let condition = compiler.detection(node, "filter", &["rules"]);
    draft.canonical = canonical(node, &compiler);
    draft.lists = lists(&compiler, environment);
    problems.append(&mut compiler.problems);
    let rules = match node.get("rules") {
        None => {
            let problem = Problem::new(node.line, "`filter` needs `rules`");
            problems.push(problem.fix("a list of rules, or `any`"));
            return None;
        }
        Some(rules) if rules.text().is_some_and(|text| text.eq_ignore_ascii_case("any")) => None,
        Some(rules) => Some(keys::texts(rules, "rules", problems)),
    };
    if rules.as_ref().is_some_and(Vec::is_empty) {
        problems.push(Problem::new(node.line, "`rules` names no rule"));
    }
    Some(Body::Filter { condition, source: source?, rules })
}

/// Whether brackets are array selectors: from version 3 of the specification on.
fn selectors(root: &Yaml) -> bool {
    let version = root.get("sigma-version").and_then(Yaml::text);
    rsigma_parser::version::array_matching_enabled(
        version.and_then(rsigma_parser::version::major_from_str),
    )
}

fn canonical(node: &Yaml, compiler: &Compiler<'_>) -> String {
    let mut canonical = String::new();
    node.canonical(&mut canonical);
    for (name, values) in &compiler.filled {
        canonical.push_str(&format!("%{name}{values:?}"));
    }
    canonical
}

/// The lists that come from the environment, not from the catalogue.
fn lists(compiler: &Compiler<'_>, environment: &Environment) -> Vec<(String, usize)> {
    let filled = compiler.filled.iter().map(|(name, values)| (name, values.len()));
    let empty = compiler.empty.iter().map(|name| (name, 0));
    filled
        .chain(empty)
        .filter(|(name, len)| *len == 0 || environment.lists.contains_key(*name))
        .map(|(name, len)| (name.clone(), len))
        .collect()
}

fn log_source(root: &Yaml, problems: &mut Vec<Problem>) -> Option<LogSource> {
    let fix = "write `logsource: {product: aws, service: cloudtrail}`";
    let Some(entry) = root.entry("logsource") else {
        problems.push(Problem::new(root.line, "a rule needs a `logsource`").fix(fix));
        return None;
    };
    let Some(entries) = entry.value.map() else {
        problems.push(Problem::new(entry.line, "`logsource` must be a map").fix(fix));
        return None;
    };
    let before = problems.len();
    keys::known(entries, &keys::LOGSOURCE, "logsource", problems);
    for (key, known) in
        [("product", Some("aws")), ("service", Some("cloudtrail")), ("category", None)]
    {
        let Some(node) = entry.value.get(key) else {
            continue;
        };
        let got = node.text().unwrap_or_default();
        if known.is_none_or(|known| known != got) {
            let reason = format!("only CloudTrail is read here: {key} `{got}` gives no record");
            problems.push(Problem::new(node.line, reason).fix(fix));
        }
    }
    let text = |key| entry.value.get(key).and_then(Yaml::text).map(str::to_owned);
    let source = LogSource { product: text("product"), service: text("service") };
    if source == LogSource::default() && problems.len() == before {
        problems.push(Problem::new(entry.line, "`logsource` names no source").fix(fix));
    }
    (problems.len() == before).then_some(source)
}

/// What `rsigma-parser` thinks of the document: that others can load it too.
fn second_opinion(document: &Document, page: &Page) -> Option<Problem> {
    let lines = document.text.lines().skip(page.line.saturating_sub(1));
    let count = page.end.map_or(usize::MAX, |end| end.saturating_sub(page.line));
    let text: String = lines.take(count).flat_map(|line| [line, "\n"]).collect();
    let refused =
        |reason: String| Some(Problem::new(page.root.line, format!("no Sigma document: {reason}")));
    match rsigma_parser::parse_sigma_yaml(&text) {
        Err(error) => refused(error.to_string()),
        Ok(collection) => match collection.errors.first() {
            Some(error) => refused(error.clone()),
            None if collection.len() != 1 => refused(format!("{} rules in one", collection.len())),
            None => None,
        },
    }
}
