// docs/circuits.md from a study: the tables of arXiv 2403.17806 on pocket, and which of its claims hold there, decided by the numbers.
import { SAME_ALGORITHM } from './tasks.mjs';
import { STUDY_METHODS, type MethodFinding, type Study, type StudyMethod } from './study.mjs';

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const shown = (value: number, digits: number): string => value.toFixed(digits).replace('-', '−');

/** 'mean (least–most)', over the seeds. */
function spread(values: readonly number[], digits: number): string {
  if (values.length === 0) return '–';
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const range = least === most ? '' : ` (${shown(least, digits)}…${shown(most, digits)})`;
  return `${shown(mean(values), digits)}${range}`;
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row)].join('\n');
}

/** The whole page. */
export function studyMarkdown(study: Study): string {
  const tasks = [...new Set(study.findings.map(({ task }) => task))];
  const of = (task: string, method: StudyMethod): MethodFinding[] =>
    study.findings.filter((each) => each.task === task).map(({ methods }) => methods[method]);
  const needed = (task: string, method: StudyMethod): number[] =>
    of(task, method).flatMap(({ smallest }) => (smallest ? [smallest.n] : []));
  const missed = (task: string, method: StudyMethod): number =>
    of(task, method).filter(({ smallest }) => !smallest).length;
  const agreed = (task: string, method: StudyMethod, what: 'pearson' | 'spearman' | 'top10'): number[] =>
    of(task, method).flatMap(({ agreement }) => agreement?.[what] ?? []);
  const seeds = `${study.seeds.length} data ${study.seeds.length === 1 ? 'seed' : 'seeds'} (${study.seeds.join(', ')})`;

  const edges = table(
    ['task', ...STUDY_METHODS],
    tasks.map((task) => [
      task,
      ...STUDY_METHODS.map((method) => {
        const none = missed(task, method);
        return spread(needed(task, method), 1) + (none > 0 ? ` · ${none} × none` : '');
      }),
    ]),
  );
  const agreement = (what: 'pearson' | 'spearman' | 'top10'): string =>
    table(
      ['task', ...STUDY_METHODS.filter((method) => method !== 'exact')],
      tasks.map((task) => [
        task,
        ...STUDY_METHODS.filter((method) => method !== 'exact').map((method) => spread(agreed(task, method, what), 2)),
      ]),
    );
  return `# Circuits on pocket

Made by \`npm run circuits\`: the tables of _Have Faith in Faithfulness_ (arXiv 2403.17806) on pocket's tasks, with the same questions
asked of every method. ${study.pairs} pairs to search and ${study.evalPairs} held-out pairs to measure, each task under its own metric, greedy selection by |score|,
m = ${study.igSteps}; ${seeds}; ${study.adapter}; weights ${study.weightsSha256.slice(0, 12)}, limn ${study.limn}. Cells are the mean over the seeds, and least…most where they differ.
One trained model: how much another training run would change is not known.

## Edges needed to keep 85 % of the behaviour

Edges asked for, before pruning, found by search on the held-out pairs; "× none": seeds on which no size reaches it.

${edges}

## Agreement with exact patching

Pearson's r over |scores|, as the paper has it:

${agreement('pearson')}

Spearman's ρ over scores:

${agreement('spearman')}

Share of the ten strongest edges of exact patching that are among the method's ten strongest:

${agreement('top10')}

## Overlap and transfer

Circuits of ${study.comparisons[0]?.n ?? 0} edges by EAP-IG (inputs). Faithfulness of each column's circuit on each row's held-out pairs, mean over the seeds:

${transferTable(study)}

Edges that every task's circuit has: ${spread(
    study.comparisons.map(({ core }) => core.edges),
    1,
  )}; nodes: ${spread(
    study.comparisons.map(({ core }) => core.nodes),
    1,
  )}.
Over all ordered pairs of different tasks, Pearson's r between overlap and faithfulness: edge IoU ${spread(correlations(study, 'edgeIou'), 2)}, node IoU ${spread(correlations(study, 'nodeIou'), 2)}.

Tasks that share an algorithm by construction, against all other pairs:

${sameAlgorithm(study)}

## What holds here

${claims(study, needed, agreed, tasks)}
`;
}

