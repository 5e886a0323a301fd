//! YAML with line numbers: what a rule file says, and where.
//!
//! Rules are read from this tree, so every fault has its line. Anchors, aliases, merge keys, tags
//! and duplicate keys are refused: they make a rule say other than it seems to. Everything is
//! bounded: bytes, depth, nodes.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::fault::Problem;

/// Longest rule file, bytes.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of a rule file.
const DEPTH_MAX: usize = 24;
/// Most keys, values and lists of a rule file.
const NODES_MAX: usize = 100_000;

/// A file of rules: YAML, one or more documents separated by `---`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The file's name, for faults.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// A value and the line on which it begins.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One member of a map.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The line of the key.
    pub(crate) line: usize,
    pub(crate) value: Node,
}

/// A text, number, truth value or null, by YAML's core schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// As written, escapes resolved.
    pub(crate) text: String,
    pub(crate) sort: Sort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Null,
    Bool(bool),
    Number,
    Text,
}

impl Scalar {
    /// A plain scalar is what it looks like. A number with leading zeros is a text: it is an
    /// account id, and its zeros count.
    fn plain(text: &str) -> Scalar {
        let sort = match text {
            "" | "~" | "null" | "Null" | "NULL" => Sort::Null,
            "true" | "True" | "TRUE" => Sort::Bool(true),
            "false" | "False" | "FALSE" => Sort::Bool(false),
            text if is_number(text) => Sort::Number,
            _ => Sort::Text,
        };
        Scalar { text: text.to_owned(), sort }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    let leading_zero = digits.len() > 1
        && digits.starts_with('0')
        && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    let begins = digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    text.len() - digits.len() <= 1
        && begins
        && !leading_zero
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && text.parse::<f64>().is_ok()
}

impl Node {
    /// The scalar, if it is one.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a text or number.
    pub(crate) fn text(&self) -> Option<&str> {
        self.scalar()
            .filter(|scalar| matches!(scalar.sort, Sort::Text | Sort::Number))
            .map(|scalar| scalar.text.as_str())
    }

    /// The members, if it is a map.
    pub(crate) fn map(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry of a map by key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.map()?.iter().find(|entry| entry.key == key)
    }

    /// The value of a map by key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The elements of a list; a value that is none stands for a list of one.
    pub(crate) fn elements(&self) -> &[Node] {
        match &self.content {
            Content::List(nodes) => nodes,
            _ => std::slice::from_ref(self),
        }
    }

    /// In words, for faults.
    pub(crate) fn sort_name(&self) -> &'static str {
        match &self.content {
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
            Content::Scalar(scalar) => match scalar.sort {
                Sort::Null => "nothing",
                Sort::Bool(_) => "a truth value",
                Sort::Number => "a number",
                Sort::Text => "a text",
            },
        }
    }

    /// Writes it so that the same content gives the same bytes, whatever its layout and comments.
    pub(crate) fn canonical(&self, out: &mut String) {
        match &self.content {
            Content::Scalar(scalar) => {
                let sort = match scalar.sort {
                    Sort::Null => 'n',
                    Sort::Bool(_) => 'b',
                    Sort::Number => 'd',
                    Sort::Text => 't',
                };
                let text = match scalar.sort {
                    Sort::Null => Cow::Borrowed(""),
                    Sort::Bool(_) => Cow::Owned(scalar.text.to_lowercase()),
                    Sort::Number | Sort::Text => Cow::Borrowed(scalar.text.as_str()),
                };
                out.push(sort);
                out.push_str(&text.len().to_string());
                out.push(':');
                out.push_str(&text);
            }
            Content::List(nodes) => {
                out.push('[');
                nodes.iter().for_each(|node| node.canonical(out));
                out.push(']');
            }
            Content::Map(entries) => {
                let mut sorted: Vec<&Entry> = entries.iter().collect();
                sorted.sort_by(|a, b| a.key.cmp(&b.key));
                out.push('{');
                for entry in sorted {
                    out.push_str(&entry.key.len().to_string());
                    out.push(':');
                    out.push_str(&entry.key);
                    entry.value.canonical(out);
                }
                out.push('}');
            }
        }
    }
}

