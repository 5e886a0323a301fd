//! Where leases are kept: a DynamoDB table that the Kinesis Client Library can read and write too,
//! or, for a process that is alone, memory.
//!
//! Rows are written as the library's versions 2 and 3 write them. Its version 3 keeps other things in
//! the same table, marked by `entityType`; those rows are not looked at, and new leases are marked
//! too where any row is. One attribute is ours: what the next reader of a shard needs. The library
//! reads and writes single attributes by name, so it leaves that one alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TableStatus,
};

use super::access::{Kind, Trouble};

use super::handover::{believed, note};
use super::position::Position;
use super::row::{Answer, Done, Row, Write, switches};

/// Pages of rows read in one look; a page has up to 1 MB.
const PAGES_MAX: usize = 1_000;

/// How often a new table is asked after until it can be used, and how long between.
const CREATE_ASKS_MAX: u32 = 120;
const CREATE_WAIT: Duration = Duration::from_millis(500);

const KEY: &str = "leaseKey";
const OWNER: &str = "leaseOwner";
const COUNTER: &str = "leaseCounter";
const CHECKPOINT: &str = "checkpoint";
const SUB_SEQUENCE: &str = "checkpointSubSequenceNumber";
const SWITCHES: &str = "ownerSwitchesSinceCheckpoint";
const PARENTS: &str = "parentShardId";
const CHILDREN: &str = "childShardIds";
const HASH_FIRST: &str = "startingHashKey";
const HASH_LAST: &str = "endingHashKey";
const ENTITY: &str = "entityType";
const LEASE: &str = "LEASE";

/// What the next reader needs, beside the checkpoint: an attribute that the library does not know.
const NOTE: &str = "floodmarkHandover";

/// What the library adds while an owner gives a lease up; it means nothing once there is another.
const HANDOVER: &str = "checkpointOwner";

/// What the library adds while a worker prepares to write a checkpoint.
const PENDING: &str =
    "pendingCheckpoint, pendingCheckpointSubSequenceNumber, pendingCheckpointState";

/// Where leases are kept.
pub(super) enum Table {
    /// In DynamoDB.
    Dynamo(Dynamo),
    /// Here.
    Memory(Mutex<BTreeMap<String, Row>>),
}

impl Table {
    /// A table for a process that is alone.
    pub(super) fn memory() -> Table {
        Table::Memory(Mutex::new(BTreeMap::new()))
    }

    /// Makes sure that it is there.
    pub(super) async fn prepare(&self) -> Result<(), Trouble> {
        match self {
            Table::Dynamo(table) => table.prepare().await,
            Table::Memory(_) => Ok(()),
        }
    }

    /// All leases.
    pub(super) async fn rows(&self) -> Result<Vec<Row>, Trouble> {
        match self {
            Table::Dynamo(table) => table.rows().await,
            Table::Memory(rows) => {
                let rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(rows.values().cloned().collect())
            }
        }
    }

    /// Writes for the worker `me`, if the row is as expected.
    pub(super) async fn write(&self, write: &Write, me: &str) -> Result<Answer, Trouble> {
        match self {
            Table::Dynamo(table) => table.write(write, me).await,
            Table::Memory(rows) => {
                let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(write.apply(&mut rows, me))
            }
        }
    }
}

/// A table in DynamoDB.
pub(super) struct Dynamo {
    client: Client,
    name: String,
    /// Some row says what it is.
    marks: AtomicBool,
}

impl Dynamo {
    pub(super) fn new(client: Client, name: &str) -> Dynamo {
        Dynamo { client, name: name.to_owned(), marks: AtomicBool::new(false) }
    }

    async fn prepare(&self) -> Result<(), Trouble> {
        for _ in 0..CREATE_ASKS_MAX {
            let call = self.client.describe_table().table_name(&self.name);
            match call.send().await.map_err(|error| Trouble::of(&error)) {
                Ok(found) => {
                    let status = found.table.and_then(|table| table.table_status);
                    // A table whose index is being built can be used all the while.
                    if matches!(status, Some(TableStatus::Active | TableStatus::Updating)) {
                        return Ok(());
                    }
                }
                Err(trouble) if trouble.kind == Kind::NotFound => match self.create().await {
                    // Another process may be quicker: then the next look finds it.
                    Err(trouble) if trouble.kind != Kind::Taken => return Err(trouble),
                    _ => {}
                },
                Err(trouble) => return Err(trouble),
            }
            tokio::time::sleep(CREATE_WAIT).await;
        }
        Err(Trouble::other(format!("table {} does not become active", self.name)))
    }