const correlations = (study: Study, what: 'edgeIou' | 'nodeIou'): number[] =>
  study.comparisons.flatMap(({ correlation }) => correlation[what] ?? []);

function transferTable(study: Study): string {
  const all = study.comparisons.flatMap(({ transfers }) => transfers);
  const names = [...new Set(all.map(({ circuit }) => circuit))];
  return table(
    ['pairs of', ...names],
    [...new Set(all.map(({ task }) => task))].map((task) => [
      task,
      ...names.map((circuit) => {
        const cell = all.filter((each) => each.task === task && each.circuit === circuit);
        return spread(
          cell.flatMap(({ faithfulness }) => faithfulness ?? []),
          2,
        );
      }),
    ]),
  );
}

function sameAlgorithm(study: Study): string {
  const all = study.comparisons.flatMap(({ transfers }) => transfers).filter(({ task, circuit }) => task !== circuit);
  const isIn = (pair: readonly string[], { task, circuit }: (typeof all)[number]): boolean =>
    pair.includes(task) && pair.includes(circuit);
  const line = (name: string, some: typeof all): string[] => [
    name,
    spread(
      some.flatMap(({ edgeIou }) => edgeIou ?? []),
      2,
    ),
    spread(
      some.flatMap(({ nodeIou }) => nodeIou ?? []),
      2,
    ),
    some.length === 0 ? '–' : Math.max(...some.map(({ p }) => p ?? 1)).toExponential(0),
    spread(
      some.flatMap(({ faithfulness }) => faithfulness ?? []),
      2,
    ),
  ];
  return table(
    ['pair', 'edge IoU', 'node IoU', 'largest p', 'faithfulness on the other'],
    [
      ...SAME_ALGORITHM.map(([a, b]) =>
        line(
          `${a} ↔ ${b}`,
          all.filter((each) => isIn([a, b], each)),
        ),
      ),
      line(
        'all others',
        all.filter((each) => !SAME_ALGORITHM.some((pair) => isIn(pair, each))),
      ),
    ],
  );
}

/** The paper's claims, each with the count that decides it. */
function claims(
  study: Study,
  needed: (task: string, method: StudyMethod) => number[],
  agreed: (task: string, method: StudyMethod, what: 'pearson' | 'spearman' | 'top10') => number[],
  tasks: readonly string[],
): string {
  const count = (holds: (task: string) => boolean): string => `${tasks.filter(holds).length} of ${tasks.length} tasks`;
  const fewer = count((task) => mean(needed(task, 'eap-ig-inputs')) < mean(needed(task, 'eap')));
  const more = count((task) => mean(needed(task, 'eap-ig-inputs')) > mean(needed(task, 'eap')));
  const closer = count((task) => mean(agreed(task, 'eap-ig-inputs', 'pearson')) > mean(agreed(task, 'eap', 'pearson')));
  const ranked = count(
    (task) => mean(agreed(task, 'eap-ig-inputs', 'spearman')) > mean(agreed(task, 'eap', 'spearman')),
  );
  const r = correlations(study, 'edgeIou');
  const predicts = r.length > 0 && Math.min(...r) > 0.5;
  return [
    `- **Circuits by EAP-IG need fewer edges than those by EAP** at 85 %: fewer on ${fewer}, more on ${more}.`,
    `- **EAP-IG's scores are closer to exact patching** by Pearson over |scores|: on ${closer}; by Spearman over scores: on ${ranked}.`,
    `- **Overlap does not predict whether a circuit does another task's work**: ${
      predicts
        ? `refuted on pocket, where edge overlap and transfer go together (r ${spread(r, 2)})`
        : `not refuted on pocket (r of edge IoU and transfer: ${spread(r, 2)})`
    }.`,
  ].join('\n');
}