/// One document of a file.
#[derive(Debug)]
pub(crate) struct Page {
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    /// The line on which the next one begins, if there is one.
    pub(crate) end: Option<usize>,
    pub(crate) root: Node,
}

/// The documents of a file up to the first fault in its YAML, and that fault.
pub(crate) fn read(text: &str) -> (Vec<Page>, Option<Problem>) {
    let mut pages = Vec::new();
    if text.len() > DOCUMENT_BYTES_MAX {
        let reason = format!("a rule file may have {DOCUMENT_BYTES_MAX} bytes");
        return (pages, Some(Problem::new(1, reason)));
    }
    let problem = Reader::default().run(text, &mut pages).err();
    (pages, problem)
}

#[derive(Default)]
struct Reader {
    /// Lists and maps not yet closed.
    open: Vec<Open>,
    nodes: usize,
}

enum Open {
    List(usize, Vec<Node>),
    /// With the key whose value is still to come.
    Map(usize, Vec<Entry>, Option<(String, usize)>),
}

impl Reader {
    fn run(mut self, text: &str, pages: &mut Vec<Page>) -> Result<(), Problem> {
        let mut parser = Parser::new_from_str(text);
        let mut page_line = 1;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let reason = format!("this is no YAML: {}", error.info());
                Problem::new(error.marker().line().max(1), reason)
            })?;
            let line = span.start.line().max(1);
            self.nodes += 1;
            if self.nodes > NODES_MAX {
                return Err(Problem::new(line, format!("over {NODES_MAX} keys and values")));
            }
            let complete = match event {
                Event::DocumentStart(_) => {
                    page_line = line;
                    if let Some(page) = pages.last_mut() {
                        page.end.get_or_insert(line);
                    }
                    None
                }
                Event::Alias(_) => return Err(unwanted(line, "an alias")),
                Event::Scalar(_, _, anchor, ref tag) if anchor != 0 || tag.is_some() => {
                    return Err(unwanted(line, anchor_or_tag(anchor)));
                }
                Event::SequenceStart(anchor, ref tag) | Event::MappingStart(anchor, ref tag)
                    if anchor != 0 || tag.is_some() =>
                {
                    return Err(unwanted(line, anchor_or_tag(anchor)));
                }
                Event::Scalar(text, style, ..) => {
                    let scalar = if style == ScalarStyle::Plain {
                        Scalar::plain(&text)
                    } else {
                        Scalar { text: text.into_owned(), sort: Sort::Text }
                    };
                    Some(Node { line, content: Content::Scalar(scalar) })
                }
                Event::SequenceStart(..) => {
                    self.push(Open::List(line, Vec::new()), line)?;
                    None
                }
                Event::MappingStart(..) => {
                    self.push(Open::Map(line, Vec::new(), None), line)?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.open.pop().map(Open::close),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => None,
            };
            if let Some(node) = complete
                && let Some(root) = self.add(node)?
                && !is_empty(&root)
            {
                pages.push(Page { line: page_line, end: None, root });
            }
        }
        Ok(())
    }

    fn push(&mut self, open: Open, line: usize) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Problem::new(
                line,
                format!("lists and maps are nested more than {DEPTH_MAX} deep"),
            ));
        }
        if let Some(Open::Map(_, _, None)) = self.open.last() {
            return Err(Problem::new(line, "a key must be a text"));
        }
        self.open.push(open);
        Ok(())
    }

    /// Gives the node back if nothing is open: it is a document.
    fn add(&mut self, node: Node) -> Result<Option<Node>, Problem> {
        match self.open.last_mut() {
            None => Ok(Some(node)),
            Some(Open::List(_, nodes)) => {
                nodes.push(node);
                Ok(None)
            }
            Some(Open::Map(_, entries, waiting)) => {
                match waiting.take() {
                    Some((key, line)) => entries.push(Entry { key, line, value: node }),
                    None => {
                        let key = node.scalar().map(|scalar| scalar.text.clone());
                        let key = key.unwrap_or_default();
                        if key == "<<" {
                            return Err(unwanted(node.line, "a merge key"));
                        }
                        if entries.iter().any(|entry| entry.key == key) {
                            let reason = format!("key `{key}` stands twice");
                            return Err(Problem::new(node.line, reason));
                        }
                        *waiting = Some((key, node.line));
                    }
                }
                Ok(None)
            }
        }
    }
}

