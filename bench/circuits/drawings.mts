// The drawings of docs/circuits.md as SVG documents: faithfulness against size by task and method, and overlap against transfer.
import { scaleLinear, scaleLog } from 'd3-scale';
import { area, line } from 'd3-shape';
import { correlations } from './correlations.mjs';
import { interval, intervalText } from '../interval.mjs';
import { OKABE_ITO, svgDocument, tenth } from '../svg-document.mjs';
import { STUDY_METHODS, type Study, type StudyMethod } from './study.mjs';
import { SAME_ALGORITHM } from './tasks.mjs';

/** The drawings' files, beside the page. */
export const DRAWINGS = { curves: 'circuits-curves.svg', overlap: 'circuits-overlap.svg' } as const;

/** File names and documents. */
export function studyDrawings(study: Study): Record<string, string> {
  const drawings: Record<string, string> = { [DRAWINGS.curves]: curvesDrawing(study) };
  if (study.comparisons.length > 0) drawings[DRAWINGS.overlap] = overlapDrawing(study);
  return drawings;
}

const INK: Readonly<Record<StudyMethod, string>> = {
  eap: OKABE_ITO.orange,
  'clean-corrupted': OKABE_ITO.purple,
  'eap-ig-inputs': OKABE_ITO.blue,
  'eap-ig-activations': OKABE_ITO.sky,
  'information-flow': OKABE_ITO.green,
  exact: 'var(--ink)',
};

const PANEL = { width: 250, height: 200, left: 34, right: 12, top: 26, floor: 164, columns: 4, head: 64 };

function curvesDrawing(study: Study): string {
  const tasks = [...new Set(study.findings.map(({ task }) => task))];
  const columns = Math.min(PANEL.columns, Math.max(2, tasks.length));
  const rows = Math.ceil(tasks.length / columns);
  const [width, height] = [columns * PANEL.width, PANEL.head + rows * PANEL.height];
  const each = (width - 32) / STUDY_METHODS.length;
  const legend = STUDY_METHODS.map((method, i) => {
    const x = tenth(16 + i * each);
    return `<path d="M${x} 46h18" stroke="${INK[method]}" stroke-width="2"/><text x="${x + 23}" y="50" font-size="11">${method}</text>`;
  });
  const panels = tasks.map((task, i) => {
    const [x, y] = [(i % columns) * PANEL.width, PANEL.head + Math.floor(i / columns) * PANEL.height];
    return `<g transform="translate(${x} ${y})">${curvesOf(study, task)}</g>`;
  });
  return svgDocument(
    width,
    height,
    `Faithfulness of circuits on held-out pairs against their edges, for ${tasks.length} tasks and ${STUDY_METHODS.length} methods; the tables say the same in numbers.`,
    ['<text class="title" x="16" y="24">Faithfulness against edges (log scale)</text>', ...legend, ...panels].join(
      '\n',
    ),
  );
}

function curvesOf(study: Study, task: string): string {
  const found = study.findings.filter((each) => each.task === task);
  const sizes = [...new Set(found.flatMap(({ methods }) => methods.eap.curve.map(({ n }) => n)))].sort((a, b) => a - b);
  const across = scaleLog(
    [Math.max(1, sizes[0] ?? 1), Math.max(2, sizes.at(-1) ?? 2)],
    [PANEL.left, PANEL.width - PANEL.right],
  );
  const upward = scaleLinear([-0.1, 1.15], [PANEL.floor, PANEL.top]).clamp(true);
  const levels = [0, 0.5, 1].map(
    (f) =>
      `<path class="rule" d="M${PANEL.left} ${tenth(upward(f))}H${PANEL.width - PANEL.right}"/><text class="soft end" x="${PANEL.left - 5}" y="${tenth(upward(f)) + 4}">${f}</text>`,
  );
  const marks = [1, 10, 100]
    .filter((n) => n >= (sizes[0] ?? 1) && n <= (sizes.at(-1) ?? 0))
    .map((n) => `<text class="soft mid" x="${tenth(across(n))}" y="${PANEL.floor + 15}">${n}</text>`);
  const threshold = `<path class="level" d="M${PANEL.left} ${tenth(upward(0.85))}H${PANEL.width - PANEL.right}"/>`;
  const curves = STUDY_METHODS.map((method) => {
    const points = sizes.flatMap((n) => {
      const values = found.flatMap(
        ({ methods }) => methods[method].curve.find((point) => point.n === n)?.faithfulness ?? [],
      );
      const at = interval(values);
      return at ? [{ n, ...at }] : [];
    });
    type At = (typeof points)[number];
    const x = ({ n }: At): number => tenth(across(n));
    const band =
      area<At>(
        x,
        (p) => tenth(upward(p.least)),
        (p) => tenth(upward(p.most)),
      )(points) ?? '';
    const middle = line<At>(x, (p) => tenth(upward(p.mean)))(points) ?? '';
    const strong = method === 'eap' || method === 'eap-ig-inputs';
    return `<path d="${band}" fill="${INK[method]}" opacity="0.1"/><path d="${middle}" fill="none" stroke="${INK[method]}" stroke-width="${strong ? 2 : 1.2}"${method === 'exact' ? ' stroke-dasharray="4 2"' : ''}/>`;
  });
  return `<text x="${PANEL.left}" y="16" font-weight="600">${task}</text>${levels.join('')}${marks.join('')}${threshold}${curves.join('')}`;
}

