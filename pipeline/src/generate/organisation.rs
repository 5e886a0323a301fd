//! Accounts, and who acts in them.
//!
//! Ordinary actors are laid out by rank: the first makes the most calls (Zipf). Behind them stand
//! the services of each account, and last the casts of the scenes (attacks and near misses), each
//! scene in an account of its own, in which ordinary actors work as well, but no scientists: so
//! what a scene adds up to in its account is the scene's alone.

use super::operation::{Operations, Persona};
use super::random::{Concern, Random, Weighted, mix};
use super::scene::{self, Scene};
use super::{Call, Plan};

/// Most accounts and actors of one organisation, so that their places fit their types.
const ACCOUNTS_MAX: u32 = 10_000;
const PRINCIPALS_MAX: u32 = 10_000_000;

/// Regions by place. The first is where global services leave their records; the last belongs to
/// the partition `aws-us-gov` alone.
pub(super) const REGIONS: [&str; 7] = [
    "us-east-1",
    "eu-west-1",
    "eu-central-1",
    "us-west-2",
    "ap-southeast-2",
    "ap-northeast-1",
    "us-gov-west-1",
];
/// The place of the region of `aws-us-gov`.
const REGION_GOV: u8 = 6;

/// Services that act on their own account.
const SERVICES: [&str; 8] =
    ["lambda", "ec2", "ecs-tasks", "cloudtrail", "config", "autoscaling", "eks", "delivery.logs"];

const TEAMS: [&str; 16] = [
    "payments",
    "checkout",
    "search",
    "catalogue",
    "identity",
    "billing",
    "logistics",
    "pricing",
    "fraud",
    "media",
    "mobile",
    "platform",
    "network",
    "security",
    "finance",
    "insight",
];
const WORKS: [&str; 12] = [
    "api",
    "worker",
    "ingest",
    "export",
    "gateway",
    "scheduler",
    "cache",
    "report",
    "sync",
    "notifier",
    "indexer",
    "archive",
];
const GIVEN: [&str; 12] = [
    "amara", "bjorn", "chen", "dalia", "emeka", "farah", "goran", "hana", "ines", "jonas", "kavya",
    "luca",
];
const FAMILY: [&str; 12] = [
    "okafor",
    "lindqvist",
    "wei",
    "haddad",
    "novak",
    "sato",
    "moreau",
    "silva",
    "becker",
    "rao",
    "rossi",
    "kelly",
];
const SETS: [&str; 4] = ["ReadOnlyAccess", "PowerUserAccess", "Developer", "Support"];

/// One account.
pub(super) struct Account {
    /// Twelve digits.
    pub(super) id: String,
    /// Its Studio domain.
    pub(super) domain: String,
    pub(super) gov: bool,
}

impl Account {
    pub(super) fn partition(&self) -> &'static str {
        if self.gov { "aws-us-gov" } else { "aws" }
    }
}

/// What an actor is to IAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A permission set of IAM Identity Center; the sessions are people.
    SingleSignOn,
    /// An instance profile.
    Instance,
    /// A container's role.
    Task,
    /// A pod's role, assumed with a web identity.
    Pod,
    /// A function's role.
    Function,
    /// A role that CI or Terraform assumes.
    Deployment,
    /// A SageMaker execution role.
    Execution,
    /// A service-linked role that a service uses.
    ServiceLinked,
    /// An IAM user.
    User,
    /// The account's root.
    Root,
    /// A service without a role: no ARN at all.
    Service,
}

/// Whoever calls.
pub(super) struct Actor {
    pub(super) kind: Kind,
    pub(super) persona: Persona,
    pub(super) account: u16,
    /// The role's, user's or service's name.
    pub(super) name: String,
    /// What its ids and addresses are made from.
    pub(super) unique: u64,
    /// Where it works, by place in [`REGIONS`].
    pub(super) home: u8,
    /// Where it works now and then.
    pub(super) away: u8,
    /// How many sessions it has at a time.
    pub(super) sessions: u16,
}

