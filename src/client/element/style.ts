/**
 * The style sheet of the element. Custom properties: `--job-progress-color`, `--job-progress-track`, `--job-progress-height`,
 * `--job-progress-radius`, `--job-progress-failed`. Parts: `bar`, `fill`, `percent`, `state`, `message`.
 */
export const STYLE = `
:host { display: block; font: inherit; }
:host([hidden]) { display: none; }
.row { display: flex; align-items: center; gap: .75em; }
[part=bar] {
  flex: 1; min-width: 3em; overflow: hidden;
  height: var(--job-progress-height, .75em);
  border-radius: var(--job-progress-radius, 999px);
  background: var(--job-progress-track, color-mix(in srgb, currentColor 18%, transparent));
}
[part=fill] {
  height: 100%; width: 100%; border-radius: inherit; transform-origin: left;
  background: var(--job-progress-color, #0b6e5f);
  transition: transform .2s linear;
}
:host(:dir(rtl)) [part=fill] { transform-origin: right; }
[part=percent] { min-width: 3.5em; text-align: end; font-variant-numeric: tabular-nums; }
[part=state], [part=message] { font-size: .875em; }
[part=message] { overflow-wrap: anywhere; }
[part=message]:empty { display: none; }
:host([state=failed]) [part=fill], :host([state=cancelled]) [part=fill] {
  background: var(--job-progress-failed, #a8241c);
}
:host([status=stale]) [part=bar] { opacity: .55; }
.waits { --way: 1; }
:host(:dir(rtl)) .waits { --way: -1; }
.waits [part=fill] { animation: waits 1.6s ease-in-out infinite alternate; }
@keyframes waits {
  from { transform: scaleX(.25); }
  to { transform: translateX(calc(var(--way) * 75%)) scaleX(.25); }
}
[role=status] { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
/* Follows the color-scheme of the page, not that of the visitor's system. */
@supports (color: light-dark(red, red)) {
  [part=fill] { background: var(--job-progress-color, light-dark(#0b6e5f, #4cc3ae)); }
  :host([state=failed]) [part=fill], :host([state=cancelled]) [part=fill] {
    background: var(--job-progress-failed, light-dark(#a8241c, #ff9d94));
  }
}
@media (prefers-reduced-motion: reduce) {
  [part=fill] { transition: none; }
  /* A block that does not move would look like 25 %. Stripes over the whole bar do not. */
  .waits [part=fill] {
    animation: none;
    mask: repeating-linear-gradient(135deg, #000 0 .3em, transparent .3em .9em);
  }
}
@media (forced-colors: active) {
  [part=bar] { border: 1px solid CanvasText; }
  :host [part=fill] { background: Highlight; forced-color-adjust: none; }
}
`;
