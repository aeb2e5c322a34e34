// docs/steering.md from a study: the table of methods, what a circuit and other lengths do, and whether the aims are met, decided by the numbers.
import { intervalText } from '../interval.mjs';
import { markdownTable, mean, percent } from '../markdown-table.mjs';
import {
  STUDY_ROWS,
  STUDY_TASKS,
  type LengthFinding,
  type RowFinding,
  type Study,
  type StudyRow,
  type StudyTask,
  type TaskFinding,
} from './study.mjs';

/** The whole page. */
export function steeringMarkdown(study: Study): string {
  const tasks = (Object.keys(STUDY_TASKS) as StudyTask[]).filter((task) =>
    study.findings.some((each) => each.task === task),
  );
  const models = study.models.map(({ name, weightsSha256 }) => `${name} (${weightsSha256.slice(0, 12)}…)`).join(', ');
  return `# Steering on pocket

Made by \`npm run steering\`: ${study.seeds.length} seeds (${study.seeds.join(', ')}), each with its own prompts, split and order; ${models}; ${study.adapter}; limn ${study.limn}.
One trained pocket is all there is; \`--model DIR\` takes more. Prompts are split by what they are about: no country and no name of a test prompt occurs in a
training prompt. Values are learnt in ${study.updates} updates and a sixth as many for what is not 0.

**Success** on a prompt means, at β = +1 and at β = −1: a margin of at least 2 logits for the answer that is wanted, p(c) + p(w) of at least .8 of the untouched
value, and a KL divergence of at most .1 nat with the two answers as one outcome. **Where sure** is the same on the test prompts whose two answers have at least .9
between them in the untouched model. Margin and λ_M of the objective, layers, numbers of cells and the strength that stands for β = 1 are chosen on validation
prompts, by success. *ActivScalar* and *SteerVec* are at \`hook_attn_out\` and \`hook_mlp_out\`; *by head* is at \`attn.hook_z\` in the place of the first. Cells are means over seeds ± half of the 95 % confidence interval, t(.975) · s / √n. None of these are the paper's numbers.

${tasks.map((task) => section(study, task)).join('\n\n')}

## The aims

${aims(study, tasks)}

## What this does not say

- One model of 3 layers: nothing here speaks of GPT-2's size.
- Test parts are small: a seed has ${range(study.findings.map(({ prompts }) => prompts.test))} test prompts, as few prompts have all of their entities in one part.
- Vectors without learning are as long as the activations at the median (‖v‖ = ‖h‖), so that strengths are shares of them.
- Prompting is a baseline only where pocket was taught a cue, the mean difference only where the untouched model prefers either answer on some prompts; ActAdd takes the two training prompts on which the untouched model is most of one mind and the other.
`;
}

const range = (values: readonly number[]): string => {
  const [least, largest] = [Math.min(...values), Math.max(...values)];
  return least === largest ? String(least) : `${least} to ${largest}`;
};

function section(study: Study, task: StudyTask): string {
  const findings = study.findings.filter((each) => each.task === task);
  const rows = STUDY_ROWS.filter((name) => findings.some((finding) => finding.rows[name]));
  const of = (name: StudyRow, value: (found: RowFinding) => number | undefined): number[] =>
    findings.flatMap((finding) => {
      const found = finding.rows[name];
      const number = found && value(found);
      return number === undefined ? [] : [number];
    });
  const share = (name: StudyRow, value: (found: RowFinding) => number | undefined): string =>
    intervalText(of(name, value), 2);
  const methods = markdownTable(
    [
      'method',
      'success both ways',
      'where sure',
      'margin both ways',
      'flipped both ways',
      'KL of the rest',
      'same third token',
      'numbers',
      'live cells not 0',
      'train − test',
    ],
    rows.map((name) => [
      name,
      share(name, ({ test }) => test.twoWaySuccess),
      share(name, ({ sure }) => sure?.twoWaySuccess),
      share(name, ({ test }) => test.twoWayMargin),
      share(name, ({ test }) => test.twoWayFlip),
      intervalText(
        of(name, ({ test }) => test.drift),
        3,
      ),
      share(name, ({ test }) => mean(test.strengths.map(({ sameTopOther }) => sameTopOther))),
      intervalText(
        of(name, ({ parameters }) => parameters),
        0,
      ),
      cellsText(
        of(name, ({ nonZero }) => nonZero),
        of(name, ({ live }) => live),
      ),
      share(name, ({ train, test }) => train.twoWaySuccess - test.twoWaySuccess),
    ]),
  );
  const chosen = rows
    .map((name) => {
      const said = [
        ...new Set(findings.map((finding) => finding.rows[name]).map((found) => found && settings(found))),
      ].filter(Boolean);
      return said.length === 0 ? '' : `${name}: ${said.join('; ')}`;
    })
    .filter(Boolean);
  return `## ${task}

+1 favours ${STUDY_TASKS[task]}. ${range(findings.map(({ prompts }) => prompts.train))} training prompts, ${range(findings.map(({ prompts }) => prompts.validation))} for choosing, ${range(findings.map(({ prompts }) => prompts.test))} to test, on ${range(findings.map(({ prompts }) => prompts.sure))} of which the untouched model is sure.

${methods}

${histogram(findings)}

### Kept to the circuit of the task

ActivScalar by head, everywhere; only in the heads and MLPs of the task's EAP-IG circuit (the smallest with 85 % faithfulness); in as many random ones. All are learnt
with the same settings and chosen alike.

${restrictionTable(findings)}

### Prompts of other lengths

DynScalar, learnt on prompts alone and behind another document, but at none of the two ranges of lengths below.

${lengthTable(findings)}

<details><summary>What was chosen, seed by seed</summary>

${chosen.map((line) => `- ${line}`).join('\n')}

</details>`;
}

