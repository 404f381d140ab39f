import java.io.FileInputStream;
import java.net.SocketException;
import java.net.URL;
import java.net.UnknownHostException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Fetches each URL and prints its status, or how it ended in a word. */
class Fetch {
    public static void main(String[] urls) throws Exception {
        HttpsURLConnection.setDefaultSSLSocketFactory(trusting("/etc/ssl/certs/ca-certificates.crt").getSocketFactory());
        for (String url : urls) {
            System.out.println(fetch(new URL(url)));
        }
    }

    static Object fetch(URL url) throws Exception {
        try {
            return ((HttpsURLConnection) url.openConnection()).getResponseCode();
        } catch (UnknownHostException unknown) {
            return "not found";
        } catch (SocketException reset) {
            return reset.getMessage().contains("reset") ? "reset" : reset.getMessage();
        }
    }

    static SSLContext trusting(String bundle) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream file = new FileInputStream(bundle)) {
            for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                store.setCertificateEntry(Integer.toString(store.size()), one);
            }
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
