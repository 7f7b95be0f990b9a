// Sharpens pages that work without it: nothing here is needed to get anything done.
"use strict";

// What was wrong is read first.
const wrong = document.querySelector("[data-focus]");
if (wrong) wrong.focus();

// An address that names a folded form unfolds it.
const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (named instanceof HTMLDetailsElement) { named.open = true; named.scrollIntoView(); }

// A draft stays on this phone until it is sent, should the line drop. Photos and contacts are not kept.
for (const form of document.querySelectorAll("form[data-draft]")) {
  const name = "liuti-draft-" + form.dataset.draft;
  const kept = () => [...form.querySelectorAll("textarea, input[type=text], select")].filter((f) => f.name && !f.name.startsWith("contact."));
  let draft = null;
  try { draft = JSON.parse(localStorage.getItem(name)); } catch { /* a browser that keeps nothing */ }
  if (draft && !document.querySelector("[data-focus], #similar section"))
    for (const f of kept()) if (!f.value && draft[f.name]) f.value = draft[f.name];
  form.addEventListener("input", () => {
    try { localStorage.setItem(name, JSON.stringify(Object.fromEntries(kept().map((f) => [f.name, f.value])))); } catch { /* the same */ }
  });
}
if (document.getElementById("receipt-link")) { try { localStorage.removeItem("liuti-draft-propose"); } catch { /* the same */ } }

// A button pressed is not pressed twice.
addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button) setTimeout(() => { button.disabled = true; }, 0);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false;
});
