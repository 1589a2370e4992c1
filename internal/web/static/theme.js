// Runs before the page is drawn, so that it appears in the chosen theme.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let theme = null;
  try { theme = localStorage.getItem("theme"); } catch { /* storage is off */ }
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
