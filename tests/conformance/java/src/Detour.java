import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ServerSocket;
import java.net.Socket;

/**
 * A SOCKS proxy of this process that leads every connection to one address.
 *
 * <p>The library accepts no port in an endpoint, so it connects to port 80 of a public endpoint.
 */
final class Detour {
    private static final byte[] NO_AUTHENTICATION = {5, 0};
    private static final byte[] CONNECTED = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    private static final int REQUEST_BYTES_WITH_IPV4_ADDRESS = 10;

    private final String host;
    private final int port;

    private Detour(String host, int port) {
        this.host = host;
        this.port = port;
    }

    /** Let all further sockets of this process connect to an address. */
    static void to(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        Detour detour =
                new Detour(
                        address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
        ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        System.setProperty("socksProxyHost", listener.getInetAddress().getHostAddress());
        System.setProperty("socksProxyPort", String.valueOf(listener.getLocalPort()));
        start(() -> detour.accept(listener));
    }

    private void accept(ServerSocket listener) throws IOException {
        while (true) {
            Socket client = listener.accept();
            start(() -> serve(client));
        }
    }

    private void serve(Socket client) throws IOException {
        try (client;
                Socket server = new Socket(Proxy.NO_PROXY)) {
            InputStream input = client.getInputStream();
            input.read(); // the version
            input.readNBytes(input.read());
            client.getOutputStream().write(NO_AUTHENTICATION);
            input.readNBytes(REQUEST_BYTES_WITH_IPV4_ADDRESS);
            server.connect(new InetSocketAddress(host, port));
            client.getOutputStream().write(CONNECTED);
            start(() -> copy(server.getInputStream(), client));
            copy(input, server);
        }
    }

    private static void copy(InputStream from, Socket to) throws IOException {
        OutputStream output = to.getOutputStream();
        from.transferTo(output);
        to.shutdownOutput();
    }

    private static void start(Work work) {
        Thread thread =
                new Thread(
                        () -> {
                            try {
                                work.run();
                            } catch (IOException error) {
                                // A side has disconnected.
                            }
                        });
        thread.setDaemon(true);
        thread.start();
    }

    /** Work that may fail because a connection ends. */
    private interface Work {
        void run() throws IOException;
    }
}
