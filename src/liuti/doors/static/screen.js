// The command screen follows what happens: when something moved, its changing part is fetched anew, at most every ten seconds.
"use strict";
const screen_ = document.querySelector("[data-now]");
let waiting = 0;
async function renew() {
  waiting = 0;
  const answer = await fetch(screen_.dataset.now, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("now");
  if (made) document.getElementById("now").replaceWith(made);
}
if (screen_ && "EventSource" in window) {
  const source = new EventSource(screen_.dataset.events);
  const heard = () => { if (!waiting) waiting = setTimeout(renew, 10000); };
  source.onmessage = heard;
  source.addEventListener("move", heard);
}
