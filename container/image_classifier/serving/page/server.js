// Requests to the server. URLs are relative, so that a proxy may add a path prefix.

const RETRY_INTERVAL = 500; // milliseconds

/** A failed request: a sentence for people, and whether a retry may succeed. */
export class Rejected extends Error {
  constructor(sentence, retryable) {
    super(sentence);
    this.retryable = retryable;
  }
}

/** Return the model card; while the model is being loaded, retry and call `onWait` with the reason. */
export async function facts(onWait) {
  for (;;) {
    try {
      return await json(await request("page/facts"));
    } catch (problem) {
      if (!problem.retryable) throw problem;
      onWait(problem.message);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL));
  }
}

/**
 * Classify an image; return labels and probabilities, the most probable first, the share of validation images that were
 * less ordinary (null if the model cannot tell), and the durations in milliseconds.
 */
export async function classify(file, { class_names, familiarity }) {
  const body = await content(file);
  const headers = {
    "Content-Type": "application/x-image",
    Accept: `application/json;verbose;n_predictions=${class_names.length}${familiarity ? ";ood" : ""}`,
  };
  const started = performance.now();
  const response = await request("invocations", { method: "POST", headers, body });
  const found = await json(response);
  return {
    label: found.predicted_label,
    classes: found.labels.map((label, index) => ({ label, probability: found.probabilities[index] })),
    familiarity: found.familiarity ?? null,
    roundTrip: performance.now() - started,
    inServer: duration(response.headers.get("Server-Timing"), "total"),
  };
}

async function content(file) {
  try {
    return await file.arrayBuffer();
  } catch {
    throw new Rejected("The browser cannot read this file. Is it a folder?", false);
  }
}

async function request(address, options) {
  try {
    return await fetch(address, { cache: "no-store", ...options });
  } catch {
    throw new Rejected("The server is not responding. Is it still running?", true);
  }
}

async function json(response) {
  let content;
  try {
    content = await response.json();
  } catch {
    throw new Rejected(`The server answered ${response.status} without valid JSON.`, response.status >= 500);
  }
  if (!response.ok) {
    throw new Rejected(content.message ?? `The server answered ${response.status}.`, response.status === 503);
  }
  return content;
}

function duration(header, name) {
  const entry = (header ?? "").split(",").find((part) => part.trim().startsWith(`${name};`));
  const found = /;\s*dur=([\d.]+)/.exec(entry ?? "");
  return found ? Number(found[1]) : null;
}
