//! The calls an organisation makes: names, how often who makes them, and the shapes they leave.
//!
//! Shapes follow the services' own models: parameter names as CloudTrail writes them, in lower
//! camel case, with the nesting that rules must walk. Texts in them are invented.

mod aws;
mod sagemaker;

use super::random::Weighted;
use super::template::Template;

/// What a rule might count, so that ordinary work must be held under its mark (`budget.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// Nothing is counted.
    None,
    /// A SageMaker job.
    Job,
    /// A SageMaker endpoint, made or changed.
    Endpoint,
    /// Other SageMaker compute.
    Compute,
    /// Something of SageMaker's deleted or stopped.
    Destroy,
    /// One model, job or endpoint looked at by name.
    Describe,
    /// A sign-in URL.
    SignIn,
    /// `kms:Decrypt`.
    Decrypt,
    /// `secretsmanager:GetSecretValue`.
    Secret,
    /// `ssm:GetParameter`.
    ParameterRead,
    /// `ssm:PutParameter`.
    ParameterWrite,
    /// `ssm:DeleteParameter`.
    ParameterDelete,
    /// `ec2:GetPasswordData`.
    Password,
}

impl Guard {
    /// Whether the call asks for SageMaker compute, which is counted over the account as well.
    pub(super) fn is_compute(self) -> bool {
        matches!(self, Guard::Job | Guard::Endpoint | Guard::Compute)
    }
}

/// Who makes calls alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persona {
    /// People, at consoles and command lines.
    Human,
    /// Instances, tasks and pods.
    Machine,
    /// Lambda functions.
    Function,
    /// Deployment: Terraform and CI.
    Pipeline,
    /// IAM users with long-lived keys: old scripts and other people's products.
    User,
    /// People and notebooks that train models.
    Scientist,
    /// AWS services on their own account.
    Service,
}

/// How many personas there are.
const PERSONAS: usize = 7;

/// One row of the table of calls.
pub(super) struct Shape {
    /// Without `.amazonaws.com`.
    service: &'static str,
    name: &'static str,
    access: Access,
    guard: Guard,
    /// By persona, in the order of [`Persona`].
    weights: [u64; PERSONAS],
    request: &'static str,
    response: &'static str,
    /// What stands between `eventID` and `eventType`: `resources`, `additionalEventData`.
    extra: &'static str,
}

/// What a call does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// A management event that reads.
    Read,
    /// A management event that writes.
    Write,
    /// A data event that reads.
    DataRead,
    /// A data event that writes.
    DataWrite,
}

impl Access {
    pub(super) fn is_read(self) -> bool {
        matches!(self, Access::Read | Access::DataRead)
    }

    pub(super) fn is_management(self) -> bool {
        matches!(self, Access::Read | Access::Write)
    }
}

/// A row, ready to be filled in.
pub(super) struct Operation {
    pub(super) service: &'static str,
    pub(super) name: &'static str,
    pub(super) access: Access,
    pub(super) guard: Guard,
    pub(super) request: Template,
    pub(super) response: Template,
    pub(super) extra: Template,
}

impl Operation {
    /// Whether all its records stand in one region, the first, wherever the caller is.
    pub(super) fn is_global(&self) -> bool {
        matches!(self.service, "iam" | "signin" | "health")
    }
}

/// All operations, and each persona's mix of them.
pub(super) struct Operations {
    all: Vec<Operation>,
    mixes: Vec<Weighted>,
}

impl Operations {
    pub(super) fn new() -> Operations {
        let shapes = || aws::SHAPES.iter().chain(sagemaker::SHAPES);
        let mixes = (0..PERSONAS)
            .map(|persona| Weighted::new(shapes().map(|shape| shape.weights[persona])))
            .collect();
        let all = shapes()
            .map(|shape| Operation {
                service: shape.service,
                name: shape.name,
                access: shape.access,
                guard: shape.guard,
                request: Template::parse(shape.request),
                response: Template::parse(shape.response),
                extra: Template::parse(shape.extra),
            })
            .collect();
        Operations { all, mixes }
    }

    /// What a persona does, by weight.
    pub(super) fn mix(&self, persona: Persona) -> &Weighted {
        &self.mixes[persona as usize]
    }

    pub(super) fn at(&self, place: u16) -> &Operation {
        &self.all[usize::from(place)]
    }

    /// The place of a call that is known to be in the table.
    pub(super) fn place(&self, service: &str, name: &str) -> u16 {
        let place = self.all.iter().position(|o| o.service == service && o.name == name);
        let place = place.unwrap_or_else(|| panic!("no shape for {service}:{name}"));
        u16::try_from(place).expect("the table is short")
    }
}
