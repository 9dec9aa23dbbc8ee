"""How the page about a recording looks and moves: its style, its script, what it may load."""

from pathlib import Path

# what the page may load: nothing but what is in it
POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)
PALETTE = Path(__file__).parent / "look" / "palette.css"  # of all pages
STYLE = (
    PALETTE.read_text(encoding="utf-8")
    + """
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 3rem }
p { margin: 0.25rem 0; max-width: 46rem; text-wrap: pretty }
h1 { font-size: 2.5rem; line-height: 1.15; margin: 0.1rem 0 0.4rem; font-weight: 650 }
h1 small { font-size: 1.15rem; font-weight: 400; color: var(--soft); white-space: nowrap }
h2 { font-size: 1rem; margin: 1.6rem 0 0; font-weight: 650 }
.file, h1 { overflow-wrap: anywhere }
.file, .note { color: var(--soft) }
.note { font-size: 0.875rem; line-height: 1.4; margin-bottom: 0.55rem }
.player { position: sticky; top: 0; z-index: 1; background: var(--page); padding: 0.6rem 0 0.3rem }
audio { width: 100%; height: 2.5rem; display: block }
.row { display: grid; grid-template-columns: var(--gutter) minmax(0, 1fr); margin-top: 4px }
.gutter { position: relative; font-size: 0.75rem; line-height: 1.2; color: var(--soft);
  text-align: right; padding-right: 0.5rem }
.gutter span { position: absolute; right: 0.5rem; transform: translateY(-50%); white-space: nowrap }
.gutter b { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  color: var(--ink); font-weight: 500; font-size: 0.8125rem }
.plot { position: relative; background: var(--plot); border-radius: 3px; overflow: hidden }
.plot svg, .plot img { position: absolute; inset: 0; width: 100%; height: 100%; display: block }
.time .plot { cursor: pointer }
.time .plot::after { content: ""; position: absolute; top: 0; bottom: 0; width: 2px;
  margin-left: -1px; left: calc(var(--at) * 100%); background: var(--mark);
  box-shadow: 0 0 0 1px var(--page) }
.ticks { position: relative; height: 1.1rem; font-size: 0.75rem; color: var(--soft) }
.ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap }
.ticks .first { transform: none }
.ticks .last { transform: translateX(-100%) }
path { vector-effect: non-scaling-stroke; fill: none }
.grid { stroke: var(--line) }
.even { stroke: var(--soft); stroke-dasharray: 4 4 }
.wave { fill: var(--accent); stroke: var(--accent); stroke-width: 0.75 }
.area { fill: var(--pale) }
.top { fill: var(--accent) }
.curve { stroke: var(--accent); stroke-width: 1.5; stroke-linejoin: round }
.scores .row { grid-template-columns: var(--gutter) minmax(0, 1fr) 3.5rem; align-items: center }
.scores .plot { height: 1.35rem }
.scores i { display: block; height: 100%; background: var(--pale) }
.scores .best i { background: var(--accent) }
.scores .row > span { font-size: 0.8125rem; padding-left: 0.5rem }
.map { max-width: 40rem; background: var(--plot); border-radius: 3px; display: block; width: 100% }
.map circle { fill: var(--soft); opacity: 0.45 }
.map .same { fill: var(--accent); opacity: 0.8 }
.map text { fill: var(--ink); font-size: 17px; text-anchor: middle; paint-order: stroke;
  stroke: var(--plot); stroke-width: 5px; stroke-linejoin: round }
.map .here { fill: var(--mark); stroke: var(--plot); stroke-width: 1.5 }
"""
)
SCRIPT = """
const audio = document.querySelector("audio"), time = document.querySelector(".time");
const seconds = Number(time.dataset.seconds), ends = JSON.parse(time.dataset.ends);
const rows = [...time.querySelectorAll("[data-shares]")].map(
  (row) => [row.querySelector("output"), JSON.parse(row.dataset.shares)]);
function follow() {
  const now = audio.currentTime, later = ends.findIndex((end) => now < end);
  time.style.setProperty("--at", Math.min(1, now / seconds));
  for (const [output, shares] of rows) output.textContent = shares.at(later);
  if (!audio.paused) requestAnimationFrame(follow);
}
for (const event of ["play", "seeking", "pause"]) audio.addEventListener(event, follow);
for (const plot of time.querySelectorAll(".plot")) plot.addEventListener("click", (click) => {
  const box = plot.getBoundingClientRect();
  const wanted = (click.clientX - box.left) / box.width * seconds;
  audio.currentTime = Math.min(wanted, audio.duration || 0);
});
follow();
"""
