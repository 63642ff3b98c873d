// The grid of images: only the rows in sight are in the page, whatever their number; selection by mouse and keyboard.

const grid = document.getElementById("grid");
if (grid) start();

function start() {
  const form = document.getElementById("edit");
  const template = document.getElementById("cell").content.firstElementChild;
  const note = document.getElementById("selected");
  const mistake = document.getElementById("mistake");
  const BLOCK = 200;
  const KEPT = 30;
  const MOST_RANGE = 5000;
  const blocks = new Map(); // number of a block to its rows, or to the promise of them
  const selected = new Map(); // image to its index
  let total = Number(grid.dataset.total);
  let everything = false;
  let anchor = -1;
  let focused = -1;
  let generation = 0;

  async function load(number) {
    if (blocks.has(number)) return blocks.get(number);
    const asked = generation;
    const url = new URL(grid.dataset.rows, location.href);
    url.searchParams.set("start", number * BLOCK);
    url.searchParams.set("stop", (number + 1) * BLOCK);
    const promise = fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } })
      .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`${response.status}`))))
      .then((found) => {
        if (asked !== generation) return [];
        if (found.total !== total) { total = found.total; document.getElementById("total").textContent = total.toLocaleString(); layOut(); }
        blocks.set(number, found.rows);
        for (const old of blocks.keys()) if (blocks.size > KEPT && old !== number) blocks.delete(old); else break;
        return found.rows;
      });
    blocks.set(number, promise);
    promise.catch(() => blocks.delete(number));
    return promise;
  }

  const rowAt = (index) => {
    const rows = blocks.get(Math.floor(index / BLOCK));
    return Array.isArray(rows) ? rows[index % BLOCK] : undefined;
  };

  function measures() {
    const style = getComputedStyle(grid);
    const gap = parseFloat(style.rowGap) || 0;
    return { columns: Math.max(1, style.gridTemplateColumns.split(" ").length), height: parseFloat(style.gridAutoRows) + gap, gap };
  }

  function fill(item, index, row) {
    const cell = item.firstElementChild;
    const [box, image] = [cell.querySelector("input"), cell.querySelector("img")];
    item.dataset.index = index;
    box.tabIndex = index === Math.max(focused, 0) ? 0 : -1;
    // Not disabled meanwhile: it would lose the focus.
    if (!row) return;
    cell.className = `cell ${row.state}`;
    box.value = row.image;
    box.checked = everything || selected.has(row.image);
    const source = `${grid.dataset.thumbnails}?${new URLSearchParams({ path: row.image })}`;
    if (image.getAttribute("src") !== source) image.src = source;
    cell.querySelector(".name bdi").textContent = row.name;
    cell.querySelector(".class bdi").textContent = row.class;
    const [before, problem] = [cell.querySelector(".before"), cell.querySelector(".problem")];
    before.hidden = !row.before;
    before.querySelector("bdi").textContent = row.before;
    problem.hidden = !row.problem;
    problem.textContent = row.problem;
  }

  let pending = 0;
  function layOut() {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(draw);
  }

  function draw() {
    const { columns, height, gap } = measures();
    const lines = Math.ceil(total / columns);
    const top = grid.getBoundingClientRect().top;
    const first = Math.min(Math.max(0, Math.floor(-top / height) - 2), Math.max(0, lines - 1));
    const last = Math.min(lines, Math.ceil((innerHeight - top) / height) + 2);
    const [start, stop] = [first * columns, Math.min(total, Math.max(last, first + 1) * columns)];
    grid.style.paddingTop = `${first * height}px`;
    grid.style.paddingBottom = `${Math.max(0, (lines - Math.ceil(stop / columns)) * height)}px`;
    grid.style.minHeight = `${Math.max(0, lines * height - gap)}px`;
    const present = new Map([...grid.children].map((item) => [Number(item.dataset.index), item]));
    const spare = [];
    for (const [index, item] of present) if (index < start || index >= stop || Number.isNaN(index)) { present.delete(index); spare.push(item); }
    let before = null;
    for (let index = stop - 1; index >= start; index -= 1) {
      let item = present.get(index);
      if (!item) {
        const old = spare.pop();
        old?.remove();
        item = template.cloneNode(true);
      }
      fill(item, index, rowAt(index));
      if (item.nextElementSibling !== before || !item.isConnected) grid.insertBefore(item, before);
      before = item;
    }
    for (const item of spare) item.remove();
    wanted = [Math.floor(start / BLOCK), Math.floor(Math.max(start, stop - 1) / BLOCK)];
    clearTimeout(settle);
    settle = setTimeout(fetchWanted, 60);
  }

  let settle = 0;
  let wanted = [0, 0];
  function fetchWanted() {
    // While the page is scrolled quickly nothing is fetched: what flies by is not looked at.
    for (const number of new Set(wanted)) {
      if (!Array.isArray(blocks.get(number))) load(number).then(layOut, () => setTimeout(layOut, 2000));
    }
  }

  function say() {
    const count = everything ? total : selected.size;
    note.textContent = count ? `${count.toLocaleString()} selected` : "Select images";
  }

  function choose(index, on) {
    const row = rowAt(index);
    if (!row) return;
    if (everything) { everything = false; selected.clear(); }
    if (on) selected.set(row.image, index); else selected.delete(row.image);
  }

  async function chooseRange(from, to) {
    const [low, high] = [Math.min(from, to), Math.min(Math.max(from, to), Math.min(from, to) + MOST_RANGE - 1)];
    for (let number = Math.floor(low / BLOCK); number <= Math.floor(high / BLOCK); number += 1) await load(number);
    for (let index = low; index <= high; index += 1) choose(index, true);
    say();
    layOut();
  }

  function focusOn(index, extend) {
    const target = Math.min(Math.max(index, 0), total - 1);
    const { columns, height } = measures();
    const line = Math.floor(target / columns);
    const top = grid.getBoundingClientRect().top + scrollY + line * height;
    if (top < scrollY + 80) scrollTo(0, top - 80);
    else if (top + height > scrollY + innerHeight) scrollTo(0, top + height - innerHeight + 8);
    if (extend) { if (anchor < 0) anchor = Math.max(focused, 0); chooseRange(anchor, target); } else anchor = target;
    focused = target;
    draw();
    grid.querySelector(`li[data-index="${target}"] input`)?.focus({ preventScroll: true });
  }

  grid.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (!item || event.target.tagName !== "INPUT") {
      if (item && event.shiftKey) { event.preventDefault(); anchor = anchor < 0 ? Number(item.dataset.index) : anchor; chooseRange(anchor, Number(item.dataset.index)); }
      return;
    }
    const index = Number(item.dataset.index);
    if (!rowAt(index)) { event.preventDefault(); return; }
    if (event.shiftKey && anchor >= 0) chooseRange(anchor, index);
    else { choose(index, event.target.checked); anchor = index; say(); }
    focused = index;
    layOut();
  });

  grid.addEventListener("keydown", (event) => {
    if (event.target.tagName !== "INPUT") return;
    const at = Number(event.target.closest("li").dataset.index);
    const { columns, height } = measures();
    const page = columns * Math.max(1, Math.floor(innerHeight / height) - 1);
    const rtl = getComputedStyle(grid).direction === "rtl" ? -1 : 1;
    const steps = { ArrowRight: rtl, ArrowLeft: -rtl, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page, Home: -at, End: total - 1 - at };
    if (event.key in steps) focusOn(at + steps[event.key], event.shiftKey);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) { everything = true; selected.clear(); say(); layOut(); }
    else if (event.key === "Escape") { everything = false; selected.clear(); say(); layOut(); }
    else if (event.key === "Delete") send("exclude");
    else return;
    event.preventDefault();
  });

  async function send(action) {
    const body = new URLSearchParams([...new FormData(form)].filter(([name]) => name !== "image" && name !== "page"));
    body.set("action", action);
    if (everything) body.set("all", "1");
    else for (const image of selected.keys()) body.append("image", image);
    // The property of this name is the group of buttons called action.
    const response = await fetch(form.getAttribute("action"), { method: "POST", body, credentials: "same-origin", headers: { Accept: "application/json" } })
      .catch(() => null);
    const answer = await response?.json().catch(() => null);
    if (!answer) { complain("The console does not answer. Nothing was changed; try again."); return; }
    for (const field of document.querySelectorAll("input[name=revision]")) field.value = answer.revision;
    offer("undo", "Undo", answer.undo);
    offer("redo", "Redo", answer.redo);
    complain(answer.message);
    if (response.ok) { everything = false; selected.clear(); form.elements.new_class.value = ""; }
    generation += 1;
    blocks.clear();
    say();
    if (response.ok) note.textContent = answer.undo && action !== "undo" ? answer.undo : "Done";
    await load(wanted[0]).catch(() => []);
    draw();
    if (response.ok && action === "move") rememberClass(body);
  }

  function rememberClass(body) {
    const name = body.get("new_class")?.trim();
    if (name && ![...form.elements.to.options].some((option) => option.text === name)) form.elements.to.add(new Option(name, name, false, true));
  }

  function offer(action, label, what) {
    const button = document.querySelector(`#changes button[value="${action}"]`);
    button.disabled = !what;
    button.textContent = what ? `${label}: ${what}` : label;
  }

  function complain(message) {
    mistake.textContent = message || "";
    mistake.hidden = !message;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.submitter?.value || "move");
  });
  document.querySelector("#changes form").addEventListener("submit", (event) => {
    event.preventDefault();
    const kept = new Map(selected);
    selected.clear();
    send(event.submitter.value).then(() => { for (const [image, index] of kept) selected.set(image, index); say(); });
  });

  document.getElementById("pager")?.remove();
  for (const box of grid.querySelectorAll("input:checked")) selected.set(box.value, -1);
  const first = Number(grid.dataset.start);
  load(Math.floor(first / BLOCK)).then(() => {
    grid.replaceChildren();
    draw();
    if (first) focusOn(first, false);
  });
  addEventListener("scroll", layOut, { passive: true });
  addEventListener("resize", layOut);
  say();
}
