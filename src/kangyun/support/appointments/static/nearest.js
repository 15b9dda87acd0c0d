// Puts the clinics in order of distance. Where the phone is stays on the phone: nothing is sent.
(() => {
  "use strict";
  const button = document.querySelector("[data-nearest]");
  const told = document.querySelector("[data-nearest-told]");
  const list = document.querySelector("[data-places]");
  if (!button || !told || !list || !navigator.geolocation || !list.querySelector("[data-latitude]")) {
    return;
  }
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const kilometres = (a, b, c, d) => {
    const half = Math.sin(radians(c - a) / 2) ** 2 + Math.cos(radians(a)) * Math.cos(radians(c)) * Math.sin(radians(d - b) / 2) ** 2;
    return 2 * 6371 * Math.asin(Math.sqrt(half));
  };
  const say = (text) => {
    told.textContent = text;
    told.hidden = false;
  };
  const sort = (place) => {
    const rows = [...list.children].map((row) => {
      const known = row.dataset.latitude !== undefined;
      const far = known ? kilometres(place.coords.latitude, place.coords.longitude, Number(row.dataset.latitude), Number(row.dataset.longitude)) : Infinity;
      if (known) {
        row.querySelector("[data-distance]").textContent = ` · ${far.toFixed(1)} km`;
      }
      return { row, far };
    });
    rows.sort((one, other) => one.far - other.far).forEach(({ row }) => list.append(row));
    say(told.dataset.done);
  };
  button.hidden = false;
  button.addEventListener("click", () => navigator.geolocation.getCurrentPosition(sort, () => say(told.dataset.refused), { maximumAge: 600000, timeout: 10000 }));
})();
