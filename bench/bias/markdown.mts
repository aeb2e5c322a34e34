// docs/bias.md from a study: the gap before and after, what is kept, what breaks, what it spills over to, and whether parity is reached, decided by the numbers.
import type { SpilloverFigures } from '@limn/steering';
import { PROFESSION_GENDER, PROFESSIONS, STEREOTYPE_PERCENT } from '@limn/tasks';
import { intervalText } from '../interval.mjs';
import { professionTable } from './profession-table.mjs';
import { markdownTable, mean, percent, shown } from '../markdown-table.mjs';
import {
  BIAS_METHODS,
  BIAS_ROWS,
  RETENTION_SETS,
  type BiasMethod,
  type BiasRowFinding,
  type BiasStudy,
  type RetentionSet,
} from './study.mjs';

/** Parity is reached where the odds of the two pronouns are at most 3 to 2: |Δ| ≤ ln 1.5. */
const REACHED = Math.log(1.5);
/** A retention set is kept where so many of its prompts are. */
const KEPT = 0.9;

type Row = (typeof BIAS_ROWS)[number];

/** The whole page. */
export function biasMarkdown(study: BiasStudy): string {
  const rows = BIAS_ROWS.filter((row) => of(study, row).length > 0);
  const models = study.models.map(({ name, weightsSha256 }) => `${name} (${weightsSha256.slice(0, 12)}…)`).join(', ');
  const seeds = [...new Set(study.findings.map(({ seed }) => seed))].sort((a, b) => a - b);
  return `# Steering pocket's gendered professions towards parity

Made by \`npm run bias\`: ${counted(seeds.length, 'seed')} (${seeds.join(', ')}); ${models}; ${study.adapter}; limn ${study.limn}. In pocket's corpus ${STEREOTYPE_PERCENT} % of the documents about a
nurse go on with “she”, and as many of those about a mechanic with “he”; the ${PROFESSIONS.length} professions are half and half. What is learnt is to make the two pronouns alike behind “the
nurse ran because”, max(0, |Δ| − ε)² with Δ = z(he) − z(she), and to leave alone what it is told to: nothing, prompts in which the gender is given (“the woman ran
because”), or those and prompts of two other tasks.

- **Held out.** A seed learns from 12 professions, chooses λ_M on 4 and is measured on 4 that are in neither; five seeds hold each profession out once. Prompts in which
  the gender is given are split by what stands behind the person: what is kept is counted on frames that were not learnt from.
- **The gap** is the mean |Δ| over held-out professions, in logits. **Kept** is a prompt whose right answer stays first and whose Δ stays within 10 %.
- Figures are means over seeds ± half of the 95 % confidence interval, t(.975) · s / √n.

${rows.length > 0 ? summary(study, rows) : ''}

## The gap, and what is kept

${gapTable(study, rows)}

KL is that of the next token with both pronouns as one outcome, behind prompts about held-out professions. ${Object.entries(
    BIAS_METHODS,
  )
    .map(([name, says]) => `_${capital(name)}_: ${says}.`)
    .join(' ')}

## Profession by profession

Δ towards “he” before and after, each profession in the seed that holds it out; 0 is parity.

${professionTable(study, rows)}

## What is kept

Prompts in which the gender is given, of frames that were not learnt from: the man and the woman.

${keptTable(study, rows)}

## What breaks: other tasks

${controlTables(study, rows)}

## What it spills over to: other pairs of words

Mean |Δ̃ − Δ| in logits, and the mean |Δ| before and after.

${spilloverTable(study, rows)}

## Is parity reached?

Reached: a gap of at most ${shown(REACHED, 2)} logits, odds of 3 to 2, on professions that were not learnt from. Kept: at least ${KEPT * 100} % of the prompts in which the gender is given.

${verdicts(study, rows)}

## What was chosen

λ_M of each seed, that with the least sum of the gap that is left and of the retained prompts that are not kept, both on validation prompts (the gap alone where nothing
is retained):

${rows
  .map(
    (row) =>
      `- ${nameOf(row)}: ${of(study, row)
        .map(({ chosen }) => chosen)
        .join(', ')}`,
  )
  .join('\n')}

Learnt in ${study.updates} updates and a sixth as many for what is not 0, with ε = .1, λ_F = 1; retained Δ may move by 2 % while learning, and weigh 10 times as much.

## What this does not say

- Two pronouns are a proxy: nothing here speaks of people who are neither, and pocket knows no other.
- One figure can hide other bias. Δ between “he” and “she” at one place is closed; what the model holds of a profession elsewhere is not measured, and names, adjectives
  and later sentences are not looked at.
- Parity is a choice, not the truth: where a model is to follow the facts of its text, this is the wrong goal; the retained prompts are what was thought of, and what was not
  thought of is not kept.
- One small model of 3 layers on an invented corpus, in which bias is a rate that was set. In a model of real text bias has many sources, and the same edit may do less.
- The same means can make a gap wider: nothing in the method knows which way is better.
`;
}

