//! One object of a request that asks for capacity, whichever of SageMaker's shapes it has.

use std::borrow::Cow;

use super::{Part, Parts, total};
use crate::reach;
use crate::record::{Raw, Value};

/// Greatest count that is believed; a greater one is read as this.
pub(super) const COUNT_MAX: u64 = 1_000_000_000;

/// Most parts of one request that are added up.
const PARTS_MAX: usize = 1_024;

/// Studio's word for "no instance of its own".
const SYSTEM: &str = "system";

/// What one object asks for: itself, or the sum of its groups, or one of its alternatives.
pub(super) fn add_parts<'b>(parts: &mut Parts<'b>, object: Value<'b>) {
    let Value::Object(raw) = object else { return };
    let asked = Asked::read(raw);
    if parts.len() >= PARTS_MAX || asked.says_nothing() {
        return;
    }
    let counted = |own: Option<u64>, or: Option<u64>| own.or(or).unwrap_or(1);
    let mut group = Parts::new();
    for part in asked.groups {
        let instances = Some(counted(part.instances, None));
        group.push(Part { instances, ..part });
    }
    if group.is_empty() && asked.instance_type.is_none() {
        let choices = asked
            .alternatives
            .into_iter()
            .map(|part| Part { instances: Some(counted(part.instances, asked.instances)), ..part });
        group.extend(choices.max_by_key(Part::weight));
    }
    if group.is_empty() {
        let is_system = asked.instance_type.as_deref() == Some(SYSTEM);
        let instances = match asked.instance_type {
            Some(_) if is_system => Some(0),
            Some(_) => Some(counted(asked.instances, None)),
            None if asked.serverless => Some(0),
            None => asked.instances,
        };
        group.push(Part { instance_type: asked.instance_type, instances, storage_gb: None });
    }
    if let Some(volume) = asked.volume_gb {
        let instances = total(&group, |part| part.instances).unwrap_or(1).max(1);
        if let Some(first) = group.first_mut() {
            let own = first.storage_gb.unwrap_or(0);
            first.storage_gb = Some(own.saturating_add(volume.saturating_mul(instances)));
        }
    }
    parts.extend(group);
}

/// What the members of one object say, whichever shape it is of.
#[derive(Debug, Default)]
struct Asked<'b> {
    instance_type: Option<Cow<'b, str>>,
    instances: Option<u64>,
    /// Gigabytes of volume for each instance.
    volume_gb: Option<u64>,
    serverless: bool,
    groups: Parts<'b>,
    alternatives: Parts<'b>,
}

impl<'b> Asked<'b> {
    fn read(object: Raw<'b>) -> Asked<'b> {
        let types = object.pick(["instanceType", "selectedInstanceType", "deploymentInstanceType"]);
        let counts = object.pick([
            "instanceCount",
            "initialInstanceCount",
            "selectedInstanceCount",
            "desiredInstanceCount",
            "incrementTargetCountBy",
            "maxInstanceCount",
        ]);
        let [volume, space, volumes, serverless] = object.pick([
            "volumeSizeInGB",
            "ebsVolumeSizeInGb",
            "instanceStorageConfigs",
            "serverlessConfig",
        ]);
        let [groups, preferences, configs, pools, types_listed, requirements] = object.pick([
            "instanceGroups",
            "instancePreferences",
            "instanceConfigs",
            "instancePools",
            "instanceTypes",
            "instanceRequirements",
        ]);
        let mut asked = Asked {
            instance_type: types.into_iter().find_map(Value::into_text),
            instances: counts.into_iter().find_map(count),
            volume_gb: count(volume).or(count(space)),
            serverless: matches!(serverless, Value::Object(_)),
            ..Asked::default()
        };
        reach::each(volumes, "ebsVolumeConfig.volumeSizeInGB", &mut |size| {
            let size = count(size).unwrap_or(0);
            asked.volume_gb = Some(asked.volume_gb.unwrap_or(0).saturating_add(size));
        });
        add_simple(&mut asked.groups, groups);
        for choice in [preferences, configs, pools] {
            add_simple(&mut asked.alternatives, choice);
        }
        add_types(&mut asked.alternatives, types_listed, "");
        add_types(&mut asked.alternatives, requirements, "instanceTypes");
        asked
    }

    fn says_nothing(&self) -> bool {
        self.instance_type.is_none()
            && self.instances.is_none()
            && self.volume_gb.is_none()
            && !self.serverless
            && self.groups.is_empty()
            && self.alternatives.is_empty()
    }
}

/// Objects of a type and a count, and perhaps a volume, with nothing inside them.
fn add_simple<'b>(parts: &mut Parts<'b>, value: Value<'b>) {
    reach::each(value, "", &mut |object| {
        let Value::Object(raw) = object else { return };
        let instances = count(raw.get("instanceCount"));
        let volume = count(raw.get("volumeSizeInGB"));
        parts.push(Part {
            instance_type: raw.get("instanceType").into_text(),
            instances,
            storage_gb: volume.map(|gb| gb.saturating_mul(instances.unwrap_or(1))),
        });
    });
}

fn add_types<'b>(parts: &mut Parts<'b>, value: Value<'b>, path: &str) {
    reach::each(value, path, &mut |text| {
        if let Some(text) = text.into_text() {
            parts.push(Part { instance_type: Some(text), ..Part::default() });
        }
    });
}

fn count(value: Value<'_>) -> Option<u64> {
    reach::count(value).map(|n| n.min(COUNT_MAX))
}
