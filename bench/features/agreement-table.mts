// Agreement of prediction and measurement as a table: by depth, for the strongest and for random features, with attention held and as it is.
import { markdownTable, shown } from '../markdown-table.mjs';
import type { CaseFinding } from './study.mjs';

const known = (value: number | null): string => (value === null ? '–' : shown(value, 2));

export function agreementTable({ agreement }: CaseFinding): string {
  const rows = agreement.flatMap(({ group, mode, rows: found }) =>
    found.map(({ depth, count, spearman, signAgreement, cosine, nmse, size }) => [
      group === 'strongest' ? 'strongest' : 'random, as active',
      mode,
      depth === 'output' ? 'answer' : `${depth} layer${depth === 1 ? '' : 's'} on`,
      String(count),
      known(spearman),
      known(signAgreement),
      known(cosine),
      known(nmse),
      shown(size, 3),
    ]),
  );
  return markdownTable(
    ['features', 'model', 'effect on', 'pairs', "Spearman's ρ", 'same sign', 'cosine', 'NMSE', 'size'],
    rows,
    3,
  );
}
