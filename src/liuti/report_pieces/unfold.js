"use strict";
const buttons = document.querySelector(".unfold");
buttons.hidden = false;
for (const button of buttons.querySelectorAll("button")) {
  button.addEventListener("click", () => {
    for (const part of document.querySelectorAll("details")) part.open = button.value === "open";
  });
}
