/* A picture that is wider than the screen scrolls: then the keyboard reaches it, too. */
(() => {
  "use strict";
  const figures = [...document.querySelectorAll("main figure")];
  const mark = () => figures.forEach((figure) => {
    if (figure.scrollWidth > figure.clientWidth) figure.tabIndex = 0;
    else figure.removeAttribute("tabindex");
  });
  document.addEventListener("toggle", mark, true);
  window.addEventListener("resize", mark);
  mark();
})();
