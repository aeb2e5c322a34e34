// The cost of EAP-IG against one size at a time, as one SVG document: measured points, and the straight lines through them.
import { format } from 'd3-format';
import { scaleLinear } from 'd3-scale';
import { straightLine, type Point } from './straight-line.mjs';

/** One size that was varied, all others being held. */
export interface Sweep {
  /** 'pairs', 'steps', 'layers'. */
  readonly size: string;
  readonly eapIg: readonly Point[];
  /** The bare model's passes over the same rows. */
  readonly bare: readonly Point[];
}

const panel = { width: 300, height: 250, left: 46, right: 14, top: 62, floor: 206 };
const tenth = (value: number): number => Math.round(value * 10) / 10;

const STYLE = `svg{--paper:#fffdf9;--ink:#221d16;--soft:#6b6252;--rule:#ddd3c0;--eap:#1f4c9a;--bare:#95691a;font:13px ui-sans-serif,system-ui,'Segoe UI','Liberation Sans',sans-serif}
@media(prefers-color-scheme:dark){svg{--paper:#1d1f26;--ink:#ece6d9;--soft:#a9a08f;--rule:#383a44;--eap:#8db2ff;--bare:#d8b15c}}
.paper{fill:var(--paper)}text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:15px;font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}
.rule{stroke:var(--rule);fill:none}.eap path{stroke:var(--eap);stroke-width:1.6}.eap circle,.eap text{fill:var(--eap)}.bare path{stroke:var(--bare);stroke-width:1.6;stroke-dasharray:5 3}.bare circle,.bare text{fill:var(--bare)}`;

/** What else was held, and the clock, stand in `about`. */
export function scalingPlot(sweeps: readonly Sweep[], about: string): string {
  const width = panel.width * sweeps.length;
  const words = sweeps.map((sweep) => `${sweep.size}: ${fits(sweep)}`).join('; ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${panel.height + 34}" width="${width}" height="${panel.height + 34}" role="img"><title>Cost of EAP-IG. ${words}</title><style>${STYLE}</style><rect class="paper" width="100%" height="100%"/>
<text class="title" x="16" y="24">What EAP-IG costs</text><text class="soft" x="16" y="42">${about}</text>
${sweeps.map((sweep, i) => `<g transform="translate(${i * panel.width} 20)">${drawn(sweep)}</g>`).join('\n')}
</svg>
`;
}

/** How straight the measured lines are. */
export function fits({ eapIg }: Sweep): string {
  const { rSquared, farthest } = straightLine(eapIg);
  return `R² = ${rSquared === null ? 'undefined' : rSquared.toFixed(4)}, farthest point ${format('.1%')(farthest)} off its line`;
}

function drawn({ size, eapIg, bare }: Sweep): string {
  const all = [...eapIg, ...bare];
  const across = scaleLinear([0, Math.max(...all.map(({ x }) => x))], [panel.left, panel.width - panel.right]);
  const upward = scaleLinear([0, Math.max(...all.map(({ seconds }) => seconds))], [panel.floor, panel.top]).nice(4);
  const levels = upward
    .ticks(4)
    .map(
      (t) =>
        `<path class="rule" d="M${panel.left} ${tenth(upward(t))}H${panel.width - panel.right}"/><text class="soft end" x="${panel.left - 6}" y="${tenth(upward(t)) + 4}">${upward.tickFormat(4)(t)}</text>`,
    );
  const marks = eapIg.map(
    ({ x }) => `<text class="soft mid" x="${tenth(across(x))}" y="${panel.floor + 18}">${x}</text>`,
  );
  const curve = (kind: string, points: readonly Point[], name: string, above: boolean): string => {
    const { start, slope } = straightLine(points);
    const end = across.domain()[1] as number;
    const at = (x: number): string => `${tenth(across(x))} ${tenth(upward(Math.max(0, start + slope * x)))}`;
    const dots = points.map(
      ({ x, seconds }) => `<circle cx="${tenth(across(x))}" cy="${tenth(upward(seconds))}" r="3.2"/>`,
    );
    const middle = upward(start + slope * end * 0.5) + (above ? -12 : 24);
    return `<g class="${kind}"><path fill="none" d="M${at(0)}L${at(end)}"/>${dots.join('')}<text class="${above ? 'end' : ''}" x="${tenth(across(end * 0.5))}" y="${tenth(middle)}">${name}</text></g>`;
  };
  return `<text class="soft" x="${panel.left}" y="${panel.top - 12}">seconds</text>${levels.join('')}${marks.join('')}<text class="mid" x="${(panel.left + panel.width) / 2}" y="${panel.floor + 38}">${size}</text>${curve('bare', bare, 'bare model', false)}${curve('eap', eapIg, 'EAP-IG', true)}`;
}