impl Open {
    fn close(self) -> Node {
        match self {
            Open::List(line, nodes) => Node { line, content: Content::List(nodes) },
            Open::Map(line, entries, _) => Node { line, content: Content::Map(entries) },
        }
    }
}

/// Nothing stands between two `---`, or after the last.
fn is_empty(root: &Node) -> bool {
    root.scalar().is_some_and(|scalar| scalar.sort == Sort::Null)
}

fn anchor_or_tag(anchor: usize) -> &'static str {
    if anchor == 0 { "a tag" } else { "an anchor" }
}

fn unwanted(line: usize, what: &str) -> Problem {
    Problem::new(line, format!("{what} is not read here")).fix("write the value out")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn fault(text: &str) -> String {
        let problem = read(text).1.unwrap();
        format!("{}: {}", problem.line, problem.reason)
    }

    #[test]
    fn lines_and_sorts() {
        let text =
            "a: 1\nb:\n  - x\n  - '1'\n  - 012\n  - ~\n  - True\n---\n\n# c\nd: {e: 1.5}\n---\n";
        let (pages, problem) = read(text);
        assert!(problem.is_none());
        assert_eq!(pages.len(), 2);
        let b = pages[0].root.entry("b").unwrap();
        assert_eq!((b.line, b.value.line), (2, 3));
        let sorts: Vec<(usize, Sort)> = b
            .value
            .elements()
            .iter()
            .map(|node| (node.line, node.scalar().unwrap().sort))
            .collect();
        assert_eq!(
            sorts,
            [
                (3, Sort::Text),
                (4, Sort::Text),
                (5, Sort::Text),
                (6, Sort::Null),
                (7, Sort::Bool(true))
            ]
        );
        assert_eq!((pages[1].line, pages[1].root.line), (8, 11));
        let e = pages[1].root.get("d").unwrap().get("e").unwrap();
        assert_eq!(e.scalar().unwrap().sort, Sort::Number);
    }

    #[test]
    fn refuses_what_hides_something() {
        assert_eq!(fault("a: &x 1\nb: *x\n"), "1: an anchor is not read here");
        assert_eq!(fault("a: 1\n<<: 2\n"), "2: a merge key is not read here");
        assert_eq!(fault("a: !!str 1\n"), "1: a tag is not read here");
        assert_eq!(fault("a: 1\nb: 2\na: 3\n"), "3: key `a` stands twice");
        assert_eq!(fault("? [a]\n: 1\n"), "1: a key must be a text");
        assert!(fault("a: [1\nb: 2\n").contains("this is no YAML"));
        assert_eq!(fault(&"[".repeat(30)), "1: lists and maps are nested more than 24 deep");
        assert_eq!(fault(&"- a\n".repeat(NODES_MAX)), "99998: over 100000 keys and values");
    }

    #[test]
    fn canonical_is_blind_to_layout_only() {
        let canonical = |text: &str| {
            let mut out = String::new();
            read(text).0[0].root.canonical(&mut out);
            out
        };
        assert_eq!(canonical("a: [x, 'y']\nb: true"), canonical("b: True # so\na:\n- x\n- y"));
        assert_ne!(canonical("a: 1"), canonical("a: '1'"));
        assert_ne!(canonical("a: [x, y]"), canonical("a: [y, x]"));
    }
}
