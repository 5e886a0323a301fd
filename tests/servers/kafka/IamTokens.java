import java.io.IOException;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/**
 * Judges tokens of SASL/OAUTHBEARER as Amazon MSK words them: in base64 for URLs, a request to
 * connect that was signed (Signature Version 4) by the access key {@code test} and has not run out.
 * The signature itself is Amazon's to check.
 */
public final class IamTokens implements AuthenticateCallbackHandler {
    private static final DateTimeFormatter STAMP =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    @Override
    public void configure(
            Map<String, ?> settings, String mechanism, List<AppConfigurationEntry> entries) {}

    @Override
    public void close() {}

    @Override
    public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
        for (var callback : callbacks) {
            if (!(callback instanceof OAuthBearerValidatorCallback asked)) {
                throw new UnsupportedCallbackException(callback);
            }
            try {
                asked.token(judged(asked.tokenValue()));
            } catch (RuntimeException odd) {
                asked.error("invalid_token: " + odd.getMessage(), null, null);
            }
        }
    }

    private static OAuthBearerToken judged(String token) {
        var url = URI.create(new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8));
        require(url.getHost().equals("kafka.eu-central-1.amazonaws.com"), url.getHost());
        var parts = new HashMap<String, String>();
        for (var part : url.getRawQuery().split("&")) {
            var pair = part.split("=", 2);
            parts.put(pair[0], URLDecoder.decode(pair[1], StandardCharsets.UTF_8));
        }
        require(parts.get("Action").equals("kafka-cluster:Connect"), "Action");
        require(parts.get("X-Amz-Algorithm").equals("AWS4-HMAC-SHA256"), "X-Amz-Algorithm");
        require(parts.get("X-Amz-Signature").matches("[0-9a-f]{64}"), "X-Amz-Signature");
        var key = parts.get("X-Amz-Credential");
        require(key.matches("test/\\d{8}/eu-central-1/kafka-cluster/aws4_request"), key);
        var from = Instant.from(STAMP.parse(parts.get("X-Amz-Date")));
        var until = from.plusSeconds(Long.parseLong(parts.get("X-Amz-Expires")));
        require(until.isAfter(Instant.now()), "X-Amz-Expires");
        return new Token(token, from.toEpochMilli(), until.toEpochMilli());
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalArgumentException(what);
        }
    }

    private record Token(String value, Long startTimeMs, long lifetimeMs) implements OAuthBearerToken {
        @Override
        public Set<String> scope() {
            return Set.of();
        }

        @Override
        public String principalName() {
            return "test";
        }
    }
}
