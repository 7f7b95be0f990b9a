// A slider beside each weight; both say the same number, and only the number is sent.
"use strict";

for (const number of document.querySelectorAll(".weigh input[type=number]")) {
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "0";
  slider.max = "40";
  slider.step = "0.5";
  slider.value = number.value;
  slider.setAttribute("aria-label", number.labels[0].textContent);
  slider.addEventListener("input", () => { number.value = slider.value; });
  number.addEventListener("input", () => { slider.value = number.value; });
  number.before(slider);
}
