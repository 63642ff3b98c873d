// The threshold slider without a request: the counts of every step are in the form.

const form = document.getElementById("thresholds");
const counts = (name) => form.dataset[name].split(",").map(Number);
const total = Number(form.dataset.total);
const answered = counts("answered");
const right = counts("right");
const number = (id) => Math.max(Number(form.elements[id].value) || 0, 0);
const show = (id, text) => { document.getElementById(id).textContent = text; };

function percent(share) {
  const shown = (100 * share).toFixed(1);
  if (shown === "100.0" && share < 1) return "99.9 %";
  return shown === "0.0" && share > 0 ? "0.1 %" : `${shown} %`;
}

function cost(step) {
  const wrong = answered[step] - right[step];
  return (wrong * number("error") + (total - answered[step]) * number("check")) / total;
}

function update() {
  const step = Math.round(100 * form.elements.threshold.value);
  show("threshold-shown", (step / 100).toFixed(2));
  show("coverage", percent(answered[step] / total));
  show("answered", answered[step].toLocaleString("en"));
  show("precision", answered[step] ? percent(right[step] / answered[step]) : "no answer");
  show("wrong", (answered[step] - right[step]).toLocaleString("en"));
  show("cost", cost(step).toFixed(3));
  let best = 0;
  for (let other = 1; other < answered.length; other += 1) if (cost(other) < cost(best)) best = other;
  show("best-cost", cost(best).toFixed(3));
  show("best", (best / 100).toFixed(2));
}

form.addEventListener("input", update);
document.getElementById("best").addEventListener("click", (event) => {
  event.preventDefault();
  form.elements.threshold.value = event.target.textContent;
  update();
});
form.querySelector("button").hidden = true;
update();