    async fn create(&self) -> Result<(), Trouble> {
        let build = |error: aws_sdk_dynamodb::error::BuildError| Trouble::other(error.to_string());
        let attribute = AttributeDefinition::builder()
            .attribute_name(KEY)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(build)?;
        let key = KeySchemaElement::builder()
            .attribute_name(KEY)
            .key_type(KeyType::Hash)
            .build()
            .map_err(build)?;
        let call = self.client.create_table().table_name(&self.name);
        let call = call.attribute_definitions(attribute).key_schema(key);
        let call = call.billing_mode(BillingMode::PayPerRequest);
        call.send().await.map(drop).map_err(|error| Trouble::of(&error))
    }

    async fn rows(&self) -> Result<Vec<Row>, Trouble> {
        let mut rows = Vec::new();
        let mut from = None;
        for _ in 0..PAGES_MAX {
            let call = self.client.scan().table_name(&self.name).consistent_read(true);
            let page = call.set_exclusive_start_key(from.take()).send().await;
            let page = page.map_err(|error| Trouble::of(&error))?;
            for item in page.items.unwrap_or_default() {
                self.marks.fetch_or(item.contains_key(ENTITY), Ordering::Relaxed);
                rows.extend(row(&item));
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(rows);
            }
        }
        Err(Trouble::other("the lease table does not end"))
    }

    async fn write(&self, write: &Write, me: &str) -> Result<Answer, Trouble> {
        match write {
            Write::Create(row) => self.put(row).await,
            Write::Delete { key, counter_was } => {
                let call = self.client.delete_item().table_name(&self.name).key(KEY, text(key));
                let call = call.condition_expression("leaseCounter = :was");
                let call = call.expression_attribute_values(":was", number(*counter_was));
                match call.send().await {
                    Ok(_) => Ok(Answer::Done),
                    Err(error) => match Trouble::of(&error) {
                        trouble if trouble.kind == Kind::Taken => Ok(Answer::Refused(None)),
                        trouble => Err(trouble),
                    },
                }
            }
            _ => self.update(write, me).await,
        }
    }

    async fn put(&self, row: &Row) -> Result<Answer, Trouble> {
        let marks = self.marks.load(Ordering::Relaxed);
        let call = self.client.put_item().table_name(&self.name).set_item(Some(item(row, marks)));
        let call = call.condition_expression("attribute_not_exists(leaseKey)");
        match call.send().await {
            Ok(_) => Ok(Answer::Done),
            Err(error) => match Trouble::of(&error) {
                trouble if trouble.kind == Kind::Taken => Ok(Answer::Refused(None)),
                trouble => Err(trouble),
            },
        }
    }

