//! What to do first: commands of the AWS CLI with the names filled in.
//!
//! In the order preserve, revoke, stop, roll back, delete, and within it in the order of the rule's
//! `floodmark.containment`; where a rule names none, the records decide. What would destroy evidence
//! is never among them: no job, notebook, cluster, domain, model or feature group is deleted, since
//! its record, volume or store goes with it. What the calls only read is described and left alone.
//! Names are chosen by whoever is watched, so words are
//! written by [`super::shell`] alone, and a name that is not fit to be typed gives no command.
//!
//! After the containment steps of the AWS playbook and the AWS CLI reference.

use floodmark_detectors::alert::Alert;
use floodmark_detectors::principal::partition;
use serde::Serialize;

use super::change::Verb;
use super::resource::{Resource, subjects};
use super::shell::option;
use super::{Actor, Counted, Fact, add};

/// When a step is taken, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Preserve,
    Revoke,
    Stop,
    RollBack,
    Delete,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Step {
    pub(crate) phase: Phase,
    /// What is contained, one of the words of `floodmark.containment`.
    pub(crate) what: String,
    /// The account whose credentials the command wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// A line for a POSIX shell; none where this is done elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
    /// What to know before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<&'static str>,
}

impl Step {
    /// The step in one line: the command, and as a comment behind it what to know.
    pub(crate) fn line(&self) -> String {
        match (&self.command, self.note) {
            (Some(command), Some(note)) => format!("{command}  # {note}"),
            (Some(command), None) => command.clone(),
            (None, note) => format!("# {}", note.unwrap_or_default()),
        }
    }
}