function overlapDrawing(study: Study): string {
  const all = study.comparisons
    .flatMap(({ transfers }) => transfers)
    .filter(
      ({ task, circuit, faithfulness, edgeIou }) => task !== circuit && faithfulness !== null && edgeIou !== null,
    );
  const [width, height, left, right, top, floor] = [640, 420, 52, 20, 62, 366];
  const most = Math.max(1, ...all.map(({ faithfulness }) => faithfulness ?? 0));
  const across = scaleLinear([0, 1], [left, width - right]);
  const upward = scaleLinear(
    [Math.min(0, ...all.map(({ faithfulness }) => faithfulness ?? 0)), most],
    [floor, top],
  ).nice();
  const shares = (a: string, b: string): boolean =>
    SAME_ALGORITHM.some((pair) => (pair as readonly string[]).includes(a) && (pair as readonly string[]).includes(b));
  const dots = [...all]
    .sort((a, b) => Number(shares(a.task, a.circuit)) - Number(shares(b.task, b.circuit)))
    .map(({ task, circuit, faithfulness, edgeIou }) => {
      const same = shares(task, circuit);
      return `<circle cx="${tenth(across(edgeIou ?? 0))}" cy="${tenth(upward(faithfulness ?? 0))}" r="${same ? 5 : 3}" fill="${same ? OKABE_ITO.vermilion : OKABE_ITO.blue}" opacity="${same ? 0.9 : 0.45}"><title>circuit of ${circuit} on pairs of ${task}</title></circle>`;
    });
  const levels = upward
    .ticks(6)
    .map(
      (t) =>
        `<path class="rule" d="M${left} ${tenth(upward(t))}H${width - right}"/><text class="soft end" x="${left - 7}" y="${tenth(upward(t)) + 4}">${t}</text>`,
    );
  const marks = across
    .ticks(5)
    .map((t) => `<text class="soft mid" x="${tenth(across(t))}" y="${floor + 18}">${t}</text>`);
  const r = intervalText(correlations(study, 'the six tasks', 'edgeIou'), 2);
  return svgDocument(
    width,
    height,
    `Faithfulness of one task's circuit on another task's pairs against the edges that the two tasks' circuits share; Pearson's r over the six tasks ${r}.`,
    `<text class="title" x="16" y="24">Does overlap predict transfer? Over the six tasks, r = ${r}</text>
<circle cx="22" cy="42" r="3" fill="${OKABE_ITO.blue}"/><text x="32" y="46">two tasks</text><circle cx="112" cy="42" r="5" fill="${OKABE_ITO.vermilion}"/><text x="124" y="46">two tasks that share an algorithm by construction</text>
${levels.join('')}${marks.join('')}
<text class="soft mid" x="${(left + width - right) / 2}" y="${floor + 40}">IoU of the two circuits' edges</text>
<text class="soft mid" transform="translate(14 ${(top + floor) / 2}) rotate(-90)">faithfulness on the other task's pairs</text>
${dots.join('')}`,
  );
}
