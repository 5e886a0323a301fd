import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * One worker of the Kinesis Client Library. Prints what happens, a line each: {@code BEGIN shard
 * position}, {@code RECORD shard sequence sub-sequence data}, {@code CHECKPOINT shard sequence
 * sub-sequence}, {@code LOST shard}, {@code END shard}.
 *
 * <p>Arguments: stream, application (and so the table), worker, URLs of Kinesis and DynamoDB, failover
 * time in milliseconds, and the sub-sequence number after which to checkpoint once and never again;
 * -1 to checkpoint after every batch.
 */
public final class Worker {
    public static void main(String[] arguments) throws Exception {
        String stream = arguments[0];
        String application = arguments[1];
        String name = arguments[2];
        URI kinesisUrl = URI.create(arguments[3]);
        URI dynamoUrl = URI.create(arguments[4]);
        long failoverMillis = Long.parseLong(arguments[5]);
        long onlyAfter = Long.parseLong(arguments[6]);

        var key = StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test"));
        var http = NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1);
        var kinesis = KinesisAsyncClient.builder().credentialsProvider(key).region(Region.US_EAST_1)
                .endpointOverride(kinesisUrl).httpClientBuilder(http).build();
        var dynamo = DynamoDbAsyncClient.builder().credentialsProvider(key).region(Region.US_EAST_1)
                .endpointOverride(dynamoUrl).build();
        var metrics = CloudWatchAsyncClient.builder().credentialsProvider(key)
                .region(Region.US_EAST_1).endpointOverride(dynamoUrl).build();
        var configs = new ConfigsBuilder(stream, application, kinesis, dynamo, metrics, name,
                () -> new Processor(onlyAfter));
        var start = InitialPositionInStreamExtended
                .newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
        var scheduler = new Scheduler(
                configs.checkpointConfig(),
                configs.coordinatorConfig(),
                configs.leaseManagementConfig().failoverTimeMillis(failoverMillis)
                        .shardSyncIntervalMillis(3000),
                configs.lifecycleConfig(),
                configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
                configs.processorConfig(),
                configs.retrievalConfig().initialPositionInStreamExtended(start)
                        .retrievalSpecificConfig(
                                new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(500)));
        var running = new Thread(scheduler);
        running.setDaemon(true);
        running.start();
        // Not longer than whoever started it.
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (input.readLine() != null) {
            continue;
        }
        Runtime.getRuntime().halt(0);
    }

    private static synchronized void tell(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static final class Processor implements ShardRecordProcessor {
        private final long onlyAfter;
        private String shard = "";
        private boolean hasCheckpointed;

        Processor(long onlyAfter) {
            this.onlyAfter = onlyAfter;
        }

        @Override
        public void initialize(InitializationInput input) {
            shard = input.shardId();
            var at = input.extendedSequenceNumber();
            tell("BEGIN " + shard + " " + at.sequenceNumber() + ":" + at.subSequenceNumber());
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            KinesisClientRecord last = null;
            for (KinesisClientRecord record : input.records()) {
                byte[] data = new byte[record.data().remaining()];
                record.data().duplicate().get(data);
                tell("RECORD " + shard + " " + record.sequenceNumber() + " "
                        + record.subSequenceNumber() + " "
                        + new String(data, StandardCharsets.UTF_8));
                last = record;
                if (record.subSequenceNumber() == onlyAfter && !hasCheckpointed) {
                    checkpoint(input.checkpointer(), record);
                    hasCheckpointed = true;
                }
            }
            if (onlyAfter < 0 && last != null) {
                checkpoint(input.checkpointer(), last);
            }
        }

        private void checkpoint(RecordProcessorCheckpointer checkpointer, KinesisClientRecord at) {
            try {
                checkpointer.checkpoint(at.sequenceNumber(), at.subSequenceNumber());
                tell("CHECKPOINT " + shard + " " + at.sequenceNumber() + " "
                        + at.subSequenceNumber());
            } catch (Exception error) {
                tell("FAILED " + shard + " " + error);
            }
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            tell("LOST " + shard);
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            try {
                input.checkpointer().checkpoint();
                tell("END " + shard);
            } catch (Exception error) {
                tell("FAILED " + shard + " " + error);
            }
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            tell("STOP " + shard);
        }
    }
}
