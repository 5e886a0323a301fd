//! What the calls touched beyond their own resource: logs, permissions, networks, data, notebooks.

use serde::Serialize;

use super::{Fact, add, owned};

/// Calls of the evidence that touch what protects an account. An empty list says that none of the
/// records at hand does; the queries look at all of them.
#[derive(Debug, Serialize)]
pub(crate) struct Touched {
    /// Trails, log groups, detectors, recorders.
    pub(crate) logging: Vec<Touch>,
    /// Users, roles, policies, keys, resource policies.
    pub(crate) permissions: Vec<Touch>,
    /// VPCs, security groups, routes, and the network settings of SageMaker resources.
    pub(crate) network: Vec<Touch>,
    /// Roles that requests hand to a service.
    pub(crate) passed_roles: Vec<String>,
    /// Accounts other than the record's own that a request lets in or reaches into.
    pub(crate) other_accounts: Vec<String>,
}

/// One such call.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Touch {
    pub(crate) operation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Services whose writes are about logs and detection.
const LOGGING: [&str; 6] = ["cloudtrail", "logs", "config", "guardduty", "securityhub", "macie2"];
/// Services whose writes are about who may do what.
const PERMISSIONS: [&str; 5] = ["iam", "sso", "organizations", "sts", "kms"];
/// Words in the names of EC2's operations that are about networks.
const NETWORK: [&str; 10] = [
    "Vpc",
    "Subnet",
    "SecurityGroup",
    "Route",
    "NetworkAcl",
    "NetworkInterface",
    "InternetGateway",
    "NatGateway",
    "TransitGateway",
    "FlowLogs",
];
/// Members of SageMaker's requests that set a network.
const NETWORK_MEMBERS: [&str; 6] = [
    "vpcConfig",
    "networkConfig",
    "securityGroupIds",
    "subnetId",
    "appNetworkAccessType",
    "directInternetAccess",
];

impl Touched {
    pub(crate) fn of(facts: &[Fact]) -> Touched {
        let mut touched = Touched {
            logging: Vec::new(),
            permissions: Vec::new(),
            network: Vec::new(),
            passed_roles: Vec::new(),
            other_accounts: Vec::new(),
        };
        for fact in facts {
            touched.add(fact);
        }
        touched
    }

    fn add(&mut self, fact: &Fact) {
        for role in fact.derived("passed_role_names") {
            add(&mut self.passed_roles, role.clone());
        }
        let own = fact.account();
        let listed = fact.at("/resources").and_then(|list| list.as_array());
        let owners = listed.into_iter().flatten();
        let owners = owners.filter_map(|one| one.get("accountId")?.as_str());
        let others = fact.derived("policy_accounts").iter().map(String::as_str);
        for account in owners.chain(others).filter(|account| Some(*account) != own) {
            add(&mut self.other_accounts, account.to_owned());
        }
        let Some(operation) = fact.text("/eventName") else { return };
        if fact.flag("/readOnly") == Some(true) {
            return;
        }
        let source = fact.text("/eventSource").unwrap_or_default();
        let service = source.strip_suffix(".amazonaws.com").unwrap_or(source);
        let touch = || Touch {
            operation: operation.to_owned(),
            event: owned(fact.text("/eventID")),
            error: owned(fact.text("/errorCode")),
        };
        if LOGGING.contains(&service) || operation.ends_with("FlowLogs") {
            add(&mut self.logging, touch());
        }
        if PERMISSIONS.contains(&service) || operation.ends_with("Policy") {
            add(&mut self.permissions, touch());
        }
        let sets = |member: &&str| {
            fact.at(&format!("/requestParameters/{member}")).is_some_and(|set| !set.is_null())
        };
        let ec2 = service == "ec2" && NETWORK.iter().any(|word| operation.contains(word));
        if ec2 || NETWORK_MEMBERS.iter().any(sets) {
            add(&mut self.network, touch());
        }
    }
}

/// Where data and models went or came from.
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    /// Buckets that requests have written to.
    pub(crate) output_buckets: Vec<String>,
    /// Buckets that models are read from.
    pub(crate) model_buckets: Vec<String>,
    /// Accounts or hosts of the registries that images come from.
    pub(crate) image_accounts: Vec<String>,
    /// Bytes that answers carried out, where data events tell.
    pub(crate) bytes_out: u64,
    /// Approvals of models: the status set.
    pub(crate) approvals: Vec<String>,
}

impl Data {
    pub(crate) fn of(facts: &[Fact]) -> Data {
        let lists = |name: &str| {
            let mut found = Vec::new();
            for value in facts.iter().flat_map(|fact| fact.derived(name)) {
                add(&mut found, value.clone());
            }
            found
        };
        let mut approvals = Vec::new();
        for status in
            facts.iter().filter_map(|fact| fact.text("/requestParameters/modelApprovalStatus"))
        {
            add(&mut approvals, status.to_owned());
        }
        let bytes = |fact: &Fact| fact.at("/additionalEventData/bytesTransferredOut")?.as_f64();
        let bytes_out: f64 = facts.iter().filter_map(bytes).filter(|bytes| *bytes > 0.0).sum();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive; saturates"
        )]
        Data {
            output_buckets: lists("output_buckets"),
            model_buckets: lists("model_buckets"),
            image_accounts: lists("image_accounts"),
            bytes_out: bytes_out as u64,
            approvals,
        }
    }
}

/// Whether notebooks and Studio were the way in.
#[derive(Debug, Serialize)]
pub(crate) struct Notebooks {
    /// Sign-in URLs asked for: what each opens.
    pub(crate) sign_in_urls: Vec<String>,
    /// Calls by a session that SageMaker opened for a notebook, job or app.
    pub(crate) execution_role_calls: u64,
    /// How instances got their credentials (`ec2RoleDelivery`): `1.0` can be had by request forgery.
    pub(crate) role_delivery: Vec<String>,
}

impl Notebooks {
    pub(crate) fn of(facts: &[Fact]) -> Notebooks {
        let mut found = Notebooks {
            sign_in_urls: Vec::new(),
            execution_role_calls: 0,
            role_delivery: Vec::new(),
        };
        for fact in facts {
            let name = fact.text("/eventName").unwrap_or_default();
            if name.starts_with("CreatePresigned") {
                for opened in fact.derived("resource") {
                    add(&mut found.sign_in_urls, opened.clone());
                }
            }
            found.execution_role_calls += u64::from(fact.session() == Some("SageMaker"));
            if let Some(version) = fact.text("/userIdentity/sessionContext/ec2RoleDelivery") {
                add(&mut found.role_delivery, version.to_owned());
            }
        }
        found
    }
}
