// Single keys for whoever decides many a day; every one of them has a link or a button beside it that does the same.
"use strict";

const OFF = "liuti-keys-off";
const kept = (key) => { try { return localStorage.getItem(key); } catch { return null; /* a browser that keeps nothing */ } };
const keep = (key, value) => { try { localStorage.setItem(key, value); } catch { /* the same */ } };

// Who drives the page by voice, or types blind, can have the single keys off.
const toggle = document.querySelector("[data-switch]");
if (toggle) {
  const box = toggle.querySelector("input");
  toggle.hidden = false;
  box.checked = kept(OFF) !== "1";
  box.addEventListener("change", () => keep(OFF, box.checked ? "" : "1"));
}

const typing = (where) => where.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
const first = (block) => block.querySelector(".reason") || block.querySelector("select, textarea, input:not([type=hidden]), button, a[href]");

function go(target) {
  if (target instanceof HTMLAnchorElement && !target.hash) { target.click(); return; }
  const block = target instanceof HTMLAnchorElement ? document.querySelector(target.hash) : target.closest("details") || target;
  if (block instanceof HTMLDetailsElement) {
    block.open = !block.open || block.dataset.key !== undefined;
    // Browsers that do not know details of one name fold the others up here.
    if (block.open && block.getAttribute("name")) for (const other of document.querySelectorAll(`details[name="${block.getAttribute("name")}"]`)) if (other !== block) other.open = false;
  }
  block.scrollIntoView({ block: "nearest" });
  (first(block.querySelector(".inner") || block) || block).focus();
}

addEventListener("keydown", (event) => {
  const where = event.target instanceof Element ? event.target : document.body;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = where.closest("form");
    if (form && form.method === "post") { event.preventDefault(); form.requestSubmit(form.querySelector("button:not([formaction])")); }
    return;
  }
  if (event.key === "Escape") {
    const open = where.closest("details[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(where) || kept(OFF) === "1") return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (target) { event.preventDefault(); go(target); }
});
