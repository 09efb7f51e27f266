// The page of `show`: page.py puts this script into page.html, and the numbers into DATA.
"use strict";
const DATA = /*DATA*/null;
const {positive: POSITIVE, negative: NEGATIVE} = DATA.colors, NONE = [30, 33, 40], DIM = 0.36;
const LARGE = 960, SMALL = 150;  // pixels of a map's longer side
const EDGES = 8, DRAWN = 16, RING = 12;  // edges listed and drawn, nodes in the graph
const LIGHT = matchMedia("(prefers-color-scheme: light)");
const state = {picture: 0, unit: 0, node: 0, layer: 0, way: "maps", all: false, bare: false};
const $ = id => document.getElementById(id);

// The numbers of a packed array, page.py's `quantized`: integers, still to be multiplied by its scale.
function unpack(packed, Kind) {
  packed.values ??= new Kind(Uint8Array.from(atob(packed.base64), c => c.charCodeAt(0)).buffer);
  return packed.values;
}
const picture = () => DATA.pictures[state.picture];
const unit = () => DATA.units[state.unit];
const seen = () => picture().units[state.unit];
const maps = () => seen()[state.way] ?? seen().maps;
function mapOf(node) {
  const [h, w] = seen().size;
  return unpack(maps(), Int8Array).subarray(node * h * w, (node + 1) * h * w);
}
function order() {
  const strength = seen().strength, shown = seen().shown;
  const byStrength = [...strength.keys()].sort((a, b) => strength[b] - strength[a] || a - b);
  return state.all ? byStrength : byStrength.filter(node => shown.includes(node) || node === state.node);
}
function largest(values) {
  let most = 1e-30;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
// A color of the page that is light or dark: canvases don't follow it by themselves.
function styled(name) {
  const probe = Object.assign(document.createElement("i"), {style: `color: var(${name})`});
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
const isLight = () => (state.theme ?? (LIGHT.matches ? "light" : "dark")) === "light";
const percent = share => (100 * share).toFixed(1) + " %";
const signed = (value, digits = 3) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

// For each pixel: the two locations of a map that it lies between, and how far from the first.
// Location i of `count` lies at the picture's pixel i * length / count.
function between(pixels, count, length) {
  return Array.from({length: pixels}, (_, pixel) => {
    const at = ((pixel + 0.5) * length / pixels - 0.5) * count / length;
    const from = Math.min(Math.max(at, 0), count - 1), low = Math.min(Math.floor(from), Math.max(count - 2, 0));
    return [low, Math.min(low + 1, count - 1), from - low];
  });
}
// Blend the color of a value (-1 to 1) over a pixel of RGBA `data`, in place, as signed_colors._mix.
function mix(data, at, value, dim) {
  const color = value > 0 ? POSITIVE : NEGATIVE, opacity = Math.abs(value);
  for (let c = 0; c < 3; c++) {
    const below = data[at + c] * dim;
    data[at + c] = below * (1 - opacity / 2) + color[c] * opacity;  // clamped by the array
  }
}
function paintMap(canvas, node, side) {
  const [height, width] = picture().size, [h, w] = seen().size;
  canvas.width = Math.max(1, Math.round(width * side / Math.max(height, width)));
  canvas.height = Math.max(1, Math.round(height * side / Math.max(height, width)));
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.imageSmoothingQuality = "high";
  context.drawImage(picture().bitmap, 0, 0, canvas.width, canvas.height);
  if (node === null) return;
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const values = mapOf(node), most = largest(values);
  const rows = between(canvas.height, h, height), columns = between(canvas.width, w, width);
  let at = 0;
  for (const [up, down, y] of rows) for (const [left, right, x] of columns) {
    const above = values[up * w + left] * (1 - x) + values[up * w + right] * x;
    const below = values[down * w + left] * (1 - x) + values[down * w + right] * x;
    mix(pixels.data, at, (above * (1 - y) + below * y) / most, DIM);
    at += 4;
  }
  context.putImageData(pixels, 0, 0);
}

function button(pressed, choose, ...children) {
  const made = document.createElement("button");
  made.setAttribute("aria-pressed", pressed);
  made.append(...children);
  made.onclick = choose;
  return made;
}
function element(kind, text, className = "") {
  return Object.assign(document.createElement(kind), {textContent: text, className});
}
function choose(change) {
  Object.assign(state, change);
  state.node = Math.min(state.node, unit().nodes - 1);
  state.layer = Math.min(state.layer, unit().adjacency.length - 1);
  render();
}
const strongest = (number, place) => {
  const strength = DATA.pictures[place].units[number].strength;
  return strength.indexOf(Math.max(...strength));
};
const chooseUnit = number => choose({unit: number, node: strongest(number, state.picture), layer: 0, way: "maps"});

function renderChoices() {
  $("units").replaceChildren(...DATA.units.map((one, i) => {
    const made = button(i === state.unit, () => chooseUnit(i), one.name);
    made.dataset.unit = one.name;
    return made;
  }));
  $("pictures").replaceChildren(...DATA.pictures.map((one, i) => {
    const made = button(i === state.picture, () => choose({picture: i}), one.bitmap.cloneNode());
    made.dataset.picture = i;
    made.title = one.name;
    return made;
  }));
  const ways = seen().reverse ? [["maps", "way in"], ["reverse", "way back"]] : [];
  $("ways").replaceChildren(...ways.map(([way, text]) =>
    button(way === state.way, () => choose({way}), text)));
  const layers = unit().adjacency;
  $("layers").replaceChildren(...layers.length < 2 ? [] : layers.map((_, i) =>
    button(i === state.layer, () => choose({layer: i}), `layer ${i + 1}`)));
}
function renderMap() {
  paintMap($("map"), state.bare ? null : state.node, LARGE);
  $("map").style.setProperty("--aspect", $("map").width / $("map").height);
  const most = largest(mapOf(state.node)) * maps().scale[state.node];
  $("picture").textContent = picture().name;
  $("node").textContent = `node ${state.node}`;
  $("about").textContent = `${percent(seen().strength[state.node])} of the energy given back`;
  $("least").textContent = signed(-most, 2);
  $("most").textContent = signed(most, 2);
  $("figure").textContent = picture().figure === "share" ? "share of the picture" : "classes";
  $("classes").replaceChildren(...picture().top.map(([name, number]) => {
    const bar = element("div", "", "bar number");
    const fill = document.createElement("i");
    fill.style.width = 100 * number + "%";
    bar.append(fill, element("span", name), element("span", percent(number)));
    return bar;
  }));
}
function renderNodes() {
  $("all").textContent = state.all ? "those picked" : `all ${unit().nodes}`;
  $("nodes").replaceChildren(...order().map(node => {
    const canvas = document.createElement("canvas"), words = element("div", "", "row number");
    paintMap(canvas, node, SMALL);
    words.append(element("span", node), element("span", percent(seen().strength[node]), "soft"));
    const made = button(node === state.node, () => choose({node}), canvas, words);
    made.dataset.node = node;
    return made;
  }));
}
function arrow(context, [x, y], [u, v], share, gap) {
  const length = Math.hypot(u - x, v - y), [a, b] = [(u - x) / length, (v - y) / length];
  const wide = Math.max(2, 13 * Math.abs(share)), head = 11 + wide;
  context.setTransform(a, b, -b, a, x, y);
  context.fillStyle = context.strokeStyle = `rgb(${share > 0 ? POSITIVE : NEGATIVE})`;
  context.globalAlpha = 0.35 + 0.65 * Math.abs(share);
  context.lineWidth = wide;
  context.beginPath();
  context.moveTo(0, 13);
  context.lineTo(length - gap - head, 13);
  context.stroke();
  context.beginPath();
  context.moveTo(length - gap, 13);
  context.lineTo(length - gap - head, 13 - head * 0.7);
  context.lineTo(length - gap - head, 13 + head * 0.7);
  context.fill();
  context.resetTransform();
  context.globalAlpha = 1;
}
function renderGraph() {
  const n = unit().nodes, values = unpack(unit().adjacency[state.layer], Int16Array);
  const nodes = order().slice(0, RING), canvas = $("graph"), context = canvas.getContext("2d");
  const side = canvas.width = 1000, reach = nodes.length > 1 ? 380 : 0, tile = 132;
  canvas.height = side;
  const places = nodes.map((_, i) => {
    const angle = 2 * Math.PI * i / nodes.length - Math.PI / 2;
    return [side / 2 + reach * Math.cos(angle), side / 2 + reach * Math.sin(angle)];
  });
  const edges = nodes.flatMap((to, i) => nodes.map((from, j) => [i, j, values[to * n + from]]))
    .filter(([i, j]) => i !== j).sort((a, b) => Math.abs(b[2]) - Math.abs(a[2])).slice(0, DRAWN);
  for (const [i, j, value] of edges.slice().reverse())
    arrow(context, places[j], places[i], value / Math.abs(edges[0][2] || 1), tile * 0.66);
  const [chosen, soft] = ["--chosen", "--soft"].map(styled);
  nodes.forEach((node, i) => {
    const map = document.createElement("canvas");
    paintMap(map, node, tile);
    const [left, top] = [places[i][0] - map.width / 2, places[i][1] - map.height / 2];
    context.drawImage(map, left, top);
    context.strokeStyle = node === state.node ? chosen : soft;
    context.lineWidth = node === state.node ? 6 : 1.5;
    context.strokeRect(left, top, map.width, map.height);
    context.font = "600 25px system-ui, sans-serif";
    context.lineWidth = 6;
    context.strokeStyle = "#000a";
    context.fillStyle = "#fff";
    context.strokeText(node, left + 7, top + 27);
    context.fillText(node, left + 7, top + 27);
  });
  canvas.onclick = event => {
    const box = canvas.getBoundingClientRect(), scale = side / box.width;
    const far = ([x, y]) => Math.max(
      Math.abs((event.clientX - box.left) * scale - x), Math.abs((event.clientY - box.top) * scale - y));
    const hit = places.findIndex(place => far(place) <= tile / 2);
    if (hit >= 0) choose({node: nodes[hit]});
  };
}
function renderMatrix() {
  const n = unit().nodes, packed = unit().adjacency[state.layer], values = unpack(packed, Int16Array);
  const cell = Math.max(1, Math.floor(768 / n)), canvas = $("matrix"), most = largest(values);
  const small = new OffscreenCanvas(n, n), inner = small.getContext("2d"), pixels = inner.createImageData(n, n);
  values.forEach((value, i) => {
    pixels.data.set([...NONE, 255], 4 * i);
    mix(pixels.data, 4 * i, value / most, 1);
  });
  inner.putImageData(pixels, 0, 0);
  canvas.width = canvas.height = cell * n;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, cell * n, cell * n);
  context.strokeStyle = "#fff";  // on dark cells, in a light page too
  context.lineWidth = 3;
  context.strokeRect(-4, state.node * cell - 2, cell * n + 8, cell + 4);
  context.strokeRect(state.node * cell - 2, -4, cell + 4, cell * n + 8);
  const weight = (to, from) => values[to * n + from] * packed.scale;
  const list = weights => [...weights.entries()].filter(([node]) => node !== state.node)
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, EDGES).map(([node, value]) => {
      const bar = document.createElement("i");
      bar.style.width = 100 * Math.abs(value) / (most * packed.scale) + "%";
      bar.style.background = value > 0 ? "var(--positive)" : "var(--negative)";
      const made = button(false, () => choose({node}), element("span", node),
        element("span", signed(value), "soft number"), bar);
      made.dataset.neighbor = node;
      return made;
    });
  const all = Array.from({length: n}, (_, i) => i);
  $("receives").replaceChildren(...list(all.map(from => weight(state.node, from))));
  $("gives").replaceChildren(...list(all.map(to => weight(to, state.node))));
  $("itself").textContent = `To itself ${signed(weight(state.node, state.node))}, besides what it keeps.`;
  $("edge").textContent = "";
  const cellAt = event => {
    const box = canvas.getBoundingClientRect();
    const index = (at, length) => Math.min(n - 1, Math.max(0, Math.floor(at / length * n)));
    return [index(event.clientY - box.top, box.height), index(event.clientX - box.left, box.width)];
  };
  canvas.onmousemove = event => {
    const [to, from] = cellAt(event);
    $("edge").textContent = `${from} → ${to}  ${signed(weight(to, from))}`;
  };
  canvas.onclick = event => choose({node: cellAt(event)[event.shiftKey ? 1 : 0]});
}
function render() {
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  $("theme").textContent = isLight() ? "dark" : "light";
  const focused = document.activeElement?.dataset, key = focused && Object.keys(focused)[0];
  const left = $("pictures").scrollLeft;
  renderChoices();
  renderMap();
  renderNodes();
  renderGraph();
  renderMatrix();
  $("pictures").scrollLeft = left;
  if (key && key !== "neighbor") document.querySelector(`[data-${key}="${focused[key]}"]`)?.focus();
  for (const id of ["pictures", "nodes"])
    $(id).querySelector('[aria-pressed="true"]')?.scrollIntoView({block: "nearest", inline: "nearest"});
  const words = {picture: state.picture, unit: unit().name, node: state.node};
  if (state.theme) words.theme = state.theme;
  history.replaceState(null, "", "#" + new URLSearchParams(words));
}

