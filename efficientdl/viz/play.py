"""A button beside a slider that moves it on by itself, from stop to stop.

It is a native button: Tab reaches it, Space and Enter press it, and its name says what it plays. It
stops at the last stop, when it is pressed again, when a hand or a key moves the slider, and when
the panel goes. Pressed at the last stop, it starts again from the first.
"""

CSS = """
.edl-control button { font: inherit; min-width: 5em; padding: 2px 8px; }
.edl-control button:focus-visible { outline: 3px solid #0072B2; outline-offset: 2px; }
"""

# `go` says and sends what the input has come to. A step that does not move it was the last.
JS = """
function player(model, input, go) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("data-lm-suppress-shortcuts", "true");
  let timer = 0;
  const show = () => {
    button.textContent = timer ? "Pause" : "Play";
    button.setAttribute("aria-label", `${button.textContent}: ${model.get("label")}`);
  };
  const stop = () => { clearInterval(timer); timer = 0; show(); };
  const moved = () => {
    const before = input.value;
    input.stepUp();
    return input.value !== before;
  };
  const next = () => { if (moved()) go(); else stop(); };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (!moved()) input.value = input.min;
    go();
    timer = setInterval(next, 1000 * model.get("play_s"));
    show();
  });
  input.addEventListener("input", stop);
  show();
  return [button, stop];
}
"""
