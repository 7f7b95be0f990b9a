// A map to point a place out on, or to see it; without JavaScript, or tiles, the words of the place do.
"use strict";
for (const box of document.querySelectorAll(".map[data-tiles]")) {
  if (typeof L === "undefined") break;
  box.hidden = false;
  const [lat, lon] = box.dataset.center.split(",").map(Number);
  const map = L.map(box).setView([lat, lon], Number(box.dataset.zoom));
  L.Icon.Default.imagePath = "/static/vendor/images/";
  L.tileLayer(box.dataset.tiles, { maxZoom: 18 }).addTo(map);
  const kept = box.dataset.point && document.getElementById(box.dataset.point);
  let mark = null;
  const put = (at) => { if (mark) mark.setLatLng(at); else mark = L.marker(at).addTo(map); };
  if ("shown" in box.dataset) put([lat, lon]);
  if (kept) {
    if (kept.value) put(kept.value.split(",").map(Number));
    map.on("click", (event) => { put(event.latlng); kept.value = event.latlng.lat.toFixed(5) + "," + event.latlng.lng.toFixed(5); });
  }
}
