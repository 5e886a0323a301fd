import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;

/**
 * One Apache Kafka broker in this process: {@code Broker PROPERTIES BROKERS}.
 *
 * <p>Formats the log folder if it is new, and writes {@code ready} beside it once so many brokers
 * have registered and both coordinators answer, so that no test pays for their first topic. With
 * {@code -Dguarded} it halts when its standard input ends: the test that started it is gone.
 * {@code -Dscram} is a user that it is formatted with.
 */
public final class Broker {
    private static final String CLUSTER = "Zmxvb2RtYXJrLXRlc3RzAA";

    public static void main(String[] arguments) throws Exception {
        var properties = new Properties();
        try (var reader = Files.newBufferedReader(Path.of(arguments[0]))) {
            properties.load(reader);
        }
        var folder = Path.of(properties.getProperty("log.dirs"));
        if (Files.notExists(folder.resolve("meta.properties"))) {
            var format = new ArrayList<>(
                    List.of("format", "--cluster-id", CLUSTER, "--config", arguments[0]));
            if (System.getProperty("scram") != null) {
                format.addAll(List.of("--add-scram", System.getProperty("scram")));
            }
            int code = kafka.tools.StorageTool.execute(format.toArray(String[]::new), System.out);
            if (code != 0) {
                System.exit(code);
            }
        }
        if (Boolean.getBoolean("guarded")) {
            beside(() -> {
                while (System.in.read() >= 0) {
                    // Nothing is ever said; only its end matters.
                }
                Runtime.getRuntime().halt(3);
            });
        }
        var listener = properties.getProperty("advertised.listeners").split(",")[0];
        var address = listener.substring("PLAINTEXT://".length());
        int brokers = Integer.parseInt(arguments[1]);
        beside(() -> {
            waitUntilReady(address, brokers);
            Files.writeString(folder.resolveSibling("ready"), "");
        });
        kafka.Kafka.main(new String[] {arguments[0]});
    }

    private static void waitUntilReady(String address, int brokers) throws Exception {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", address,
                "retry.backoff.ms", 20, "retry.backoff.max.ms", 100,
                "reconnect.backoff.ms", 20, "reconnect.backoff.max.ms", 100);
        try (var admin = Admin.create(settings)) {
            while (!isReady(admin, brokers)) {
                Thread.sleep(20);
            }
        }
    }

    private static boolean isReady(Admin admin, int brokers) throws InterruptedException {
        try {
            if (admin.describeCluster().nodes().get(5, TimeUnit.SECONDS).size() < brokers) {
                return false;
            }
            admin.listConsumerGroupOffsets("nobody").all().get(20, TimeUnit.SECONDS);
            admin.describeTransactions(List.of("nobody")).all().get(20, TimeUnit.SECONDS);
            return true;
        } catch (ExecutionException answer) {
            // That there is no such transaction is an answer.
            return answer.getCause() instanceof TransactionalIdNotFoundException;
        } catch (java.util.concurrent.TimeoutException none) {
            return false;
        }
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void beside(Work work) {
        var thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception error) {
                error.printStackTrace();
            }
        });
        thread.setDaemon(true);
        thread.start();
    }
}