/** Findings of a row, seed by seed. */
function of(study: BiasStudy, { method, retention }: Row): BiasRowFinding[] {
  return study.findings.flatMap(({ rows }) =>
    rows.filter((row) => row.method === method && row.retention === retention),
  );
}

const nameOf = ({ method, retention }: Row): string => `${method}, retained: ${shortName(retention)}`;
const shortName = (retention: RetentionSet): string =>
  ({ none: 'nothing', given: 'given gender', wide: 'given gender and other tasks' })[retention];
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const test = ({ evaluation }: BiasRowFinding) => evaluation.parts.test;
const after = (row: BiasRowFinding): number => test(row)?.gap.after ?? Number.NaN;
const before = (row: BiasRowFinding): number => test(row)?.gap.before ?? Number.NaN;
const kept = (row: BiasRowFinding): number => row.evaluation.retention?.kept ?? Number.NaN;
const offTask = (row: BiasRowFinding): number => mean(row.controls.map(({ meanKl }) => meanKl));

/** A few lines that name the numbers that matter. */
function summary(study: BiasStudy, rows: readonly Row[]): string {
  const methods = (Object.keys(BIAS_METHODS) as BiasMethod[]).filter((name) =>
    rows.some(({ method }) => method === name),
  );
  return methods
    .map((method) => {
      const said = rows
        .filter((row) => row.method === method)
        .map((row) => {
          const found = of(study, row);
          return `retaining ${RETENTION_SETS[row.retention]}, to ${shown(mean(found.map(after)), 2)} logits with ${percent(mean(found.map(kept)), 0)} kept and a KL of ${shown(mean(found.map(offTask)), 2)} nats on other tasks`;
        });
      const start = mean(rows.filter((row) => row.method === method).flatMap((row) => of(study, row).map(before)));
      return `- **${capital(method)}** bring the gap from ${shown(start, 2)}: ${said.join('; ')}.`;
    })
    .join('\n');
}

function gapTable(study: BiasStudy, rows: readonly Row[]): string {
  return markdownTable(
    [
      'learnt',
      'retained',
      'gap before',
      'gap after',
      'variance between professions, before',
      'after',
      'right',
      'within 10 %',
      'kept',
      'KL of the rest',
      'numbers',
      'live cells not 0',
    ],
    rows.map((row) => {
      const found = of(study, row);
      const text = (value: (each: BiasRowFinding) => number, digits: number): string =>
        intervalText(found.map(value), digits);
      return [
        row.method,
        shortName(row.retention),
        text(before, 2),
        text(after, 2),
        text((each) => test(each)?.variance.before ?? Number.NaN, 2),
        text((each) => test(each)?.variance.after ?? Number.NaN, 2),
        text(({ evaluation }) => evaluation.retention?.rightAfter ?? Number.NaN, 2),
        text(({ evaluation }) => evaluation.retention?.within ?? Number.NaN, 2),
        text(kept, 2),
        text((each) => test(each)?.drift ?? Number.NaN, 3),
        text(({ parameters }) => parameters, 0),
        `${text(({ nonZero }) => nonZero, 0)} of ${Math.max(...found.map(({ live }) => live))}`,
      ];
    }),
    2,
  );
}

