// What scripts add to pages that work without them.
"use strict";
(() => {
  const root = document.documentElement;

  // Switch between light and dark, and remember it.
  document.querySelector(".theme-toggle")?.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage is off */ }
  });

  // Copy: of a text, or of the element that a selector names. Clipboards are
  // closed to pages over plain http, where the old way still works.
  const copy = async (text) => {
    if (navigator.clipboard) {
      try { await navigator.clipboard.writeText(text); return true; } catch { /* try the old way */ }
    }
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  // In highlighted code the line numbers are not part of the text.
  const textOf = (element) => {
    const lines = element.querySelectorAll(".hl-cl");
    return lines.length ? Array.from(lines, (l) => l.textContent).join("") : element.textContent;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    const from = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
    if (await copy(from ? textOf(from) : button.dataset.copy)) {
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 1500);
    }
  });

  // Ask before what cannot be undone.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  for (const input of document.querySelectorAll("[data-must-equal]")) {
    const button = input.form.querySelector("[type=submit]");
    const check = () => { button.disabled = input.value.trim() !== input.dataset.mustEqual; };
    input.addEventListener("input", check);
    check();
  }

  for (const select of document.querySelectorAll("[data-autosubmit]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }

  // Close menus on Escape and on a click beside them.
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  };
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = event.target.closest("details.menu[open]");
    closeMenus();
    menu?.querySelector("summary").focus();
  });
})();
