"use strict";
/* The map of a report. It draws what stands in the data block of the page and asks for nothing. Texts are put in as text. */
(function () {
  const root = document.documentElement;
  root.classList.add("script");
  const block = document.getElementById("map-data");
  if (!block) { return; }
  const data = JSON.parse(block.textContent);
  const byId = (id) => document.getElementById(id);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const FONT = ["system-ui", "sans-serif"];
  const INK = "#1d1b22";
  let map = null;

  /* ---- small helpers ---- */
  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) { made.textContent = text; }
    if (className) { made.className = className; }
    return made;
  }
  function swatch(color) {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg");
    svg.setAttribute("class", "swatch");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    const square = document.createElementNS(ns, "rect");
    const looks = { x: 0.5, y: 0.5, width: 15, height: 15, rx: 2, fill: color, stroke: "#55515f" };
    for (const key of Object.keys(looks)) { square.setAttribute(key, looks[key]); }
    svg.append(square);
    return svg;
  }
  function bytes(text) {
    const raw = atob(text);
    const found = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i += 1) { found[i] = raw.charCodeAt(i); }
    return found.buffer;
  }
  function digits(value, places) {
    if (!Number.isFinite(value)) { return "\u2013"; }
    if (value === 0) { return "0"; }
    const size = Math.floor(Math.log10(Math.abs(value)));
    const after = Math.max(0, Math.min(6, (places || 2) - 1 - size));
    return value.toLocaleString("en-US", { minimumFractionDigits: after, maximumFractionDigits: after });
  }
  function facts(rows) {
    const list = element("dl", null, "facts");
    for (const [name, value] of rows) {
      const row = element("div");
      row.append(element("dt", name), element("dd", value));
      list.append(row);
    }
    return list;
  }
  function bullets(items) {
    const list = element("ul");
    for (const item of items) { list.append(element("li", item)); }
    return list;
  }

  /* ---- cells ---- */
  const cells = data.cells ? unpack(data.cells) : null;
  function unpack(found) {
    const index = new Int32Array(found.columns * found.rows).fill(-1);
    let at = 0;
    let cell = 0;
    for (let i = 0; i < found.runs.length; i += 2) {
      at += found.runs[i];
      for (let k = 0; k < found.runs[i + 1]; k += 1) { index[at] = cell; at += 1; cell += 1; }
    }
    const numbers = (text) => (text ? new Float32Array(bytes(text)) : null);
    return {
      meta: found, index: index, score: numbers(found.score), expected: numbers(found.expected),
      low: numbers(found.low), high: numbers(found.high), pTop5: numbers(found.pTop5),
      bits: found.termBits ? new Uint32Array(bytes(found.termBits)) : null,
      logs: found.partLogs ? new Int8Array(bytes(found.partLogs)) : null,
    };
  }
  function cellAt(lngLat) {
    if (!cells) { return -1; }
    const meta = cells.meta;
    const radius = 6378137;
    const mx = lngLat.lng * Math.PI / 180 * radius;
    const my = Math.log(Math.tan(Math.PI / 4 + lngLat.lat * Math.PI / 360)) * radius;
    const x = (mx - meta.center[0]) / meta.half[0];
    const y = (my - meta.center[1]) / meta.half[1];
    const powers = [1, x, y, x * x, x * y, y * y, x * x * x, x * x * y, x * y * y, y * y * y];
    const sum = (weights) => weights.reduce((total, weight, i) => total + weight * powers[i], 0);
    const column = Math.floor(sum(meta.column));
    const row = Math.floor(sum(meta.row));
    if (column < 0 || row < 0 || column >= meta.columns || row >= meta.rows) { return -1; }
    return cells.index[row * meta.columns + column];
  }
  function aboutCell(cell) {
    const meta = cells.meta;
    const box = element("div", null, "about");
    box.append(element("h4", "This square of " + meta.size));
    const tier = (letters) => { const k = Number(letters[cell]); return k ? meta.tiers[k - 1] : "not rated"; };
    const rows = [["Relative risk score", digits(cells.score[cell], 3)], ["Risk terrain tier", tier(meta.scoreTier)]];
    if (cells.expected) {
      rows.push(["Forecast, " + meta.unit + "s in " + meta.horizon, digits(cells.expected[cell])]);
      rows.push(["90 % interval of the rate", digits(cells.low[cell]) + " to " + digits(cells.high[cell])]);
      if (meta.forecastTier) { rows.push(["Forecast tier", tier(meta.forecastTier)]); }
      rows.push(["Chance to be among the top 5 %", Math.round(100 * cells.pTop5[cell]) + " %"]);
    }
    box.append(facts(rows));
    if (cells.bits) {
      const here = meta.terms.filter((term, at) => (cells.bits[cell] >>> at) & 1);
      box.append(element("p", here.length ? "Risk factors here:" : "No risk factor of the model is here."));
      if (here.length) { box.append(bullets(here.map((term) => term.where + " (\u00d7 " + term.rrv + ")"))); }
    }
    if (cells.logs) {
      const n = meta.parts.length;
      const parts = meta.parts.map((name, k) => [name, Math.exp(cells.logs[cell * n + k] * meta.partStep)]);
      const told = parts.filter((part) => part[1] >= 1.05 || part[1] <= 0.95)
        .sort((a, b) => Math.abs(Math.log(b[1])) - Math.abs(Math.log(a[1]))).slice(0, 5);
      if (told.length) {
        box.append(element("p", "What makes up its forecast, against a square with nothing special:"));
        // over a background next to nothing the size of a multiplier says nothing
        const said = (value) => (value >= 10 ? "10 or more" : value <= 0.1 ? "0.1 or less" : digits(value));
        box.append(bullets(told.map((part) => part[0] + " \u00d7 " + said(part[1]))));
      }
    }
    return box;
  }

  /* ---- details ---- */
  const details = byId("details");
  const nothingYet = details.firstElementChild.cloneNode(true);
  let opener = null;
  function tell(title, nodes, focus) {
    if (focus && document.activeElement !== byId("details-box")) { opener = document.activeElement; }
    byId("details-heading").textContent = title;
    details.replaceChildren(...nodes);
    const panel = byId("panel");
    const box = byId("details-box");
    if (panel.scrollHeight > panel.clientHeight) { panel.scrollTop = box.offsetTop - panel.offsetTop; }
    if (focus) { byId("details-box").focus({ preventScroll: false }); }
  }
  function forget() {
    byId("details-heading").textContent = "Details";
    details.replaceChildren(nothingYet.cloneNode(true));
    if (map) {
      map.setFilter("chosen", ["==", ["get", "at"], -1]);
      map.setFilter("chosen-halo", ["==", ["get", "at"], -1]);
    }
    delete root.dataset.chosen;
    if (opener && opener.isConnected) { opener.focus(); }
    opener = null;
  }
  function placeNodes(place) {
    const nodes = [facts(place.rows)];
    nodes.push(element("h4", "Why its risk terrain is as it is"));
    nodes.push(place.reasons.length ? bullets(place.reasons)
      : element("p", "No factor of the model is more common here than in the city as a whole."));
    const link = element("a", "The page of " + place.name);
    link.setAttribute("href", place.page);
    const line = element("p");
    line.append(link);
    nodes.push(line);
    return nodes;
  }
  function showPlace(at, options) {
    const place = data.places[at];
    const more = options || {};
    const nodes = placeNodes(place);
    if (more.cell >= 0) { nodes.push(aboutCell(more.cell)); }
    tell(place.name, nodes, more.focus);
    if (map) {
      map.setFilter("chosen", ["==", ["get", "at"], at]);
      map.setFilter("chosen-halo", ["==", ["get", "at"], at]);
      if (more.fly) { map.fitBounds(boundsOf(data.polygons[at]), { padding: 60, maxZoom: 15, animate: !still, duration: 600 }); }
    }
    root.dataset.chosen = place.id;
  }
  function boundsOf(polygon) {
    let [w, s, e, n] = [180, 90, -180, -90];
    for (const part of polygon.coordinates) {
      for (const [x, y] of part[0]) { w = Math.min(w, x); e = Math.max(e, x); s = Math.min(s, y); n = Math.max(n, y); }
    }
    return [[w, s], [e, n]];
  }

  /* ---- controls that need no map ---- */
  function showOverlay(id) {
    const overlay = data.overlays.find((item) => item.id === id);
    for (const image of document.querySelectorAll("#still-box image")) {
      image.setAttribute("class", image.id === "image-" + id ? "shown" : "unshown");
    }
    byId("legend-title").textContent = overlay ? overlay.title : "No surface";
    byId("meaning").textContent = overlay ? overlay.meaning : "";
    byId("statement").textContent = overlay ? overlay.statement : "";
    const list = element("ul", null, "legend");
    for (const entry of overlay ? overlay.legend : []) {
      const item = element("li");
      item.append(swatch(entry.color), " " + entry.label);
      list.append(item);
    }
    byId("legend").replaceChildren(list);
    if (!map) { return; }
    for (const item of data.overlays) {
      if (item.image) { map.setLayoutProperty("overlay-" + item.id, "visibility", item.id === id ? "visible" : "none"); }
    }
    if (map.getLayer("places-fill")) { fillPlaces(overlay); }
    root.dataset.surface = id;
  }
  function fade() { return Number(byId("fade").value) / 100; }
  function fillPlaces(overlay) {
    const colored = overlay && overlay.colors.length > 0;
    map.setPaintProperty("places-fill", "fill-color",
      colored ? ["to-color", ["get", "color"], "#ffffff"] : "#ffffff");
    map.setPaintProperty("places-fill", "fill-opacity", colored ? fade() : 0);
  }
  function current() {
    const chosen = document.querySelector('input[name="surface"]:checked');
    return chosen ? chosen.value : "none";
  }
  function setFade() {
    byId("fade-value").textContent = byId("fade").value + " %";
    if (!map) { return; }
    for (const item of data.overlays) {
      if (item.image) { map.setPaintProperty("overlay-" + item.id, "raster-opacity", fade()); }
    }
    if (map.getLayer("places-fill")) { fillPlaces(data.overlays.find((item) => item.id === current())); }
  }
  function search() {
    const wanted = fold(byId("search").value.trim());
    const list = byId("found");
    list.replaceChildren();
    const status = byId("search-status");
    if (!wanted) { status.textContent = ""; return; }
    const hits = data.places.map((place, at) => at).filter((at) => fold(data.places[at].name).includes(wanted));
    status.textContent = hits.length === 0 ? "No neighborhood has this in its name."
      : hits.length + (hits.length === 1 ? " neighborhood found" : " neighborhoods found") + (hits.length > 8 ? ", the first 8:" : ":");
    for (const at of hits.slice(0, 8)) {
      const button = element("button", data.places[at].name);
      button.type = "button";
      button.addEventListener("click", () => showPlace(at, { fly: true, focus: true }));
      const item = element("li");
      item.append(button);
      list.append(item);
    }
  }
  function fold(text) { return text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase(); }

  for (const radio of document.querySelectorAll('input[name="surface"]')) {
    radio.addEventListener("change", () => showOverlay(radio.value));
  }
  byId("fade").addEventListener("input", setFade);
  byId("search").addEventListener("input", search);
  byId("search").addEventListener("keydown", (event) => {
    const first = byId("found").querySelector("button");
    if (event.key === "Enter" && first) { first.click(); event.preventDefault(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") { return; }
    const box = byId("search");
    if (document.activeElement === box && box.value) { box.value = ""; search(); event.preventDefault(); return; }
    if (root.dataset.chosen) { forget(); }
  });
  const numbers = new Map(data.places.map((place, at) => [place.id, at]));
  for (const link of document.querySelectorAll("a.to-place, a[href^='#place-']")) {
    const id = link.dataset.place || link.getAttribute("href").slice("#place-".length);
    if (numbers.has(id)) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        byId("map").scrollIntoView({ behavior: still ? "auto" : "smooth" });
        showPlace(numbers.get(id), { fly: true, focus: true });
      });
    }
  }

  /* ---- the map ---- */
  function collection(features) { return { type: "geojson", data: { type: "FeatureCollection", features: features } }; }
  function feature(geometry, properties) { return { type: "Feature", geometry: geometry, properties: properties }; }
  function style() {
    const sources = { area: collection([feature(data.area, {})]) };
    const layers = [
      { id: "ground", type: "background", paint: { "background-color": "#e9e8ec" } },
      { id: "city", type: "fill", source: "area", paint: { "fill-color": "#ffffff" } },
    ];
    const colored = data.overlays.find((item) => item.colors.length > 0);
    sources.places = collection(data.polygons.map((polygon, at) => feature(polygon, { at: at, color: colored ? colored.colors[at] : "#ffffff" })));
    layers.push({ id: "places-fill", type: "fill", source: "places", paint: { "fill-color": "#ffffff", "fill-opacity": 0 } });
    for (const item of data.overlays) {
      if (!item.image) { continue; }
      const picture = byId("image-" + item.id);
      sources["overlay-" + item.id] = { type: "image", url: picture.getAttribute("href"), coordinates: data.frame };
      layers.push({
        id: "overlay-" + item.id, type: "raster", source: "overlay-" + item.id,
        layout: { visibility: item.id === current() ? "visible" : "none" },
        paint: { "raster-resampling": "nearest", "raster-fade-duration": 0, "raster-opacity": fade() },
      });
    }
    if (data.lines.length) {
      sources.lines = collection([feature({ type: "MultiLineString", coordinates: data.lines }, {})]);
      layers.push({ id: "lines", type: "line", source: "lines", paint: { "line-color": "#3f3b49", "line-width": 1.1, "line-opacity": 0.55 } });
    }
    const outline = (id, color, width, filter, dash) => {
      const layer = { id: id, type: "line", source: "places", paint: { "line-color": color, "line-width": width } };
      if (filter) { layer.filter = filter; }
      if (dash) { layer.paint["line-dasharray"] = dash; }
      return layer;
    };
    layers.push(outline("borders", "#4a4655", ["interpolate", ["linear"], ["zoom"], 10, 0.6, 14, 1.6]));
    layers.push({ id: "edge", type: "line", source: "area", paint: { "line-color": INK, "line-width": 1.8 } });
    layers.push(outline("chosen-halo", "#ffffff", 6, ["==", ["get", "at"], -1]));
    layers.push(outline("chosen", "#0b5cad", 3, ["==", ["get", "at"], -1]));
    for (const kind of data.sites ? data.sites.kinds : []) {
      sources[kind.kind] = collection(kind.lon.map((lon, at) => feature(
        { type: "Point", coordinates: [lon, kind.lat[at]] }, { at: at, funded: kind.funded[at] })));
      layers.push({
        id: kind.kind, type: "circle", source: kind.kind, layout: { visibility: "none" },
        paint: {
          "circle-radius": ["interpolate", ["linear"], ["zoom"], 10, ["case", ["get", "funded"], 3.5, 2], 15, ["case", ["get", "funded"], 9, 6]],
          "circle-color": ["case", ["get", "funded"], kind.kind === "priority_lots" ? "#0f7b3e" : "#0b5cad", "#ffffff"],
          "circle-stroke-color": kind.kind === "priority_lots" ? "#0b5129" : "#083e75", "circle-stroke-width": 1.4,
        },
      });
    }
    sources.labels = collection(data.labels.map((point, at) => feature({ type: "Point", coordinates: point }, { name: data.places[at].name })));
    layers.push({
      id: "names", type: "symbol", source: "labels",
      layout: {
        "text-field": ["get", "name"], "text-font": FONT, "text-max-width": 7, "text-padding": 4,
        "text-size": ["interpolate", ["linear"], ["zoom"], 10, 10.5, 14, 15],
      },
      paint: { "text-color": INK, "text-halo-color": "#ffffff", "text-halo-width": 1.8 },
    });
    return { version: 8, sources: sources, layers: layers };
  }
  function toggles() {
    for (const box of document.querySelectorAll('input[name="extra"]')) {
      const apply = () => {
        if (map.getLayer(box.value)) { map.setLayoutProperty(box.value, "visibility", box.checked ? "visible" : "none"); }
      };
      box.addEventListener("change", apply);
      apply();
    }
  }
  function placeAt(point) {
    const found = map.queryRenderedFeatures(point, { layers: ["places-fill"] });
    return found.length ? found[0].properties.at : -1;
  }
  function siteNodes(kind, at) {
    const values = kind.sites[at];
    return [facts(data.sites.rows.map((name, k) => [name, values[k + 1]]))];
  }
  function choose(point, lngLat, focus) {
    for (const kind of data.sites ? data.sites.kinds : []) {
      const near = [[point.x - 6, point.y - 6], [point.x + 6, point.y + 6]];
      const hit = map.queryRenderedFeatures(near, { layers: [kind.kind] })[0];
      if (hit) { tell(kind.sites[hit.properties.at][0], siteNodes(kind, hit.properties.at), focus); root.dataset.chosen = "site"; return; }
    }
    const at = placeAt(point);
    const cell = cellAt(lngLat);
    if (at >= 0) { showPlace(at, { cell: cell, focus: focus }); return; }
    if (cell >= 0) { tell("A place", [aboutCell(cell)], focus); root.dataset.chosen = "cell"; return; }
    tell("Details", [element("p", "This place is outside the study area.", "note")], focus);
    root.dataset.chosen = "outside";
  }
  function start() {
    const box = byId("map-canvas");
    map = new maplibregl.Map({
      container: box, style: style(), bounds: [[data.bounds[0], data.bounds[1]], [data.bounds[2], data.bounds[3]]],
      fitBoundsOptions: { padding: 24 }, attributionControl: false, dragRotate: false, pitchWithRotate: false,
      touchPitch: false, cooperativeGestures: window.matchMedia("(pointer: coarse)").matches, fadeDuration: 0, maxZoom: 18,
      locale: {
        "Map.Title": "Map. Arrow keys move it, plus and minus zoom, Enter tells about the place in the middle.",
        "CooperativeGesturesHandler.MobileHelpText": "Use two fingers to move the map",
      },
    });
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-left");
    map.addControl(new maplibregl.ScaleControl({ unit: "imperial", maxWidth: 110 }), "bottom-left");
    map.addControl(new maplibregl.ScaleControl({ unit: "metric", maxWidth: 110 }), "bottom-left");
    map.on("load", () => {
      toggles();
      showOverlay(current());
      map.on("click", (event) => choose(event.point, event.lngLat, false));
      map.on("mousemove", (event) => { map.getCanvas().style.cursor = placeAt(event.point) >= 0 ? "pointer" : ""; });
      map.getCanvas().addEventListener("keydown", (event) => {
        if (event.key === "Enter") { const middle = map.getCenter(); choose(map.project(middle), middle, true); }
      });
    });
    map.on("idle", () => { root.dataset.map = "ready"; });
    root.classList.add("live");
    window.rtmMap = map;
  }
  function works() {
    try {
      const probe = document.createElement("canvas");
      return Boolean(probe.getContext("webgl2") || probe.getContext("webgl"));
    } catch (error) { return false; }
  }
  if (works()) {
    try { start(); } catch (error) { map = null; root.classList.remove("live"); root.dataset.map = "still"; }
  } else { root.dataset.map = "still"; }
})();
