// A reply template goes into the text at once, where the page would otherwise be made anew.
"use strict";

for (const list of document.querySelectorAll("select[data-replies]")) {
  const text = document.getElementById(list.dataset.replies);
  const word = document.getElementById(list.dataset.word);
  const button = list.parentElement.querySelector("button");
  let put = "";
  const insert = () => {
    const chosen = list.selectedOptions[0];
    if (!chosen || !chosen.dataset.text) return;
    // One template after another takes the place of the last, as long as nobody wrote into it.
    text.value = put && text.value.includes(put) ? text.value.replace(put, () => chosen.dataset.text) : [text.value, chosen.dataset.text].filter(Boolean).join("\n");
    put = chosen.dataset.text;
    if (word && chosen.dataset.outcome && !word.value) word.value = chosen.dataset.outcome;
    text.focus();
    const blank = text.value.indexOf("____");
    if (blank >= 0) text.setSelectionRange(blank, blank + 4);
  };
  list.addEventListener("change", insert);
  button.addEventListener("click", (event) => { event.preventDefault(); insert(); });
}