/// Everything that does not change while the feed runs.
pub(super) struct Organisation {
    pub(super) seed: u64,
    pub(super) accounts: Vec<Account>,
    pub(super) actors: Vec<Actor>,
    pub(super) operations: Operations,
    /// Ordinary actors by how much they do.
    pub(super) zipf: Weighted,
    /// Where the services begin among the actors, and where the casts do.
    pub(super) services: usize,
    pub(super) casts: usize,
}

impl Organisation {
    pub(super) fn new(plan: &Plan) -> Organisation {
        let mut random = Random::of(plan.seed, Concern::Organisation, 0);
        let ordinary = plan.accounts.clamp(1, ACCOUNTS_MAX) as usize;
        let all = ordinary + scene::all().count();
        let accounts: Vec<Account> = (0..all)
            .map(|place| Account {
                id: format!("{}", 100_000_000_000 + random.below(899_999_999_999)),
                domain: format!("d-{:012x}", random.next() >> 16),
                gov: ordinary > 3 && place + 1 == ordinary,
            })
            .collect();
        let home = |account: usize, random: &mut Random| {
            if accounts[account].gov { REGION_GOV } else { random.pick(&[0, 0, 0, 1, 1, 2, 3, 4]) }
        };
        let principals = u64::from(plan.principals.clamp(1, PRINCIPALS_MAX));
        let mut actors = Vec::new();
        for rank in 0..principals {
            let account = random.below(all as u64) as usize;
            let home = home(account, &mut random);
            let scientists = account < ordinary;
            actors.push(Actor::ordinary(rank, principals, account, scientists, home, &mut random));
        }
        let services = actors.len();
        for account in 0..all {
            for service in SERVICES {
                let home = home(account, &mut random);
                actors.push(Actor {
                    kind: Kind::Service,
                    persona: Persona::Service,
                    name: service.to_owned(),
                    account: account as u16,
                    unique: random.next(),
                    home,
                    away: home,
                    sessions: 1,
                });
            }
        }
        let casts = actors.len();
        for (place, scene) in scene::all().enumerate() {
            for member in 0..scene.cast {
                let account = (ordinary + place) as u16;
                actors.push(Actor::cast(scene, account, member, &mut random));
            }
        }
        let zipf = Weighted::new((0..principals).map(|rank| 1_000_000_000 / (rank + 3)));
        let operations = Operations::new();
        let seed = plan.seed;
        Organisation { seed, accounts, actors, operations, zipf, services, casts }
    }

    pub(super) fn actor(&self, call: &Call) -> &Actor {
        &self.actors[call.actor as usize]
    }

    pub(super) fn account(&self, actor: &Actor) -> &Account {
        &self.accounts[usize::from(actor.account)]
    }

    /// What a window is keyed by: the role of a session, the user, the service.
    pub(super) fn principal(&self, actor: &Actor) -> String {
        let account = self.account(actor);
        let (partition, id, name) = (account.partition(), &account.id, &actor.name);
        match actor.kind {
            Kind::User => format!("arn:{partition}:iam::{id}:user/{name}"),
            Kind::Root => format!("arn:{partition}:iam::{id}:root"),
            Kind::Service => format!("{name}.amazonaws.com"),
            _ => format!("arn:{partition}:iam::{id}:role/{}{name}", actor.path()),
        }
    }
}

