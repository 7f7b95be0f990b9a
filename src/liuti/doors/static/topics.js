// Messages and topics moved by drag: what it does is press a button that is there anyway.
"use strict";

const moving = document.getElementById("moving");
for (const hint of document.querySelectorAll("[data-with-js]")) hint.hidden = false;

const drop = (over, what) => {
  const button = over.closest("[data-target]");
  if (button && what.issue) {
    for (const box of document.querySelectorAll("input[name=issue]")) if (box.type === "checkbox") box.checked = box.checked || box.value === what.issue;
    moving.requestSubmit(button);
    return;
  }
  const card = over.closest("[data-topic]");
  if (!card || card.dataset.topic === what.topic) return;
  moving.elements.from.value = what.topic;
  moving.elements.to.value = card.dataset.topic;
  moving.elements.issue.value = what.issue || "";
  moving.elements.issue.disabled = !what.issue;
  moving.elements.whole.value = what.issue ? "" : "1";
  moving.requestSubmit();
};

const liftable = () => { for (const one of document.querySelectorAll("[data-issue], [data-topic]")) one.draggable = true; };
if (moving) {
  liftable();
  document.addEventListener("htmx:afterSwap", liftable);
  let held = null;
  document.addEventListener("dragstart", (event) => {
    const one = event.target.closest && event.target.closest("[data-issue], [data-topic]");
    if (!one) return;
    const card = one.closest("[data-topic]");
    held = { issue: one.dataset.issue || "", topic: card ? card.dataset.topic : "" };
    event.dataTransfer.setData("text/plain", held.issue || held.topic);
    event.dataTransfer.effectAllowed = "move";
    one.classList.add("held");
  });
  document.addEventListener("dragend", () => {
    held = null;
    for (const one of document.querySelectorAll(".held, .over")) one.classList.remove("held", "over");
  });
  document.addEventListener("dragover", (event) => {
    const over = held && event.target.closest("[data-target], [data-topic]");
    for (const one of document.querySelectorAll(".over")) if (one !== over) one.classList.remove("over");
    if (!over || over.dataset.topic === held.topic && held.topic) return;
    event.preventDefault();
    over.classList.add("over");
  });
  document.addEventListener("drop", (event) => {
    if (!held) return;
    event.preventDefault();
    drop(event.target, held);
  });
}
