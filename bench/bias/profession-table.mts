// Δ of every profession before and after, where it was held out.
import { idOf, PROFESSION_GENDER, PROFESSIONS } from '@limn/tasks';
import { markdownTable, mean, shown } from '../markdown-table.mjs';
import type { BIAS_ROWS, BiasStudy } from './study.mjs';

type Row = (typeof BIAS_ROWS)[number];

/** A row per profession that some seed held out, in the order of its stereotype. */
export function professionTable(study: BiasStudy, rows: readonly Row[]): string {
  const heldOut = ({ method, retention }: Row, profession: string) =>
    study.findings.flatMap((finding) =>
      finding.rows
        .filter((row) => row.method === method && row.retention === retention)
        .flatMap(({ evaluation: { items, pair } }) => {
          // An evaluation's Δ favours the answer of its first example.
          const sign = pair?.[0] === idOf('he') ? 1 : -1;
          return items
            .filter(({ item, part }) => item === profession && part === 'test')
            .map(({ before, after }) => ({ before: sign * before, after: sign * after }));
        }),
    );
  const order = (['he', 'she'] as const).flatMap((gender) =>
    PROFESSIONS.filter((profession) => PROFESSION_GENDER.get(profession) === gender),
  );
  return markdownTable(
    ['profession', 'stereotype', 'before', ...rows.map(({ method, retention }) => `${method}, ${retention}`)],
    order.flatMap((profession) => {
      const found = rows.map((row) => heldOut(row, profession));
      const all = found.flat();
      if (all.length === 0) return [];
      return [
        [
          profession,
          PROFESSION_GENDER.get(profession) ?? '',
          shown(mean(all.map(({ before }) => before)), 2),
          ...found.map((own) => (own.length === 0 ? '–' : shown(mean(own.map(({ after }) => after)), 2))),
        ],
      ];
    }),
    2,
  );
}
