//! The table that Athena's queries read: CloudTrail's objects with partition projection, so that no
//! partition has ever to be added.

use super::dialect::literal;

/// Where the trail is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Name of the table.
    pub table: String,
    /// `s3://BUCKET/AWSLogs/ORGANIZATION`, the folder of the accounts' folders.
    pub location: String,
    /// The accounts.
    pub accounts: Vec<String>,
    /// The regions.
    pub regions: Vec<String>,
    /// First day of the trail, `yyyy/MM/dd`.
    pub since: String,
}

/// The DDL. Members of CloudTrail's records are columns; those whose shape is the service's own are
/// JSON as text. Digests and Insights events lie in other folders, and stay out.
///
/// Source: Athena user guide, "Create a table for CloudTrail logs in Athena using partition
/// projection".
#[must_use]
pub fn schema(schema: &Schema) -> String {
    let location = schema.location.trim_end_matches('/');
    let quoted = |text: &str| literal(text);
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS {table} (
  eventversion string,
  useridentity struct<
    type: string, principalid: string, arn: string, accountid: string, accesskeyid: string,
    username: string, invokedby: string, identityprovider: string,
    onbehalfof: struct<userid: string, identitystorearn: string>,
    sessioncontext: struct<
      attributes: struct<mfaauthenticated: string, creationdate: string>,
      sessionissuer: struct<
        type: string, principalid: string, arn: string, accountid: string, username: string>,
      sourceidentity: string, ec2roledelivery: string,
      webidfederationdata: struct<
        federatedprovider: string, attributes: map<string, string>>>>,
  eventtime string,
  eventsource string,
  eventname string,
  awsregion string,
  sourceipaddress string,
  useragent string,
  errorcode string,
  errormessage string,
  requestparameters string,
  responseelements string,
  additionaleventdata string,
  requestid string,
  eventid string,
  readonly string,
  resources array<struct<arn: string, accountid: string, type: string>>,
  eventtype string,
  apiversion string,
  managementevent string,
  recipientaccountid string,
  serviceeventdetails string,
  sharedeventid string,
  vpcendpointid string,
  vpcendpointaccountid string,
  eventcategory string,
  sessioncredentialfromconsole string,
  tlsdetails struct<tlsversion: string, ciphersuite: string, clientprovidedhostheader: string>
)
PARTITIONED BY (account string, region string, day string)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION {place}
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.account.type' = 'enum',
  'projection.account.values' = {accounts},
  'projection.region.type' = 'enum',
  'projection.region.values' = {regions},
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = {days},
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' = {template}
);
",
        table = schema.table,
        place = quoted(&format!("{location}/")),
        accounts = quoted(&schema.accounts.join(",")),
        regions = quoted(&schema.regions.join(",")),
        days = quoted(&format!("{},NOW", schema.since)),
        template = quoted(&format!("{location}/${{account}}/CloudTrail/${{region}}/${{day}}")),
    )
}
