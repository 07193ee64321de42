import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.loghub.client.ClientWorker;
import com.aliyun.openservices.loghub.client.ILogHubCheckPointTracker;
import com.aliyun.openservices.loghub.client.config.LogHubConfig;
import com.aliyun.openservices.loghub.client.exceptions.LogHubCheckPointException;
import com.aliyun.openservices.loghub.client.interfaces.ILogHubProcessor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A consumer of the vendor's Java library, as a process that stops gracefully on SIGTERM. */
public final class Main {
    /** The library signs with version 4 for such a region only. A hosts file resolves both. */
    private static final Map<String, String> ENDPOINTS =
            Map.of(
                    "v1", "cn-shanghai.log.aliyuncs.com",
                    "v4", "cn-shanghai-acdr-ut-1.log.aliyuncs.com");

    private static final long HEARTBEAT_MILLIS = 1000;
    private static final long SAVE_MILLIS = 3000;
    private static final int TIMEOUT_SECONDS = 5;

    private Main() {}

    /** Run one consumer until a signal. */
    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = options(arguments);
        Detour.to(options.get("address"));
        LogHubConfig config =
                new LogHubConfig(
                        options.get("group"),
                        options.get("name"),
                        ENDPOINTS.get(options.getOrDefault("auth-version", "v1")),
                        options.get("project"),
                        options.get("logstore"),
                        System.getenv("KEY_ID"),
                        System.getenv("KEY_SECRET"),
                        LogHubConfig.ConsumePosition.BEGIN_CURSOR);
        config.setHeartBeatIntervalMillis(HEARTBEAT_MILLIS);
        config.setTimeoutInSeconds(TIMEOUT_SECONDS);
        config.setAutoCommitIntervalMs(SAVE_MILLIS);
        config.setConsumeInOrder(options.containsKey("in-order"));
        if (options.containsKey("fetch-size")) {
            config.setMaxFetchLogGroupSize(Integer.parseInt(options.get("fetch-size")));
        }
        ClientWorker worker = new ClientWorker(() -> new Processor(options), config);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(worker)));
        worker.run();
        Thread.currentThread().join(); // The hook ends the process.
    }

    private static void stop(ClientWorker worker) {
        worker.shutdown();
        Runtime.getRuntime().halt(0);
    }

    private static Map<String, String> options(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (String argument : arguments) {
            String[] parts = argument.substring("--".length()).split("=", 2);
            options.put(parts[0], parts.length > 1 ? parts[1] : "");
        }
        return options;
    }

    /** Processing of the batches of one shard, with a failure if one is wanted. */
    private static final class Processor implements ILogHubProcessor {
        private final Map<String, String> options;
        private int shard;
        private boolean hasFailed;

        Processor(Map<String, String> options) {
            this.options = options;
        }

        @Override
        public void initialize(int shard) {
            this.shard = shard;
        }

        @Override
        public String process(List<LogGroupData> batch, ILogHubCheckPointTracker tracker) {
            if (!batch.isEmpty()) {
                work();
                System.err.printf("processed shard %d: %d log groups%n", shard, batch.size());
            }
            if (!options.containsKey("never-saves")) {
                save(tracker);
            }
            return null;
        }

        @Override
        public void shutdown(ILogHubCheckPointTracker tracker) {}

        private void work() {
            sleep(Double.parseDouble(options.getOrDefault("batch-seconds", "0")));
            boolean isFirst = !hasFailed;
            hasFailed = true;
            if (options.containsKey("fails-once") && isFirst) {
                throw new BatchException("shard " + shard + ": the first batch fails");
            }
            if (isPoisoned()) {
                throw new BatchException("shard " + shard + ": every batch fails");
            }
        }

        private boolean isPoisoned() {
            Path poison = Path.of(options.getOrDefault("poison", ""));
            try {
                return Files.isRegularFile(poison)
                        && Integer.parseInt(Files.readString(poison).strip()) == shard;
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }

        private static void save(ILogHubCheckPointTracker tracker) {
            try {
                tracker.saveCheckPoint(false);
            } catch (LogHubCheckPointException error) {
                throw new BatchException(error.getMessage());
            }
        }

        private static void sleep(double seconds) {
            try {
                Thread.sleep((long) (seconds * 1000));
            } catch (InterruptedException error) {
                throw new BatchException("interrupted");
            }
        }
    }

    /** An error of the code that processes a batch. */
    private static final class BatchException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        BatchException(String message) {
            super(message);
        }
    }
}
