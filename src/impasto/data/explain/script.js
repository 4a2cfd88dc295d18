"use strict";
// Without it all is there but the slider: formulas stand open, and three pictures show the way.
(function () {
  const root = document.documentElement;
  const folds = Array.from(document.querySelectorAll("details"));
  folds.forEach((each) => { each.open = false; });
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = folds.filter((each) => !each.open);
    opened.forEach((each) => { each.open = true; });
  });
  window.addEventListener("afterprint", () => {
    opened.forEach((each) => { each.open = false; });
  });

  const frames = JSON.parse(document.getElementById("frames").textContent);
  const player = document.getElementById("player");
  const picture = player.querySelector("img");
  const slider = player.querySelector("input");
  const words = player.querySelector("output");
  const chart = document.querySelector("#losses svg");
  const cursor = chart.querySelector(".cursor");
  const last = frames[frames.length - 1].iteration;

  function show(index) {
    const frame = frames[index];
    picture.src = frame.uri;
    picture.alt = "The picture after iteration " + frame.iteration;
    words.textContent = "Iteration " + frame.iteration + " of " + last + ", " + frame.size +
      " pixels, loss " + frame.loss;
    slider.value = index;
    slider.setAttribute("aria-valuetext", words.textContent);
    player.dataset.iteration = frame.iteration;
    const from = Number(chart.dataset.from), to = Number(chart.dataset.to);
    const count = Math.max(1, Number(chart.dataset.count) - 1);
    const x = from + (frame.iteration - 1) / count * (to - from);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
  }

  function nearest(iteration) {
    let best = 0;
    frames.forEach((frame, index) => {
      const off = Math.abs(frame.iteration - iteration);
      if (off < Math.abs(frames[best].iteration - iteration)) { best = index; }
    });
    return best;
  }

  function follow() {
    const asked = /^#iteration=(\d+)$/.exec(window.location.hash);
    show(asked ? nearest(Number(asked[1])) : frames.length - 1);
  }

  slider.max = frames.length - 1;
  slider.addEventListener("input", () => { show(Number(slider.value)); });
  window.addEventListener("hashchange", follow);
  player.hidden = false;
  cursor.style.display = "inline";
  follow();
  root.dataset.ready = "yes";
})();
