// docs/circuits.md from a study: the tables of arXiv 2403.17806 on pocket, and which of its claims hold there, decided by the numbers.
import { DRAWINGS } from './drawings.mjs';
import { interval, intervalText, type Interval } from '../interval.mjs';
import { markdownTable } from '../markdown-table.mjs';
import { correlations, PAIRINGS, type Pairing } from './correlations.mjs';
import { units, type OfRun } from './units.mjs';
import { STUDY_METHODS, type MethodFinding, type Study, type StudyMethod, type Transfer } from './study.mjs';
import { familyOf, SAME_ALGORITHM } from './tasks.mjs';

/** Every ordered pair of tasks of every run. */
const transfersOf = (study: Study): (Transfer & OfRun)[] =>
  study.comparisons.flatMap(({ model, seed, transfers }) => transfers.map((each) => ({ ...each, model, seed })));

/** The whole page. */
export function studyMarkdown(study: Study): string {
  const tasks = [...new Set(study.findings.map(({ task }) => task))];
  const cell = (
    task: string,
    method: StudyMethod,
    value: (finding: MethodFinding) => number | null | undefined,
    digits: number,
  ): string =>
    intervalText(
      units(
        study,
        study.findings.filter((each) => each.task === task),
        ({ methods }) => value(methods[method]),
      ),
      digits,
    );
  const missed = (task: string, method: StudyMethod): number =>
    study.findings.filter((each) => each.task === task && !each.methods[method].smallest).length;
  const seeds = `${study.seeds.length} data ${study.seeds.length === 1 ? 'seed' : 'seeds'} (${study.seeds.join(', ')})`;
  const byMethod = (methods: readonly StudyMethod[], text: (task: string, method: StudyMethod) => string): string =>
    markdownTable(
      ['task', ...methods],
      tasks.map((task) => [task, ...methods.map((method) => text(task, method))]),
    );
  const edges = byMethod(STUDY_METHODS, (task, method) => {
    const none = missed(task, method);
    return cell(task, method, ({ smallest }) => smallest?.n, 1) + (none > 0 ? ` · ${none} × none` : '');
  });
  const approximations = STUDY_METHODS.filter((method) => method !== 'exact');
  const agreement = (what: 'pearson' | 'spearman' | 'top10'): string =>
    byMethod(approximations, (task, method) => cell(task, method, (found) => found.agreement?.[what], 2));
  const areas = (what: 'cpr' | 'cmd'): string =>
    byMethod(STUDY_METHODS, (task, method) => cell(task, method, (found) => found[what], 2));
  return `# Circuits on pocket

Made by \`npm run circuits\`: the tables of _Have Faith in Faithfulness_ (arXiv 2403.17806) on pocket's tasks, with the same questions
asked of every method. ${study.pairs} pairs to search and ${study.evalPairs} held-out pairs to measure, each task under its own metric, greedy selection by |score|,
m = ${study.igSteps}; ${seeds}; ${study.adapter}; limn ${study.limn}. ${trainedModels(study)}

Cells are the mean over ${study.models.length > 1 ? 'the models, each the mean of its seeds,' : 'the seeds'} ± half of its 95 % confidence interval, t(.975) · s / √n; where all are equal, that number.

## Edges needed to keep 85 % of the behaviour

Edges asked for, before pruning, found by search on the held-out pairs; "× none": runs in which no size reaches it.

${edges}

## Curves

Faithfulness on the held-out pairs at each size, means of all runs; bands from the least to the most. 1 is the whole model, 0 the corrupted run.

![Faithfulness against edges, by task and method](${DRAWINGS.curves})

The area under the curve at MIB's sizes, signed selection (CPR; more is better):

${areas('cpr')}

The area between the curve and 1, selection by |score| (CMD; less is better):

${areas('cmd')}

## Agreement with exact patching

Pearson's r over |scores|, as the paper has it:

${agreement('pearson')}

Spearman's ρ over |scores|, of which most are near zero:

${agreement('spearman')}

Share of the ten strongest edges of exact patching that are among the method's ten strongest:

${agreement('top10')}

## Overlap and transfer

Circuits of ${study.comparisons[0]?.n ?? 0} edges by EAP-IG (inputs). Faithfulness of each column's circuit on each row's held-out pairs:

${transferTable(study)}

![Overlap of two tasks' circuits against the faithfulness of one on the other's pairs](${DRAWINGS.overlap})

Edges that every task's circuit has: ${intervalText(
    units(study, study.comparisons, ({ core }) => core.edges),
    1,
  )}; nodes: ${intervalText(
    units(study, study.comparisons, ({ core }) => core.nodes),
    1,
  )}.

Pearson's r between the overlap of two tasks' circuits and the faithfulness of one on the other's pairs, over ordered pairs:

${overlapTable(study)}

Tasks that share an algorithm by construction, against all other pairs:

${sameAlgorithm(study)}

## What holds here

${claims(study, tasks)}
`;
}

