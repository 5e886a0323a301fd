"""Some `floodmark.*` fields, written a second time and as simply as the shipped rules need them.

Only what the oracle must know of a record is here; the one definition is in `detectors/src/derive`.
What these tables do not know raises Unknown: then the oracle has no say on that record.
"""

import ipaddress
import json

class Unknown(Exception):
    """The field may have a value, and it is not known here which."""


ACCELERATORS = {
    "ml.p4d.24xlarge": 8,
    "ml.p3.16xlarge": 8,
    "ml.g5.48xlarge": 8,
    "ml.g4dn.xlarge": 1,
    "ml.m5.xlarge": 0,
    "ml.t3.medium": 0,
    "ml.c5.xlarge": 0,
}

RESOURCE_TYPES = {
    "trainingJobName": "training-job",
    "processingJobName": "processing-job",
    "transformJobName": "transform-job",
    "hyperParameterTuningJobName": "hyper-parameter-tuning-job",
    "modelName": "model",
    "endpointName": "endpoint",
    "endpointConfigName": "endpoint-config",
    "modelPackageName": "model-package",
    "modelPackageGroupName": "model-package-group",
    "featureGroupName": "feature-group",
    "pipelineName": "pipeline",
    "notebookInstanceName": "notebook-instance",
    "notebookInstanceLifecycleConfigName": "notebook-instance-lifecycle-config",
    "studioLifecycleConfigName": "studio-lifecycle-config",
    "clusterName": "cluster",
}


def account(record):
    return record.get("recipientAccountId") or (record.get("userIdentity") or {}).get("accountId")


def principal(record):
    """The role of a session, else the user, else the service."""
    identity = record.get("userIdentity") or {}
    issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
    arn = identity.get("arn")
    if issuer.get("arn"):
        return issuer["arn"]
    if arn and ":assumed-role/" in arn:
        parts = arn.split(":")
        names = parts[5].split("/")
        return f"arn:aws:iam::{parts[4]}:role/{names[1]}"
    return arn or identity.get("principalId") or identity.get("invokedBy")


def resource(record):
    parameters = record.get("requestParameters")
    if not record.get("eventSource", "").startswith("sagemaker"):
        arns = {r["ARN"] for r in record.get("resources") or [] if r.get("ARN")}
        if len(arns) > 1:
            raise Unknown("resource")
        return next(iter(arns), None)
    if not isinstance(parameters, dict) or not parameters:
        return None
    if parameters.get("domainId") and record.get("eventName") == "CreatePresignedDomainUrl":
        return f"user-profile/{parameters['domainId']}/{parameters['userProfileName']}"
    if record.get("eventName") == "CreateTransformJob":
        return f"transform-job/{parameters['transformJobName']}"
    for name, kind in RESOURCE_TYPES.items():
        if parameters.get(name):
            return f"{kind}/{parameters[name]}"
    raise Unknown("resource")


def params(record):
    return "false" if record.get("requestParameters") is None else "true"


def passed_role_names(record):
    """The role of the shapes that the rules' tests use; no other place of a role is known here."""
    parameters = record.get("requestParameters")
    if not isinstance(parameters, dict) or record.get("eventSource") == "sts.amazonaws.com":
        return None
    arn = parameters.get("roleArn") or parameters.get("executionRoleArn") or parameters.get("role")
    if not arn and "role/" in json.dumps(parameters):
        raise Unknown("passed_role_names")
    return arn and arn.rsplit("/", 1)[-1]


def source_class(record):
    try:
        address = ipaddress.ip_address(record.get("sourceIPAddress") or "")
    except ValueError:
        return "service"
    # Networks for documentation are nobody's, but they are not private ways out either.
    return "private" if address in ipaddress.ip_network("10.0.0.0/8") \
        or address in ipaddress.ip_network("172.16.0.0/12") \
        or address in ipaddress.ip_network("192.168.0.0/16") else "public"


def source_network(record):
    try:
        address = ipaddress.ip_address(record.get("sourceIPAddress") or "")
    except ValueError:
        return None
    bits = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def compute(record):
    """(instance type, count) of the two shapes that the rules' tests use; None for none at all."""
    parameters = record.get("requestParameters")
    if record.get("eventSource") != "sagemaker.amazonaws.com" or not isinstance(parameters, dict):
        return None
    config = parameters.get("resourceConfig") or parameters
    if isinstance(config, dict) and isinstance(config.get("instanceType"), str):
        return config["instanceType"], config.get("instanceCount", 1)
    if "instance" in json.dumps(parameters).lower():
        raise Unknown("instances")
    return None


def instance_types(record):
    asked = compute(record)
    return asked and asked[0]


def families(record):
    asked = compute(record)
    return asked and asked[0].split(".")[1]


def accelerators(record):
    asked = compute(record)
    if not asked:
        return None
    kind, count = asked
    if kind not in ACCELERATORS:
        raise Unknown(kind)
    return ACCELERATORS[kind] * count


def actor(record):
    identity = record.get("userIdentity") or {}
    return (identity.get("arn") or "").rsplit("/", 1)[-1] or None


def params(record):
    return "false" if record.get("requestParameters") is None else "true"


def storage_gb(record):
    parameters = record.get("requestParameters")
    if not isinstance(parameters, dict):
        return None
    config = parameters.get("resourceConfig") or parameters
    size = config.get("volumeSizeInGB")
    if size is None and "volume" in json.dumps(parameters).lower():
        raise Unknown("storage_gb")
    return size and size * config.get("instanceCount", 1)


FIELDS = {
    "floodmark.account": account,
    "floodmark.principal": principal,
    "floodmark.actor": actor,
    "floodmark.resource": resource,
    "floodmark.params": params,
    "floodmark.passed_role_names": passed_role_names,
    "floodmark.source_class": source_class,
    "floodmark.source_network": source_network,
    "floodmark.instance_types": instance_types,
    "floodmark.families": families,
    "floodmark.accelerators": accelerators,
    "floodmark.params": params,
    "floodmark.storage_gb": storage_gb,
}
