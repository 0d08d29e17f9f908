/* The live page: sends dropped images, asks for the answers until they are complete. */
(() => {
  "use strict";
  const root = document.getElementById("live");
  const token = root.dataset.token, mostBytes = Number(root.dataset.mostBytes);
  const PAUSE = 400; // ms between two questions
  const part = (name) => root.querySelector(`[data-part="${name}"]`);

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  async function ask(path, options = {}) {
    const answer = await fetch(path, { ...options, headers: { "X-Token": token } });
    return answer.json();
  }

  function tag(word, kind) {
    return element("span", { className: `tag ${kind}`, textContent: word });
  }

  function describe(verdict) {
    const facts = [["class", verdict.predicted]];
    facts.push(["probabilities", verdict.probabilities.map(([name, p]) => `${name} ${(100 * p).toFixed(1)} %`).join(", ")]);
    facts.push(["possible classes at 90 %", verdict.possible || verdict.no_sets]);
    if (verdict.p === null) facts.push(["is it known?", `not asked: ${verdict.no_density}`]);
    else facts.push(["is it known?", `p = ${verdict.p.toPrecision(2)}; most surprised view: ${verdict.strange}`]);
    return element("dl", { className: "facts" }, ...facts.map(([name, value]) => element("div", {},
      element("dt", { textContent: name }), element("dd", { textContent: value }))));
  }

  function panel(name, picture, note) {
    const caption = element("figcaption", {}, element("strong", { textContent: name }), " ", note);
    const shown = picture ? element("img", { src: picture, alt: name }) : element("p", { textContent: "no map" });
    return element("figure", { className: "map" }, shown, caption);
  }

  function draw(card, file, answer) {
    const title = element("h3", {}, element("code", { textContent: file.name }), " ");
    const known = answer.verdict?.unfamiliar;
    if (known === true) title.append(tag("unfamiliar", "bad"));
    if (known === false) title.append(tag("known", "good"));
    const parts = [title];
    if (answer.problem) parts.push(element("p", { className: "note bad", textContent: answer.problem }));
    if (answer.verdict) parts.push(describe(answer.verdict));
    const maps = element("div", { className: "maps" });
    if (answer.picture) maps.append(panel("image", answer.picture, ""));
    for (const map of answer.maps) {
      const note = map.status === "ok" ? `${map.seconds} s` : tag(map.status, "bad");
      maps.append(panel(map.method, map.picture, note));
      if (map.reason) maps.lastChild.title = map.reason;
    }
    parts.push(maps);
    const left = answer.methods.length - answer.maps.length;
    if (answer.state !== "done") parts.push(element("p", { className: "about", textContent: `${answer.state}: ${left} explanations to come` }));
    card.replaceChildren(...parts);
  }

  async function send(file) {
    const card = element("article", { className: "answer" });
    part("answers").prepend(card);
    const fail = (problem) => draw(card, file, { problem, maps: [], methods: [], state: "done" });
    if (file.size > mostBytes) return fail(`the image has ${file.size} bytes, expected ${mostBytes} at most`);
    const methods = [...root.querySelectorAll("[data-method]:checked")].map((box) => box.value);
    const words = new URLSearchParams({ run: part("run").value, methods: methods.join(",") });
    try {
      const taken = await ask(`/images?${words}`, { method: "POST", body: file });
      if (taken.problem) return fail(taken.problem);
      for (;;) {
        const answer = await ask(`/images/${taken.job}`);
        if (!answer.state) return fail(answer.problem);
        draw(card, file, answer);
        if (answer.state === "done") return undefined;
        await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
      }
    } catch {
      return fail("the server does not answer; was it stopped?");
    }
  }

  part("files").addEventListener("change", (event) => {
    for (const file of event.target.files) send(file);
    event.target.value = "";
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    for (const file of event.dataTransfer.files) send(file);
  });
})();
