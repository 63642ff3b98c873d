// Images to click for those who have none at hand.

import { element } from "./elements.js";
import * as server from "./server.js";

/** Show the samples that the server offers; `add` gets each chosen one as a file, `fail` the problem. */
export function show(samples, add, fail) {
  const place = document.getElementById("samples");
  place.hidden = samples.length === 0;
  place.querySelector("ul").replaceChildren(
    ...samples.map((sample) => {
      const button = element("button", "", { type: "button", class: "sample" });
      const text = sample.label ? `Classify ${sample.name}, labelled ${sample.label}` : `Classify ${sample.name}`;
      button.append(element("img", "", { src: sample.thumbnail ?? sample.url, alt: text, loading: "lazy", decoding: "async" }));
      button.append(element("span", sample.label ?? sample.name));
      button.addEventListener("click", async () => {
        try {
          const file = await server.sample(sample);
          file.sample = sample.id;
          file.label = sample.label;
          add([file], "");
        } catch (problem) {
          fail(problem.message);
        }
      });
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
}