/** Which models there are, by the first digits of their weights. */
function trainedModels({ models }: Study): string {
  const named = models.map(({ name, weightsSha256 }) => `${name} (${weightsSha256.slice(0, 12)})`);
  return models.length === 1
    ? `One trained model, ${named[0]}: how much another training run would change is not known.`
    : `${models.length} independently trained models: ${named.join(', ')}.`;
}

function overlapTable(study: Study): string {
  const rows = (Object.keys(PAIRINGS) as Pairing[]).map((pairing) => [
    pairing,
    intervalText(correlations(study, pairing, 'edgeIou'), 2),
    intervalText(correlations(study, pairing, 'nodeIou'), 2),
  ]);
  return markdownTable(['over', 'edge IoU', 'node IoU'], rows);
}

function transferTable(study: Study): string {
  const all = transfersOf(study);
  const names = [...new Set(all.map(({ circuit }) => circuit))];
  return markdownTable(
    ['pairs of', ...names],
    [...new Set(all.map(({ task }) => task))].map((task) => [
      task,
      ...names.map((circuit) => {
        const cell = all.filter((each) => each.task === task && each.circuit === circuit);
        return intervalText(
          units(study, cell, ({ faithfulness }) => faithfulness),
          2,
        );
      }),
    ]),
  );
}

function sameAlgorithm(study: Study): string {
  const all = transfersOf(study).filter(({ task, circuit }) => task !== circuit);
  const isIn = (pair: readonly string[], { task, circuit }: Transfer): boolean =>
    pair.includes(task) && pair.includes(circuit);
  const line = (name: string, some: typeof all): string[] => [
    name,
    ...(['edgeIou', 'nodeIou'] as const).map((what) =>
      intervalText(
        units(study, some, (each) => each[what]),
        2,
      ),
    ),
    some.length === 0 ? '–' : Math.max(...some.map(({ p }) => p ?? 1)).toExponential(0),
    intervalText(
      units(study, some, ({ faithfulness }) => faithfulness),
      2,
    ),
  ];
  return markdownTable(
    ['pair', 'edge IoU', 'node IoU', 'largest p', 'faithfulness on the other'],
    [
      ...SAME_ALGORITHM.map(([a, b]) =>
        line(
          `${a} ↔ ${b}`,
          all.filter((each) => isIn([a, b], each)),
        ),
      ),
      line(
        'tasks of different families',
        all.filter(({ task, circuit }) => familyOf(task) !== familyOf(circuit)),
      ),
    ],
  );
}

/** The paper's claims, each with the counts that decide it. "Clearly": the 95 % interval of the difference, run by run, excludes 0. */
function claims(study: Study, tasks: readonly string[]): string {
  /** Per task: value of EAP-IG minus value of EAP, run by run. */
  const differences = (of: (finding: MethodFinding) => number | null | undefined): number[][] =>
    tasks.map((task) =>
      units(
        study,
        study.findings.filter((each) => each.task === task),
        ({ methods }) => {
          const [ig, plain] = [of(methods['eap-ig-inputs']), of(methods.eap)];
          return ig === null || ig === undefined || plain === null || plain === undefined ? null : ig - plain;
        },
      ),
    );
  const verdict = (all: readonly number[][], sign: 1 | -1): string => {
    const of = (holds: (found: Interval) => boolean): number =>
      all.filter((values) => {
        const found = interval(values);
        return found !== undefined && holds(found);
      }).length;
    const clear = of(({ mean, half }) => sign * mean > 0 && half !== null && Math.abs(mean) > half);
    const against = of(({ mean }) => sign * mean < 0);
    return `on ${of(({ mean }) => sign * mean > 0)} of ${tasks.length} tasks, clearly on ${clear}; the other way round on ${against}`;
  };
  const r = correlations(study, 'the six tasks', 'edgeIou');
  const found = interval(r);
  const together = found !== undefined && found.half !== null && found.mean - found.half > 0;
  return [
    `- **Circuits by EAP-IG need fewer edges than those by EAP** for 85 %: ${verdict(
      differences(({ smallest }) => smallest?.n),
      -1,
    )}.`,
    `- **Circuits by EAP-IG are more faithful than those by EAP** over all sizes, by CPR: ${verdict(
      differences(({ cpr }) => cpr),
      1,
    )}.`,
    `- **EAP-IG's scores are closer to exact patching** by Pearson over |scores|: ${verdict(
      differences(({ agreement }) => agreement?.pearson),
      1,
    )}; by Spearman over |scores|: ${verdict(
      differences(({ agreement }) => agreement?.spearman),
      1,
    )}.`,
    `- **Overlap does not predict whether a circuit does another task's work**: ${
      together ? 'refuted on pocket' : 'not refuted on pocket'
    }; over the six tasks r of edge IoU and transfer is ${intervalText(r, 2)}, over tasks of different families ${intervalText(
      correlations(study, 'tasks of different families', 'edgeIou'),
      2,
    )}.`,
  ].join('\n');
}