const settings = ({ chosen }: RowFinding): string =>
  Object.entries(chosen)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

function cellsText(nonZero: readonly number[], live: readonly number[]): string {
  return nonZero.length === 0 ? '–' : `${intervalText(nonZero, 1)} of ${range(live)}`;
}

/** Δ of the untouched model, prompts of all seeds together. */
function histogram(findings: readonly TaskFinding[]): string {
  const deltas = findings.flatMap(({ untouchedDeltas }) => untouchedDeltas);
  const edges = [-4, -2, 0, 2, 4];
  const names = ['below −4', '−4 to −2', '−2 to 0', '0 to 2', '2 to 4', 'above 4'];
  const counts = names.map(
    (_, i) => deltas.filter((delta) => edges.filter((edge) => delta >= edge).length === i).length,
  );
  return `Untouched, Δ = logit of c − logit of w on the test prompts of all seeds:\n\n${markdownTable(['Δ', ...names], [['prompts', ...counts.map(String)]])}`;
}

function restrictionTable(findings: readonly TaskFinding[]): string {
  const learnt: readonly (readonly [string, (finding: TaskFinding) => RowFinding | undefined])[] = [
    ['everywhere', ({ rows }) => rows['ActivScalar, by head']],
    ['in the circuit', ({ restriction }) => restriction.circuit],
    ['in random nodes', ({ restriction }) => restriction.random],
  ];
  return markdownTable(
    [
      'learnt',
      'success both ways',
      'where sure',
      'margin both ways',
      'KL of the rest',
      'live cells not 0',
      'heads',
      'MLPs',
    ],
    learnt.map(([name, found]) => {
      const of = (value: (row: RowFinding) => number | undefined): number[] =>
        findings.flatMap((finding) => {
          const row = found(finding);
          return (row && value(row)) ?? [];
        });
      const nodes = (kind: 'heads' | 'mlps'): string =>
        name === 'everywhere'
          ? 'all'
          : intervalText(
              findings.map(({ restriction }) => restriction[kind]),
              1,
            );
      return [
        name,
        intervalText(
          of(({ test }) => test.twoWaySuccess),
          2,
        ),
        intervalText(
          of(({ sure }) => sure?.twoWaySuccess),
          2,
        ),
        intervalText(
          of(({ test }) => test.twoWayMargin),
          2,
        ),
        intervalText(
          of(({ test }) => test.drift),
          3,
        ),
        cellsText(
          of(({ nonZero }) => nonZero),
          of(({ live }) => live),
        ),
        nodes('heads'),
        nodes('mlps'),
      ];
    }),
  );
}

