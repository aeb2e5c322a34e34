// The task table as Markdown, with what it shows said in words that follow from its numbers.
import type { Agreement } from '@limn/attribution';
import { TABLE_METHODS, type Cell, type Table, type TableMethod } from './cell.mjs';

const NAMES: Readonly<Record<TableMethod, string>> = { eap: 'EAP', 'eap-ig-inputs': 'EAP-IG', exact: 'exact' };
/** Where the gradient at the clean input is less than this share of the path's average, the metric is called saturated there. */
const SATURATED = 0.5;
/** A difference of the log-axis areas below this is called none. */
const GAP = 0.05;

export function tableMarkdown(table: Table): string {
  const { cells } = table;
  const minutes = cells.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  return [
    `# ${table.model}: how faithful the circuits of three methods are, under three metrics`,
    '',
    `Scores from ${table.pairs} training pairs a task, faithfulness on ${table.evalPairs} held-out pairs, seed ${table.seed}; EAP-IG with ${table.igSteps} steps, ${table.igRule} rule; ` +
      `circuits are the n edges of largest |score|, pruned. limn ${table.limn} on ${table.adapter}, weights ${table.weightsSha256.slice(0, 12)}, ${minutes.toFixed(0)} minutes.`,
    '',
    '## What the table shows',
    '',
    ...findings(cells),
    '',
    '## Summary',
    '',
    'Area: mean faithfulness over the log axis of circuit sizes (1 = perfect at every size). n.85: smallest tested circuit with f ≥ .85. Ratio: the gradient at the clean input over its average on the path, as Σ |EAP| / Σ |EAP-IG| over all edges.',
    '',
    ...summaryTable(cells),
    '',
    '## Faithfulness at each size',
    '',
    ...cells.flatMap(curveTable),
    '## Agreement with exact patching (same pairs)',
    '',
    ...agreementTable(cells),
    '',
  ].join('\n');
}

function summaryTable(cells: readonly Cell[]): string[] {
  const head = [
    'task',
    'metric',
    'clean',
    'corrupted',
    ...TABLE_METHODS.map((m) => `area ${NAMES[m]}`),
    ...TABLE_METHODS.map((m) => `n.85 ${NAMES[m]}`),
    'ratio',
  ];
  return rows(
    head,
    cells.map(({ task, metric, baselines, methods, gradientRatio }) => [
      task,
      metric,
      fixed(baselines.clean, 3),
      fixed(baselines.corrupted, 3),
      ...TABLE_METHODS.map((m) => fixed(methods[m].logArea, 2)),
      ...TABLE_METHODS.map((m) => String(methods[m].smallest85 ?? '–')),
      gradientRatio === null ? '–' : gradientRatio.toPrecision(2),
    ]),
  );
}

function curveTable(cell: Cell): string[] {
  const sizes = cell.methods.exact.points.map(({ n }) => String(n));
  return [
    `**${cell.task}, ${cell.metric}**`,
    '',
    ...rows(
      ['n', ...sizes],
      TABLE_METHODS.map((m) => [NAMES[m], ...cell.methods[m].points.map(({ faithfulness }) => fixed(faithfulness, 2))]),
    ),
    '',
  ];
}

function agreementTable(cells: readonly Cell[]): string[] {
  const compared = TABLE_METHODS.filter((method) => method !== 'exact');
  return rows(
    ['task', 'metric', 'method', 'top-10 overlap', 'Spearman', 'same sign', 'Pearson', 'without the largest edge'],
    cells.flatMap(({ task, metric, methods }) =>
      compared.map((m) => {
        const found = methods[m].agreement;
        const figures =
          found === null
            ? Array.from({ length: 5 }, () => '–')
            : [
                fixed(found.topOverlap.value, 1),
                fixed(found.spearman, 2),
                fixed(found.signAgreement, 2),
                fixed(found.pearson, 2),
                fixed(found.pearsonWithoutLargest, 2),
              ];
        return [task, metric, NAMES[m], ...figures];
      }),
    ),
  );
}

/** One sentence a metric, then one for every gap between EAP and EAP-IG. */
function findings(cells: readonly Cell[]): string[] {
  const area = (cell: Cell, method: TableMethod): number => cell.methods[method].logArea ?? Number.NaN;
  const lines: string[] = [];
  for (const metric of new Set(cells.map((cell) => cell.metric))) {
    const some = cells.filter((cell) => cell.metric === metric);
    const better = (a: TableMethod, b: TableMethod): number =>
      some.filter((cell) => area(cell, a) - area(cell, b) > GAP).length;
    lines.push(
      `- **${metric}**: EAP-IG's circuits are more faithful than EAP's on ${better('eap-ig-inputs', 'eap')} of ${some.length} tasks and less on ${better('eap', 'eap-ig-inputs')}; ` +
        `more faithful than those of exact patching on ${better('eap-ig-inputs', 'exact')} and less on ${better('exact', 'eap-ig-inputs')} (differences of area above ${GAP}).`,
    );
    lines.push(agreementLine(some));
    if (metric === 'kl') {
      lines.push(
        '  - KL from the clean run has no gradient at the clean run: plain EAP ranks round-off there, so its rows are chance, and its gap to EAP-IG is not saturation but the form of the metric.',
      );
      continue;
    }
    for (const cell of some) {
      const gap = area(cell, 'eap-ig-inputs') - area(cell, 'eap');
      if (Math.abs(gap) <= GAP || Number.isNaN(gap)) continue;
      lines.push(
        `  - ${cell.task}: EAP-IG ${gap > 0 ? 'ahead' : 'behind'} by ${Math.abs(gap).toFixed(2)}. ${reason(cell, gap)}`,
      );
    }
  }
  return lines;
}

/** Means over the tasks of how the scores agree with exact patching: the few large edges (top 10, Pearson) and the whole ranking (Spearman). */
function agreementLine(cells: readonly Cell[]): string {
  const mean = (method: TableMethod, figure: (found: Agreement) => number | null): string => {
    const values = cells.flatMap((cell) => {
      const found = cell.methods[method].agreement;
      return found === null ? [] : (figure(found) ?? []);
    });
    return values.length === 0 ? '–' : (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(2);
  };
  const both = (figure: (found: Agreement) => number | null): string =>
    `${mean('eap', figure)} → ${mean('eap-ig-inputs', figure)}`;
  return (
    `  - Agreement with exact patching, EAP → EAP-IG, mean over tasks: top-10 overlap ${both((a) => a.topOverlap.value)}, Pearson ${both((a) => a.pearson)}, ` +
    `Pearson without the largest edge ${both((a) => a.pearsonWithoutLargest)}, Spearman ${both((a) => a.spearman)}, same sign ${both((a) => a.signAgreement)}.`
  );
}

function reason({ gradientRatio }: Cell, gap: number): string {
  const ratio = `the gradient at the clean input is ${gradientRatio?.toPrecision(2) ?? 'an unknown share'} of the path's average`;
  const saturated = gradientRatio !== null && gradientRatio < SATURATED;
  if (gap > 0) return saturated ? `Saturation: ${ratio}.` : `Not saturation: ${ratio}.`;
  return saturated ? `In spite of saturation: ${ratio}.` : `There is no saturation to repair: ${ratio}.`;
}

function fixed(value: number | null, digits: number): string {
  return value === null || Number.isNaN(value) ? '–' : value.toFixed(digits);
}

/** A Markdown table; bars inside of cells are escaped. */
function rows(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...body.map(line)];
}