    async fn update(&self, write: &Write, me: &str) -> Result<Answer, Trouble> {
        let update = Update::of(write, me);
        let call = self.client.update_item().table_name(&self.name).key(KEY, text(write.key()));
        let call = call
            .update_expression(update.expression)
            .condition_expression(update.condition)
            .set_expression_attribute_values(Some(update.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match call.send().await {
            Ok(_) => Ok(Answer::Done),
            Err(SdkError::ServiceError(refused)) if is_refusal(refused.err()) => {
                let UpdateItemError::ConditionalCheckFailedException(refusal) = refused.into_err()
                else {
                    return Ok(Answer::Refused(None));
                };
                Ok(Answer::Refused(refusal.item.as_ref().and_then(row).map(Box::new)))
            }
            Err(error) => Err(Trouble::of(&error)),
        }
    }
}

fn is_refusal(error: &UpdateItemError) -> bool {
    matches!(error, UpdateItemError::ConditionalCheckFailedException(_))
}

/// An update in DynamoDB's words.
struct Update {
    expression: String,
    condition: String,
    values: HashMap<String, AttributeValue>,
}

impl Update {
    fn of(write: &Write, me: &str) -> Update {
        let mut values = HashMap::new();
        let mut sets = vec!["leaseCounter = leaseCounter + :one".to_owned()];
        let mut removes = Vec::new();
        let mut condition = "leaseCounter = :was AND leaseOwner = :owner".to_owned();
        let counter_was = match write {
            Write::Take { owner_was, counter_was, .. } => {
                sets.push(format!("{OWNER} = :me"));
                sets.push(format!("{SWITCHES} = if_not_exists({SWITCHES}, :none) + :switch"));
                removes.push(HANDOVER);
                values.insert(":me".into(), text(me));
                values.insert(":none".into(), number(0));
                values.insert(":switch".into(), number(switches(owner_was.as_deref(), me)));
                match owner_was {
                    Some(owner) => drop(values.insert(":owner".into(), text(owner))),
                    None => {
                        condition =
                            "leaseCounter = :was AND attribute_not_exists(leaseOwner)".to_owned();
                    }
                }
                Some(counter_was)
            }
            Write::Renew { counter_was, done, children, .. } => {
                values.insert(":owner".into(), text(me));
                checkpointed(done.as_ref(), &mut sets, &mut removes, &mut values);
                if !children.is_empty() {
                    sets.push(format!("{CHILDREN} = :children"));
                    values.insert(":children".into(), AttributeValue::Ss(children.clone()));
                }
                Some(counter_was)
            }
            Write::Release { done, .. } => {
                condition = "leaseOwner = :owner".to_owned();
                values.insert(":owner".into(), text(me));
                checkpointed(done.as_ref(), &mut sets, &mut removes, &mut values);
                removes.push(OWNER);
                None
            }
            Write::Create(_) | Write::Delete { .. } => None,
        };
        values.insert(":one".into(), number(1));
        if let Some(counter_was) = counter_was {
            values.insert(":was".into(), number(*counter_was));
        }
        let mut expression = format!("SET {}", sets.join(", "));
        if !removes.is_empty() {
            expression += &format!(" REMOVE {}", removes.join(", "));
        }
        Update { expression, condition, values }
    }
}

fn checkpointed(
    done: Option<&Done>,
    sets: &mut Vec<String>,
    removes: &mut Vec<&'static str>,
    values: &mut HashMap<String, AttributeValue>,
) {
    let Some(Done { checkpoint, handover }) = done else { return };
    let (sequence, sub_sequence) = checkpoint.checkpoint();
    sets.push(format!("{CHECKPOINT} = :checkpoint"));
    sets.push(format!("{SUB_SEQUENCE} = :sub"));
    sets.push(format!("{SWITCHES} = :none"));
    values.insert(":checkpoint".into(), text(sequence));
    values.insert(":sub".into(), number(sub_sequence));
    values.insert(":none".into(), number(0));
    removes.push(PENDING);
    match handover {
        Some(handover) => {
            sets.push(format!("{NOTE} = :note"));
            values.insert(":note".into(), text(&note(checkpoint, handover)));
        }
        None => removes.push(NOTE),
    }
}

/// The row of an item; `None` for what is no lease of a shard, or none that can be read.
fn row(item: &HashMap<String, AttributeValue>) -> Option<Row> {
    let text = |name: &str| item.get(name).and_then(|it| it.as_s().ok()).cloned();
    let number = |name: &str| item.get(name).and_then(|it| it.as_n().ok()?.parse::<u64>().ok());
    let texts = |name: &str| item.get(name).and_then(|it| it.as_ss().ok()).cloned();
    if text(ENTITY).is_some_and(|entity| entity != LEASE) {
        return None;
    }
    let sub_sequence = number(SUB_SEQUENCE).unwrap_or(0);
    let checkpoint = Position::of_checkpoint(&text(CHECKPOINT)?, sub_sequence)?;
    Some(Row {
        key: text(KEY)?,
        owner: text(OWNER),
        counter: number(COUNTER)?,
        handover: text(NOTE).and_then(|note| believed(&note, &checkpoint)),
        checkpoint,
        owner_switches: number(SWITCHES).unwrap_or(0),
        parents: texts(PARENTS).unwrap_or_default(),
        children: texts(CHILDREN).unwrap_or_default(),
        hash_range: text(HASH_FIRST).zip(text(HASH_LAST)),
    })
}

fn item(row: &Row, marks: bool) -> HashMap<String, AttributeValue> {
    let (sequence, sub_sequence) = row.checkpoint.checkpoint();
    let mut item = HashMap::from([
        (KEY.to_owned(), text(&row.key)),
        (COUNTER.to_owned(), number(row.counter)),
        (CHECKPOINT.to_owned(), text(sequence)),
        (SUB_SEQUENCE.to_owned(), number(sub_sequence)),
        (SWITCHES.to_owned(), number(row.owner_switches)),
    ]);
    if !row.parents.is_empty() {
        item.insert(PARENTS.to_owned(), AttributeValue::Ss(row.parents.clone()));
    }
    if let Some((first, last)) = &row.hash_range {
        item.insert(HASH_FIRST.to_owned(), text(first));
        item.insert(HASH_LAST.to_owned(), text(last));
    }
    if marks {
        item.insert(ENTITY.to_owned(), text(LEASE));
    }
    item
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
