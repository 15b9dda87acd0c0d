// Draws one result over time with its reference band; the same numbers stand in the table below.
(() => {
  "use strict";
  const holder = document.querySelector("[data-trend]");
  if (!holder || !window.uPlot) return;
  const data = JSON.parse(holder.dataset.trend);
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const chinese = document.documentElement.lang.startsWith("zh");
  const known = (limit) => limit !== null && limit !== undefined;

  function span() {
    const all = [...data.values, data.low, data.high].filter(known);
    const low = Math.min(...all);
    const high = Math.max(...all);
    const spare = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
    return [low - spare, high + spare];
  }

  function limit(u, value, word) {
    const y = u.valToPos(value, "y", true);
    const { ctx, bbox } = u;
    ctx.strokeStyle = token("--chart-band-edge");
    ctx.setLineDash([6, 5]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillStyle = token("--ink-faint");
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    ctx.fillText(`${word} ${value}`, bbox.left + bbox.width - 6 * devicePixelRatio, y - 3 * devicePixelRatio);
  }

  function band(u) {
    if (!known(data.low) && !known(data.high)) return;
    const { ctx, bbox } = u;
    const top = known(data.high) ? u.valToPos(data.high, "y", true) : bbox.top;
    const bottom = known(data.low) ? u.valToPos(data.low, "y", true) : bbox.top + bbox.height;
    ctx.save();
    ctx.font = `${12 * devicePixelRatio}px ${token("--font")}`;
    ctx.fillStyle = token("--chart-band");
    ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    if (known(data.high)) limit(u, data.high, holder.dataset.highWord);
    if (known(data.low)) limit(u, data.low, holder.dataset.lowWord);
    ctx.restore();
  }

  function marks(u) {
    const { ctx } = u;
    ctx.save();
    ctx.fillStyle = token("--red");
    data.values.forEach((value, index) => {
      if (!(known(data.high) && value > data.high) && !(known(data.low) && value < data.low)) return;
      ctx.beginPath();
      ctx.arc(u.valToPos(data.times[index], "x", true), u.valToPos(value, "y", true), 5 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fill();
    });
    ctx.restore();
  }

  const day = (seconds) => {
    const when = new Date(seconds * 1000);
    return new Intl.DateTimeFormat(chinese ? "zh-CN" : "en-GB", { dateStyle: "medium", timeZone: "Asia/Shanghai" }).format(when);
  };
  const font = `12px ${token("--font")}`;
  const axis = { stroke: token("--ink-faint"), font, grid: { stroke: token("--chart-grid"), width: 1 }, ticks: { stroke: token("--chart-grid"), width: 1 } };

  // A scale of years needs no days, and a scale of days no years.
  function precision(u) {
    const days = (u.scales.x.max - u.scales.x.min) / 86400;
    if (days > 1500) return { year: "numeric" };
    return days > 60 ? { year: "numeric", month: "short" } : { month: "short", day: "numeric" };
  }

  const months = (u, splits) => splits.map((seconds) => {
    const when = new Date(seconds * 1000);
    return new Intl.DateTimeFormat(chinese ? "zh-CN" : "en-GB", { ...precision(u), timeZone: "Asia/Shanghai" }).format(when);
  });

  const options = {
    width: holder.clientWidth,
    height: holder.clientHeight,
    legend: { show: false },
    scales: { y: { range: span } },
    axes: [{ ...axis, values: months, space: 90 }, { ...axis, size: 56 }],
    series: [{}, { label: data.name, stroke: token("--chart-line"), width: 2, points: { show: true, size: 7, fill: token("--surface") } }],
    hooks: { drawClear: [band], draw: [marks], setCursor: [tell] },
    cursor: { y: false, points: { size: 10 } },
  };

  const told = document.createElement("p");
  told.className = "row-note";
  told.setAttribute("aria-hidden", "true");
  function tell(u) {
    const index = u.cursor.idx;
    told.textContent = index === null || index === undefined ? "\u00a0" : `${day(data.times[index])}  ${data.values[index]} ${data.unit}`;
  }

  told.textContent = "\u00a0";
  const plot = new uPlot(options, [data.times, data.values], holder);
  holder.after(told);
  new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: holder.clientHeight })).observe(holder);
})();
