/* Explanations: one image, up to four methods side by side, drawn from the saved maps. */
(() => {
  "use strict";
  const root = document.getElementById("browser");
  if (!root) return;
  const data = JSON.parse(document.getElementById("browser-data").textContent);
  const MOST_METHODS = 4;
  const FOR = [0, 158, 115], AGAINST = [213, 94, 0];
  const NO_EVIDENCE = 128, FULL = 127, DARKEST = 0.3;
  const byId = new Map(data.images.map((image) => [image.id, image]));
  const methods = [...new Set(data.images.flatMap((image) => Object.keys(image.maps)))];
  const state = {
    image: data.images[0].id,
    methods: methods.slice(0, Math.min(3, methods.length)),
    opacity: 0.75, scale: "own", outlines: false, pointed: null,
  };
  const decoded = new Map();
  const part = (name) => root.querySelector(`[data-part="${name}"]`);

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  /* Pixels of a data: address as [r, g, b, a, …]; kept, for a map is drawn at each move. */
  async function pixelsOf(address) {
    if (!decoded.has(address)) {
      decoded.set(address, (async () => {
        const picture = new Image();
        picture.src = address;
        await picture.decode();
        const canvas = element("canvas", { width: picture.width, height: picture.height });
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(picture, 0, 0);
        return context.getImageData(0, 0, picture.width, picture.height).data;
      })());
    }
    return decoded.get(address);
  }

  function number(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    return (value > 0 ? "+" : "−") + (size >= 1000 || size < 0.001 ? size.toExponential(1) : String(Number(size.toPrecision(3))));
  }

  function shown() {
    const filters = ["class", "part", "outcome"].map((name) => [name, part(`filter-${name}`).value]);
    return data.images.filter((image) => filters.every(([name, wanted]) => {
      if (!wanted) return true;
      if (name === "class") return (image.label ?? image.predicted) === wanted;
      if (name === "part") return image.part === wanted;
      const right = image.label === null || image.label === image.predicted;
      return { right, wrong: !right, known: image.unfamiliar === false, unfamiliar: image.unfamiliar === true }[wanted];
    }));
  }

  function fillFilters() {
    const classes = [...new Set(data.images.map((image) => image.label ?? image.predicted))].sort();
    const parts = [...new Set(data.images.map((image) => image.part))].sort();
    for (const [name, words] of [["class", classes], ["part", parts]]) {
      for (const word of words) part(`filter-${name}`).append(element("option", { value: word, textContent: word }));
    }
  }

  function drawThumbnails() {
    const images = shown();
    part("thumbnails").replaceChildren(...images.map((image) => {
      const wrong = image.label !== null && image.label !== image.predicted;
      const marks = [wrong ? "misclassified" : "", image.unfamiliar ? "unfamiliar" : ""].filter(Boolean).join(", ");
      const button = element("button", {
        type: "button", className: wrong || image.unfamiliar ? "thumbnail odd" : "thumbnail", title: image.id,
      }, element("img", { src: image.pixels, alt: "", loading: "lazy" }),
      element("span", { textContent: image.label ?? image.predicted }));
      button.dataset.image = image.id;
      button.setAttribute("aria-label", `${image.id}, predicted ${image.predicted}${marks ? ", " + marks : ""}`);
      button.setAttribute("aria-pressed", String(image.id === state.image));
      return button;
    }));
    part("count").textContent = images.length === data.n_all ? `${images.length} images` : `${images.length} of ${data.n_all} images`;
    if (images.length && !images.some((image) => image.id === state.image)) choose(images[0].id);
  }

  function drawMethods() {
    part("methods").replaceChildren(...methods.map((name) => {
      const box = element("input", { type: "checkbox", value: name, checked: state.methods.includes(name) });
      box.disabled = !box.checked && state.methods.length >= MOST_METHODS;
      return element("label", {}, box, " ", name);
    }));
  }

  function badge(word, kind) {
    return element("span", { className: `tag ${kind}`, textContent: word });
  }

  function drawFacts(image) {
    const facts = [
      ["labelled", image.label ?? "not labelled"],
      ["predicted", `${image.predicted} (${(100 * image.probability).toFixed(1)} %)`],
      ["explained", image.explained],
      ["part", image.part],
    ];
    if (image.possible) facts.push(["possible classes", image.possible]);
    if (image.views.length) {
      facts.push(["most surprised views", image.views.map(([view, p]) => `${view} (p = ${p.toPrecision(2)})`).join(", ")]);
    }
    part("title").textContent = image.id;
    const badges = [];
    if (image.label !== null) badges.push(image.label === image.predicted ? badge("right", "good") : badge("misclassified", "bad"));
    if (image.unfamiliar !== null) {
      const p = `p = ${image.p.toPrecision(2)}`;
      badges.push(image.unfamiliar ? badge(`unfamiliar, ${p}`, "bad") : badge(`known, ${p}`, "good"));
    }
    part("badges").replaceChildren(...badges);
    part("facts").replaceChildren(...facts.map(([name, value]) => element("div", {},
      element("dt", { textContent: name }), element("dd", { textContent: value }))));
  }

  async function drawMaps() {
    const image = byId.get(state.image);
    drawFacts(image);
    const panels = [null, ...state.methods.filter((name) => image.maps[name])];
    const largest = Math.max(...panels.filter(Boolean).map((name) => image.maps[name].full), 0);
    const drawn = await Promise.all(panels.map((name) => drawPanel(image, name, largest)));
    if (image.id === state.image) part("maps").replaceChildren(...drawn);
    paintOutlines();
  }

  async function drawPanel(image, name, largest) {
    const canvas = element("canvas", { width: image.width, height: image.height });
    canvas.setAttribute("role", "img");
    const base = await pixelsOf(image.pixels);
    const picture = new ImageData(new Uint8ClampedArray(base), image.width, image.height);
    const map = name && image.maps[name];
    if (map) {
      const levels = await pixelsOf(map.levels);
      const gain = state.scale === "common" && largest > 0 ? map.full / largest : 1;
      for (let at = 0; at < base.length; at += 4) {
        const value = ((levels[at] - NO_EVIDENCE) / FULL) * gain;
        const tint = Math.min(Math.abs(value), 1) * state.opacity;
        const colour = value > 0 ? FOR : AGAINST;
        const grey = 255 * DARKEST + (1 - DARKEST) * (base[at] + base[at + 1] + base[at + 2]) / 3;
        for (let plane = 0; plane < 3; plane += 1) {
          picture.data[at + plane] = (1 - tint) * grey + tint * colour[plane];
        }
      }
    }
    canvas.setAttribute("aria-label", name ? `Map of ${name} on ${image.id}` : `Image ${image.id}`);
    canvas.getContext("2d").putImageData(picture, 0, 0);
    const lines = element("canvas", { width: image.width * 3, height: image.height * 3, className: "outlines" });
    lines.setAttribute("aria-hidden", "true");
    lines.dataset.lines = "";
    const caption = element("figcaption", {}, element("strong", { textContent: name ?? "image" }));
    if (map && map.status !== "ok") caption.append(" ", element("span", { className: "tag bad", textContent: map.status, title: map.reason }));
    if (map) caption.append(element("span", { className: "pointed" }));
    if (name) caption.lastChild.dataset.method = name;
    return element("figure", { className: "map" }, element("div", { className: "stack" }, canvas, lines), caption);
  }

  /* Lines between superpixels, three dots a pixel, and the one under the pointer in full. */
  async function paintOutlines() {
    const image = byId.get(state.image);
    const colours = await pixelsOf(image.superpixels);
    const labelAt = (x, y) => { const at = 4 * (y * image.width + x); return colours[at] + 256 * colours[at + 1]; };
    for (const canvas of root.querySelectorAll("[data-lines]")) {
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (!state.outlines && state.pointed === null) continue;
      for (let y = 0; y < image.height; y += 1) {
        for (let x = 0; x < image.width; x += 1) {
          const label = labelAt(x, y);
          for (const [dx, dy] of [[1, 0], [0, 1]]) {
            if (x + dx >= image.width || y + dy >= image.height) continue;
            const other = labelAt(x + dx, y + dy);
            if (other === label) continue;
            const pointed = state.pointed === label || state.pointed === other;
            if (!pointed && !state.outlines) continue;
            context.fillStyle = pointed ? "#f0e442" : "rgba(86, 180, 233, 0.8)";
            if (dx) context.fillRect(3 * x + 2, 3 * y, pointed ? 2 : 1, 3);
            else context.fillRect(3 * x, 3 * y + 2, 3, pointed ? 2 : 1);
          }
        }
      }
    }
    for (const text of root.querySelectorAll("[data-method]")) {
      const map = image.maps[text.dataset.method];
      const sum = state.pointed === null || !map ? undefined : map.sums[state.pointed];
      text.textContent = sum === undefined ? "" : ` superpixel ${state.pointed}: ${number(sum)}`;
    }
  }

  async function point(event) {
    const canvas = event.target.closest(".stack")?.querySelector("canvas");
    let pointed = null;
    if (canvas) {
      const image = byId.get(state.image);
      const box = canvas.getBoundingClientRect();
      const x = Math.floor((event.clientX - box.left) / box.width * image.width);
      const y = Math.floor((event.clientY - box.top) / box.height * image.height);
      if (x >= 0 && y >= 0 && x < image.width && y < image.height) {
        const colours = await pixelsOf(image.superpixels);
        const at = 4 * (y * image.width + x);
        pointed = colours[at] + 256 * colours[at + 1];
      }
    }
    if (pointed !== state.pointed) { state.pointed = pointed; paintOutlines(); }
  }

  function choose(name) {
    state.image = name;
    state.pointed = null;
    for (const button of part("thumbnails").children) {
      button.setAttribute("aria-pressed", String(button.dataset.image === name));
    }
    drawMaps();
  }

  function remember() {
    const words = new URLSearchParams({ image: state.image, methods: state.methods.join(",") });
    if (state.scale !== "own") words.set("scale", state.scale);
    if (state.outlines) words.set("outlines", "1");
    history.replaceState(null, "", `#${words}`);
  }

  function recall() {
    const words = new URLSearchParams(location.hash.slice(1));
    if (!byId.has(words.get("image"))) return false;
    state.image = words.get("image");
    const asked = (words.get("methods") ?? "").split(",").filter((name) => methods.includes(name));
    if (asked.length) state.methods = asked.slice(0, MOST_METHODS);
    state.scale = words.get("scale") === "common" ? "common" : "own";
    state.outlines = words.get("outlines") === "1";
    part("scale").value = state.scale;
    part("outlines").checked = state.outlines;
    return true;
  }

  function drawAll() {
    drawMethods();
    drawThumbnails();
    drawMaps();
  }

  part("thumbnails").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) { choose(button.dataset.image); remember(); }
  });
  part("thumbnails").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const buttons = [...part("thumbnails").children];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (step && next) { event.preventDefault(); next.focus(); next.click(); }
  });
  part("methods").addEventListener("change", (event) => {
    const name = event.target.value;
    state.methods = event.target.checked ? [...state.methods, name] : state.methods.filter((other) => other !== name);
    drawMethods();
    part("methods").querySelector(`input[value="${CSS.escape(name)}"]`)?.focus();
    drawMaps();
    remember();
  });
  for (const name of ["class", "part", "outcome"]) part(`filter-${name}`).addEventListener("change", () => { drawThumbnails(); remember(); });
  part("opacity").addEventListener("input", (event) => { state.opacity = event.target.value / 100; drawMaps(); });
  part("scale").addEventListener("change", (event) => { state.scale = event.target.value; drawMaps(); remember(); });
  part("outlines").addEventListener("change", (event) => { state.outlines = event.target.checked; paintOutlines(); remember(); });
  part("maps").addEventListener("pointermove", point);
  part("maps").addEventListener("pointerleave", point);
  window.addEventListener("hashchange", () => { if (recall()) drawAll(); });

  fillFilters();
  const linked = recall();
  root.hidden = false;
  drawAll();
  if (linked) root.scrollIntoView();
})();