$("theme").onclick = () => choose({theme: isLight() ? "dark" : "light"});
LIGHT.onchange = render;
$("all").onclick = () => choose({all: !state.all});
$("map").onmousemove = event => {
  const box = $("map").getBoundingClientRect(), [height, width] = picture().size, [h, w] = seen().size;
  const place = (at, length, size, count) =>
    Math.min(count - 1, Math.max(0, Math.round((at / length * size - 0.5) * count / size)));
  const row = place(event.clientY - box.top, box.height, height, h);
  const column = place(event.clientX - box.left, box.width, width, w);
  const value = mapOf(state.node)[row * w + column] * maps().scale[state.node];
  $("here").textContent = `row ${row}, column ${column}: ${signed(value, 2)}`;
};
$("map").onmouseleave = () => { $("here").textContent = "0"; };
const turn = (number, step, count) => (number + step + count) % count;
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const nodes = order(), step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1}[event.key];
  if (event.key === "ArrowLeft" || event.key === "ArrowRight")
    choose({node: nodes[turn(nodes.indexOf(state.node), step, nodes.length)]});
  else if (step) choose({picture: turn(state.picture, step, DATA.pictures.length)});
  else if (event.key === "u") chooseUnit(turn(state.unit, 1, DATA.units.length));
  else if (event.key === "h") $("how").open = !$("how").open;
  else if (event.key === " " && !event.target.closest("button, summary")) choose({bare: !state.bare});
  else return;
  event.preventDefault();
});

async function start() {
  $("model").textContent = document.title = DATA.model;
  for (const [sign, color] of Object.entries(DATA.colors))
    document.documentElement.style.setProperty(`--${sign}`, `rgb(${color})`);
  await Promise.all(DATA.pictures.map(one => {
    one.bitmap = Object.assign(new Image(), {src: one.image, alt: one.name});
    return one.bitmap.decode();
  }));
  const asked = new URLSearchParams(location.hash.slice(1)), whole = name => {
    const number = Number(asked.get(name));
    return asked.has(name) && Number.isInteger(number) && number >= 0 ? number : null;
  };
  const number = DATA.units.findIndex(one => one.name === asked.get("unit"));
  if (["light", "dark"].includes(asked.get("theme"))) state.theme = asked.get("theme");
  state.picture = Math.min(whole("picture") ?? 0, DATA.pictures.length - 1);
  state.unit = Math.max(number, 0);
  choose({node: whole("node") ?? seen().shown[0]});
  document.documentElement.dataset.ready = "";
}
start();
