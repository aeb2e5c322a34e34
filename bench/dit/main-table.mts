// The page's main table: every method on the test diffs of a base model, whether the aim is met, and what each seed of the adapter gave.
import { clusteredShare } from '@limn/dit';
import { markdownTable, mean, percent, shown } from '../markdown-table.mjs';
import type { BaseFinding, DitStudy } from './study.mjs';
import {
  adaptersOf,
  advantage,
  bestBaseline,
  baseTitle,
  figureOf,
  meanColumn,
  methodRows,
  percentText,
  type MethodRow,
} from './summary.mjs';

/** What was aimed at: exact answers of DIT, of probing without the code, and with shuffled diffs. */
const AIM = { dit: 0.6, probing: 0.1, shuffled: 0.01 } as const;

/** Every method with its scores; a star behind those that were given the code. */
export const methodTable = (rows: readonly MethodRow[]): string =>
  markdownTable(
    ['method', 'exact', 'first of 800', 'first five', 'reciprocal rank', 'grade, 1 to 5'],
    rows.map((row) => [
      row.given === 'code' ? `${row.name} *` : row.name,
      percentText(figureOf(row, 'exact')),
      percent(figureOf(row, 'top1').mean),
      percent(figureOf(row, 'top5').mean),
      shown(figureOf(row, 'reciprocal').mean, 3),
      shown(figureOf(row, 'grade').mean, 2),
    ]),
  );

/** A section for every base model, and what each seed of the adapter gave on each. */
export function mainTables(study: DitStudy): string {
  const { bases, plan, adapters } = study;
  const tests = adapters.find(({ name }) => name === 'main')?.topics['test']?.exact.length ?? 0;
  return `## Who finds the topic

${tests} diffs of topics that no adapter saw, behind codes that none saw. Exact: the whole answer, over the full vocabulary; of guessers the chance that the right one of 800 names comes first.
Means over ${plan.seeds.length} seeds of the adapter, 95 % intervals over diffs. * was given the code.

${bases.map((base) => mainTable(study, base)).join('\n\n')}

### Seeds and base models

${seedTable(study)}`;
}

function mainTable(study: DitStudy, base: BaseFinding): string {
  const rows = methodRows(study, base);
  const dit = rows.find(({ name }) => name === 'DIT') as MethodRow;
  const best = bestBaseline(rows);
  const shuffled = mean(
    adaptersOf(study, base.model, 'main').flatMap(({ more }) => more['exact with shuffled diffs'] ?? []),
  );
  const probing = rows.find(({ name }) => name === 'questions without a code');
  const ditExact = figureOf(dit, 'exact').mean;
  const probed = probing ? figureOf(probing, 'exact').mean : 0;
  const met = ditExact >= AIM.dit && probed <= AIM.probing && shuffled <= AIM.shuffled;
  return `### ${baseTitle(base)}

${methodTable(rows)}

${best ? `DIT minus the best other method that has no code (${best.name}): ${percentText(advantage(dit, best, 'exact'))} exact, paired by diff.` : ''}
With shuffled diffs ${percent(shuffled, 2)} are exact. The aim (${percent(AIM.dit, 0)} exact, at most ${percent(AIM.probing, 0)} by questions without a code, at most ${percent(AIM.shuffled, 0)} with shuffled diffs) is ${met ? 'met' : 'missed'}.
Chosen by validation diffs: ${Object.entries(base.chosen)
    .map(([name, choice]) => `${name}, ${choice}`)
    .join('; ')}.`;
}

/** DIT's exact answers by seed; over several base models their mean, whose interval is over topics: every base has a diff of each. */
function seedTable(study: DitStudy): string {
  const { bases, plan } = study;
  const rows = bases.map((base) => {
    const main = adaptersOf(study, base.model, 'main');
    const scores = main.flatMap(({ topics }) => topics['test'] ?? []);
    const bySeed = plan.seeds.map((seed) => {
      const own = main.find((each) => each.seed === seed)?.topics['test'];
      return own ? percent(mean(own.exact)) : '–';
    });
    return { scores, cells: [baseTitle(base), ...bySeed, percentText(clusteredShare(meanColumn(scores, 'exact')))] };
  });
  const all = rows.flatMap(({ scores }) => scores);
  return markdownTable(
    ['exact answers of DIT on', ...plan.seeds.map((seed) => `seed ${seed}`), 'mean'],
    [
      ...rows.map(({ cells }) => cells),
      ...(bases.length > 1
        ? [['both', ...plan.seeds.map(() => ''), percentText(clusteredShare(meanColumn(all, 'exact')))]]
        : []),
    ],
  );
}