impl Actor {
    /// An actor of the background. The busiest are machines, as everywhere.
    fn ordinary(
        rank: u64,
        of: u64,
        account: usize,
        scientists: bool,
        home: u8,
        random: &mut Random,
    ) -> Actor {
        let kind = match random.below(100) {
            _ if rank * 50 < of => {
                random.pick(&[Kind::Instance, Kind::Task, Kind::Pod, Kind::Function])
            }
            0..=24 => Kind::SingleSignOn,
            25..=42 => Kind::Instance,
            43..=54 => Kind::Task,
            55..=63 => Kind::Pod,
            64..=79 => Kind::Function,
            80..=85 => Kind::Deployment,
            86..=91 => Kind::User,
            92 => Kind::Root,
            _ if scientists => Kind::Execution,
            _ => Kind::Function,
        };
        let (team, work) = (random.pick(&TEAMS), random.pick(&WORKS));
        let unique = random.next();
        let short = unique & 0xff_ffff;
        let name = match kind {
            Kind::SingleSignOn => format!("AWSReservedSSO_{}_{unique:016x}", random.pick(&SETS)),
            Kind::Instance => format!("{team}-{work}-{rank}-InstanceRole-{short:06X}"),
            Kind::Task => format!("{team}-{work}-{rank}-TaskRole-{short:06X}"),
            Kind::Pod => format!("eks-{team}-{work}-{rank}"),
            Kind::Function => format!("{team}-{work}-{rank}-ServiceRole-{short:06X}"),
            Kind::Deployment => format!("{team}-deploy-{rank}"),
            Kind::User => format!("svc-{team}-{rank}"),
            Kind::Execution => format!("AmazonSageMaker-ExecutionRole-{team}-{rank}"),
            Kind::Root | Kind::Service | Kind::ServiceLinked => format!("root-{rank}"),
        };
        let sessions = match kind {
            Kind::Instance | Kind::Task | Kind::Pod => 1 + random.below(12) as u16,
            Kind::SingleSignOn => 1 + random.below(4) as u16,
            _ => 1,
        };
        let away = if home == REGION_GOV { home } else { random.below(6) as u8 };
        let persona = kind.persona();
        Actor { kind, persona, account: account as u16, name, unique, home, away, sessions }
    }

    /// One of a scene's cast.
    fn cast(scene: &Scene, account: u16, member: u32, random: &mut Random) -> Actor {
        let (team, unique) = (random.pick(&TEAMS), random.next());
        let short = unique & 0xff_ffff;
        let name = match scene.kind {
            Kind::User => format!("{team}-automation-{short:06x}"),
            Kind::SingleSignOn => format!("AWSReservedSSO_DataScience_{unique:016x}"),
            Kind::ServiceLinked => {
                "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint".to_owned()
            }
            _ => format!("AmazonSageMaker-ExecutionRole-{team}-{member}-{short:06x}"),
        };
        let home = random.below(4) as u8;
        Actor {
            kind: scene.kind,
            persona: Persona::Scientist,
            account,
            name,
            unique,
            home,
            away: home,
            sessions: 1,
        }
    }

    /// The path of the role, as it stands in its ARN.
    pub(super) fn path(&self) -> &'static str {
        match self.kind {
            Kind::SingleSignOn => "aws-reserved/sso.amazonaws.com/eu-west-1/",
            Kind::Execution => "service-role/",
            Kind::ServiceLinked => {
                "aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
            }
            _ => "",
        }
    }

    /// The name of a person, made from a number.
    pub(super) fn person(number: u64) -> (&'static str, &'static str) {
        let given = GIVEN[(number % GIVEN.len() as u64) as usize];
        (given, FAMILY[(number / 16 % FAMILY.len() as u64) as usize])
    }

    /// A number that belongs to one session of this actor.
    pub(super) fn session(&self, session: u16) -> u64 {
        mix(self.unique, u64::from(session) + Concern::Session as u64)
    }
}

impl Kind {
    fn persona(self) -> Persona {
        match self {
            Kind::SingleSignOn | Kind::Root => Persona::Human,
            Kind::Instance | Kind::Task | Kind::Pod => Persona::Machine,
            Kind::Function => Persona::Function,
            Kind::Deployment => Persona::Pipeline,
            Kind::User => Persona::User,
            Kind::Execution => Persona::Scientist,
            Kind::Service | Kind::ServiceLinked => Persona::Service,
        }
    }
}
