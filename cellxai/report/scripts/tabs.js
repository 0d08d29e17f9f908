/* Families of metrics: one at a time, chosen by tabs; without this script they are all there. */
(() => {
  "use strict";
  for (const group of document.querySelectorAll("[data-tabs]")) {
    const panels = [...group.children];
    if (panels.length < 2) continue;
    const list = document.createElement("div");
    list.className = "tabs";
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", group.dataset.tabs);
    const tabs = panels.map((panel, place) => {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = `${group.id}-tab-${place}`;
      tab.textContent = panel.dataset.tab;
      tab.setAttribute("role", "tab");
      panel.id = `${group.id}-panel-${place}`;
      tab.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      return tab;
    });
    const choose = (chosen) => {
      tabs.forEach((tab, place) => {
        tab.setAttribute("aria-selected", String(place === chosen));
        tab.tabIndex = place === chosen ? 0 : -1;
        panels[place].classList.toggle("unchosen", place !== chosen);
      });
      window.dispatchEvent(new Event("resize")); // pictures have their size only now
    };
    list.append(...tabs);
    group.before(list);
    list.addEventListener("click", (event) => {
      const place = tabs.indexOf(event.target.closest("button"));
      if (place >= 0) choose(place);
    });
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const place = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
      event.preventDefault();
      choose(place);
      tabs[place].focus();
    });
    choose(0);
  }
})();