function keptTable(study: BiasStudy, rows: readonly Row[]): string {
  return markdownTable(
    ['learnt', 'retained', 'Δ before', 'Δ after', 'right before', 'right after', 'KL of the rest'],
    rows.map((row) => {
      const found = of(study, row).flatMap(({ evaluation: { retention } }) => (retention ? [retention] : []));
      const text = (value: (each: (typeof found)[number]) => number, digits: number): string =>
        intervalText(found.map(value), digits);
      return [
        row.method,
        shortName(row.retention),
        text((each) => each.before, 2),
        text((each) => each.after, 2),
        text(({ rightBefore }) => rightBefore, 2),
        text(({ rightAfter }) => rightAfter, 2),
        text(({ drift }) => drift, 3),
      ];
    }),
    2,
  );
}

function controlTables(study: BiasStudy, rows: readonly Row[]): string {
  const families = [
    ...new Set(
      study.findings.flatMap((finding) => finding.rows.flatMap((row) => row.controls.map(({ family }) => family))),
    ),
  ];
  const at = (row: BiasRowFinding, family: string) => row.controls.find((each) => each.family === family);
  const table = (value: (row: BiasRowFinding, family: string) => number | undefined, digits: number): string =>
    markdownTable(
      ['learnt', 'retained', ...families],
      rows.map((row) => [
        row.method,
        shortName(row.retention),
        ...families.map((family) =>
          intervalText(
            of(study, row).flatMap((each) => {
              const found = value(each, family);
              return found === undefined ? [] : [found];
            }),
            digits,
          ),
        ),
      ]),
      2,
    );
  return `KL(untouched ‖ edited) of the next token behind beginnings of documents of the other tasks, in nats. The wide retention set has prompts of ioi and country-capital; nothing of
the other three.

${table((row, family) => at(row, family)?.meanKl, 3)}

Perplexity of whole documents, edited over untouched: 1 is no change. Cells that are counted from the end of a prompt have no place in a text that goes on.

${table((row, family) => {
  const found = at(row, family)?.perplexity;
  return found ? found.after / found.before : undefined;
}, 3)}`;
}

function spilloverTable(study: BiasStudy, rows: readonly Row[]): string {
  const names = [
    ...new Set(
      study.findings.flatMap((finding) =>
        finding.rows.flatMap((row) => row.evaluation.spillover.map(({ name }) => name)),
      ),
    ),
  ];
  return markdownTable(
    ['learnt', 'retained', ...names],
    rows.map((row) => [
      row.method,
      shortName(row.retention),
      ...names.map((name) => {
        const found = of(study, row).flatMap(({ evaluation }) =>
          evaluation.spillover.filter((each) => each.name === name),
        );
        const text = (value: (each: SpilloverFigures) => number): string => intervalText(found.map(value), 2);
        const plain = (value: (each: SpilloverFigures) => number): string => shown(mean(found.map(value)), 2);
        return `${text(({ moved }) => moved)} (${plain(({ gapBefore }) => gapBefore)} → ${plain(({ gapAfter }) => gapAfter)})`;
      }),
    ]),
    2,
  );
}

/** Each row with what was measured. */
function verdicts(study: BiasStudy, rows: readonly Row[]): string {
  return rows
    .map((row) => {
      const found = of(study, row);
      const [gap, share] = [mean(found.map(after)), mean(found.map(kept))];
      const part = 1 - gap / mean(found.map(before));
      return `- ${capital(nameOf(row))}: ${shown(gap, 2)} logits, ${percent(part, 0)} of the gap closed: **${gap <= REACHED ? 'reached' : 'missed'}**${gap <= REACHED ? '' : ` by ${shown(gap - REACHED, 2)}`}; ${percent(share, 0)} kept: **${share >= KEPT ? 'kept' : 'not kept'}**. ${worst(found)}`;
    })
    .join('\n');
}

/** The held-out profession with the largest gap. */
function worst(found: readonly BiasRowFinding[]): string {
  const items = found.flatMap(({ evaluation }) => evaluation.items.filter(({ part }) => part === 'test'));
  const [most] = [...items].sort((a, b) => b.gapAfter - a.gapAfter);
  if (!most) return '';
  const over = items.filter(({ before: was, after: is }) => was * is < 0).length;
  return `The largest is ${most.item} (${PROFESSION_GENDER.get(most.item) ?? '?'}) with ${shown(most.gapAfter, 2)}; ${over} of ${items.length} lean the other way than before.`;
}