/// Command on one resource: containment word, type in ARNs, phase, command, option for the name,
/// further options, note.
type Recipe = (
    &'static str,
    &'static str,
    Phase,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

use Phase::{Delete, Preserve, Revoke, RollBack, Stop};

const KEPT: Option<&str> =
    Some("Do not delete the job before the investigation is over: its record goes with it");
const VOLUME: Option<&str> =
    Some("Stopping keeps the volume, deleting loses it; memory is lost either way");
const LAST_GOOD: Option<&str> =
    Some("Put the last good endpoint configuration in place of LAST_GOOD");

#[rustfmt::skip]
const RECIPES: &[Recipe] = &[
    ("notebook", "notebook-instance", Preserve, "sagemaker describe-notebook-instance", "notebook-instance-name", "", None),
    ("notebook", "notebook-instance", Stop, "sagemaker stop-notebook-instance", "notebook-instance-name", "", VOLUME),
    ("notebook", "notebook-instance", RollBack, "sagemaker update-notebook-instance", "notebook-instance-name", " --root-access=Disabled --disassociate-lifecycle-config", Some("Once it is stopped")),
    ("presigned_url", "notebook-instance", Stop, "sagemaker stop-notebook-instance", "notebook-instance-name", "", Some("A sign-in URL cannot be revoked: stop what it opens")),
    ("lifecycle_config", "notebook-instance-lifecycle-config", Preserve, "sagemaker describe-notebook-instance-lifecycle-config", "notebook-instance-lifecycle-config-name", "", Some("The script is evidence")),
    ("lifecycle_config", "notebook-instance-lifecycle-config", Delete, "sagemaker delete-notebook-instance-lifecycle-config", "notebook-instance-lifecycle-config-name", "", Some("Once the script is kept")),
    ("lifecycle_config", "studio-lifecycle-config", Preserve, "sagemaker describe-studio-lifecycle-config", "studio-lifecycle-config-name", "", Some("The script is evidence")),
    ("lifecycle_config", "studio-lifecycle-config", Delete, "sagemaker delete-studio-lifecycle-config", "studio-lifecycle-config-name", "", Some("Once the script is kept")),
    ("training_job", "training-job", Preserve, "sagemaker describe-training-job", "training-job-name", "", None),
    ("training_job", "training-job", Stop, "sagemaker stop-training-job", "training-job-name", "", KEPT),
    ("tuning_job", "hyper-parameter-tuning-job", Preserve, "sagemaker describe-hyper-parameter-tuning-job", "hyper-parameter-tuning-job-name", "", None),
    ("tuning_job", "hyper-parameter-tuning-job", Stop, "sagemaker stop-hyper-parameter-tuning-job", "hyper-parameter-tuning-job-name", "", Some("Its training jobs stop with it")),
    ("job", "processing-job", Preserve, "sagemaker describe-processing-job", "processing-job-name", "", None),
    ("job", "processing-job", Stop, "sagemaker stop-processing-job", "processing-job-name", "", KEPT),
    ("job", "transform-job", Preserve, "sagemaker describe-transform-job", "transform-job-name", "", None),
    ("job", "transform-job", Stop, "sagemaker stop-transform-job", "transform-job-name", "", KEPT),
    ("job", "automl-job", Preserve, "sagemaker describe-auto-ml-job-v2", "auto-ml-job-name", "", None),
    ("job", "automl-job", Stop, "sagemaker stop-auto-ml-job", "auto-ml-job-name", "", KEPT),
    ("job", "labeling-job", Preserve, "sagemaker describe-labeling-job", "labeling-job-name", "", None),
    ("job", "labeling-job", Stop, "sagemaker stop-labeling-job", "labeling-job-name", "", KEPT),
    ("job", "compilation-job", Stop, "sagemaker stop-compilation-job", "compilation-job-name", "", KEPT),
    ("pipeline", "pipeline", Preserve, "sagemaker describe-pipeline", "pipeline-name", "", None),
    ("pipeline", "pipeline", Preserve, "sagemaker list-pipeline-executions", "pipeline-name", "", Some("Stop each that is executing: aws sagemaker stop-pipeline-execution")),
    ("endpoint", "endpoint", Preserve, "sagemaker describe-endpoint", "endpoint-name", "", None),
    ("endpoint", "endpoint", RollBack, "sagemaker update-endpoint", "endpoint-name", " --endpoint-config-name=LAST_GOOD", LAST_GOOD),
    ("endpoint", "endpoint", Delete, "sagemaker delete-endpoint", "endpoint-name", "", Some("Its configuration and its logs stay")),
    ("endpoint", "endpoint-config", Preserve, "sagemaker describe-endpoint-config", "endpoint-config-name", "", None),
    ("model", "model", Preserve, "sagemaker describe-model", "model-name", "", Some("Copy the object of modelDataUrl to a bucket of evidence too")),
    ("model", "endpoint-config", Preserve, "sagemaker describe-endpoint-config", "endpoint-config-name", "", None),
    ("model_package", "model-package", Preserve, "sagemaker describe-model-package", "model-package-name", "", None),
    ("model_package", "model-package", RollBack, "sagemaker update-model-package", "model-package-arn", " --model-approval-status=Rejected", Some("Rejected keeps it from being deployed, and keeps its record")),
    ("resource_policy", "model-package-group", Preserve, "sagemaker get-model-package-group-policy", "model-package-group-name", "", None),
    ("resource_policy", "model-package-group", RollBack, "sagemaker delete-model-package-group-policy", "model-package-group-name", "", Some("Once the policy is kept")),
    ("domain", "domain", Preserve, "sagemaker describe-domain", "domain-id", "", None),
    ("domain", "domain", Preserve, "sagemaker list-apps", "domain-id-equals", "", Some("Stop each app: aws sagemaker delete-app; the home directory stays")),
    ("cluster", "cluster", Preserve, "sagemaker describe-cluster", "cluster-name", "", None),
    ("cluster", "cluster", Preserve, "sagemaker list-cluster-nodes", "cluster-name", "", Some("Deleting nodes loses their disks: isolate them by their security group first")),
    ("feature_group", "feature-group", Preserve, "sagemaker describe-feature-group", "feature-group-name", "", Some("Copy the offline store to a bucket of evidence; the online store goes with the group")),
    ("bucket", "bucket", Preserve, "s3api get-bucket-policy", "bucket", "", None),
    ("bucket", "bucket", Preserve, "s3api put-bucket-versioning", "bucket", " --versioning-configuration=Status=Enabled", Some("From now on nothing that is overwritten is lost")),
    ("bucket", "bucket", Revoke, "s3api put-public-access-block", "bucket", " --public-access-block-configuration=BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true", None),
    ("trail", "trail", Preserve, "cloudtrail get-trail", "name", "", None),
    ("trail", "trail", RollBack, "cloudtrail start-logging", "name", "", Some("Then aws cloudtrail validate-logs over the gap")),
];

/// Resources of one kind that are named; the rest is listed by a command.
const RESOURCES_MAX: usize = 10;
/// Steps of one alert.
const STEPS_MAX: usize = 60;

/// The steps for an alert.
pub(crate) fn steps(
    alert: &Alert,
    facts: &[Fact],
    actors: &[Counted<Actor>],
    is_whole: bool,
) -> Vec<Step> {
    let subjects = named(facts, &|_| true);
    let harmed = Harmed {
        made: named(facts, &|fact| verb(fact) == Some(Verb::Create)),
        changed: named(facts, &|fact| matches!(verb(fact), Some(Verb::Create | Verb::Change))),
    };
    let kinds = kinds(&alert.rule.containment, &subjects, actors);
    let mut steps = Vec::new();
    for kind in &kinds {
        of_resources(kind, &subjects, &harmed, &mut steps);
        for Counted { what: actor, .. } in actors {
            match kind.as_str() {
                "access_key" => access_key(actor, &mut steps),
                "role_session" => role_session(actor, &mut steps),
                _ => {}
            }
        }
        match kind.as_str() {
            "presigned_url" => apps(facts, &mut steps),
            "execution_role" => execution_roles(facts, &mut steps),
            "account" => account(facts, &mut steps),
            "network" => network(facts, &mut steps),
            _ => {}
        }
    }
    if !is_whole && !steps.is_empty() {
        let what = kinds.first().map_or("", String::as_str);
        let note = "There are more than the evidence names: floodmark query finds them all";
        steps.push(Step { note: Some(note), ..step(Preserve, what, None, None) });
    }
    steps.sort_by_key(|step| step.phase);
    steps.truncate(STEPS_MAX);
    keep_output(alert, &mut steps);
    steps
}

/// What a call did; nothing where it failed. A sign-in URL opens what it is for.
fn verb(fact: &Fact) -> Option<Verb> {
    let opens = fact.text("/eventName").is_some_and(|name| name.starts_with("CreatePresigned"));
    let verb = if opens { Some(Verb::Change) } else { Verb::of(fact) };
    verb.filter(|_| !fact.failed())
}

/// What the calls are about, each once.
fn named(facts: &[Fact], wanted: &dyn Fn(&Fact) -> bool) -> Vec<Resource> {
    let mut found = Vec::new();
    for subject in facts.iter().filter(|fact| wanted(fact)).flat_map(subjects) {
        add(&mut found, subject);
    }
    found
}

/// What the calls laid hands on. Whatever they only read, or failed at, is somebody's at work: it is
/// described, and left alone. Only what they made themselves is deleted.
struct Harmed {
    made: Vec<Resource>,
    changed: Vec<Resource>,
}

impl Harmed {
    fn may(&self, phase: Phase, subject: &Resource) -> bool {
        match phase {
            Preserve => true,
            Revoke | Stop | RollBack => self.changed.contains(subject),
            Delete => self.made.contains(subject),
        }
    }
}

/// The rule's words; else the identities', and those of the resources at hand.
fn kinds(of_rule: &[String], subjects: &[Resource], actors: &[Counted<Actor>]) -> Vec<String> {
    if !of_rule.is_empty() {
        return of_rule.to_vec();
    }
    let mut kinds = Vec::new();
    for Counted { what: actor, .. } in actors {
        if actor.key_kind == Some("long-term") {
            add(&mut kinds, "access_key".to_owned());
        } else if actor.role.is_some() {
            add(&mut kinds, "role_session".to_owned());
        }
    }
    for subject in subjects {
        if let Some((kind, ..)) = RECIPES.iter().find(|recipe| recipe.1 == subject.word) {
            add(&mut kinds, (*kind).to_owned());
        }
    }
    kinds
}

fn of_resources(kind: &str, subjects: &[Resource], harmed: &Harmed, steps: &mut Vec<Step>) {
    for (what, word, phase, command, name, more, note) in RECIPES {
        if *what != kind {
            continue;
        }
        let fitting = subjects.iter().filter(|it| it.word == *word && harmed.may(*phase, it));
        for subject in fitting.take(RESOURCES_MAX) {
            let wants_arn = name.ends_with("-arn");
            let value = if wants_arn { &subject.uid } else { &subject.name };
            if wants_arn && !value.starts_with("arn:") {
                continue;
            }
            let Some(mut words) = command_of(command, &[(name, value)]) else { continue };
            words += more;
            if let Some(region) = subject.region.as_deref().and_then(|it| option("region", it)) {
                words += &format!(" {region}");
            }
            let account = subject.account.clone();
            steps.push(Step {
                phase: *phase,
                what: kind.into(),
                account,
                command: Some(words),
                note: *note,
            });
        }
    }
}

/// `aws COMMAND --name=value ..`; none where a value is not fit to be typed.
fn command_of(command: &str, options: &[(&str, &str)]) -> Option<String> {
    let mut words = format!("aws {command}");
    for (name, value) in options {
        words += &format!(" {}", option(name, value)?);
    }
    Some(words)
}

fn step(phase: Phase, what: &str, account: Option<&String>, command: Option<String>) -> Step {
    Step { phase, what: what.into(), account: account.cloned(), command, note: None }
}

fn access_key(actor: &Actor, steps: &mut Vec<Step>) {
    let (Some("long-term"), Some(key)) = (actor.key_kind, actor.key_id.as_deref()) else {
        return;
    };
    let what = "access_key";
    if actor.kind.as_deref() == Some("Root") {
        let note = "A key of the root user: only root can deactivate it, in the console";
        let revoke = step(Revoke, what, actor.account.as_ref(), None);
        add(steps, Step { note: Some(note), ..revoke });
        return;
    }
    let Some(user) = actor.name.as_deref().filter(|_| actor.kind.as_deref() == Some("IAMUser"))
    else {
        return;
    };
    let options = [("user-name", user), ("access-key-id", key), ("status", "Inactive")];
    let commands = [
        (Preserve, command_of("iam list-access-keys", &[("user-name", user)])),
        (Revoke, command_of("iam update-access-key", &options)),
        (
            Revoke,
            command_of(
                "iam attach-user-policy",
                &[("user-name", user), ("policy-arn", &deny_all(actor))],
            ),
        ),
    ];
    for (phase, command) in commands.into_iter().filter(|(_, command)| command.is_some()) {
        add(steps, step(phase, what, actor.account.as_ref(), command));
    }
}

fn deny_all(actor: &Actor) -> String {
    let arn = actor.principal.as_deref().unwrap_or_default();
    let partition = arn.split(':').nth(1).filter(|it| it.starts_with("aws") && it.len() < 16);
    format!("arn:{}:iam::aws:policy/AWSDenyAll", partition.unwrap_or("aws"))
}

fn role_session(actor: &Actor, steps: &mut Vec<Step>) {
    let what = "role_session";
    let Some(arn) = actor.role.as_deref() else { return };
    let account = arn.split(':').nth(4).map(str::to_owned);
    let Some(role) = arn.rsplit('/').next().filter(|name| !name.is_empty()) else { return };
    let note = if arn.contains("/aws-reserved/") || role.starts_with("AWSReservedSSO_") {
        "A role of IAM Identity Center: disable the person and end their sessions there"
    } else if arn.contains("/aws-service-role/") {
        "A service-linked role: stop what uses it"
    } else {
        let keep = command_of("iam get-role", &[("role-name", role)]);
        let revoke = command_of("iam put-role-policy", &[("role-name", role)]);
        let (Some(keep), Some(revoke)) = (keep, revoke) else { return };
        add(steps, step(Preserve, what, account.as_ref(), Some(keep)));
        // The time is that of the paste: sessions opened before it are refused, later ones are not.
        let policy = r#"'{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'"}}}]}'"#;
        let revoke =
            format!("{revoke} --policy-name=AWSRevokeOlderSessions --policy-document={policy}");
        let note = "Sessions opened until now end; also mend who may assume the role";
        let revoke = step(Revoke, what, account.as_ref(), Some(revoke));
        add(steps, Step { note: Some(note), ..revoke });
        return;
    };
    add(steps, Step { note: Some(note), ..step(Revoke, what, account.as_ref(), None) });
}

/// What sign-in URLs of Studio open: its apps are listed, and stop when they are deleted.
fn apps(facts: &[Fact], steps: &mut Vec<Step>) {
    for fact in
        facts.iter().filter(|fact| fact.text("/eventName") == Some("CreatePresignedDomainUrl"))
    {
        let of = |member: &str| fact.text(&format!("/requestParameters/{member}"));
        let (Some(domain), Some(profile)) = (of("domainId"), of("userProfileName")) else {
            continue;
        };
        let mut options = vec![("domain-id-equals", domain), ("user-profile-name-equals", profile)];
        options.extend(fact.text("/awsRegion").map(|region| ("region", region)));
        if let Some(command) = command_of("sagemaker list-apps", &options) {
            let note = "A sign-in URL cannot be revoked: stop each app with aws sagemaker delete-app; the home directory stays";
            let account = fact.account().map(str::to_owned);
            let list = step(Preserve, "presigned_url", account.as_ref(), Some(command));
            add(steps, Step { note: Some(note), ..list });
        }
    }
}

fn execution_roles(facts: &[Fact], steps: &mut Vec<Step>) {
    for fact in facts {
        let account = fact.account().map(str::to_owned);
        let region = fact.text("/awsRegion").unwrap_or_default();
        let boundary = format!("arn:{}:iam::aws:policy/AWSDenyAll", partition(region));
        for role in fact.derived("passed_role_names") {
            let keep = command_of("iam get-role", &[("role-name", role)]);
            let options = [("role-name", role.as_str()), ("permissions-boundary", &boundary)];
            let revoke = command_of("iam put-role-permissions-boundary", &options);
            let (Some(keep), Some(revoke)) = (keep, revoke) else { continue };
            add(steps, step(Preserve, "execution_role", account.as_ref(), Some(keep)));
            let revoke = step(Revoke, "execution_role", account.as_ref(), Some(revoke));
            let note = "Everything that runs under the role stops working";
            add(steps, Step { note: Some(note), ..revoke });
        }
    }
}

fn account(facts: &[Fact], steps: &mut Vec<Step>) {
    for fact in facts {
        let account = fact.account().map(str::to_owned);
        let Some(region) = fact.text("/awsRegion") else { continue };
        for list in
            ["list-notebook-instances", "list-training-jobs", "list-endpoints", "list-domains"]
        {
            let command = command_of(&format!("sagemaker {list}"), &[("region", region)]);
            if command.is_some() {
                add(steps, step(Preserve, "account", account.as_ref(), command));
            }
        }
        let note = "Attach the service control policies of deploy/scp to the organisational unit; look into every region";
        add(steps, Step { note: Some(note), ..step(Revoke, "account", account.as_ref(), None) });
    }
}

fn network(facts: &[Fact], steps: &mut Vec<Step>) {
    for fact in facts {
        let account = fact.account().map(str::to_owned);
        let Some(region) = fact.text("/awsRegion") else { continue };
        let command = command_of("ec2 describe-security-groups", &[("region", region)]);
        if command.is_some() {
            add(steps, step(Preserve, "network", account.as_ref(), command));
        }
        let note = "Move network interfaces into a security group without rules; a notebook keeps its group: stop it";
        add(steps, Step { note: Some(note), ..step(Stop, "network", account.as_ref(), None) });
    }
}

/// What preserves writes to a file, named by the alert and the step, never by the resource.
fn keep_output(alert: &Alert, steps: &mut [Step]) {
    let id = alert.id.to_string();
    let id = id.get(..8).unwrap_or_default();
    let reads = ["describe-", "get-", "list-"];
    for (place, step) in steps.iter_mut().enumerate() {
        let Some(command) = &mut step.command else { continue };
        let operation = command.split(' ').nth(2).unwrap_or_default();
        if step.phase == Preserve && reads.iter().any(|read| operation.starts_with(read)) {
            *command += &format!(" > evidence-{id}-{:02}.json", place + 1);
        }
    }
}

#[cfg(test)]
#[path = "containment_tests.rs"]
mod tests;
