//! The query that finds what an alert cannot know, for Athena, CloudWatch Logs Insights and
//! CloudTrail Lake.
//!
//! An alert carries what bounds its queries ([`Query`]): accounts, regions, the window, who acted,
//! which services. From it each [`Ask`] makes a condition over CloudTrail's members (`term`), and
//! each [`Dialect`] writes it. Values come from records, so they are written as literals that
//! nothing can leave, whatever they hold.

mod ask;
mod dialect;
mod schema;
mod term;

use floodmark_detectors::alert::Alert;
use floodmark_detectors::time::EventTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fact, add, distinct};
pub use ask::Ask;
pub use dialect::Dialect;
pub use schema::{Schema, schema};
use term::Term;

/// What an alert says about its queries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Query {
    /// Title of the rule, for the head of a query.
    #[serde(skip)]
    pub title: String,
    /// Id of the alert.
    #[serde(skip)]
    pub alert: String,
    /// Accounts of the evidence.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Regions of the evidence.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Whether the burst can have no other accounts, and no other regions.
    #[serde(default)]
    pub accounts_are_all: bool,
    /// See [`Query::accounts_are_all`].
    #[serde(default)]
    pub regions_are_all: bool,
    /// The burst's first sample, RFC 3339.
    pub from: String,
    /// Its last sample, RFC 3339.
    pub to: String,
    /// Who acted: a member of CloudTrail's record and its value.
    #[serde(default)]
    pub principals: Vec<Part>,
    /// The rest of the rule's key, as far as records hold it as it stands.
    #[serde(default)]
    pub keys: Vec<Part>,
    /// Services called (`eventSource`).
    #[serde(default)]
    pub sources: Vec<String>,
    /// Operations called (`eventName`).
    #[serde(default)]
    pub names: Vec<String>,
    /// Whether the evidence is all of the burst, and so `sources` and `names` are all.
    #[serde(default)]
    pub is_whole: bool,
    /// Keys used.
    #[serde(default)]
    pub access_keys: Vec<String>,
    /// The burst's own query for Athena, with the table that `floodmark query --schema` makes.
    #[serde(default)]
    pub athena: String,
}

/// A member of a record, and the value that it is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Path, `userIdentity.arn`.
    pub field: String,
    /// Value; for a session's ARN without its session, what the ARN begins with.
    pub value: String,
    /// The value is a beginning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_prefix: bool,
}

impl Query {
    pub(crate) fn of(alert: &Alert, facts: &[Fact], is_whole: bool) -> Query {
        let card = &alert.rule;
        let some = |of: &dyn Fn(&Fact) -> Option<&str>| {
            let mut found = Vec::new();
            for value in facts.iter().filter_map(of) {
                add(&mut found, value.to_owned());
            }
            found
        };
        let in_key =
            |names: &[&str]| card.group_by.iter().any(|name| names.contains(&name.as_str()));
        let is_by_principal = card.group_by.iter().any(|name| {
            name == "floodmark.principal"
                || name == "floodmark.actor"
                || name.starts_with("userIdentity.")
        });
        let mut principals = Vec::new();
        for fact in facts.iter().filter(|_| is_by_principal || is_whole) {
            if let Some(part) = principal(fact) {
                add(&mut principals, part);
            }
        }
        let keys = card.group_by.iter().zip(alert.key.iter());
        let keys = keys.filter(|(name, _)| {
            !name.starts_with("floodmark.") && !name.starts_with("userIdentity.")
        });
        let keys = keys.map(|(name, value)| Part {
            field: name.clone(),
            value: crate::encode::redact::text(value),
            is_prefix: false,
        });
        let mut query = Query {
            title: card.title.clone(),
            alert: alert.id.to_string(),
            accounts: distinct(facts, Fact::account).into_iter().map(str::to_owned).collect(),
            regions: some(&|fact| fact.text("/awsRegion")),
            accounts_are_all: is_whole || in_key(&["floodmark.account", "recipientAccountId"]),
            regions_are_all: is_whole || in_key(&["awsRegion"]),
            from: alert.first.to_string(),
            to: alert.last.to_string(),
            principals,
            keys: keys.collect(),
            sources: some(&|fact| fact.text("/eventSource")),
            names: some(&|fact| fact.text("/eventName")),
            is_whole,
            access_keys: some(&|fact| fact.text("/userIdentity/accessKeyId")),
            athena: String::new(),
        };
        query.athena = query.write(Ask::Burst, Dialect::Athena, "cloudtrail").unwrap_or_default();
        query
    }

    /// Reads it from an alert in its OCSF form.
    ///
    /// # Errors
    /// In words, where the alert has none.
    pub fn read(finding: &Value) -> Result<Query, String> {
        let own = finding.pointer("/unmapped/floodmark/query");
        let own = own.ok_or("this is no alert of Floodmark: it has no unmapped.floodmark.query")?;
        let mut query = Query::deserialize(own).map_err(|error| format!("its query: {error}"))?;
        let text = |path: &str| finding.pointer(path).and_then(Value::as_str).unwrap_or_default();
        text("/finding_info/title").clone_into(&mut query.title);
        text("/finding_info/uid").clone_into(&mut query.alert);
        Ok(query)
    }

    /// Writes the query that answers `ask`; `table` is the table, event data store or log group.
    ///
    /// # Errors
    /// In words, where the alert's times are none.
    pub fn write(&self, ask: Ask, dialect: Dialect, table: &str) -> Result<String, String> {
        let time = |text: &str| EventTime::parse(text).ok_or_else(|| format!("no time: {text:?}"));
        let (before, after) = ask.margins_secs();
        let span = (time(&self.from)?.plus(-before), time(&self.to)?.plus(after));
        Ok(dialect.write(self, ask, span, table))
    }

    /// Who acted, as a condition; none where nobody is known.
    fn by_principals(&self) -> Option<Term> {
        let terms: Vec<Term> = self.principals.iter().map(Part::term).collect();
        (!terms.is_empty()).then_some(Term::Any(terms))
    }
}

impl Part {
    fn term(&self) -> Term {
        if self.is_prefix {
            Term::Begins(self.field.clone(), self.value.clone())
        } else {
            Term::Is(self.field.clone(), vec![self.value.clone()])
        }
    }
}

/// Who acted, by the member that names what outlives the session.
fn principal(fact: &Fact) -> Option<Part> {
    let part = |field: &str, value: &str, is_prefix| {
        Some(Part { field: field.into(), value: value.into(), is_prefix })
    };
    let of = |path: &str| fact.text(&format!("/userIdentity/{path}"));
    if let Some(issuer) = of("sessionContext/sessionIssuer/arn") {
        return part("userIdentity.sessionContext.sessionIssuer.arn", issuer, false);
    }
    match of("arn") {
        Some(arn) if arn.contains(":assumed-role/") => {
            let stem = arn.rsplit_once('/').map_or(arn, |(stem, _)| stem);
            part("userIdentity.arn", &format!("{stem}/"), true)
        }
        Some(arn) => part("userIdentity.arn", arn, false),
        None => ["invokedBy", "principalId", "accessKeyId"]
            .iter()
            .find_map(|member| part(&format!("userIdentity.{member}"), of(member)?, false)),
    }
}

#[cfg(test)]
#[path = "../query_tests.rs"]
mod tests;
