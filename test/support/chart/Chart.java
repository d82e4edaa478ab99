import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.marcnuri.helm.Helm;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Helm itself and the models of Kubernetes' API, for the tests of the chart.
 *
 *     lint CHART                  prints Helm's findings, one a line, and exits with 1 when there are any
 *     template CHART [VALUES]     prints what Helm makes of it
 *     validate                    reads a JSON array of objects; prints what Kubernetes does not know or lacks in each
 */
public class Chart {
  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "lint" -> lint(new Helm(Path.of(args[1])));
      case "template" -> template(new Helm(Path.of(args[1])), args);
      case "validate" -> validate();
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  static void lint(Helm helm) {
    var result = helm.lint().strict().call();
    result.getMessages().forEach(System.out::println);
    if (result.isFailed()) System.exit(1);
  }

  static void template(Helm helm, String[] args) {
    var command = helm.template().withName("shop").withNamespace("ferry").withKubeVersion("1.34.0");
    if (args.length > 2) command.withValuesFile(Path.of(args[2]));
    try {
      System.out.println(command.call());
    } catch (IllegalStateException refused) {
      System.err.println(refused.getMessage());
      System.exit(1);
    }
  }

  static void validate() throws Exception {
    var documents = JsonParser.parseReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (JsonElement document : documents.getAsJsonArray()) {
      var kind = document.getAsJsonObject().get("kind").getAsString();
      var model = Class.forName("io.kubernetes.client.openapi.models.V1" + kind);
      try {
        // Refuses properties that the kind does not have, at every depth, and wants those that it must have.
        model.getMethod("validateJsonElement", JsonElement.class).invoke(null, document);
        System.out.println(kind + ": ok");
      } catch (InvocationTargetException wrong) {
        System.out.println(kind + ": " + wrong.getCause().getMessage());
      }
    }
  }
}