/** Findings by length, in the order of the first. */
function byLength(findings: readonly TaskFinding[]): LengthFinding[][] {
  const groups = new Map<number, LengthFinding[]>();
  for (const found of findings.flatMap(({ lengths }) => lengths)) {
    const key = found.learnt ? 0 : found.shortest < 33 ? 1 : 2;
    groups.set(key, [...(groups.get(key) ?? []), found]);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

function lengthTable(findings: readonly TaskFinding[]): string {
  return markdownTable(
    ['tokens', 'learnt at', 'prompts', 'success both ways', 'margin both ways', 'KL of the rest', 'Δ moves'],
    byLength(findings).map((found) => {
      const of = (value: (each: LengthFinding) => number, digits: number): string =>
        intervalText(found.map(value), digits);
      return [
        range(found.flatMap(({ shortest, longest }) => [shortest, longest])),
        found.every(({ learnt }) => learnt) ? 'yes' : 'no',
        range(found.map(({ prompts }) => prompts)),
        of(({ figures }) => figures.twoWaySuccess, 2),
        of(({ figures }) => figures.twoWayMargin, 2),
        of(({ figures }) => figures.drift, 3),
        of(({ figures }) => figures.shift, 1),
      ];
    }),
  );
}

/** Successes among the test prompts that the untouched model is not sure of, all seeds together; '' where there are hardly any. */
function unsureText(findings: readonly TaskFinding[], name: StudyRow): string {
  let [prompts, successes] = [0, 0];
  for (const { prompts: counts, rows } of findings) {
    const row = rows[name];
    if (!row) continue;
    prompts += counts.test - counts.sure;
    successes += row.test.twoWaySuccess * counts.test - (row.sure?.twoWaySuccess ?? 0) * counts.sure;
  }
  return prompts < 10 ? '' : `, on the other ${prompts} prompts ${(successes / prompts).toFixed(2)}`;
}

/** What DynScalar does at the length that most of its prompts have, and what follows where it is much better on names that it has seen. */
function overfitText(train: number, test: number): string {
  const why = train - test > 0.1 ? ': its probes read names that they have seen, and others less' : '';
  return `At the length of the task ${train.toFixed(2)} on training prompts, ${test.toFixed(2)} on test prompts${why}.`;
}

const SCALARS = ['ActivScalar', 'ActivScalar, by head'] as const satisfies readonly StudyRow[];

/** Each aim with what was measured. */
function aims(study: Study, tasks: readonly StudyTask[]): string {
  return tasks
    .flatMap((task) => {
      const findings = study.findings.filter((each) => each.task === task);
      const of = (name: StudyRow, value: (found: RowFinding) => number | undefined): number =>
        mean(findings.flatMap(({ rows }) => (rows[name] && value(rows[name])) ?? []));
      const success = (name: StudyRow): number => of(name, ({ test }) => test.twoWaySuccess);
      const verdict = (met: boolean): string => (met ? '**met**' : '**missed**');
      const vectors = success('SteerVec');
      const lengths = byLength(findings)
        .filter((group) => group.some(({ learnt }) => !learnt))
        .map((group) => mean(group.map(({ figures }) => figures.twoWaySuccess)));
      const measured = SCALARS.filter((name) => findings.some(({ rows }) => rows[name]));
      return [
        ...measured.flatMap((name) => {
          const part = of(name, ({ nonZero = 0, live = 1 }) => nonZero / live);
          const fewer = of(name, ({ parameters }) => parameters) / of('SteerVec', ({ parameters }) => parameters);
          return [
            `- ${task}, ${name}: success ≥ .90 with at most 25 % of live cells not 0: ${success(name).toFixed(3)} with ${(100 * part).toFixed(0)} %: ${verdict(success(name) >= 0.9 && part <= 0.25)}. Margin alone ${of(name, ({ test }) => test.twoWayMargin).toFixed(2)}; where sure ${of(name, ({ sure }) => sure?.twoWaySuccess).toFixed(2)}${unsureText(findings, name)}.`,
            `- ${task}, ${name}: within .05 of SteerVec with ${percent(fewer)} of its numbers: ${success(name).toFixed(2)} against ${vectors.toFixed(2)}: ${verdict(success(name) >= vectors - 0.05)}.`,
          ];
        }),
        `- ${task}: DynScalar within .1 of ActivScalar at two lengths not learnt: ${lengths.map((value) => value.toFixed(2)).join(' and ')} against ${success('ActivScalar').toFixed(2)}: ${verdict(Math.min(...lengths) >= success('ActivScalar') - 0.1)}. ${overfitText(
          of('DynScalar', ({ train }) => train.twoWaySuccess),
          success('DynScalar'),
        )}`,
      ];
    })
    .join('\n');
}
