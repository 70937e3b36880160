// java Client.java URL: makes the requests of its standard input, with HttpClient. Each is a line:
// method, target, body (a file, +FILE to be sent in chunks, or -) and fields, between tabs. Prints
// the status of each.

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;

class Client {
    static InputStream opened(String file) {
        try {
            return new FileInputStream(file);
        } catch (IOException fault) {
            throw new UncheckedIOException(fault);
        }
    }

    static BodyPublisher sent(String body) throws IOException {
        if (body.equals("-"))
            return BodyPublishers.noBody();
        if (body.startsWith("+"))
            return BodyPublishers.ofInputStream(() -> opened(body.substring(1)));
        return BodyPublishers.ofFile(Path.of(body));
    }

    static int made(HttpClient client, String url, String line)
            throws IOException, InterruptedException {
        String[] words = line.split("\t");
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + words[1]));
        request.method(words[0], sent(words[2]));
        for (int index = 3; index < words.length; ++index) {
            String[] field = words[index].split(": ", 2);
            request.header(field[0], field[1]);
        }
        return client.send(request.build(), BodyHandlers.discarding()).statusCode();
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        HttpClient client = HttpClient.newHttpClient();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                System.out.println(made(client, arguments[0], line));
            } catch (IOException fault) {
                System.out.println("error: " + fault);
            }
        }
    }
}
