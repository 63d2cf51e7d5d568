// The explorer of report.html: draws the disk, answers pointer and keyboard.
// Everything that comes from data enters the page as text, never as markup.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const runs = JSON.parse(byId("explorer-data").textContent);
  const [canvas, tip, status, panel] = ["disk", "tip", "status", "panel"].map((x) =>
    byId(`explorer-${x}`),
  );
  const [runList, find, userList, whole] = ["run", "find", "user", "whole"].map((x) =>
    byId(`explorer-${x}`),
  );
  const paint = canvas.getContext("2d");
  const MARGIN = 10; // pixels around the disk
  // Pixels from a point that hit it.
  const REACH = { mouse: 12, pen: 14, touch: 24 };

  let run, points, highlighted, selected, pointed, scale;
  let size = 0; // of the disk's square, in pixels
  let pointer = "mouse"; // what the last press was made with

  // -- data ----------------------------------------------------------------

  function open(index) {
    run = runs[index];
    const { users, items } = run;
    const place = (of, kind) =>
      of.id.map((id, row) => ({
        kind,
        row,
        name: (of.title && of.title[row]) || `${kind} ${id}`,
        norm: of.norm[row],
        x: of.norm[row] * Math.cos(of.angle[row]),
        y: of.norm[row] * Math.sin(of.angle[row]),
      }));
    points = { item: place(items, "item"), user: place(users, "user") };
    find.value = "";
    listUsers();
    select(null);
  }

  /** The user of the id sought, else all whose id begins with the text, or whose
   * history or recommendations have it in a title. */
  function matching() {
    const text = find.value.trim().toLowerCase();
    if (!text) return points.user;
    const { history, top } = run.users;
    const ids = run.users.id.map((id) => id.toLowerCase());
    if (ids.includes(text)) return [points.user[ids.indexOf(text)]];
    const named = points.item.map((item) => item.name.toLowerCase().includes(text));
    const holds = (row) => named[row];
    return points.user.filter(
      ({ row }) =>
        ids[row].startsWith(text) ||
        history[row].some(holds) ||
        top[row].some(holds),
    );
  }

  function listUsers() {
    const found = matching();
    const first = new Option(`choose one of ${found.length}`, "");
    const options = found.map((user) => new Option(run.users.id[user.row], user.row));
    userList.replaceChildren(first, ...options);
    userList.value = selected && found.includes(selected) ? selected.row : "";
  }

  // -- the panel -----------------------------------------------------------

  function element(tag, text, ...children) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    made.append(...children);
    return made;
  }

  function entry(item, value, mark) {
    const button = element("button", "", element("span", item.name));
    button.type = "button";
    if (mark) button.append(element("em", mark));
    if (value) button.append(element("b", value));
    button.setAttribute("aria-description", `norm ${item.norm.toFixed(3)}`);
    const point = () => pointAt(item);
    button.addEventListener("pointerenter", point);
    button.addEventListener("focus", point);
    button.addEventListener("click", point);
    button.addEventListener("pointerleave", () => pointAt(null));
    button.addEventListener("blur", () => pointAt(null));
    return element("li", "", button);
  }

  function listing(tag, id, entries) {
    const list = element(tag, "", ...entries);
    list.id = `explorer-${id}`;
    return list;
  }

  function select(user) {
    selected = user;
    highlighted = new Map();
    userList.value = user ? user.row : "";
    if (!user) {
      status.textContent = "No user chosen";
      panel.replaceChildren();
      pointAt(null);
      return;
    }
    const of = run.users;
    const { row } = user;
    const item = (index) => points.item[index];
    const held = item(of.held[row]);
    of.history[row].forEach((i) => highlighted.set(item(i), "history"));
    of.top[row].forEach((i) => highlighted.set(item(i), "top"));
    status.textContent = `User ${of.id[row]}, norm ${user.norm.toFixed(3)}`;
    const shown = of.history[row].length;
    const total = of.interactions[row];
    const rank = of.held_rank[row].toLocaleString("en");
    panel.replaceChildren(
      element("h3", "Recommendations, and their distances"),
      listing(
        "ol",
        "top",
        of.top[row].map((i, place) =>
          entry(
            item(i),
            of.distances[row][place].toFixed(3),
            item(i) === held ? "held out" : "",
          ),
        ),
      ),
      element("h3", "Held out for the test"),
      listing("ul", "held", [
        entry(held, of.held_distance[row].toFixed(3), `rank ${rank}`),
      ]),
      element(
        "h3",
        shown < total
          ? `History: the last ${shown} of ${total.toLocaleString("en")}`
          : `History: all ${total}`,
      ),
      listing(
        "ul",
        "history",
        of.history[row].map((i) => entry(item(i))),
      ),
    );
    pointAt(null);
  }

  // -- the disk ------------------------------------------------------------

  function measure() {
    size = canvas.parentElement.clientWidth;
    const sharp = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(size * sharp);
    paint.setTransform(sharp, 0, 0, sharp, 0, 0);
    draw();
  }

  const across = (point) => size / 2 + scale * point.x;
  const down = (point) => size / 2 - scale * point.y;

  function shape(point, kind, radius) {
    const [x, y] = [across(point), down(point)];
    paint.beginPath();
    if (kind === "user") {
      paint.arc(x, y, radius, 0, 2 * Math.PI);
    } else if (kind === "history") {
      paint.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    } else {
      const corners = kind === "top" ? [0, 1, 2, 3] : [0, 4 / 3, 8 / 3];
      corners.forEach((corner) => {
        const turn = (corner * Math.PI) / 2;
        paint.lineTo(x + radius * Math.sin(turn), y - radius * Math.cos(turn));
      });
      paint.closePath();
    }
  }

  function circle(norm, ink, alpha) {
    paint.globalAlpha = alpha;
    paint.strokeStyle = ink;
    paint.beginPath();
    paint.arc(size / 2, size / 2, scale * norm, 0, 2 * Math.PI);
    paint.stroke();
  }

  function rings(extent, ink) {
    paint.lineWidth = 1;
    circle(1, ink, 1);
    const step = extent > 0.6 ? 0.2 : extent > 0.25 ? 0.1 : 0.05;
    paint.fillStyle = ink;
    paint.textAlign = "center";
    paint.textBaseline = "bottom";
    for (let ring = 1; ring * step < extent; ring += 1) {
      if (ring * step > 0.999) break;
      circle(ring * step, ink, 0.18);
      paint.globalAlpha = 0.7;
      const label = String(Number((ring * step).toFixed(2)));
      paint.fillText(label, size / 2, size / 2 - scale * ring * step - 1);
    }
  }

  function draw() {
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const [ink, back] = [colour("ink"), colour("back")];
    const far = (most, point) => Math.max(most, point.norm);
    const reach = points.item.reduce(far, points.user.reduce(far, 0.01));
    const extent = whole.checked ? 1 : Math.min(1, 1.05 * reach);
    scale = Math.max(0, size / 2 - MARGIN) / extent;
    paint.clearRect(0, 0, size, size);
    paint.font = "11px system-ui, sans-serif";
    rings(extent, ink);
    scatter("item", 2.8, selected ? 0.16 : 0.45, colour("item"));
    scatter("user", 3.5, selected ? 0.16 : 0.75, colour("user"));
    paint.globalAlpha = 1;
    if (selected) drawSelection(colour, back);
    if (pointed) {
      paint.strokeStyle = ink;
      paint.lineWidth = 2;
      shape(pointed, "user", 10);
      paint.stroke();
    }
  }

  function scatter(kind, radius, alpha, ink) {
    paint.globalAlpha = alpha;
    paint.fillStyle = ink;
    for (const point of points[kind]) {
      shape(point, kind, radius);
      paint.fill();
    }
  }

  function drawSelection(colour, back) {
    paint.strokeStyle = back;
    paint.lineWidth = 1;
    const marked = (point, kind, radius) => {
      paint.fillStyle = colour(kind);
      shape(point, kind, radius);
      paint.fill();
      paint.stroke();
    };
    for (const [item, kind] of highlighted) {
      if (kind === "history") marked(item, kind, 4);
    }
    const top = run.users.top[selected.row].map((index) => points.item[index]);
    paint.textAlign = "center";
    paint.textBaseline = "middle";
    paint.font = "bold 9px system-ui, sans-serif";
    // The nearest last, over the others.
    for (let place = top.length - 1; place >= 0; place -= 1) {
      marked(top[place], "top", 9);
      paint.fillStyle = back;
      paint.fillText(place + 1, across(top[place]), down(top[place]) + 0.5);
    }
    marked(selected, "user", 7);
  }

  function pointAt(point) {
    pointed = point;
    tip.hidden = !point;
    if (point) {
      const kind = { history: "history", top: "recommended" }[highlighted.get(point)];
      const facts = `${kind || point.kind}, norm ${point.norm.toFixed(3)}`;
      tip.replaceChildren(element("b", point.name), element("span", facts));
      const room = size - tip.offsetWidth;
      const left = across(point) - tip.offsetWidth / 2;
      const above = down(point) - tip.offsetHeight - 14;
      tip.style.left = `${Math.max(0, Math.min(room, left))}px`;
      tip.style.top = `${above < 0 ? down(point) + 16 : above}px`;
    }
    draw();
  }

  /** The point under the pointer; what is highlighted and users go first. */
  function hit(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const reach = REACH[event.pointerType || pointer];
    let [best, least] = [null, reach];
    for (const point of [...points.user, ...points.item]) {
      let far = Math.hypot(across(point) - x, down(point) - y);
      if (far > reach) continue;
      if (selected && !highlighted.has(point) && point !== selected) far += reach / 3;
      else if (point.kind === "item" && !selected) far += reach / 6;
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }

  // -- events --------------------------------------------------------------

  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return; // a tap does both
    const point = hit(event);
    canvas.style.cursor = point && point.kind === "user" ? "pointer" : "";
    if (point !== pointed) pointAt(point);
  });
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") pointAt(null);
  });
  canvas.addEventListener("pointerdown", (event) => {
    pointer = event.pointerType;
  });
  canvas.addEventListener("click", (event) => {
    const point = hit(event);
    if (!point) select(null);
    else if (point.kind === "user") select(point);
    pointAt(point);
  });
  userList.addEventListener("change", () => {
    select(userList.value === "" ? null : points.user[userList.value]);
  });
  find.addEventListener("input", listUsers);
  find.addEventListener("keydown", (event) => {
    const [first] = matching();
    if (event.key === "Enter" && first) select(first);
  });
  runList.addEventListener("change", () => open(runList.value));
  whole.addEventListener("change", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  runList.replaceChildren(...runs.map((r, index) => new Option(r.dataset, index)));
  runList.parentElement.hidden = runs.length < 2;
  open(0);
  measure();
  new ResizeObserver(measure).observe(canvas.parentElement);
})();
